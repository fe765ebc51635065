"""How many characters a network of a size reads in the length that is given: for minutes, at the speed of
this machine.

One network is measured to choose a size, and then that one, which may be not as much faster as it has fewer
weights; by both the size is settled and what it reads foretold.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hornbook.advice import digits
from hornbook.calibration import lengths, possible
from hornbook.capacity import seconds_of_the_start
from hornbook.config import ModelSettings, TrainingSettings
from hornbook.parameters import multiplied
from hornbook.streams import Streams
from hornbook.text import Text
from hornbook.trial import Trial, of

LEARNING = 0.95  # of the time left; samples and evaluations have the rest
THOROUGH = 200.0  # seconds that are planned by one second of measuring, and longer times too
MEASURABLE = 1024  # units; the seconds of a larger network follow from those of one of so many
READ = 3  # characters that are read for each weight of the layers, at least,
FRESH = 6  # and of those that are read only
TWICE = 2  # times at most
LEARNT = 10  # weights for each character of the text, at most
EPOCHS = 25  # in a time; more are learnt by heart
LEAST = 1500  # updates, all the same


@dataclass(frozen=True)
class Reach:
    """How many characters a network reads of a `text` of so many, with `update` of them in an update and
    so many `updates` in an epoch: `most`, and by time what the `seconds` suffice for, by what was
    `measured`: the seconds of an update of networks of so many weights."""

    text: int
    update: int
    updates: int
    most: float = math.inf
    seconds: float = math.inf
    measured: tuple[tuple[int, float], ...] = ((1, 1.0),)

    @property
    def epoch(self) -> int:
        """The characters of an epoch."""
        return self.updates * self.update

    def takes(self, size: ModelSettings) -> float:
        """The seconds of an update of a network of a size."""
        return of(straight(self.measured), multiplied(size))

    def in_time(self, size: ModelSettings) -> float:
        """What a network of a size has time to read: one update is made in any case."""
        return max(self.seconds / self.takes(size), 1.0) * self.update

    def characters(self, size: ModelSettings) -> float:
        """What a network of a size reads."""
        return min(self.most, self.in_time(size))

    def faster(self, gain: float) -> Reach:
        """The same, where every update is so many times as fast."""
        return replace(self, measured=tuple((weights, took / gain) for weights, took in self.measured))

    def lacks(self, size: ModelSettings) -> str:
        """What a network of a size has too few or too many of: it is to read enough for the weights of its
        layers, and the text to be long enough for all; empty where both suffice."""
        read = self.characters(size)
        each = READ if read > TWICE * self.text else FRESH
        if self.too_large(size):
            return (
                f"{digits(multiplied(size) / self.text)} weights a character of the text, more than {LEARNT}"
            )
        if read < each * in_layers(size):
            return f"{digits(read / in_layers(size))} characters a weight, fewer than {each}"
        return ""

    def too_large(self, size: ModelSettings) -> bool:
        """Whether the text is too short for so many weights, however often it is read."""
        return LEARNT * self.text < multiplied(size)

    def largest(self, sizes: Sequence[ModelSettings]) -> ModelSettings:
        """The largest of the sizes for which text and time suffice, or the first."""
        fitting = (size for size in sizes if not self.lacks(size))
        return max(fitting, key=multiplied, default=sizes[0])


def in_layers(size: ModelSettings) -> int:
    """The weights that a character is multiplied with but for those of V, of which there are as many as the
    vocabulary has symbols: most of them are of rare ones."""
    return multiplied(size) - size.vocabulary * size.hidden


def reach_of(
    given: Mapping[str, Any],
    text: Text,
    characters: int,
    model: ModelSettings,
    training: TrainingSettings,
    left: Callable[[], float],
) -> Reach:
    """How much is read in the length that is given; for minutes, the speed of this machine is measured, and
    what that and all before it took is not counted."""
    updates = Streams.of(characters, training).updates_per_epoch
    update = training.streams * training.seq_len
    reach = Reach(characters, update, updates)
    if "updates" in given:
        return replace(reach, most=given["updates"] * update)
    if "epochs" in given:
        return replace(reach, most=given["epochs"] * reach.epoch)
    often = given.get("most_epochs", max(EPOCHS, LEAST / updates)) or math.inf
    model = measurable(model)
    took = Trial(text, model, training).seconds_of_an_update(measuring(left))
    measured = ((multiplied(model), took),)
    return replace(reach, most=often * reach.epoch, seconds=LEARNING * left(), measured=measured)


def measuring(left: Callable[[], float]) -> float:
    """The seconds by which it is measured how long an update takes."""
    return min(LEARNING * left(), THOROUGH)


def measurable(size: ModelSettings) -> ModelSettings:
    """A network of a size, or of one that is quick to measure."""
    return replace(size, hidden=min(size.hidden, MEASURABLE))


def straight(measured: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """The seconds of any update, and for each weight, by those of one network or two, of so many weights. No
    network is slower by more than its weights, and none faster for having more."""
    weights, took = max(measured, key=lambda pair: (pair[0], -pair[1]))
    fewer, least = min(measured)
    slope = took / weights
    if fewer < weights:
        slope = min(max((took - least) / (weights - fewer), 0.0), slope)
    return took - slope * weights, slope


def foretold(
    given: Mapping[str, Any], text: Text, reach: Reach, size: ModelSettings, left: Callable[[], float]
) -> Reach:
    """The same by the network that was chosen, without what else it does in the time: start, end, samples and
    evaluations, and to be measured once more."""
    begun = time.perf_counter()
    asked = {"dtype": "float32", **given, "layers": size.layers, "hidden": size.hidden}
    model, training = possible(text, **lengths(asked)[1], minutes=given["minutes"])
    trial = Trial(text, measurable(model), training)
    weights = multiplied(trial.model)
    if weights not in dict(reach.measured):
        took = trial.seconds_of_an_update(measuring(left))
        reach = replace(reach, measured=(*reach.measured, (weights, took)))
    beside = trial.seconds_of_the_end() + seconds_of_the_start(model, training)
    seconds = LEARNING * left() - beside - (time.perf_counter() - begun)
    way = trial.seconds_on_the_way(max(seconds / reach.takes(size), 1.0))
    return replace(reach, seconds=max(seconds, 0.0) ** 2 / max(seconds + way, 1e-9))
