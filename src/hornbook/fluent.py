"""Preset fluent: a network and a recipe that suit a text and a time, each choice with its reason.

The choices follow from N, the characters to train on, and n, those that the time allows for a network of a
size at the speed of this machine. The rules are fitted to the trials of docs/fluent.md. A setting that is
made already is left as it is, and the others follow it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hornbook.calibration import Trial, lengths, possible
from hornbook.config import ModelSettings, TrainingSettings, cores, lower, settings
from hornbook.engines import why_not_mixed
from hornbook.parameters import multiplied
from hornbook.streams import Streams, trained_on
from hornbook.text import Text

NAME = "fluent"
MINUTES = 3.0  # where nothing else says how long
LEARNING = 0.95  # of the time; samples and evaluations have the rest
THOROUGH = 200.0  # seconds that are planned by one second of measuring, and longer times too
SEQ_LEN, CHUNK = 64, 8
A_CORE = 8  # streams, which share the weights that it reads,
FEWEST, MOST = 16, 64  # and in all
UPDATES = 4  # in an epoch, at least
SIZES = ((1, 32), (1, 64), (1, 128), (2, 128), (2, 192), (2, 256), (2, 320), (2, 384), (2, 512), (2, 768))
WORTH = 1.1  # times as fast, at least, to round products for it
MEASURED = 10.0  # seconds that such a measuring would plan: a twentieth of one is enough,
ROUNDS = 4  # so often
READ = 4  # characters that are read for each weight, at least
LEARNT = 10  # weights for each character of the text, at most
EPOCHS = 25  # in a time; more are learnt by heart
LEAST = 1500  # updates, all the same
RATE = 3e-3
TRAVEL = 45_000  # updates, times the rate of U's rows over that of all else,
INPUT_RATE = (3.0, 30.0)  # within these
DROPOUT = ((1.5, 0.0), (4, 0.1), (10, 0.2), (math.inf, 0.3))  # up to so many epochs
DECAY = ((4, 0.0), (math.inf, 200.0))  # likewise: weight decay, times the updates of an epoch,
MOST_DECAY = 0.5  # at most


@dataclass
class Advice:
    """The settings that a training is given, those that are made already (`said`) among them, and the
    reasons, a line each."""

    said: dict[str, Any]
    given: dict[str, Any] = field(init=False)
    reasons: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.given = dict(self.said)

    def take(self, why: str, **values: Any) -> None:
        """Advise these values, but for the settings that are made already."""
        new = {name: value for name, value in values.items() if name not in self.said}
        if new:
            self.given |= new
            self.reasons.append(f"{typed(new)}: {why}")


def advise(text: Text, changes: Mapping[str, Any]) -> Advice:
    """What is advised for a training on a text, beside the settings that are made; nothing, unless their
    preset is fluent. Raises what `settings` raises."""
    advice = Advice({name: value for name, value in changes.items() if value is not None})
    said = advice.said
    if lower(said.get("preset", "")) != NAME:
        return advice
    if not lengths(said)[0]:
        advice.take("nothing says how long", minutes=MINUTES)
    training = possible(text, **lengths(said)[1])[1]
    characters = trained_on(len(text), training)
    order(advice, characters, len(text) - characters)
    if "dtype" not in said:
        precision(advice, text)
    network(advice, text, characters)
    return advice


def typed(settings: Mapping[str, Any]) -> str:
    """Settings as they are typed."""
    return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in settings.items())


def order(advice: Advice, characters: int, held_out: int) -> None:
    """How a text of so many characters is read, of which a window has to fit into what is held out."""
    said, room = advice.said, (characters - 1) // UPDATES
    seq_len = said.get("seq_len") or halved(SEQ_LEN, min(room, held_out - 1) if held_out else room)
    wanted = max(FEWEST, A_CORE * (said.get("threads") or cores()))
    streams = said.get("streams") or halved(min(wanted, MOST), room // seq_len)
    chunk = max(1, min(CHUNK, room // (seq_len * streams)))
    each = f"{streams * seq_len:,} characters in an update"
    advice.take(
        f"{each}, few, for many updates; as many as keep the cores busy", streams=streams, seq_len=seq_len
    )
    advice.take("no two epochs are alike, so less is learnt by heart", order="shuffled", chunk=chunk)


def halved(size: int, most: int) -> int:
    """A size, halved until it is at most so much, or 1."""
    while size > max(most, 1):
        size //= 2
    return size


def precision(advice: Advice, text: Text) -> None:
    """In which numbers the products are made."""
    asked = {**advice.given, "dtype": "mixed"}
    why = why_not_mixed(*settings(len(text.vocabulary), **lengths(asked)[1]))
    if why:
        advice.take(why, dtype="float32")
    elif (gain := gain_of_mixed(advice, text)) > WORTH:
        advice.take(f"{gain:.1f} times as fast here as float32, and learns as much", dtype="mixed")
    else:
        advice.take(f"mixed would be {gain:.1f} times as fast here: no gain", dtype="float32")


def gain_of_mixed(advice: Advice, text: Text) -> float:
    """How many times as fast as in float32 a network of the usual size is trained. The two take turns, and
    the best of each counts: other programs may disturb a few."""
    trials = {}
    for dtype in ("float32", "mixed"):
        model, training = possible(text, **lengths({**advice.given, "dtype": dtype})[1])
        trials[dtype] = Trial(text, model, training)
    rounds = [
        {dtype: trial.seconds_of_an_update(MEASURED) for dtype, trial in trials.items()}
        for _ in range(ROUNDS)
    ]
    fastest = {dtype: min(took[dtype] for took in rounds) for dtype in trials}
    return fastest["float32"] / fastest["mixed"]


def network(advice: Advice, text: Text, characters: int) -> None:
    """The network, and what suits it; how many times it reads the text at most."""
    model, training = possible(text, **lengths(advice.given)[1])
    streams = Streams.of(characters, training)
    epoch = streams.updates_per_epoch * training.streams * training.seq_len
    often = advice.said.get("most_epochs", max(EPOCHS, LEAST / streams.updates_per_epoch))
    most = epoch * often if often and "minutes" in advice.given else math.inf
    reads, free = reader(advice.given, text, model, training, epoch), sizes(advice, model)

    def n(size: ModelSettings) -> float:
        return min(reads(size), most)

    fitting = [s for s in free if n(s) >= READ * multiplied(s) and LEARNT * characters >= multiplied(s)]
    model = max(fitting or free[:1], key=multiplied)
    why = "the largest that text and time suffice for" if fitting else "the smallest"
    each = f"{n(model):,.0f} characters to read here, {n(model) / multiplied(model):,.3g} for each weight"
    advice.take(f"{why}: {each}", cell=model.cell, layers=model.layers, hidden=model.hidden)
    epochs = n(model) / epoch
    if reads(model) > most:
        advice.given["most_epochs"] = often
        advice.reasons.append(
            f"at most {often:,.0f} times through the text, in less time: more of it would be learnt by heart"
        )
    decay = min(up_to(DECAY, epochs) / streams.updates_per_epoch, MOST_DECAY)
    advice.take(
        f"{epochs:,.1f} times through the text, and what is seen again is soon learnt by heart",
        dropout=up_to(DROPOUT, epochs),
        weight_decay=float(f"{decay:.2g}"),
    )
    advice.take("that of the trials; it falls to zero with the last update", lr=RATE)
    updates = n(model) / (training.streams * training.seq_len)
    advice.take(
        "times that for U, whose rows wait for their characters: the fewer updates, the longer its steps",
        input_rate=float(min(max(float(f"{TRAVEL / updates:.2g}"), INPUT_RATE[0]), INPUT_RATE[1])),
    )


def sizes(advice: Advice, model: ModelSettings) -> list[ModelSettings]:
    """The sizes to choose from, but for what is set already."""
    said = advice.said
    return [
        replace(model, layers=said.get("layers", layers), hidden=said.get("hidden", hidden))
        for layers, hidden in SIZES
    ]


def reader(
    given: Mapping[str, Any], text: Text, model: ModelSettings, training: TrainingSettings, epoch: int
) -> Callable[[ModelSettings], float]:
    """The characters that a network of a size reads in the length that is given, of so many in an epoch; for
    minutes, the speed of this machine is measured."""
    update = training.streams * training.seq_len
    if "updates" in given:
        return lambda _: given["updates"] * update
    if "epochs" in given:
        return lambda _: given["epochs"] * epoch
    seconds = LEARNING * 60 * given["minutes"]
    took = Trial(text, model, training).seconds_of_an_update(min(seconds, THOROUGH))
    return lambda size: seconds * update / took * multiplied(model) / multiplied(size)


def up_to(steps: tuple[tuple[float, float], ...], number: float) -> float:
    """The value of the first step that reaches so far, or of the last."""
    return next((value for limit, value in steps if number <= limit), steps[-1][1])
