"""A trial: how fast a network is trained, reads and writes on this machine, by a few units of work that are
thrown away."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hornbook.capacity import seconds_of_saving
from hornbook.cells.cell import Array
from hornbook.config import ModelSettings, TrainingSettings
from hornbook.distribution import Choice
from hornbook.engines import ENGINES, Engine, Start, TrainingState
from hornbook.engines.interface import zero_state
from hornbook.excerpts import WARM
from hornbook.parameters import count
from hornbook.philox import INITIAL, SAMPLE, Source
from hornbook.reading import BLOCK, LEAD
from hornbook.streams import Streams, trained_on
from hornbook.text import Text
from hornbook.validation import EARLY, LANE, READING

UTMOST = 4.0  # seconds that the only update of a training by time may take, whatever is left
LONG_READING = 0.25  # of a budget: more is not kept free for the reading of all that is held out
SPARE = 1.2  # times the time that the end would take by the measured speed
MOST = 1 << 20  # units of work that are measured at once
TRIAL = 0.03  # seconds that speed is measured for, at least,
THOROUGH = 0.005  # or so much of the time left
DISTURBED = 20  # times that what is measured by one go fits in the time left, for it to be measured again
SAMPLES, EVALUATIONS = 10, 20  # of a training by time, on the way
NOISE = 65_537  # weights that are drawn for a trial


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

        def advance(updates: int) -> object:
            return self.engine.advance(rates[:updates], self.training.log_every)

        first = timed(advance, 1)
        if first <= enough:
            return cost(advance, enough)[1]
        again = first < left / DISTURBED
        return min(first, timed(advance, 1)) if again else first

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
