"""What is measured: sizes, operations, and a text of the right number of symbols."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


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
