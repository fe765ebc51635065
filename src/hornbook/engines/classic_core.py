"""The core of the classic recipe: the vanilla cell, one layer, one stream in training, SGD and AdaGrad, at
which nothing is faster.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from hornbook.cells.cell import Array
from hornbook.compound import Clip
from hornbook.config import ModelSettings, TrainingSettings
from hornbook.engines.cores import Trained, characters, contiguous
from hornbook.engines.interface import Advance, Floats, Gradients, Integers, Reading
from hornbook.parameters import views
from hornbook.text import Ids


class ClassicCore(Trained):
    """Stream after stream, and one of them only in training."""

    def __init__(self, module: ModuleType, model: ModelSettings, training: TrainingSettings) -> None:
        super().__init__(module, model, training)
        self.core = self.reading(training.seq_len, training.streams)

    def reading(self, T: int, B: int) -> Any:
        """A compiled half that reads T characters at a time and differentiates one of B streams' share of
        the objective."""
        model, training = self.model, self.training
        how = Clip.parse(training.clip)
        share = 1 / (B * T) if training.objective == "mean" else 1 / B
        make = getattr(self.module, f"Core{self.suffix}")
        return make(model.vocabulary, model.hidden, T, training.optimizer, how.kind, how.limit, share)

    def hidden(self, state: Array) -> Array:
        """That of the only stream."""
        return self.real(state).ravel()

    def advance(self, ids: Ids, rates: Floats, measure_every: int) -> Advance:
        """Make one update for each learning rate."""
        return self.advanced(self.core.advance(ids, contiguous(rates, np.float64), measure_every))

    def loss_and_gradients(
        self, parameters: Array, x: Integers, y: Integers, state: Array, dstate: Array
    ) -> Gradients:
        """Read x (T, B), predict y (T, B)."""
        T, B = x.shape
        core = self.reading(T, B)
        total, flat = 0.0, np.zeros_like(parameters)
        final, first = (np.empty(state.shape, self.dtype) for _ in range(2))
        for b in range(B):
            end = self.real(state[0, 0, b]), self.real(dstate[0, 0, b])
            loss, gradient, _, final[0, 0, b], first[0, 0, b] = core.loss_and_gradients(
                parameters, characters(x[:, b]), characters(y[:, b]), *end
            )
            total += loss / B
            flat += gradient
        return Gradients(total, views(self.model, flat), final, first)

    def read(self, parameters: Array, x: Integers, y: Integers, state: Array) -> Reading:
        """Read x (n, M), predict y (n, M)."""
        nats, final = np.empty(x.shape), np.array(state, self.dtype)
        hidden = np.empty((*x.shape, self.model.hidden), self.dtype)
        for m in range(x.shape[1] if len(x) else 0):
            nats[:, m], hidden[:, m], final[0, 0, m] = self.core.read(
                parameters, characters(x[:, m]), characters(y[:, m]), self.real(state[0, 0, m])
            )
        return Reading(nats, hidden, final)

    def step(self, parameters: Array, ids: Integers, state: Array) -> tuple[Array, Array]:
        """Read one character in each stream."""
        logits, after = self.core.step(parameters, characters(ids), self.real(state[0, 0]))
        return logits, after[None, None]

    def sampler(self, parameters: Array) -> Any:
        """What draws characters."""
        make = getattr(self.module, f"Sampler{self.suffix}")
        return OneLayer(make(self.model.vocabulary, self.model.hidden, parameters))


class OneLayer:
    """A sampler of the classic core, which knows states (M, H)."""

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler

    def sample(self, state: Array, *arguments: Any, **named: Any) -> Integers:
        """Draw characters; the state (1, 1, M, H) changes in place."""
        drawn: Integers = self.sampler.sample(state[0, 0], *arguments, **named)
        return drawn
