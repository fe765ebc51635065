"""Vanilla:  a = u + v        h' = tanh(a)

J. L. Elman, "Finding structure in time", Cognitive Science 14 (1990), with tanh for the logistic.
"""

from __future__ import annotations

import numpy as np

from hornbook.cells.cell import Array, Cell, State


def step(u: Array, v: Array, state: State) -> tuple[State, Array]:
    """h' = tanh(u + v); the cache is h'."""
    h = np.tanh(u + v)
    return (h,), h


def step_back(dstate: State, cache: Array) -> tuple[Array, Array, tuple[None]]:
    """From the gradient of h' to those of u and v, which are the same."""
    (dh,), h = dstate, cache
    da = dh - dh * h * h  # h' = tanh(a), whose derivative is 1 - h' h'
    return da, da, (None,)  # a = u + v


VANILLA = Cell("vanilla", gates=1, states=1, step=step, step_back=step_back)
