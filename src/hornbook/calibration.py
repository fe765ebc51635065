"""Calibration: the settings of a training as its length has them, and its plan.

A length is a number of updates, of epochs, or of minutes. Minutes are turned into updates by a trial of a few
of them; the time of the end (the last sample, the passage, all of the held-out part) is measured too and kept
free.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hornbook.capacity import check_memory, seconds_of_saving, seconds_of_the_start
from hornbook.config import LONGEST, MOST_PASSES, MOST_UPDATES, ModelSettings, TrainingSettings, settings
from hornbook.engines import why_not_mixed
from hornbook.errors import SettingError, TextError
from hornbook.events import Planned
from hornbook.markup import counted
from hornbook.plan import Budget, Plan, total_after
from hornbook.streams import Streams, trained_on
from hornbook.text import Text
from hornbook.trial import UTMOST, Trial
from hornbook.validation import HeldOut
from hornbook.values import real

LENGTHS = ("updates", "epochs", "minutes")
SHORTEST = 0.01  # minutes: start-up alone takes longer than fewer
GRACE = 2.0  # seconds that the last reading may exceed a time
SMALLER = ("hidden", "layers", "streams", "seq_len")  # what can be smaller for an update to be faster
OF_AN_UPDATE = ("streams", "seq_len")  # those of a training that goes on from a run

Arranged = tuple[ModelSettings, TrainingSettings, Plan]


def planned(text: Text, steps: Sequence[Planned], changes: Mapping[str, Any]) -> Arranged:
    """The settings and the plan of a training whose length is settled: by the steps of a plan, or without any
    by its updates. Raises as `arranged` does."""
    model, training = possible(text, **changes)
    check_text(text, training)
    return model, training, Plan.again(steps) if steps else Plan(training.updates)


def arranged(
    text: Text,
    preset: str | None = None,
    *,
    begun: float | None = None,
    figures: Callable[[], float] = lambda: 0.0,
    ahead: Callable[[Text, TrainingSettings], object] = lambda *_: None,
    **changes: Any,
) -> Arranged:
    """The settings of a preset with some of them changed, as `settings` has them, and the plan of a training
    on a text; `epochs` or `minutes` say how long in place of `updates`.

    Minutes count from `begun`; they leave free the seconds that `figures` tells, which is asked only if they
    are given; what is to be done `ahead` is done then, before anything is measured. Raises what `settings`
    raises, SettingError for more than one length and for minutes that are not enough for one update, and
    TextError for a text too short.
    """
    begun = time.perf_counter() if begun is None else begun
    length, rest = lengths(changes)
    rest["preset"] = preset
    epochs = length.pop("epochs", None)
    model, training = possible(text, **length, **rest)
    streams = check_text(text, training)
    if not training.minutes:
        updates = training.updates if epochs is None else updates_of(epochs, streams)
        return planned(text, (), {**rest, "updates": updates})
    check_begun(begun, training.minutes)
    ahead(text, training)
    plan = budget(
        text, model, training, begun, figures(), smaller=OF_AN_UPDATE if training.start else SMALLER
    )
    model, training = possible(text, **length, **rest, updates=plan.total)
    return model, training, plan


def possible(text: Text, **changes: Any) -> tuple[ModelSettings, TrainingSettings]:
    """The settings as `settings` has them; float32 in place of mixed where that is not to be had, so that a
    run says what was done. Raises what that raises, and SettingError where memory does not suffice."""
    model, training = settings(len(text.vocabulary), **changes)
    check_memory(model, training)
    if training.dtype == "mixed" and why_not_mixed(model, training):
        training = replace(training, dtype="float32")
    return model, training


def dtype_words(asked: str | None, model: ModelSettings, training: TrainingSettings) -> str:
    """That a training is not mixed, though it was asked to be, and why; empty otherwise."""
    if asked != "mixed" or training.dtype == "mixed":
        return ""
    return f"`dtype='mixed'`: {why_not_mixed(model, training)}; float32 is used"


def warmup_words(training: TrainingSettings) -> str:
    """That the updates which a time is expected to hold are fewer than the warm-up has; empty otherwise."""
    if not training.minutes or training.warmup < training.updates:
        return ""
    return (
        f"`warmup` is {training.warmup:,}, but about {counted(training.updates, 'update')} will fit into "
        f"`minutes={training.minutes:g}`: the rate rises until their end; give fewer"
    )


def lengths(changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The one setting, checked, that says how long, where one does, and the others. Raises SettingError for
    more than one, and for one that is out of range."""
    length = {name: changes[name] for name in LENGTHS if changes.get(name) is not None}
    if len(length) > 1:
        names = " and ".join(f"`{name}`" for name in length)
        raise SettingError(f"{names} both say how long to train; give one of them")
    real("`epochs`", length.get("epochs", 1), 0, MOST_PASSES)
    minutes = real("`minutes`", length.get("minutes", 1), 0, LONGEST)
    if minutes < SHORTEST:
        raise SettingError(
            f"`minutes={minutes:g}` is over before a training can start; give at least "
            f"`minutes={SHORTEST:g}`; in about 0.1 something is learnt"
        )
    return length, {name: value for name, value in changes.items() if name not in LENGTHS}


