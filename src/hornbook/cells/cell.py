"""What every cell is: its name, its sizes and its two functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
State = tuple[Array, ...]  # S arrays (B, H), the hidden state first


@dataclass(frozen=True)
class Cell:
    """A cell: `gates` (G) blocks of H columns in U and W, `states` (S) arrays kept from step to step."""

    name: str
    gates: int
    states: int
    step: Callable[[Array, Array, State], tuple[State, Any]]
    step_back: Callable[[State, Any], tuple[Array, Array, tuple[Any, ...]]]
