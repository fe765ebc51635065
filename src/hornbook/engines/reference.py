"""The reference engine: the mathematics in NumPy, in float32, float64 and complex128. The truth.

Every other engine is tested against this one, and this one against numerical gradients. What is not
recurrent stands outside the walk through time: the gather of U's rows, the output layer, softmax, and
the gradients of all weights are one product each. It knows nothing of files, text or terminals.

    K symbols   H hidden units   G gates   T characters   B streams   L layers   S states of the cell
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hornbook.cells import CELLS, Cell
from hornbook.cells.cell import Array, State
from hornbook.config import Clip, ModelSettings, TrainingSettings
from hornbook.distribution import Choice, draw, probabilities
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
from hornbook.parameters import name, views
from hornbook.philox import DROPOUT, Source
from hornbook.streams import Streams
from hornbook.text import Ids

BLOCK = 256  # characters of a stream that are read at a time, so that no more than their logits are kept

Product = Callable[[Array], Array]
Masks = Array | None


def product_with(W: Array) -> Product:
    """h -> h W"""
    return lambda h: h.dot(W)


def walk(
    cell: Cell, u: Array, product: Product, state: State
) -> tuple[Array, State, list[Any]]:  # hidden (T + 1, B, H)
    """Through time: u (T, B, G·H) and the state give the hidden states, from the one before the first
    character on, the final state and the cell's caches. `product` maps h to v = h W."""
    hidden, caches = [state[0]], []
    for u_t in u:
        state, cache = cell.step(u_t, product(state[0]), state)
        hidden.append(state[0])
        caches.append(cache)
    return joined(hidden), state, caches


def joined(rows: list[Array]) -> Array:  # (T, B, width)
    """One array of T arrays (B, width)."""
    return np.concatenate(rows).reshape(len(rows), *rows[0].shape)


def walk_back(
    cell: Cell, dhidden: Array, W: Array, caches: Sequence[Any], dstate: State
) -> tuple[Array, Array, State]:  # du, dv (T, B, G·H)
    """Back through time: from the gradients of the hidden states (T, B, H) and of the final state to
    those of u and v and of the state before the first character."""
    du, dv = [], []
    for dh, cache in zip(reversed(dhidden), reversed(caches), strict=True):
        du_t, dv_t, direct = cell.step_back((dstate[0] + dh, *dstate[1:]), cache)
        through = dv_t.dot(W.T)  # v = h W
        dstate = (through if direct[0] is None else through + direct[0], *direct[1:])
        du.append(du_t)
        dv.append(dv_t)
    return joined(du[::-1]), joined(dv[::-1]), dstate


def log_sum_exp(o: Array) -> Array:
    """log Σ exp(o) over the last axis, without overflow."""
    top = o.real.max(axis=-1, keepdims=True)
    terms = o - top
    np.exp(terms, out=terms)
    return np.asarray(np.log(terms.sum(axis=-1)) + top[..., 0])


def nats(o: Array, y: Integers) -> Array:  # (…,)
    """The loss of each prediction, -log softmax(o)[y], as logsumexp(o) - o[y]: no log of a zero."""
    chosen = np.take_along_axis(o, y[..., None], axis=-1)[..., 0]
    return np.asarray(log_sum_exp(o) - chosen)


def softmax_back(o: Array, y: Integers) -> tuple[Array, Array]:
    """The loss (n,) of each prediction from o (n, K), and its gradient with regard to o, softmax(o) -
    onehot(y)."""
    places = np.arange(len(y)), y
    top = o.real.max(axis=1)
    p = np.exp(o - top[:, None])
    total = p.sum(axis=1)
    losses = np.log(total) + top - o[places]
    p /= total[:, None]
    p[places] -= 1
    return losses, p


