"""The core of every cell, any layers and streams, all optimizers, and several threads."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from hornbook.cells.cell import Array
from hornbook.compound import Clip
from hornbook.config import ModelSettings, TrainingSettings
from hornbook.engines.cores import Trained, characters, contiguous
from hornbook.engines.interface import Advance, Floats, Gradients, Integers, Reading, TrainingState
from hornbook.parameters import views
from hornbook.streams import Streams
from hornbook.text import Ids


class FamilyCore(Trained):
    """Every network, all streams side by side, the shards of them on several threads."""

    def __init__(self, module: ModuleType, model: ModelSettings, training: TrainingSettings) -> None:
        super().__init__(module, model, training)
        how = Clip.parse(training.clip)
        self.core = getattr(module, f"Network{self.suffix}")(
            model.cell,
            model.vocabulary,
            model.hidden,
            model.layers,
            seq_len=training.seq_len,
            streams=training.streams,
            shards=training.shards,
            threads=training.threads,
            optimizer=training.optimizer,
            clip=how.kind,
            clip_limit=how.limit,
            objective=training.objective,
            weight_decay=training.weight_decay,
            input_rate=training.input_rate,
            dropout=training.dropout,
            seed=training.seed,
            pairs=self.pairs,
        )
        self.update = 0  # updates done: the core is told what to read

    def set_state(self, state: TrainingState) -> None:
        """Take over a copy of all that is to be remembered."""
        super().set_state(state)
        self.update = state.update

    def advance(self, ids: Ids, rates: Floats, measure_every: int) -> Advance:  # noqa: ARG002 - measures all
        """Make one update for each learning rate."""
        streams, B = Streams.of(len(ids), self.training), self.training.streams
        updates = range(self.update, self.update + len(rates))
        places = np.array([streams.places(update) for update in updates], np.int64).reshape(-1, B)
        afresh = np.array([streams.starts_afresh(update) for update in updates], np.uint8)
        result = self.advanced(self.core.advance(ids, places, afresh, contiguous(rates, np.float64)))
        self.update += len(result.losses)
        return result

    def loss_and_gradients(
        self, parameters: Array, x: Integers, y: Integers, state: Array, dstate: Array
    ) -> Gradients:
        """Read x (T, B), predict y (T, B)."""
        loss, flat, final, first = self.core.loss_and_gradients(
            parameters, characters(x), characters(y), self.real(state), self.real(dstate)
        )
        return Gradients(loss, views(self.model, flat), final, first)

    def read(self, parameters: Array, x: Integers, y: Integers, state: Array) -> Reading:
        """Read x (n, M), predict y (n, M)."""
        return Reading(*self.core.read(parameters, characters(x), characters(y), self.real(state)))

    def step(self, parameters: Array, ids: Integers, state: Array) -> tuple[Array, Array]:
        """Read one character in each stream."""
        logits, after = self.core.step(parameters, characters(ids), self.real(state))
        return logits, after

    def sampler(self, parameters: Array) -> Any:
        """What draws characters."""
        model = self.model
        make = getattr(self.module, f"NetworkSampler{self.suffix}")
        return make(model.cell, model.vocabulary, model.hidden, model.layers, parameters, self.pairs)
