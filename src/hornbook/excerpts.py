"""Excerpts: what a training writes on the way and at its end, and the state in which writing starts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hornbook.cells.cell import Array
from hornbook.config import TrainingSettings
from hornbook.distribution import Choice
from hornbook.engines import Engine, Start, TrainingState
from hornbook.engines.interface import Integers, zero_state
from hornbook.philox import PASSAGE, SAMPLE, Source
from hornbook.sampling import start_after, write
from hornbook.streams import Streams
from hornbook.text import Ids
from hornbook.vocabulary import Vocabulary

WARM = 500  # characters that bring a network into the text
JUDGED = 100  # the last of them, by whose loss it is judged


@dataclass(frozen=True)
class Excerpts:
    """The writing of one training; `ids` are what it is trained on."""

    vocabulary: Vocabulary
    ids: Ids  # (N,)
    training: TrainingSettings
    engine: Engine

    @property
    def streams(self) -> Streams:
        """The order of reading."""
        return Streams.of(len(self.ids), self.training)

    def sample(self, state: TrainingState) -> str:
        """A text from the current state and input character."""
        x, _ = self.streams.read(self.ids, state.update)
        hidden = state.hidden[:, :, :1]
        if self.streams.starts_afresh(state.update):
            hidden = np.zeros_like(hidden)
        source = Source(self.training.seed, SAMPLE, state.update)
        start, length = Start(hidden, x[0, :1]), self.training.sample_length
        now = self.engine.with_parameters(state.parameters)
        ids, _ = now.sample(start, length, Choice(), source)
        return self.vocabulary.shown(self.vocabulary.decode(ids[0]))

    def passage(self, state: TrainingState, reading: Array) -> str:
        """What the best model writes, from a state in the midst of the text."""
        best = self.engine.with_parameters(state.best_parameters)
        source = Source(self.training.seed, PASSAGE, state.best_update)
        start, length = start_after(best, self.vocabulary, "", reading), self.training.passage_length
        return self.vocabulary.shown("".join(write(best, self.vocabulary, start, length, Choice(), source)))

    def reading(self, state: TrainingState) -> Array:  # (L, S, 1, H)
        """A state of the best model in the midst of the text, for writing to start in.

        Training meets the zero state once an epoch, and some networks cannot find from there to where
        they predict well, however much they read. So several readings are tried, one of which goes on
        from the state that training is in, and the one that ends with the lowest loss is taken.
        """
        best = self.engine.with_parameters(state.best_parameters)
        zero = zero_state(best.model, 1, state.parameters.dtype)
        length = min(WARM, len(self.ids) - 1)
        here = int(self.streams.places(state.update)[0])
        starts = [(state.hidden[:, :, :1], here)] + [(zero, part * len(self.ids) // 4) for part in range(4)]
        readings = [best.read(*self.window(place, length), before) for before, place in starts]
        return min(readings, key=lambda r: np.nan_to_num(r.nats[-JUDGED:].mean(), nan=np.inf)).state

    def window(self, place: int, length: int) -> tuple[Integers, Integers]:  # x, y (length, 1)
        """Characters to read from a place on, or as near to it as the text allows."""
        first = min(place, len(self.ids) - 1 - length)
        ids = np.asarray(self.ids[first : first + length + 1], dtype=np.int64)[:, None]
        return ids[:-1], ids[1:]
