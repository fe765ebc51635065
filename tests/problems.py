"""Networks to try engines on, and a textbook form that shares nothing with them but the cell's own step:
one-hot vectors, one character at a time, derivatives by the complex step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pytest

from hornbook.cells import CELLS
from hornbook.cells.cell import Array
from hornbook.config import DTYPE_NAMES, ModelSettings, TrainingSettings
from hornbook.engines import ENGINES, Engine, Gradients, TrainingState
from hornbook.engines.interface import zero_state
from hornbook.engines.native import levels
from hornbook.parameters import count, name, views

EPSILON = 1e-30
WHOLE = {"float64": 1e-12, "float32": 1e-5}  # relative error of what sums over T, B and H

EACH = {"float64": 1e-12, "float32": 2e-5}  # error of an entry, relative to the largest of its array
BUILDS = [name for name in ENGINES if name != "native"] + [f"native {level}" for level in levels()]

Settings = tuple[ModelSettings, TrainingSettings]
Build = Callable[..., Engine]
Chosen = Callable[..., Settings]

every_engine = pytest.mark.parametrize("engine", ENGINES)
every_build = pytest.mark.parametrize("engine", BUILDS, indirect=True)  # the native one at every level
every_cell = pytest.mark.parametrize("cell", CELLS)
every_dtype = pytest.mark.parametrize("dtype", EACH)
every_precision = pytest.mark.parametrize("dtype", DTYPE_NAMES)


@dataclass(frozen=True, eq=False)
class Problem:
    """A network far from linear, characters to read, a state that is not zero, and weights by which the
    final state enters the objective."""

    model: ModelSettings
    parameters: Array  # (P,)
    x: Array  # (T, B)
    y: Array  # (T, B)
    state: Array  # (L, S, B, H)
    dstate: Array  # (L, S, B, H)

    def engine(self, name: str, dtype: str, **changes: Any) -> Engine:
        training = TrainingSettings(
            engine=name, dtype="float64" if dtype == "complex128" else dtype, **changes
        )
        state = TrainingState.of_parameters(self.parameters.astype(dtype), self.model, training)
        return ENGINES[name](self.model, training, state)


@lru_cache(8)
def problem(cell: str, H: int, K: int, T: int, B: int = 1, L: int = 1) -> Problem:
    """A problem of these sizes, the same object each time; its numbers are exact in float32."""
    random = np.random.default_rng([H, K, T, B])
    model = ModelSettings(K, H, cell, L)
    parameters = random.normal(0, 1 / math.sqrt(H), count(model))
    named = views(model, parameters)
    named["U"] *= math.sqrt(H) / 2
    x, y = random.integers(0, K, (2, T, B))
    state, dstate = random.uniform(-0.9, 0.9, (2, *zero_state(model, B, float).shape))
    rounded = [a.astype(np.float32).astype(float) for a in (parameters, state, dstate)]
    for array in (x, y, *rounded):
        array.flags.writeable = False
    return Problem(model, rounded[0], x, y, rounded[1], rounded[2])


@cache
def reference(cell: str, H: int, K: int, T: int, B: int = 1, L: int = 1) -> tuple[Gradients, Array, Array]:
    """What the reference engine in float64 makes of `problem`: its gradients, the states after every
    character (T, L, S, B, H), and the logits (T, B, K)."""
    p = problem(cell, H, K, T, B, L)
    truth = p.engine("reference", "float64")
    return truth.loss_and_gradients(p.x, p.y, p.state, p.dstate), *steps(truth, p.x, p.state)


def steps(engine: Engine, x: Array, state: Array) -> tuple[Array, Array]:
    """The states and logits of reading x (T, B) one character at a time."""
    states, logits = [], []
    for symbols in x:
        o, state = engine.step(symbols, state)
        states.append(state)
        logits.append(o)
    return np.array(states), np.array(logits)


def assert_near(got: Array, expected: Array, tolerance: float, what: str) -> None:
    """No entry is off by more than this share of the largest entry."""
    assert np.abs(got - expected).max() <= tolerance * np.abs(expected).max(), what


def textbook(
    p: Problem, named: dict[str, Array], state: Array, masks: Array | None = None
) -> tuple[Any, Array]:
    """The loss in nats, summed over T and averaged over streams, and the final state. Masks (L, T, B, H)
    multiply the outputs of their layers."""
    cell, B = CELLS[p.model.cell], p.x.shape[1]
    now = [tuple(layer) for layer in state]
    loss = 0
    for t, (x, y) in enumerate(zip(p.x, p.y, strict=True)):
        below = np.zeros((B, p.model.vocabulary))
        below[np.arange(B), x] = 1
        for layer, before in enumerate(now):
            U, W, b = (named[name(letter, layer)] for letter in "UWb")
            now[layer], _ = cell.step(below @ U + b, before[0] @ W, before)
            below = now[layer][0] if masks is None else now[layer][0] * masks[layer, t]
        o = below @ named["V"] + named["c"]
        o = o - o.real.max(axis=1, keepdims=True)
        loss = loss + (np.log(np.exp(o).sum(axis=1)) - o[np.arange(B), y]).sum() / B
    return loss, np.array(now)


def directions(p: Problem) -> Iterator[tuple[str, Array]]:
    """A direction for each parameter, and one for the state."""
    random = np.random.default_rng(8)
    for key, values in [*views(p.model, p.parameters).items(), ("state", p.state)]:
        yield key, random.normal(size=values.shape)


@lru_cache(8)
def truth(p: Problem) -> tuple[float, Array, dict[str, float]]:
    """The textbook's loss, final state, and derivatives of the objective along `directions`."""
    named = views(p.model, p.parameters)
    moved = {key: EPSILON * 1j * along for key, along in directions(p)}
    here = {**named, "state": p.state}
    slopes = {key: slope(p, {**here, key: here[key] + step}) for key, step in moved.items()}
    return *textbook(p, named, p.state), slopes


