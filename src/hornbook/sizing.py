"""The size of a network that suits a text and a time, and the numbers its products are made in, for preset
fluent; each with its reason."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hornbook.advice import Advice, amount_words, digits, keywords
from hornbook.calibration import OF_AN_UPDATE, SMALLER, check_room, lengths, possible
from hornbook.config import ModelSettings, settings
from hornbook.engines import why_not_mixed
from hornbook.parameters import multiplied
from hornbook.reach import EPOCHS, Reach, foretold, in_layers, measurable, reach_of
from hornbook.text import Text
from hornbook.trial import Trial

SIZES = ((1, 32), (1, 64), (1, 128), (2, 128), (2, 192), (2, 256), (2, 320), (2, 384), (2, 512), (2, 768))
MIXED = 256  # units, from which on mixed is faster,
WORTH = 1.1  # and times as fast, at least, to round products for it
MEASURED = 10.0  # seconds that such a measuring would plan: a twentieth of one is enough,
ROUNDS = 4  # so often, or as often as fits in this share of the time left
SHARE = 0.1


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


def limit(advice: Advice, reach: Reach, size: ModelSettings) -> None:
    """Advise how often a training by time may read its text, even where it is not foretold that it comes so
    far: the measurement may have been disturbed. The reason is given only where that is foretold."""
    if "minutes" not in advice.given or "most_epochs" in advice.said:
        return
    often = advice.given["most_epochs"] = reach.most / reach.epoch
    if reach.in_time(size) <= reach.most:
        return
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
