"""Clip a gradient and step along it, on flat buffers. Nothing here knows layers or names."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hornbook.cells.cell import Array
from hornbook.config import Clip

EPSILON = 1e-8


@dataclass(frozen=True)
class Optimizer:
    """An update rule. `slots` is M, the numbers it remembers for each parameter; `step(parameters,
    gradient, memory, rate)` changes parameters (P,) and memory (M, P) in place."""

    name: str
    slots: int
    step: Callable[[Array, Array, Array, float], None]


def sgd(parameters: Array, gradient: Array, memory: Array, rate: float) -> None:
    """θ ← θ - η g"""
    parameters -= rate * gradient


def adagrad(parameters: Array, gradient: Array, memory: Array, rate: float) -> None:
    """m ← m + g²     θ ← θ - η g / √(m + ε)      (Duchi, Hazan and Singer, JMLR 12, 2011)"""
    memory[0] += gradient * gradient
    root = memory[0] + EPSILON
    np.sqrt(root, out=root)
    parameters -= np.divide(rate * gradient, root, out=root)


OPTIMIZERS = {rule.name: rule for rule in (Optimizer("sgd", 0, sgd), Optimizer("adagrad", 1, adagrad))}


def norm(gradient: Array) -> float:
    """The Euclidean norm. Where the squares overflow the gradient's own type, float64 has the room."""
    with np.errstate(over="ignore"):
        square = float(np.dot(gradient, gradient))
    if not math.isfinite(square):
        square = float(np.sum(np.square(gradient, dtype=np.float64)))
    return math.sqrt(square)


def clip(gradient: Array, how: Clip, length: float) -> tuple[Array, int]:
    """The clipped gradient and how many of its entries were changed; `length` is its norm."""
    if how.kind == "value":
        clipped = np.clip(gradient, -how.limit, how.limit)
        return clipped, int(np.count_nonzero(clipped != gradient))
    if how.kind == "norm" and length > how.limit:
        return gradient * (how.limit / length), gradient.size
    return gradient, 0
