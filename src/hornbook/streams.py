"""Which characters each update reads, and where the hidden state starts again.

The text is split into B streams of equal length that are read side by side, T characters an update,
in order; targets lie one character on. When a stream has fewer than T + 1 characters left, reading
starts again with a zero state: one epoch. The place is a function of the number of updates done.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hornbook.errors import TextError
from hornbook.text import Ids


@dataclass(frozen=True)
class Streams:
    """The reading order of a text of `characters` (N) by `streams` (B) of `seq_len` (T) an update.
    Raises TextError where a stream would be shorter than T + 1."""

    characters: int
    seq_len: int
    streams: int = 1

    def __post_init__(self) -> None:
        if self.updates_per_epoch < 1:
            least = self.streams * self.seq_len + 1
            raise TextError(
                f"the text has {self.characters:,} characters, but an update of {self.seq_len} characters "
                f"needs at least {least:,}; give a longer text or a smaller --seq-len"
            )

    @property
    def stream_length(self) -> int:
        """The characters that each stream reads as input in an epoch, at most."""
        return (self.characters - 1) // self.streams

    @property
    def updates_per_epoch(self) -> int:
        """The updates from one start of the text to the next."""
        return self.stream_length // self.seq_len

    def starts_epoch(self, update: int) -> bool:
        """Whether the state is zero before the update with this number (from 0)."""
        return update % self.updates_per_epoch == 0

    def read(self, ids: Ids, update: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Inputs x (T, B) and targets y (T, B) of the update with this number (from 0)."""
        start = (update % self.updates_per_epoch) * self.seq_len
        places = start + self.stream_length * np.arange(self.streams)  # (B,)
        rows = places + np.arange(self.seq_len + 1)[:, None]  # (T + 1, B)
        window = ids[rows].astype(np.int64)
        return window[:-1], window[1:]
