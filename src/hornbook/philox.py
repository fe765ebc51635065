"""Random numbers as a function of (seed, purpose, update, stream, position); nothing is remembered.

Philox4x64-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC11),
as NumPy has it. The layout, the same in every engine: key (seed, purpose), counter (block, stream,
update, layer), the layer zero for what has none. NumPy steps the counter before its first block, so position
p is block p + 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

INITIAL, SAMPLE, PASSAGE, WRITE, CHECK, DROPOUT, ORDER = range(7)  # purposes


@dataclass(frozen=True)
class Source:
    """The random numbers of one purpose at one update, in any number of streams."""

    seed: int
    purpose: int
    update: int = 0

    def bits(self, stream: int, position: int, layer: int = 0) -> np.random.Philox:
        """The bits of a stream from a position on, four 64-bit words a position."""
        key = np.array([self.seed, self.purpose], dtype=np.uint64)
        counter = np.array([position, stream, self.update, layer], dtype=np.uint64)
        return np.random.Philox(key=key, counter=counter)

    def generator(self, stream: int = 0) -> np.random.Generator:
        """A generator that starts at position 0 of a stream."""
        return np.random.Generator(self.bits(stream, 0))

    def uniforms(self, stream: int, position: int, count: int) -> npt.NDArray[np.float64]:  # (count,)
        """Uniform numbers in [0, 1), one a position: the upper 53 bits of its first word."""
        words = self.bits(stream, position).random_raw(4 * count)[::4]
        return np.asarray((words >> np.uint64(11)) * 2.0**-53)

    def pieces(self, stream: int, layer: int, count: int) -> npt.NDArray[np.uint16]:  # (count,)
        """Uniform 16-bit numbers, sixteen a position: the words of a position in order, each from its low
        end."""
        words = self.bits(stream, 0, layer).random_raw(4 * -(-count // 16))
        return words.astype("<u8").view("<u2")[:count]
