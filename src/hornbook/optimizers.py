"""Clip a gradient and step along it, on flat buffers. Nothing here knows layers or names."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hornbook.cells.cell import Array
from hornbook.compound import Clip

EPSILON = 1e-8
DECAY = 0.99  # of RMSProp's mean of squares
BETA1, BETA2 = 0.9, 0.999  # of Adam's means of g and g²


@dataclass(frozen=True)
class Optimizer:
    """An update rule. `slots` is M, the numbers it remembers for each parameter; `step(parameters,
    gradient, memory, rate, t)` changes parameters (P,) and memory (M, P) in place in update t (from 1); the
    rate is one for all, or (P,)."""

    name: str
    slots: int
    step: Callable[[Array, Array, Array, Array | float, int], None]


def sgd(parameters: Array, gradient: Array, memory: Array, rate: Array | float, t: int) -> None:
    """θ ← θ - η g"""
    parameters -= rate * gradient


def adagrad(parameters: Array, gradient: Array, memory: Array, rate: Array | float, t: int) -> None:
    """m ← m + g²     θ ← θ - η g / √(m + ε)      (Duchi, Hazan and Singer, JMLR 12, 2011)"""
    memory[0] += gradient * gradient
    root = memory[0] + EPSILON
    np.sqrt(root, out=root)
    parameters -= np.divide(rate * gradient, root, out=root)


def rmsprop(parameters: Array, gradient: Array, memory: Array, rate: Array | float, t: int) -> None:
    """m ← 0.99 m + 0.01 g²     θ ← θ - η g / (√m + ε)      (Tieleman and Hinton, 2012; as PyTorch has it)"""
    memory[0] += (1 - DECAY) * (gradient * gradient - memory[0])
    parameters -= rate * gradient / (np.sqrt(memory[0]) + EPSILON)


def adam(parameters: Array, gradient: Array, memory: Array, rate: Array | float, t: int) -> None:
    """m ← 0.9 m + 0.1 g    s ← 0.999 s + 0.001 g²    θ ← θ - η m̂ / (√ŝ + ε)    m̂ = m / (1 - 0.9ᵗ)
    ŝ = s / (1 - 0.999ᵗ)      (Kingma and Ba, ICLR 2015)"""
    m, s = memory
    m += (1 - BETA1) * (gradient - m)
    s += (1 - BETA2) * (gradient * gradient - s)
    root = np.sqrt(s / (1 - BETA2**t))
    root += EPSILON
    parameters -= rate / (1 - BETA1**t) * m / root


def decay(parameters: Array, amount: float) -> None:
    """θ ← θ - λ θ, apart from the gradient (Loshchilov and Hutter, ICLR 2019); λ is `amount`."""
    if amount:
        parameters -= amount * parameters


OPTIMIZERS = {
    rule.name: rule
    for rule in (
        Optimizer("sgd", 0, sgd),
        Optimizer("adagrad", 1, adagrad),
        Optimizer("rmsprop", 1, rmsprop),
        Optimizer("adam", 2, adam),
    )
}


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
