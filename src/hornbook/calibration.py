"""Calibration: the settings of a training as its length has them, and the speed that a time is planned by.

A length is a number of updates, of epochs, or of minutes. Minutes are turned into updates by a few updates
that are made and thrown away; the time of the end (the last sample, the passage, all of the held-out part) is
measured too and kept free.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from hornbook.capacity import check_memory, seconds_of_saving, seconds_of_the_start
from hornbook.cells.cell import Array
from hornbook.config import LONGEST, MOST_PASSES, MOST_UPDATES, ModelSettings, TrainingSettings, settings
from hornbook.distribution import Choice
from hornbook.engines import ENGINES, Engine, Start, TrainingState, why_not_mixed
from hornbook.engines.interface import zero_state
from hornbook.errors import SettingError
from hornbook.events import Planned
from hornbook.excerpts import WARM
from hornbook.parameters import count
from hornbook.philox import INITIAL, SAMPLE, Source
from hornbook.plan import Budget, Plan, total_after
from hornbook.reading import BLOCK, LEAD
from hornbook.streams import Streams, trained_on
from hornbook.text import Text
from hornbook.validation import EARLY, LANE, READING, HeldOut
from hornbook.values import real

LENGTHS = ("updates", "epochs", "minutes")
GRACE = 2.0  # seconds that the last reading may exceed a time,
UTMOST = 4.0  # and the only update of a training that has no time for more
LONG_READING = 0.25  # of a budget: more is not kept free for the reading of all that is held out
SPARE = 1.2  # times the time that the end would take by the measured speed
MOST = 1 << 20  # units of work that are measured at once
TRIAL = 0.03  # seconds that speed is measured for, at least,
THOROUGH = 0.005  # or so much of the time left
DISTURBED = 20  # times that what is measured by one go fits in the time left, for it to be measured again
SAMPLES, EVALUATIONS = 10, 20  # of a training by time, on the way
NOISE = 65_537  # weights that are drawn for a trial
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
    if epochs is not None:
        return planned(text, (), {**rest, "updates": updates_of(epochs, streams)})
    if not training.minutes:
        return model, training, Plan(training.updates)
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


def lengths(changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The one setting, checked, that says how long, where one does, and the others."""
    length = {name: changes[name] for name in LENGTHS if changes.get(name) is not None}
    if len(length) > 1:
        names = " and ".join(f"`{name}`" for name in length)
        raise SettingError(f"{names} both say how long to train; give one of them")
    real("`epochs`", length.get("epochs", 1), 0, MOST_PASSES)
    real("`minutes`", length.get("minutes", 1), 0, LONGEST)
    return length, {name: value for name, value in changes.items() if name not in LENGTHS}