def check_text(text: Text, training: TrainingSettings) -> Streams:
    """The order of reading. Raises TextError where a text is too short to train on, or to hold out from."""
    HeldOut.of(text.ids, training)
    try:
        return Streams.of(trained_on(len(text), training), training)
    except TextError as error:
        raise TextError(f"{error}{less_held_out(len(text), training)}") from error


def less_held_out(characters: int, training: TrainingSettings) -> str:
    """The end of the sentence on a text that is too short to train on; empty where it would be with nothing
    held out too."""
    try:
        least = Streams.of(characters, training).least
    except TextError:
        return ""
    share = math.floor(1000 * (characters - least) / characters) / 1000
    enough = round(characters * share) > training.seq_len
    advice = f"at most `validation={share:g}`" if enough else "leave `validation` out"
    held_out = characters - trained_on(characters, training)
    return f" or {advice}: {held_out:,} of {characters:,} characters are held out"


def updates_of(epochs: float, streams: Streams) -> int:
    """So many times through the text, in updates."""
    return max(1, round(min(epochs * streams.updates_per_epoch, MOST_UPDATES)))


def most_updates(characters: int, training: TrainingSettings) -> int:
    """The updates after which a training by time has read a text of so many characters as often as it may."""
    streams = Streams.of(trained_on(characters, training), training)
    return updates_of(training.most_epochs or math.inf, streams)


def budget(
    text: Text,
    model: ModelSettings,
    training: TrainingSettings,
    begun: float,
    figures: float,
    update: int = 0,
    smaller: Sequence[str] = (),
) -> Budget:
    """The plan of a training by time, or of one that goes on so after `update` updates. Raises SettingError
    where not even one more fits, naming what could be `smaller`."""
    over = begun + 60 * training.minutes - figures
    start = 0.0 if update else check_room(model, training, over - time.perf_counter(), smaller)
    trial = Trial(text, model, training)
    each = trial.seconds_of_an_update(over - time.perf_counter())
    check_fits(start + each, over - time.perf_counter(), training.minutes, smaller)
    free = trial.seconds_of_the_end()
    left = over - time.perf_counter()
    check_fits(start + each + free, left, training.minutes, smaller, "an update, with start and end,")
    left -= start + free
    planned = update + max(1, int(left / each))
    return Budget(planned, over - free, over + GRACE, most=most_updates(len(text), training))


def check_room(
    model: ModelSettings, training: TrainingSettings, left: float, smaller: Sequence[str]
) -> float:
    """The seconds that initial values take, at least. Raise SettingError where these and the last checkpoint
    take longer than the seconds that are left of a time."""
    start, sizes = (
        seconds_of_the_start(model, training),
        [name for name in smaller if name not in OF_AN_UPDATE],
    )
    least = start + seconds_of_saving(model, training)
    check_fits(least, left, training.minutes, sizes, "to make and to save the network")
    return start


def check_begun(begun: float, minutes: float) -> None:
    """Raise SettingError where minutes that count from `begun` are over before anything is measured."""
    gone = time.perf_counter() - begun
    if gone > 60 * minutes + UTMOST:
        raise SettingError(
            f"`minutes={minutes:g}` were over before the training began: what comes before it has taken "
            f"{gone:.1f} s; give more minutes"
        )


def check_fits(
    seconds: float, left: float, minutes: float, smaller: Sequence[str], what: str = "an update"
) -> None:
    """Raise SettingError where something takes longer than the seconds that are left of a time; it tells what
    is left first, and what could be `smaller`, which is no help where nothing is left."""
    if seconds <= left + UTMOST:
        return
    if left <= 0:
        raise SettingError(
            f"`minutes={minutes:g}` leaves nothing for training: start-up and the end take all of it; give "
            "more minutes"
        )
    shown = f"{seconds:,.0f}" if seconds >= 10 else f"{seconds:.2g}"
    names = [f"`{name}`" for name in smaller]
    advice = f", or a smaller {', '.join(names[:-1])} or {names[-1]}" if names else ""
    raise SettingError(
        f"`minutes={minutes:g}` leaves {left:.1f} s for training, but {what} takes about "
        f"{shown} s here; give more minutes{advice}"
    )


def going_on(
    text: Text,
    model: ModelSettings,
    training: TrainingSettings,
    steps: Sequence[Planned],
    update: int,
    over: float,
) -> Budget:
    """The plan of a training by time that goes on after so many updates, by the steps of its plan so far and
    then by the clock, until the moment `over`."""
    free = Trial(text, model, training).seconds_of_the_end()
    most = max(update, most_updates(len(text), training))
    return Budget(total_after(steps, update), over - free, over + GRACE, steps=steps, most=most)
