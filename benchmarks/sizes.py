"""What is measured: sizes, operations, and a text of the right number of symbols."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hornbook.config import ModelSettings
from hornbook.parameters import multiplied


@dataclass(frozen=True)
class Sizes:
    """A classic update: H hidden units, K symbols, T characters, one stream, float32, AdaGrad."""

    hidden: int = 100
    vocabulary: int = 80
    seq_len: int = 25

    @property
    def operations(self) -> float:
        """Floating-point operations of an update that the mathematics needs: forwards, backwards and
        the gradients of W and V; the one-hot products count nothing."""
        H, K, T = self.hidden, self.vocabulary, self.seq_len
        return 2.0 * T * 3 * (H * H + H * K)

    @property
    def parameters(self) -> int:
        """The number of parameters."""
        H, K = self.hidden, self.vocabulary
        return H * (H + 2 * K + 1) + K


@dataclass(frozen=True)
class Network:
    """A network of the family, and what an update of it reads: B streams of T characters each, float32,
    Adam. A unit of work is an update, or, in writing, one more character in each stream."""

    cell: str
    hidden: int
    streams: int = 1
    seq_len: int = 1
    layers: int = 1
    vocabulary: int = 80

    @property
    def name(self) -> str:
        """As it stands in the tables: `LSTM 2×128 B50 T50`."""
        kind = {"vanilla": "RNN"}.get(self.cell, self.cell.upper())
        size = f"{self.layers}×{self.hidden}" if self.layers > 1 else f"H{self.hidden}"
        return f"{kind} {size} B{self.streams} T{self.seq_len}" if self.seq_len > 1 else f"{kind} {size}"

    @property
    def weights(self) -> int:
        """The numbers in W, in U above the first layer and in V: what each character is multiplied with. Of
        the first U it reads a row."""
        return multiplied(ModelSettings(self.vocabulary, self.hidden, self.cell, self.layers))

    @property
    def characters(self) -> int:
        """Characters of an update."""
        return self.streams * self.seq_len

    @property
    def operations(self) -> float:
        """Floating-point operations of an update that the mathematics needs: forwards, backwards and the
        gradients of the weights; the one-hot products and what is pointwise count nothing."""
        return 6.0 * self.characters * self.weights


def symbols(vocabulary: int, characters: int = 1_000_000) -> npt.NDArray[np.uint16]:
    """A text of `characters` numbers in which frequent symbols follow each other by a fixed rule nine
    times in ten, so that there is something to learn and losses stay finite."""
    random = np.random.default_rng(1)
    ids = (random.zipf(1.3, characters) - 1) % vocabulary
    follow = random.random(characters) < 0.9
    for i in range(1, min(characters, 200_000)):
        if follow[i]:
            ids[i] = (ids[i - 1] * 7 + 3) % vocabulary
    return ids.astype(np.uint16)
