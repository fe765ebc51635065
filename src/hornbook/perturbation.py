"""Numerical gradients: what becomes of the loss when one entry of one parameter is a little larger.

Central differences are taken at each time step and then summed, which is several times more exact than
differencing the sum. They are of sixth order,

    (45 (f(θ + h) - f(θ - h)) - 9 (f(θ + 2h) - f(θ - 2h)) + (f(θ + 3h) - f(θ - 3h))) / 60h

since forms of lower order are cut off too early for a gradient that is right: the second-order one errs by
4e-8 on a vanilla network at T = 100 for h = 3e-5, the fourth-order one by 8e-9 on four orthogonal layers at
T = 64 for h = 3e-4. This one is exact to 1.2e-10 on all of them. The complex step `Im f(θ + iε) / ε` has no
cancellation and agrees to the last digits (Squire and Trapp, SIAM Review 40, 1998). Both go through a walk
in time of their own, which shares nothing with an engine but the cell's `step`: many perturbed networks side
by side, of which row m has entry m changed. Layers below the change are the same in all of them and are one
row.

How well float64 can know a gradient is found by disturbing the network as rounding does, and so without
any gradient that is under test: every parameter in its last digits, and the slope of every unit by as much of
1, since back-propagation takes tanh' from a rounded tanh. In an orderly network this changes the complex step
in its last digits; in a chaotic one the change grows with every character.

    K symbols   H hidden units   G gates   T characters   L layers   S states of the cell
    M networks of a batch
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from hornbook.cells import CELLS
from hornbook.cells.cell import Array, Cell, State, blocks
from hornbook.config import ModelSettings
from hornbook.engines.backpropagation import nats
from hornbook.engines.interface import Integers
from hornbook.parameters import name, shapes, views

DIFFERENCE_STEP = 3e-4  # of sixth order: rounding costs 2e-11 to 1.2e-10, the cut-off less
WEIGHTS = (45, -9, 1)  # of f(θ + kh) - f(θ - kh), k = 1, 2, 3, over 60h
COMPLEX_STEP = 1e-20
DISTURBANCE = 2.0**-47  # 32 roundings: right gradients err by up to ten times what one in each parameter does
BATCH_NUMBERS = 65_536  # numbers in a batch's largest array

ONE = np.ones((1, 1))


@dataclass(frozen=True)
class Case:
    """A network in float64, the characters it reads, and the state it reads them from."""

    label: str
    model: ModelSettings
    parameters: Array  # (P,)
    x: Integers  # (T, 1)
    y: Integers  # (T, 1)
    state: Array  # (L, S, 1, H)
    slopes: Array | None = None  # (H,) added to the slope of each unit with regard to its u + v

    @cached_property
    def named(self) -> dict[type, dict[str, Array]]:
        """The parameters by name, in real and in complex numbers."""
        return {kind: views(self.model, self.parameters.astype(kind)) for kind in (float, complex)}


@dataclass(frozen=True)
class Change:
    """M networks, in each of which one entry of parameter `key` is larger by `step`."""

    key: str
    rows: Integers  # (M,) of the entries; zeros in a bias
    columns: Integers  # (M,)
    step: complex

    @classmethod
    def of_entries(cls, model: ModelSettings, key: str, entries: Integers, step: complex) -> Change:
        """The change of entries that are given as places in the flattened parameter."""
        rows, columns = np.divmod(entries, shapes(model)[key][-1])
        return cls(key, rows, columns, step)

    def seen(self, key: str, product: Array, factor: Array) -> Array:  # (1 or M, width)
        """A product of `factor` (1 or M, rows) with parameter `key`, as the M networks have it."""
        if key != self.key:
            return product
        M = len(self.rows)
        each = np.arange(M)
        changed = np.broadcast_to(product, (M, product.shape[1])).copy()
        changed[each, self.columns] += (
            self.step * np.broadcast_to(factor, (M, factor.shape[1]))[each, self.rows]
        )
        return changed


def disturbed(case: Case, random: np.random.Generator) -> Case:
    """The network with its parameters, and the slopes of its units, off by roundings."""
    size, H = len(case.parameters), case.model.hidden
    off, slopes = np.split(DISTURBANCE * random.uniform(-1, 1, size + H), [size])
    return replace(case, parameters=case.parameters * (1 + off), slopes=slopes)


def by_differences(
    case: Case, key: str, entries: Integers, h: float = DIFFERENCE_STEP
) -> npt.NDArray[np.float64]:  # (M,)
    """The gradient by central differences, taken at each time step and then summed."""

    def across(h: float) -> Array:  # (T, M)
        above, below = (perturbed_losses(case, key, entries, step) for step in (h, -h))
        return np.asarray(above - below)

    total = sum(weight * across(k * h) for k, weight in enumerate(WEIGHTS, start=1))
    return np.asarray(np.sum(total, axis=0) / (60 * h))


def by_complex_step(case: Case, key: str, entries: Integers) -> npt.NDArray[np.float64]:  # (M,)
    """The gradient by the complex step."""
    losses = perturbed_losses(case, key, entries, COMPLEX_STEP * 1j)
    return np.asarray(losses.imag.sum(axis=0) / COMPLEX_STEP)


def perturbed_losses(case: Case, key: str, entries: Integers, step: complex) -> Array:  # (T, M)
    """The loss of each character in M networks, in each of which one entry of parameter `key` is larger
    by `step`."""
    named = case.named[type(step)]
    V, c = named["V"], named["c"]
    change = Change.of_entries(case.model, key, entries, step)
    tops = walk_changed(case, named, change)
    if key not in ("V", "c"):
        found = [nats(h @ V + c, np.broadcast_to(y, len(h))) for h, y in zip(tops, case.y, strict=True)]
        return np.array(found)
    h = np.concatenate(list(tops))  # (T, H): in all networks the same
    factor = h[:, change.rows] if key == "V" else 1  # h of o = h V + c
    return changed_column(h @ V + c, case.y[:, 0], change.columns, step * factor)


def walk_changed(case: Case, named: dict[str, Array], change: Change) -> Iterator[Array]:  # T × (1 or M, H)
    """The hidden state of the top layer after each character."""
    cell = CELLS[case.model.cell]
    states = [tuple(layer.astype(named["c"].dtype)) for layer in case.state]
    onehot = case.x[:, :, None] == np.arange(case.model.vocabulary)  # (T, 1, K)
    for x, below in zip(case.x[:, 0], onehot, strict=True):
        for layer, state in enumerate(states):
            U, W, b = (name(letter, layer) for letter in "UWb")
            product = below @ named[U] if layer else named[U][[x]]
            u = change.seen(U, product, below) + change.seen(b, named[b][None], ONE)  # u = x U + b
            v = change.seen(W, state[0] @ named[W], state[0])  # v = h W
            states[layer] = after(cell, u, v, state, case.slopes)
            below = states[layer][0]
        yield below


def after(cell: Cell, u: Array, v: Array, state: State, slopes: Array | None) -> State:
    """The state after a step, its derivatives disturbed where slopes (H,) are given."""
    new, _ = cell.step(u, v, state)
    if slopes is None:
        return new
    moved = 1j * slopes * sum(blocks((u + v).imag, cell.gates))
    return tuple(s + moved for s in new)


def changed_column(o: Array, y: Integers, columns: Integers, amount: Any) -> Array:  # (T, M)
    """The losses from o (T, K) when in network m one column of it is larger by an amount (T, M): of
    the sum in logsumexp, all but one term stays."""
    top = o.real.max(axis=1, keepdims=True)
    terms = np.exp(o - top)
    rest = terms.sum(axis=1, keepdims=True) - terms[:, columns]
    chosen = np.take_along_axis(o, y[:, None], axis=1) + amount * (y[:, None] == columns)
    return np.asarray(np.log(rest + np.exp(o[:, columns] - top + amount)) + top - chosen)


def enters_the_loss(case: Case, key: str, entries: Integers) -> npt.NDArray[np.bool_]:
    """Whether the loss reads an entry at all: the rows of U of other characters it does not, so there
    both numerical gradients are exactly zero."""
    if key != "U":
        return np.ones(len(entries), dtype=bool)
    return np.isin(entries // shapes(case.model)[key][1], case.x)


def batches(case: Case, key: str, entries: int) -> Iterator[slice]:
    """Parts of the entries, small enough for the cache."""
    widest = max(case.model.vocabulary, CELLS[case.model.cell].gates * case.model.hidden)
    size = max(1, BATCH_NUMBERS // (len(case.x) if key in ("V", "c") else widest))
    return (slice(at, at + size) for at in range(0, entries, size))
