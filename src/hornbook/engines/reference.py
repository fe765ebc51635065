"""The reference engine: it trains, reads and writes in NumPy, in float32, float64 and complex128. The truth.

Every other engine is tested against this one, and this one against numerical gradients. The mathematics of a
network stands in `backpropagation`. Nothing here knows files, text or terminals.

    K symbols   H hidden units   T characters   B streams   L layers   S states of the cell
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hornbook.cells.cell import Array
from hornbook.compound import Clip
from hornbook.config import ModelSettings, TrainingSettings
from hornbook.distribution import Choice, draw, probabilities
from hornbook.engines.backpropagation import Masks, Network, nats
from hornbook.engines.interface import (
    FRESH,
    KEPT,
    Advance,
    Floats,
    Gradients,
    Integers,
    Reading,
    Start,
    TrainingState,
)
from hornbook.optimizers import OPTIMIZERS, clip, decay, norm
from hornbook.parameters import views
from hornbook.philox import DROPOUT, Source
from hornbook.streams import Streams
from hornbook.text import Ids

BLOCK = 256  # characters of a stream that are read at a time, so that no more than their logits are kept


class ReferenceEngine:
    """The engine that is read first."""

    def __init__(
        self,
        model: ModelSettings,
        training: TrainingSettings,
        state: TrainingState,
        ids: Ids | None = None,
    ) -> None:
        self.model, self.training = model, training
        self.ids = None if ids is None else np.asarray(ids)
        self.optimizer = OPTIMIZERS[training.optimizer]
        self.clip = Clip.parse(training.clip)
        self.set_state(state)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of all arrays that go in and out."""
        return self.parameters.dtype

    def set_state(self, state: TrainingState) -> None:
        """Take over a copy of all that is to be remembered."""
        self.update = state.update
        self.parameters = state.parameters.copy()
        self.network = Network(self.model, self.parameters, self.training.objective == "mean")
        self.memory = state.memory.copy()
        self.rates = self.times_rate()
        self.hidden = state.hidden.copy()
        self.smooth_loss = state.smooth_loss
        self.best_smooth_loss, self.best_update = state.best_smooth_loss, state.best_update
        self.best_parameters = state.best_parameters.copy()
        self.best_pending = False  # the best parameters are the current ones, not yet copied

    def times_rate(self) -> Array | float:  # (P,), or the one number that holds for all
        """How many times the rate each parameter is stepped by."""
        if self.training.input_rate == 1:
            return 1.0
        rates = np.ones_like(self.parameters)
        views(self.model, rates)["U"][:] = self.training.input_rate
        return rates

    def get_state(self) -> TrainingState:
        """A copy of all that the engine remembers."""
        best = self.parameters if self.best_pending else self.best_parameters
        return TrainingState(
            self.update,
            self.parameters.copy(),
            self.memory.copy(),
            self.hidden.copy(),
            self.smooth_loss,
            self.best_smooth_loss,
            self.best_update,
            best.copy(),
        )

    def current(self) -> Array:  # (P,)
        """The parameters as they are now; see `Engine`."""
        return self.parameters.copy()

    def loss_and_gradients(
        self, x: Integers, y: Integers, state: Array, dstate: Array | None = None
    ) -> Gradients:
        """Read x (T, B), predict y (T, B); see `Engine`."""
        loss, final, dfirst = self.network.backpropagate(x, y, state, dstate)
        gradients = {key: g.copy() for key, g in self.network.dnamed.items()}
        return Gradients(loss, gradients, final, dfirst)

    def masks(self, T: int, B: int) -> Masks:  # (L, T, B, H)
        """What the outputs of each layer are multiplied by in the next update: 0, or 1 / (1 - p), p being the
        share that is left out; None where none is."""
        p, source = self.training.dropout, Source(self.training.seed, DROPOUT, self.update)
        if not p:
            return None
        H, layers = self.model.hidden, range(self.model.layers)
        pieces = np.array([[source.pieces(b, layer, T * H) for b in range(B)] for layer in layers])
        kept = pieces.reshape(-1, B, T, H).swapaxes(1, 2) >= round(p * 65536)
        return np.asarray(kept / (1 - p), dtype=self.parameters.dtype)

    def advance(self, rates: Floats, measure_every: int = 1) -> Advance:  # noqa: ARG002 - measures all
        """Make one update for each learning rate; see `Engine`."""
        assert self.ids is not None, "an engine without a text cannot advance"
        streams = Streams.of(len(self.ids), self.training)
        rows, stopped = [], ""
        with np.errstate(all="ignore"):  # what is not finite is found by its value
            for rate in rates:
                row, stopped = self.make_update(streams, float(rate))
                if stopped:
                    break
                rows.append(row)
        losses, smooth, norms, clipped = np.array(rows, dtype=np.float64).reshape(-1, 4).T
        return Advance(losses, smooth, norms, clipped.astype(np.int64), stopped)

    def make_update(self, streams: Streams, rate: float) -> tuple[tuple[float, float, float, int], str]:
        """One update, unless it is not finite: then the reason, and nothing is changed."""
        assert self.ids is not None
        x, y = streams.read(self.ids, self.update)
        state = np.zeros_like(self.hidden) if streams.starts_afresh(self.update) else self.hidden
        loss, final, _ = self.network.backpropagate(x, y, state, None, self.masks(*x.shape))
        length = norm(self.network.gradient) if math.isfinite(loss) else math.nan
        if not math.isfinite(length):
            return (loss, math.nan, length, 0), "gradient" if math.isfinite(loss) else "loss"
        smooth = self.smooth(loss)
        self.keep_best(smooth)
        gradient, clipped = clip(self.network.gradient, self.clip, length)
        decay(self.parameters, rate * self.training.weight_decay)
        self.optimizer.step(self.parameters, gradient, self.memory, rate * self.rates, self.update + 1)
        self.hidden, self.smooth_loss = final, smooth
        self.update += 1
        if self.best_pending:
            self.best_smooth_loss, self.best_update = smooth, self.update
        return (loss, smooth, length, clipped), ""

    def smooth(self, loss: float) -> float:
        """The smooth loss after a loss; the first loss starts it."""
        if math.isnan(self.smooth_loss):
            return loss
        return KEPT * self.smooth_loss + FRESH * loss

    def keep_best(self, smooth: float) -> None:
        """Before the parameters change: copy them if they are the best and stay it."""
        lower = smooth < self.best_smooth_loss
        if self.best_pending and not lower:
            self.best_parameters = self.parameters.copy()
        self.best_pending = lower

    def read(self, x: Integers, y: Integers, state: Array) -> Reading:
        """Read x (n, M), predict y (n, M), a block at a time; see `Engine`."""
        losses = np.empty(x.shape, dtype=np.float64)
        hidden = np.empty((*x.shape, self.model.hidden), dtype=self.parameters.dtype)
        for start in range(0, len(x), BLOCK):
            block = slice(start, start + BLOCK)
            passed = self.network.forward(x[block], state)
            hidden[block], state = passed.top, passed.final
            losses[block] = nats(self.network.logits(passed.top), y[block])
        return Reading(losses, hidden, state)

    def step(self, ids: Integers | None, state: Array) -> tuple[Array, Array]:
        """Read one character in each stream, or none; see `Engine`."""
        state = state if ids is None else self.network.step(ids, state)
        return self.network.logits(state[-1, 0]), state

    def sample(self, start: Start, length: int, choice: Choice, source: Source) -> tuple[Integers, Start]:
        """Draw characters in each stream; see `Engine`."""
        state, last, position = start
        count = len(last)
        drawn = np.empty((count, length), dtype=np.int64)
        uniforms = [source.uniforms(stream, position, length) for stream in range(count)]
        for i in range(length):
            logits, state = self.step(None if last[0] < 0 else last, state)
            chances = probabilities(logits, choice)
            last = np.array([draw(p, u[i]) for p, u in zip(chances, uniforms, strict=True)])
            drawn[:, i] = last
        return drawn, Start(state, last, position + length)

    def with_parameters(self, parameters: Array) -> ReferenceEngine:
        """The same network with other parameters; see `Engine`."""
        state = TrainingState.of_parameters(parameters, self.model, self.training)
        return ReferenceEngine(self.model, self.training, state)