def slope(p: Problem, named: dict[str, Array]) -> float:
    """The derivative, along the imaginary parts, of the loss and the weighted final state."""
    loss, final = textbook(p, named, named["state"])
    return float((loss + (p.dstate * final).sum()).imag) / EPSILON


def assert_same(one: TrainingState, other: TrainingState) -> None:
    """All that an engine remembers is the same, to the bit."""
    for field in fields(TrainingState):
        np.testing.assert_array_equal(
            getattr(one, field.name), getattr(other, field.name), err_msg=field.name, strict=True
        )


def assert_agrees_with_the_reference(
    engine: str, dtype: str, cell: str, H: int, K: int, T: int, B: int = 1, L: int = 1
) -> None:
    """Loss, states, logits and every gradient are those of the reference in float64, entry by entry."""
    p = problem(cell, H, K, T, B, L)
    built = p.engine(engine, dtype)
    state, dstate = p.state.astype(dtype), p.dstate.astype(dtype)
    got = built.loss_and_gradients(p.x, p.y, state, dstate)
    expected, states, logits = reference(cell, H, K, T, B, L)
    tolerance = EACH[dtype]
    assert got.loss == pytest.approx(expected.loss, rel=tolerance)
    assert_near(got.state, expected.state, tolerance, "the final state")
    assert_near(got.dstate, expected.dstate, tolerance, "the gradient of the first state")
    for key, gradient in got.gradients.items():
        assert_near(gradient, expected.gradients[key], tolerance, key)
    each_state, each_logits = steps(built, p.x, state)
    assert_near(each_state, states, tolerance, "the states")
    assert_near(each_logits, logits, tolerance, "the logits")


def assert_agrees_with_the_textbook(p: Problem, got: Gradients, tolerance: float) -> None:
    """Loss and final state are the textbook's, and every gradient its derivative along some direction."""
    loss, final, slopes = truth(p)
    assert got.loss == pytest.approx(loss, rel=tolerance)
    np.testing.assert_allclose(got.state, final, atol=tolerance)
    gradients = {**got.gradients, "state": got.dstate}
    for key, along in directions(p):
        reach = np.linalg.norm(gradients[key]) * np.linalg.norm(along)
        assert abs((gradients[key] * along).sum() - slopes[key]) <= tolerance * reach, key
