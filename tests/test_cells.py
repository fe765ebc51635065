"""Cells: what happens at one time step after the matrix products, forwards and backwards."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hornbook.cells import CELLS, Cell
from hornbook.cells.cell import Array, State

SIZES = [(1, 1), (3, 7), (2, 100)]  # B, H
EPSILON = 1e-30


def drawn(cell: Cell, B: int, H: int) -> tuple[Array, Array, State, State]:
    """Values for u, v, the state and the gradient of the next state."""
    random = np.random.default_rng(B * 1000 + H)
    u, v = random.normal(size=(2, B, cell.gates * H))
    state, dstate = random.normal(size=(2, cell.states, B, H))
    return u, v, tuple(state), tuple(dstate)


def slope(cell: Cell, u: Array, v: Array, state: State, dstate: State) -> float:
    """The derivative of Σ dstate·state' along the imaginary parts of u, v and state."""
    after, _ = cell.step(u, v, state)
    return sum(float((d * s).sum().imag) for d, s in zip(dstate, after, strict=True)) / EPSILON


def test_a_vanilla_step_is_the_tanh_of_the_sum() -> None:
    (h,), _ = CELLS["vanilla"].step(np.array([[0.25]]), np.array([[0.5]]), (np.array([[9.0]]),))
    assert h[0, 0] == pytest.approx(math.tanh(0.75), abs=1e-16)


def test_a_vanilla_step_back_multiplies_by_1_minus_h_squared() -> None:
    cell = CELLS["vanilla"]
    _, cache = cell.step(np.array([[0.25]]), np.array([[0.5]]), (np.array([[9.0]]),))
    du, dv, (dh,) = cell.step_back((np.array([[3.0]]),), cache)
    expected = 3 / math.cosh(0.75) ** 2
    assert du[0, 0] == pytest.approx(expected, rel=1e-15)
    assert dv[0, 0] == pytest.approx(expected, rel=1e-15)
    assert dh is None  # the old state is reached through v alone


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_is_registered_under_its_own_name(name: str) -> None:
    assert CELLS[name].name == name
    assert CELLS[name].gates >= 1
    assert CELLS[name].states >= 1


@pytest.mark.parametrize(("B", "H"), SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("name", CELLS)
def test_a_step_keeps_shapes_and_type_and_changes_no_input(name: str, dtype: type, B: int, H: int) -> None:
    cell = CELLS[name]
    u, v, state, dstate = drawn(cell, B, H)
    arguments = [a.astype(dtype) for a in (u, v, *state)]
    before = [a.copy() for a in arguments]
    after, cache = cell.step(arguments[0], arguments[1], tuple(arguments[2:]))
    du, dv, direct = cell.step_back(tuple(d.astype(dtype) for d in dstate), cache)
    assert [(s.shape, s.dtype) for s in after] == [((B, H), dtype)] * cell.states
    assert du.shape == dv.shape == u.shape
    assert du.dtype == dv.dtype == dtype
    assert len(direct) == cell.states
    for array, copy in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize(("B", "H"), SIZES)
@pytest.mark.parametrize("name", CELLS)
def test_the_step_back_is_the_derivative_of_the_step(name: str, B: int, H: int) -> None:
    cell = CELLS[name]
    u, v, state, dstate = drawn(cell, B, H)
    _, cache = cell.step(u, v, state)
    du, dv, direct = cell.step_back(dstate, cache)
    along_u, along_v = np.random.default_rng(5).normal(size=(2, *u.shape))
    along_state = np.random.default_rng(6).normal(size=(cell.states, B, H))
    tiny = EPSILON * 1j
    assert slope(cell, u + tiny * along_u, v, state, dstate) == pytest.approx((du * along_u).sum(), rel=1e-12)
    assert slope(cell, u, v + tiny * along_v, state, dstate) == pytest.approx((dv * along_v).sum(), rel=1e-12)
    moved = tuple(s + tiny * a for s, a in zip(state, along_state, strict=True))
    pairs = zip(direct, along_state, strict=True)
    expected = sum(float((d * a).sum()) for d, a in pairs if d is not None)  # None is zero
    assert slope(cell, u, v, moved, dstate) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("name", CELLS)
def test_each_unit_and_each_stream_goes_its_own_way(name: str) -> None:
    cell = CELLS[name]
    u, v, state, _ = drawn(cell, 3, 7)
    together, _ = cell.step(u, v, state)
    for stream in range(3):
        for unit in range(7):
            columns = np.arange(cell.gates) * 7 + unit
            part = tuple(s[stream : stream + 1, unit : unit + 1] for s in state)
            alone, _ = cell.step(u[stream : stream + 1, columns], v[stream : stream + 1, columns], part)
            for a, t in zip(alone, together, strict=True):
                assert a[0, 0] == pytest.approx(t[stream, unit], rel=1e-14)
