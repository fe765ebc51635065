"""The size of a network that suits a text and a time, and the numbers its products are made in, for preset
fluent.

It follows from N, the characters to train on, and n, those that a network of a size reads in the length that
is given: for minutes, at the speed of this machine. One network is measured to choose a size, and then that
one, which may be not as much faster as it has fewer weights; by both the size is settled and n foretold.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hornbook.advice import Advice, amount_words, keywords
from hornbook.calibration import OF_AN_UPDATE, SMALLER, check_room, lengths, possible
from hornbook.capacity import seconds_of_the_start
from hornbook.config import ModelSettings, TrainingSettings, settings
from hornbook.engines import why_not_mixed
from hornbook.parameters import multiplied
from hornbook.streams import Streams
from hornbook.text import Text
from hornbook.trial import Trial, of

LEARNING = 0.95  # of the time left; samples and evaluations have the rest
THOROUGH = 200.0  # seconds that are planned by one second of measuring, and longer times too
SIZES = ((1, 32), (1, 64), (1, 128), (2, 128), (2, 192), (2, 256), (2, 320), (2, 384), (2, 512), (2, 768))
MEASURABLE = 1024  # units; the seconds of a larger network follow from those of one of so many
MIXED = 256  # units, from which on mixed is faster,
WORTH = 1.1  # and times as fast, at least, to round products for it
MEASURED = 10.0  # seconds that such a measuring would plan: a twentieth of one is enough,
ROUNDS = 4  # so often, or as often as fits in this share of the time left
SHARE = 0.1
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


def network(
    advice: Advice, text: Text, characters: int, left: Callable[[], float]
) -> tuple[Reach, ModelSettings]:
    """The network and its numbers: a size by the speed of float32, and once more by that of mixed, where a
    network of that size gains by it. `left` tells the seconds that are left of a time."""
    model, training = possible(text, **lengths({"dtype": "float32", **advice.given})[1])
    sizes = choices(advice, model)
    if "minutes" in advice.given:
        limited = replace(training, minutes=advice.given["minutes"])
        check_room(sizes[0], limited, max(left(), 0.0), OF_AN_UPDATE if training.start else SMALLER)
    reach = reach_of(advice.given, text, characters, model, training, left)
    if "minutes" in advice.given:
        reach = foretold(advice.given, text, reach, reach.largest(sizes), left)
    begun = time.perf_counter()
    gain = precision(advice, text, reach.largest(sizes), left)
    reach = replace(reach.faster(gain), seconds=reach.seconds - (time.perf_counter() - begun))
    size = reach.largest(sizes)
    tell(advice, reach, sizes, size)
    limit(advice, reach, size)
    return reach, size


def tell(advice: Advice, reach: Reach, sizes: Sequence[ModelSettings], size: ModelSettings) -> None:
    """Advise a size of those that there are, and why."""
    read, weights = reach.characters(size), in_layers(size)
    each = f"{amount_words(read)} to read here, {digits(read / weights)} for each weight of the layers"
    advice.take(
        "it learns more in a time than an LSTM or a vanilla network that does as much work", cell=size.cell
    )
    advice.take(f"{which(advice, reach, sizes, size)}: {each}", layers=size.layers, hidden=size.hidden)


def which(advice: Advice, reach: Reach, sizes: Sequence[ModelSettings], size: ModelSettings) -> str:
    """Which of the sizes one is, beside what is set already, and by what limit."""
    said = {name: value for name, value in advice.said.items() if name in ("layers", "hidden")}
    beside = f" with {keywords(said)}" if said else ""
    if lacks := reach.lacks(size):
        return f"the smallest{beside}, though {scarce(advice, reach, size)} is short for it ({lacks})"
    larger = [other for other in sizes if multiplied(other) > multiplied(size)]
    if not larger:
        return f"the largest{beside} that there is"
    other = min(larger, key=multiplied)
    why = f"{scarce(advice, reach, other)} suffices for (a larger one would have {reach.lacks(other)})"
    return f"the largest{beside} that {why}"


def scarce(advice: Advice, reach: Reach, size: ModelSettings) -> str:
    """What does not suffice for a network of a size."""
    if reach.too_large(size):
        return "the text"
    if reach.characters(size) < reach.most:
        return "the time"
    counted = next((name for name in ("updates", "epochs") if name in advice.given), "")
    return f"the number of {counted}" if counted else "the text"


def digits(number: float) -> str:
    """A number in three digits or more."""
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"


def limit(advice: Advice, reach: Reach, size: ModelSettings) -> None:
    """Advise that a short text ends a training by time, where it would."""
    enough = reach.in_time(size) <= reach.most
    if "minutes" not in advice.given or "most_epochs" in advice.said or enough:
        return
    often = advice.given["most_epochs"] = reach.most / reach.epoch
    why = f"it goes through the text {EPOCHS} times at most, since what is read more often is learnt by heart"
    if often > EPOCHS:
        best = "the best model is chosen on the way, by what is held out"
        if not advice.said.get("validation"):
            best = "with `validation=0.1` the best model would be one on the way, chosen by what is held out"
        why = (
            f"it makes {often * reach.updates:,.0f} updates at most, {often:,.0f} times through so short a "
            f"text, which is learnt by heart by then: {best}"
        )
    advice.reasons.append(f"the training may end before its minutes are over: {why}")


def choices(advice: Advice, model: ModelSettings) -> list[ModelSettings]:
    """The sizes to choose from, but for what is set already."""
    said = advice.said
    return [
        replace(model, layers=said.get("layers", layers), hidden=said.get("hidden", hidden))
        for layers, hidden in SIZES
    ]


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


def precision(advice: Advice, text: Text, size: ModelSettings, left: Callable[[], float]) -> float:
    """In which numbers a network of a size makes its products; how many times as fast as before that is."""
    if "dtype" in advice.said:
        return 1.0
    asked = {**advice.given, "layers": size.layers, "hidden": size.hidden, "dtype": "mixed"}
    why = why_not_mixed(*settings(len(text.vocabulary), **lengths(asked)[1]))
    if not why and size.hidden < MIXED:
        why = f"mixed is faster from {MIXED} units a layer on"
    if not why:
        gain = gain_of_mixed(asked, text, SHARE * left())
        if gain > WORTH:
            advice.take(f"{gain:.1f} times as fast here as float32, and learns as much", dtype="mixed")
            return gain
        why = f"mixed would be {gain:.1f} times as fast here: no gain"
    advice.take(why, dtype="float32")
    return 1.0


def gain_of_mixed(asked: Mapping[str, Any], text: Text, seconds: float) -> float:
    """How many times as fast as in float32 a network is trained. The two take turns, as often as so many
    seconds allow, and the best of each counts: other programs may disturb a few."""
    begun, trials, rounds = time.perf_counter(), {}, list[dict[str, float]]()
    for dtype in ("float32", "mixed"):
        model, training = possible(text, **lengths({**asked, "dtype": dtype})[1])
        trials[dtype] = Trial(text, measurable(model), training)
    while not rounds or (len(rounds) < ROUNDS and time.perf_counter() - begun < seconds):
        rounds.append({dtype: trial.seconds_of_an_update(MEASURED) for dtype, trial in trials.items()})
    fastest = {dtype: min(took[dtype] for took in rounds) for dtype in trials}
    return fastest["float32"] / fastest["mixed"]
