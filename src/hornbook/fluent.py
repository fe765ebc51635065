"""Preset fluent: a network and a recipe that suit a text and a time, each choice with its reason.

The choices follow from N, the characters to train on, and n, those that the time allows for a network of a
size at the speed of this machine. The rules are fitted to the trials of docs/fluent.md. A setting that is
made already is left as it is, and what is not set is chosen beside it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from hornbook.advice import Advice, amount_words
from hornbook.calibration import lengths, possible
from hornbook.compound import Schedule
from hornbook.config import cores, lower, usual_rates
from hornbook.sizing import network
from hornbook.streams import trained_on
from hornbook.text import Text
from hornbook.values import plain

NAME = "fluent"
MINUTES = 3.0  # where nothing else says how long
SEQ_LEN, CHUNK = 64, 8
A_CORE = 8  # streams, which share the weights that it reads,
FEWEST, MOST = 16, 64  # and in all
UPDATES = 4  # in an epoch, at least
ADAM, RATE = "adam", 3e-3  # the rate of networks of so many
WIDE = 256  # units a layer or more; the narrower, the higher it is,
HIGHEST = 0.012  # up to this
END = 300  # over the updates: the share of itself that the rate falls to
AVERAGE = ((10, 0.1), (math.inf, 0.4))  # up to so many epochs: the share of the updates, the last ones
TRAVEL = 45_000  # updates, times the rate of U's rows over RATE,
INPUT_RATE = (3.0, 30.0)  # within these
DROPOUT = ((1.5, 0.0), (4, 0.1), (10, 0.2), (math.inf, 0.3))  # up to so many epochs
DECAY = ((4, 0.0), (math.inf, 200.0))  # likewise: weight decay, times the updates of an epoch,
MOST_DECAY = 0.5  # at most


def advise(
    text: Text,
    changes: Mapping[str, Any],
    begun: float | None = None,
    figures: Callable[[], float] = lambda: 0.0,
) -> Advice:
    """What is advised for a training on a text, beside the settings that are made; nothing, unless their
    preset is fluent. Minutes count from `begun`, and leave free the seconds that `figures` tells, as in
    `arranged`. Raises what `settings` raises."""
    begun = time.perf_counter() if begun is None else begun
    advice = Advice({name: plain(value) for name, value in changes.items() if value is not None})
    said = advice.said
    if lower(said.get("preset", "")) != NAME:
        return advice
    if not lengths(said)[0]:
        advice.take("nothing says how long", minutes=MINUTES)
    training = possible(text, **lengths(said)[1])[1]
    characters = trained_on(len(text), training)
    order(advice, characters, len(text) - characters)
    reach, size = network(advice, text, characters, partial(seconds_left, advice, begun, figures))
    regularisation(advice, reach.characters(size) / reach.epoch, reach.updates)
    rates(advice, reach.characters(size) / reach.update, size.hidden)
    course(advice, reach.characters(size) / reach.epoch, reach.characters(size) / reach.update)
    return advice


def seconds_left(advice: Advice, begun: float, figures: Callable[[], float]) -> float:
    """What is left of the minutes of a training, or any time where it has a number of updates."""
    if "minutes" not in advice.given:
        return math.inf
    over = begun + 60 * float(advice.given["minutes"]) - figures()
    return over - time.perf_counter()


def order(advice: Advice, characters: int, held_out: int) -> None:
    """How a text of so many characters is read, of which a window has to fit into what is held out."""
    said, room = advice.said, (characters - 1) // UPDATES
    busy = A_CORE * (said.get("threads") or cores())
    wanted = said.get("streams") or min(max(FEWEST, busy), MOST), said.get("seq_len") or SEQ_LEN
    seq_len = said.get("seq_len") or halved(SEQ_LEN, min(room, held_out - 1) if held_out else room)
    streams = said.get("streams") or halved(wanted[0], room // seq_len)
    why = "so few that there are many updates"
    if (streams, seq_len) != wanted:
        why = "the text has no room for more"
    elif "streams" not in said and busy <= MOST:
        why = f"enough to keep the cores busy, but {why}"
    advice.take(f"{amount_words(streams * seq_len)} in an update: {why}", streams=streams, seq_len=seq_len)
    if lower(said.get("order", "shuffled")) == "shuffled":
        chunk = said.get("chunk") or max(1, min(CHUNK, room // (seq_len * streams)))
        pieces = f"pieces of {amount_words(chunk * seq_len)} from all over the text"
        why = f"{pieces}, in another order each epoch: less is learnt by heart"
        advice.take(why, order="shuffled", chunk=chunk)


def halved(size: int, most: int) -> int:
    """A size, halved until it is at most so much, or 1."""
    while size > max(most, 1):
        size //= 2
    return size


def regularisation(advice: Advice, epochs: float, updates: int) -> None:
    """What keeps a text that is read so often, in so many updates each time, from being learnt by heart."""
    read = f"{epochs:,.1f} times through the text"
    decay = min(up_to(DECAY, epochs) / updates, MOST_DECAY) * min(RATE / rate_of(advice, WIDE), 1.0)
    values = {"dropout": up_to(DROPOUT, epochs), "weight_decay": float(f"{decay:.2g}")}
    advice.take(
        f"{read}, and what is seen again is soon learnt by heart",
        **{name: value for name, value in values.items() if value},
    )
    seldom = "too seldom for this to help" if any(values.values()) else "too seldom to be learnt by heart"
    advice.take(
        f"{read}, {seldom}",
        **{name: value for name, value in values.items() if not value},
    )


def rates(advice: Advice, updates: float, hidden: int) -> None:
    """The learning rate of a training of so many updates, and that of U."""
    optimizer = optimizer_of(advice)
    if optimizer != ADAM:
        advice.take(f"what is usual for {optimizer}", lr=rate_of(advice, hidden))
        advice.take(f"U has the rate of all else: another is tried with {ADAM} alone", input_rate=1.0)
        return
    best = "did best in the trials of docs/fluent.md"
    fewer = f"{RATE:g} {best} for {WIDE} units a layer; fewer take longer steps"
    advice.take(best if hidden >= WIDE else fewer, lr=rate_of(advice, hidden))
    times = min(max(TRAVEL / updates, INPUT_RATE[0]), INPUT_RATE[1]) * RATE / float(advice.given["lr"])
    advice.take(
        "times the rate for U, the weights that the input characters choose: each waits for its "
        "character, so the fewer the updates, the longer its steps",
        input_rate=min(max(float(f"{times:.2g}"), 1.0), INPUT_RATE[1]),
    )


def course(advice: Advice, epochs: float, updates: float) -> None:
    """How the rate goes on in so many epochs and updates, and whether the last parameters are the model, or
    their mean."""
    end = float(f"{END / updates:.1g}")
    falls = f"the rate falls evenly to {end:g} of itself, and less far in fewer updates"
    why = "the rate stays as it is in so few updates" if end >= 1 else falls
    advice.take(
        f"{why}: what comes to rest learns no more", schedule="constant" if end >= 1 else f"linear:{end:g}"
    )
    if Schedule.parse(lower(advice.given["schedule"])).ends_at_zero:
        why = "where the rate falls to zero, the last parameters have come to rest: a mean is no better"
        advice.take(why, average=0.0)
    else:
        share = up_to(AVERAGE, epochs)
        advice.take(
            f"the model is the mean of the parameters over about the last {share:.0%} of the updates: it "
            "predicts better where the last steps are still long",
            average=share,
        )


def optimizer_of(advice: Advice) -> str:
    """The optimizer that is set, or fluent's own."""
    return str(lower(advice.said.get("optimizer", ADAM)))


def rate_of(advice: Advice, hidden: int) -> float:
    """The learning rate that suits the optimizer, and with Adam so many units a layer."""
    optimizer = optimizer_of(advice)
    if optimizer != ADAM:
        return usual_rates(optimizer)["lr"]
    return float(f"{min(RATE * max(WIDE / hidden, 1.0), HIGHEST):.2g}")


def up_to(steps: tuple[tuple[float, float], ...], number: float) -> float:
    """The value of the first step that reaches so far, or of the last."""
    return next((value for limit, value in steps if number <= limit), steps[-1][1])