def gather_back(dU: Array, x: Integers, du: Array) -> None:
    """u = U[x]: add each row of du (n, G·H) to the row of dU that it was gathered from."""
    order = np.argsort(x, kind="stable")
    rows = x[order]
    starts = np.append(0, np.flatnonzero(rows[1:] != rows[:-1]) + 1)
    dU[rows[starts]] = np.add.reduceat(du[order], starts, axis=0)


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
        self.cell = CELLS[model.cell]
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
        self.named = views(self.model, self.parameters)
        self.gradient = np.zeros_like(self.parameters)
        self.dnamed = views(self.model, self.gradient)
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
        loss, final, dfirst = self.backpropagate(x, y, state, dstate)
        gradients = {key: g.copy() for key, g in self.dnamed.items()}
        return Gradients(loss, gradients, final, dfirst)

    def backpropagate(
        self, x: Integers, y: Integers, state: Array, dstate: Array | None, masks: Masks = None
    ) -> tuple[float, Array, Array]:
        """The loss, the final state and the gradient of the first; the gradient of the parameters is
        left in `self.gradient`. Masks multiply the outputs of their layers."""
        T, B = x.shape
        H = self.model.hidden
        walks, inputs, final = [], [], []
        below: Array = x
        for layer in range(self.model.layers):
            W = self.named[name("W", layer)]
            inputs.append(below)
            u = self.inputs(below, layer)
            hidden, last, caches = walk(self.cell, u, product_with(W), tuple(state[layer]))
            walks.append((hidden, caches))
            final.append(last)
            below = hidden[1:] if masks is None else hidden[1:] * masks[layer]
        top = below.reshape(T * B, H)
        losses, do = softmax_back(top @ self.named["V"] + self.named["c"], y.ravel())
        do *= 1 / (B * T) if self.training.objective == "mean" else 1 / B
        np.matmul(top.T, do, out=self.dnamed["V"])  # o = h V + c
        self.dnamed["c"][...] = do.sum(axis=0)
        dhidden = (do @ self.named["V"].T).reshape(T, B, H)
        dfirst = []
        for layer in reversed(range(self.model.layers)):
            hidden, caches = walks[layer]
            W = self.named[name("W", layer)]
            end = tuple(np.zeros_like(state[layer]) if dstate is None else dstate[layer])
            if masks is not None:
                dhidden = dhidden * masks[layer]
            du, dv, first = walk_back(self.cell, dhidden, W, caches, end)
            dfirst.append(first)
            rows = du.reshape(T * B, -1)
            before = hidden[:-1].reshape(T * B, H)
            np.matmul(before.T, dv.reshape(T * B, -1), out=self.dnamed[name("W", layer)])  # v = h W
            self.dnamed[name("b", layer)][...] = rows.sum(axis=0)  # u = x U + b
            dhidden = self.inputs_back(inputs[layer], rows, layer)
        return losses.sum().item() / B, np.array(final), np.array(dfirst[::-1])

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

    def inputs(self, below: Array, layer: int) -> Array:  # (T, B, G·H)
        """u = x U + b; in the first layer x is one-hot, so its product is a row of U."""
        U, b = self.named[name("U", layer)], self.named[name("b", layer)]
        return (below @ U if layer else U[below]) + b

    def inputs_back(self, below: Array, rows: Array, layer: int) -> Array:  # (T, B, H)
        """u = x U + b: the gradient of U from that of u (T·B, G·H), and of what lies below."""
        dU = self.dnamed[name("U", layer)]
        if layer:
            dU[...] = below.reshape(len(rows), -1).T @ rows
            return (rows @ self.named[name("U", layer)].T).reshape(below.shape)
        dU[...] = 0
        gather_back(dU, below.ravel(), rows)
        return rows

    def advance(self, rates: Floats) -> Advance:
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
        loss, final, _ = self.backpropagate(x, y, state, None, self.masks(*x.shape))
        length = norm(self.gradient) if math.isfinite(loss) else math.nan
        if not math.isfinite(length):
            return (loss, math.nan, length, 0), "gradient" if math.isfinite(loss) else "loss"
        smooth = self.smooth(loss)
        self.keep_best(smooth)
        gradient, clipped = clip(self.gradient, self.clip, length)
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
            hidden[block], state = self.walk_layers(x[block], state)
            losses[block] = nats(hidden[block] @ self.named["V"] + self.named["c"], y[block])
        return Reading(losses, hidden, state)

    def walk_layers(self, x: Integers, state: Array) -> tuple[Array, Array]:
        """The hidden states of the top layer (T, B, H) after each character of x (T, B), and the state
        (L, S, B, H) after the last."""
        below: Array = x
        final = []
        for layer in range(self.model.layers):
            product = product_with(self.named[name("W", layer)])
            hidden, last, _ = walk(self.cell, self.inputs(below, layer), product, tuple(state[layer]))
            final.append(last)
            below = hidden[1:]
        return below, np.array(final)

    def step(self, ids: Integers | None, state: Array) -> tuple[Array, Array]:
        """Read one character in each stream, or none; see `Engine`."""
        if ids is not None:
            below: Array = ids
            after = []
            for layer in range(self.model.layers):
                v = state[layer, 0] @ self.named[name("W", layer)]
                below_state, _ = self.cell.step(self.inputs(below, layer), v, tuple(state[layer]))
                after.append(below_state)
                below = below_state[0]
            state = np.array(after)
        return state[-1, 0] @ self.named["V"] + self.named["c"], state

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
