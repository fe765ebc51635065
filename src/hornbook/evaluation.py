"""Evaluation: the mean cost of a character of a text, read as one stream, and by windows of fixed length.

As one stream the network reads on to the end, as `scoring` does, from the state in which the model starts to
write, or from what stands before the text: each character is foretold after all before it. A model that sees
a fixed number of characters, such as a transformer, is measured by windows; so a text can be cut into them
here too. Windows of W characters lie side by side, the last one shorter; the state is zero before each, its
first character is only read, and each of the others is foretold after those before it in the window. Unknown
characters cost ln(K + 1) nats either way and are not read, so windows are cut from what is left without
them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hornbook.cells.cell import Array
from hornbook.engines import Engine
from hornbook.engines.interface import zero_state
from hornbook.errors import TextError
from hornbook.reading import LEAD, Numbers, Reals, check_known, costs, led
from hornbook.validation import read_lanes
from hornbook.values import integer
from hornbook.vocabulary import Vocabulary

SIDE_BY_SIDE = 64  # windows read at a time


@dataclass(frozen=True)
class Evaluation:
    """The mean cost over `characters` in nats; `unknown_characters` of them the model does not know. `window`
    is 0 for one stream."""

    characters: int
    unknown_characters: int
    nats_per_character: float
    window: int = 0

    @property
    def bits_per_character(self) -> float:
        """The mean cost of a character in bits."""
        return self.nats_per_character / math.log(2)

    @property
    def perplexity(self) -> float:
        """Among how many equally likely characters the model would be as uncertain; infinite where that is
        too large for a number."""
        return math.exp(self.nats_per_character) if self.nats_per_character < 709 else math.inf

    def record(self) -> dict[str, Any]:
        """The evaluation as a JSON record; null for what is not finite."""
        costs = {
            name: getattr(self, name) for name in ("nats_per_character", "bits_per_character", "perplexity")
        }
        finite = {name: value if math.isfinite(value) else None for name, value in costs.items()}
        counts = {"characters": self.characters, "unknown_characters": self.unknown_characters}
        return {**finite, **counts, **({"window": self.window} if self.window else {})}


def evaluate_text(
    engine: Engine, vocabulary: Vocabulary, text: str, state: Array, window: int = 0, before: str = ""
) -> Evaluation:
    """Evaluate a text, as one stream from a state (L, S, 1, H) and what stands `before` it, or by windows.
    Raises TextError where it is empty, has no character that the model knows, or for windows fewer than two
    of them; SettingError for a window of one."""
    ids = check_known(vocabulary, text)
    known = ids[ids >= 0]
    if window:
        nats = window_costs(engine, known, window)
    else:
        read = vocabulary.find(before[-LEAD:])
        nats = costs(engine, known, led(engine, read[read >= 0], state))
    unknown = len(ids) - len(known)
    total = float(nats.sum()) + unknown * math.log(len(vocabulary) + 1)
    return Evaluation(len(nats) + unknown, unknown, total / (len(nats) + unknown), window)


def window_costs(engine: Engine, ids: Numbers, window: int) -> Reals:  # (N,)
    """The nats of all characters but the first in each window of a text of known ones."""
    window = integer("`window`", window, 2, 10**9)
    if len(ids) < 2:
        raise TextError(
            "a window needs at least two characters that the model knows: one to read, one to foretell"
        )
    starts = np.arange(0, len(ids) // window * window, window)
    groups = [starts[i : i + SIDE_BY_SIDE] for i in range(0, len(starts), SIDE_BY_SIDE)]
    rows = [read_windows(engine, ids, group, window) for group in groups]
    rest = len(ids) % window
    if rest > 1:
        rows.append(read_windows(engine, ids, np.array([len(ids) - rest]), rest))
    return np.concatenate(rows)


def read_windows(engine: Engine, ids: Numbers, starts: Numbers, length: int) -> Reals:
    """The nats of all characters but the first of each of several windows, one window after the other."""
    zero = zero_state(engine.model, len(starts), engine.dtype)
    return read_lanes(engine, ids, starts, length, zero).T.ravel()
