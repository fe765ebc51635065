"""Back-propagation: what a network costs, and the gradients of all its parameters. The mathematics.

What is not recurrent stands outside the walk through time: the gather of U's rows, the output layer, softmax,
and the gradients of all weights are one product each.

    K symbols   H hidden units   G gates   T characters   B streams   L layers   S states of the cell
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hornbook.cells import CELLS, Cell
from hornbook.cells.cell import Array, State
from hornbook.config import ModelSettings
from hornbook.engines.interface import Integers
from hornbook.parameters import name, views

Product = Callable[[Array], Array]
Masks = Array | None  # (L, T, B, H): what the outputs of each layer are multiplied by


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


def flat(rows: Array) -> Array:  # (T·B, width)
    """The rows of (T, B, width), one below the other."""
    return rows.reshape(-1, rows.shape[-1])


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


@dataclass(frozen=True)
class Passed:
    """What reading x (T, B) leaves for the way back: of each layer its inputs, its hidden states
    (T + 1, B, H) and its caches; the outputs of the top layer (T, B, H), and the final state (L, S, B, H)."""

    inputs: list[Array]
    walks: list[tuple[Array, list[Any]]]
    top: Array
    final: Array


class Network:
    """The parameters (P,) of a network by their names, and beside them their gradients. The loss is the sum
    over all characters of a stream, its mean over the streams, or the `mean` over all."""

    def __init__(self, model: ModelSettings, parameters: Array, mean: bool) -> None:
        self.model, self.mean, self.cell = model, mean, CELLS[model.cell]
        self.parameters, self.gradient = parameters, np.zeros_like(parameters)
        self.named, self.dnamed = views(model, self.parameters), views(model, self.gradient)

    def inputs(self, below: Array, layer: int) -> Array:  # (T, B, G·H)
        """u = x U + b; in the first layer x is one-hot, so its product is a row of U."""
        U, b = self.named[name("U", layer)], self.named[name("b", layer)]
        return (below @ U if layer else U[below]) + b

    def logits(self, h: Array) -> Array:  # (…, K)
        """o = h V + c"""
        return h @ self.named["V"] + self.named["c"]

    def forward(self, x: Integers, state: Array, masks: Masks = None) -> Passed:
        """Read x (T, B) from a state (L, S, B, H), through all layers."""
        inputs, walks, final = [], [], []
        below: Array = x
        for layer in range(self.model.layers):
            product = product_with(self.named[name("W", layer)])
            inputs.append(below)
            hidden, last, caches = walk(self.cell, self.inputs(below, layer), product, tuple(state[layer]))
            walks.append((hidden, caches))
            final.append(last)
            below = hidden[1:] if masks is None else hidden[1:] * masks[layer]
        return Passed(inputs, walks, below, np.array(final))

    def backpropagate(
        self, x: Integers, y: Integers, state: Array, dstate: Array | None, masks: Masks = None
    ) -> tuple[float, Array, Array]:
        """The loss of predicting y (T, B) from x, the final state, and the gradient of the first one; the
        gradient of the parameters is left in `gradient`. `dstate` is that of the final state."""
        passed = self.forward(x, state, masks)
        losses, dhidden = self.output_back(passed.top, y)
        dstate = np.zeros_like(state) if dstate is None else dstate
        dfirst = []
        for layer in reversed(range(self.model.layers)):
            if masks is not None:
                dhidden = dhidden * masks[layer]
            dhidden, first = self.layer_back(layer, passed, dhidden, tuple(dstate[layer]))
            dfirst.append(first)
        return losses.sum().item() / y.shape[1], passed.final, np.array(dfirst[::-1])

    def output_back(self, top: Array, y: Integers) -> tuple[Array, Array]:
        """The losses (T·B,), and the gradient of the outputs (T, B, H) of the top layer."""
        T, B = y.shape
        rows = top.reshape(T * B, self.model.hidden)
        losses, do = softmax_back(self.logits(rows), y.ravel())
        do *= 1 / (B * T) if self.mean else 1 / B
        np.matmul(rows.T, do, out=self.dnamed["V"])  # o = h V + c
        self.dnamed["c"][...] = do.sum(axis=0)
        return losses, (do @ self.named["V"].T).reshape(top.shape)

    def layer_back(
        self, layer: int, passed: Passed, dhidden: Array, dstate: State
    ) -> tuple[Array, State]:  # (T, B, width of what lies below), and of the state before the first character
        """From the gradients of a layer's outputs (T, B, H) and of its final state to those of what lies
        below it and of its first state."""
        hidden, caches = passed.walks[layer]
        du, dv, dfirst = walk_back(self.cell, dhidden, self.named[name("W", layer)], caches, dstate)
        before = hidden[:-1].reshape(-1, self.model.hidden)
        np.matmul(before.T, flat(dv), out=self.dnamed[name("W", layer)])  # v = h W
        self.dnamed[name("b", layer)][...] = flat(du).sum(axis=0)  # u = x U + b
        return self.inputs_back(passed.inputs[layer], flat(du), layer), dfirst

    def inputs_back(self, below: Array, rows: Array, layer: int) -> Array:  # (T, B, H)
        """u = x U + b: the gradient of U from that of u (T·B, G·H), and of what lies below."""
        dU = self.dnamed[name("U", layer)]
        if layer:
            dU[...] = below.reshape(len(rows), -1).T @ rows
            return (rows @ self.named[name("U", layer)].T).reshape(below.shape)
        dU[...] = 0
        gather_back(dU, below.ravel(), rows)
        return rows

    def step(self, ids: Integers, state: Array) -> Array:  # (L, S, B, H)
        """The state after one more character in each stream (B,)."""
        below: Array = ids
        after = []
        for layer in range(self.model.layers):
            v = state[layer, 0] @ self.named[name("W", layer)]
            reached, _ = self.cell.step(self.inputs(below, layer), v, tuple(state[layer]))
            after.append(reached)
            below = reached[0]
        return np.array(after)