def check_text(text: Text, training: TrainingSettings) -> Streams:
    """The order of reading. Raises TextError where a text is too short to train on, or to hold out from."""
    HeldOut.of(text.ids, training)
    return Streams.of(trained_on(len(text), training), training)


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
            f"of `minutes={minutes:g}` nothing is left for training: start-up and the end take all of it; "
            "give more minutes"
        )
    names = [f"`{name}`" for name in smaller]
    advice = f", or a smaller {', '.join(names[:-1])} or {names[-1]}" if names else ""
    raise SettingError(
        f"of `minutes={minutes:g}` {left:.1f} s are left for training, and {what} takes about "
        f"{seconds:.2g} s here; give more minutes{advice}"
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


@dataclass
class Trial:
    """An engine that is thrown away when its speed has been measured. Its weights are a few random numbers,
    again and again: to draw them all, or to make matrices orthogonal, takes seconds and makes no update
    faster."""

    text: Text
    model: ModelSettings
    training: TrainingSettings

    def __post_init__(self) -> None:
        self.ids = self.text.ids[: trained_on(len(self.text), self.training)]
        state = TrainingState.of_parameters(noise(self.model, self.training), self.model, self.training)
        self.engine: Engine = ENGINES[self.training.engine](self.model, self.training, state, self.ids)

    def seconds_of_an_update(self, left: float) -> float:
        """By a few updates; where one of them would take a good part of the time left, by a part of one. The
        rates are zero: of a network that diverges an engine makes no update, which takes no time."""
        left = max(left, UTMOST)  # which is allowed to one update in any case
        x, y = Streams.of(len(self.ids), self.training).read(self.ids, 0)
        zero = zero_state(self.model, self.training.streams, self.training.array_dtype)

        def read(steps: int) -> object:
            return self.engine.read(x[:steps], y[:steps], zero)

        seconds = READING * len(x) * timed(read, 1)
        if left / 10 < seconds < READING * len(x) * left / DISTURBED:  # more than one step tell more
            seconds = min(seconds, READING * of(cost(read, TRIAL, len(x)), len(x)))
        if seconds > left / 10:
            return seconds
        rates, enough = np.zeros(MOST), max(TRIAL, THOROUGH * left)
        first = timed(lambda n: self.engine.advance(rates[:n]), 1)
        if first <= enough:
            return cost(lambda n: self.engine.advance(rates[:n]), enough)[1]
        again = first < left / DISTURBED
        return min(first, timed(lambda n: self.engine.advance(rates[:n]), 1)) if again else first

    @cached_property
    def reading(self) -> tuple[float, float]:
        """The seconds of reading one stream, and of each character."""
        zero = zero_state(self.model, 1, self.training.array_dtype)
        ids = np.resize(np.asarray(self.ids[: BLOCK + 1], dtype=np.int64), BLOCK + 1)[:, None]
        return cost(lambda n: self.engine.read(ids[:n], ids[1 : n + 1], zero), TRIAL, BLOCK)

    @cached_property
    def writing(self) -> tuple[float, float]:
        """The seconds of writing a text, and of each character."""
        zero = zero_state(self.model, 1, self.training.array_dtype)
        start, source = Start(zero, np.zeros(1, np.int64)), Source(self.training.seed, SAMPLE)
        return cost(lambda n: self.engine.sample(start, n, Choice(), source), TRIAL, BLOCK)

    def seconds_of_the_end(self) -> float:
        """What the last checkpoint, sample and passage and the reading of all that is held out will take."""
        training = self.training
        held_out = len(self.text) - len(self.ids)
        blocks, longest = -(-held_out // BLOCK), LONG_READING * 60 * training.minutes
        written = training.sample_length + training.passage_length
        taken = 10 * of(self.reading, WARM) + of(self.reading, LEAD) + 2 * of(self.writing, written / 2)
        taken += min(blocks * of(self.reading, held_out / max(blocks, 1)), longest)
        return SPARE * taken + seconds_of_saving(self.model, training)

    def seconds_on_the_way(self, updates: float) -> float:
        """What samples and evaluations, of a lane each, take in a training by time of so many updates."""
        held_out = len(self.text) - len(self.ids)
        samples, evaluations = min(updates, SAMPLES), min(updates, EVALUATIONS) * bool(held_out)
        lane = EARLY + min(LANE, held_out)
        written = of(self.writing, self.training.sample_length)
        return samples * written + evaluations * of(self.reading, lane)


def noise(model: ModelSettings, training: TrainingSettings) -> Array:  # (P,)
    """Weights of a usual size for a trial."""
    some = Source(training.seed, INITIAL).generator().standard_normal(NOISE) / math.sqrt(2 * model.hidden)
    return np.resize(some.astype(training.array_dtype), count(model))


def of(cost: tuple[float, float], units: float) -> float:
    """The seconds of so many units of work."""
    return cost[0] + cost[1] * units


def cost(work: Callable[[int], object], seconds: float, most: int = MOST) -> tuple[float, float]:
    """The seconds of a work without any unit, and of each unit: from one unit, and from growing portions
    until one takes so long, and twice as long as the one, or ten times so long."""
    first = min(timed(work, 1), timed(work, 1))
    enough, size, took = max(seconds, min(2 * first, 10 * seconds)), 1, 0.0
    while size < most and took < enough:
        size = min(most, 4 * size)
        took = timed(work, size)
    each = max(took - first, took / 20) / (size - 1)
    return max(0.0, first - each), each


def timed(work: Callable[[int], object], size: int) -> float:
    """The seconds that a portion of work takes."""
    begun = time.perf_counter()
    work(size)
    return max(time.perf_counter() - begun, 1e-9)
