"""Which characters each update reads, and where the hidden state starts again.

In the order of the text it is split into B streams of equal length that are read side by side, T characters
an update; targets lie one character on. When a stream has fewer than T + 1 characters left, reading starts
again with a zero state: one epoch. Shuffled, the text is cut into chunks of so many updates instead; each
epoch takes them in an order of its own, B side by side, and the state is zero where a chunk begins. Either
way the places are a function of the seed and the number of updates done.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hornbook.config import TrainingSettings
from hornbook.errors import TextError
from hornbook.markup import counted
from hornbook.philox import ORDER, Source
from hornbook.text import Ids

Integers = npt.NDArray[np.int64]


def trained_on(characters: int, training: TrainingSettings) -> int:
    """How many characters of a text are trained on: all but the tail that is held out."""
    return characters - round(characters * training.validation)


def chunk_of(training: TrainingSettings) -> int:
    """The updates of a chunk, 0 for the order of the text."""
    return training.chunk if training.order == "shuffled" else 0


def shortest(seq_len: int, streams: int, chunk: int) -> int:
    """The characters of the shortest text that can be read so."""
    return streams * seq_len * max(chunk, 1) + 1


@dataclass(frozen=True)
class Streams:
    """The reading order of a text of `characters` (N) by `streams` (B) of `seq_len` (T) an update; `chunk`
    is the updates of a chunk, 0 for the order of the text. Raises TextError where the text is too short for
    one update, or for one chunk a stream."""

    characters: int
    seq_len: int
    streams: int = 1
    chunk: int = 0
    seed: int = 0

    @classmethod
    def of(cls, characters: int, training: TrainingSettings) -> Streams:
        """The order in which a training reads so many characters."""
        return cls(characters, training.seq_len, training.streams, chunk_of(training), training.seed)

    def __post_init__(self) -> None:
        if self.updates_per_epoch < 1:
            raise TextError(too_short(self))

    @property
    def least(self) -> int:
        """The characters of the shortest text that can be read so."""
        return shortest(self.seq_len, self.streams, self.chunk)

    @property
    def stream_length(self) -> int:
        """The characters that each stream reads as input in an epoch, at most."""
        return (self.characters - 1) // self.streams

    @property
    def chunks(self) -> int:
        """The chunks of an epoch of a shuffled text: all that it holds, but one, so that they can begin
        anywhere in the first; all, where there is none to spare."""
        whole = (self.characters - 1) // (self.chunk * self.seq_len)
        return whole - 1 if whole > self.streams else whole

    @property
    def updates_per_epoch(self) -> int:
        """The updates from one start of the text to the next."""
        if self.chunk:
            return self.chunks // self.streams * self.chunk
        return self.stream_length // self.seq_len

    def starts_afresh(self, update: int) -> bool:
        """Whether the state is zero before the update with this number (from 0)."""
        return update % (self.chunk or self.updates_per_epoch) == 0

    def places(self, update: int) -> Integers:  # (B,)
        """Where each stream reads in the update with this number (from 0)."""
        epoch, place = divmod(update, self.updates_per_epoch)
        if not self.chunk:
            return place * self.seq_len + self.stream_length * np.arange(self.streams)
        turn, step = divmod(place, self.chunk)
        shift, order = shuffled(self, epoch)
        chosen = order[turn * self.streams : (turn + 1) * self.streams]
        return shift + (chosen * self.chunk + step) * self.seq_len

    def read(self, ids: Ids, update: int) -> tuple[Integers, Integers]:
        """Inputs x (T, B) and targets y (T, B) of the update with this number (from 0)."""
        window = ids[self.places(update) + np.arange(self.seq_len + 1)[:, None]].astype(np.int64)
        return window[:-1], window[1:]


@lru_cache(maxsize=2)
def shuffled(streams: Streams, epoch: int) -> tuple[int, Integers]:
    """Where the first chunk of an epoch begins, and the order of the chunks: no two epochs cut the text at
    the same places."""
    random = Source(streams.seed, ORDER, epoch).generator()
    rest = streams.characters - 1 - streams.chunks * streams.chunk * streams.seq_len
    return int(random.integers(0, rest + 1)), random.permutation(streams.chunks)


def too_short(streams: Streams) -> str:
    """What is wrong with a text that does not hold one update, and the largest settings that would fit."""
    B, T, left = streams.streams, streams.seq_len * max(streams.chunk, 1), streams.characters - 1
    what = (
        f"an update of {counted(streams.seq_len, 'character')}"
        if not streams.chunk
        else f"a chunk of {counted(T, 'character')}"
    )
    each = f" in each of {B:,} streams" if B > 1 else ""
    advice = ["a longer text"]
    if B > 1 and left >= T:
        advice.append(f"at most `streams={left // T}`")
    if left // B >= max(streams.chunk, 1):
        advice.append(f"at most `seq_len={left // (B * max(streams.chunk, 1))}`")
    chunks = left // (B * streams.seq_len)
    if streams.chunk and chunks:
        advice.append(f"at most `chunk={chunks}`")
    if left > 0 and len(advice) == 1:
        alone = "`streams=1` and `chunk=1`" if streams.chunk else "`streams=1`"
        advice.append(f"{alone} with at most `seq_len={left}`")
    return (
        f"the text has {counted(streams.characters, 'character')} to train on, but {what}{each} needs at "
        f"least {streams.least:,}; give {' or '.join(advice)}"
    )
