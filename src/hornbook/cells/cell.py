"""What every cell is: its name, its sizes and its two functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
State = tuple[Array, ...]  # S arrays (B, H), the hidden state first


@dataclass(frozen=True)
class Cell:
    """A cell: `gates` (G) blocks of H columns in U and W, `states` (S) arrays kept from step to step.
    `open_gate` is the block whose bias starts at 1, where there is one."""

    name: str
    gates: int
    states: int
    step: Callable[[Array, Array, State], tuple[State, Any]]
    step_back: Callable[[State, Any], tuple[Array, Array, tuple[Any, ...]]]
    open_gate: int | None = None


def blocks(a: Array, gates: int) -> list[Array]:  # (…, G·H) -> G × (…, H)
    """The gates' blocks of columns."""
    return np.split(a, gates, axis=-1)


def logistic(a: Array) -> Array:
    """σ(a) = 1 / (1 + exp(-a)) = (1 + tanh(a / 2)) / 2, which cannot overflow and is analytic too."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * a)))
