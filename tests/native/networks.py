"""Networks of the native family in the plain terms of the core, and the reference engine's word on them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

from hornbook.cells import CELLS
from hornbook.config import ModelSettings
from hornbook.parameters import count

every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
every_cell = pytest.mark.parametrize("cell", CELLS)

Arguments = dict[str, Any]


def shape(cell: str, H: int, L: int, B: int) -> tuple[int, int, int, int]:
    """That of a state."""
    return L, CELLS[cell].states, B, H


def size(cell: str, K: int, H: int, L: int) -> int:
    """The number of parameters."""
    return count(ModelSettings(K, H, cell, L))


def network(
    level: ModuleType, dtype: Any, cell: str, K: int, H: int, L: int, T: int, B: int, **how: Any
) -> tuple[Any, Arguments]:
    """A network in the middle of its training, and the state that it was given."""
    rng = np.random.default_rng([K, H, T])
    P = size(cell, K, H, L)
    make = level.Network32 if dtype is np.float32 else level.Network64
    core = make(cell, K, H, L, T, B, **how)
    slots = {"sgd": 0, "adagrad": 1, "rmsprop": 1, "adam": 2}[how.get("optimizer", "adam")]
    state = {
        "update": 3,
        "parameters": (rng.standard_normal(P) * 0.3 / H**0.5).astype(dtype),
        "memory": rng.random((slots, P)).astype(dtype),
        "hidden": rng.uniform(-0.9, 0.9, shape(cell, H, L, B)).astype(dtype),
        "smooth": 2.0,
        "best_smooth": 1.5,
        "best_update": 2,
        "best_parameters": rng.standard_normal(P).astype(dtype),
    }
    core.set_state(**state)
    return core, state


def plan(K: int, T: int, B: int, n: int, kind: Any = np.uint8) -> Arguments:
    """What n updates read: anywhere in a text, from the zero state now and then."""
    rng = np.random.default_rng([K, T, B, n])
    ids = rng.integers(0, K, 5 * T + 40).astype(kind)
    return {
        "ids": ids,
        "starts": rng.integers(0, len(ids) - T, (n, B)),
        "fresh": (rng.random(n) < 0.3).astype(np.uint8),
        "rates": np.full(n, 0.01),
    }


def window(dtype: Any, cell: str, K: int, H: int, L: int, T: int, B: int) -> Arguments:
    """Something to read in each stream, and the states at both ends."""
    rng = np.random.default_rng([T, K, H, B])
    x, y = rng.integers(0, K, (2, T, B))
    state, dstate = rng.uniform(-0.9, 0.9, (2, *shape(cell, H, L, B))).astype(dtype)
    return {"x": x, "y": y, "state": state, "dstate": dstate}
