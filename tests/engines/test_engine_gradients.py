"""Loss, states and gradients, by all engines: held to a calculation by hand, to the textbook form of
`problems` and to each other. Whatever is in the registries is covered.

One layer stands here, the rest of the family in `test_family`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from hornbook.config import ModelSettings
from hornbook.engines import ENGINES
from hornbook.engines.native import ISA_VARIABLE, LEVELS, levels
from hornbook.errors import SettingError
from hornbook.parameters import count, shapes, views
from problems import (
    EPSILON,
    WHOLE,
    Problem,
    assert_agrees_with_the_reference,
    assert_agrees_with_the_textbook,
    assert_same,
    every_build,
    every_cell,
    every_dtype,
    every_engine,
    problem,
)

SIZES = list(product((1, 7, 100, 129), (2, 65, 4437), (1, 3, 25)))  # H, K, T


# By hand


@every_build
@every_dtype
def test_one_unit_two_symbols_two_characters_worked_out_by_hand(engine: str, dtype: str) -> None:
    U, W, b, V, c = (0.5, -0.25), 0.75, 0.125, (0.5, -1.0), (0.25, -0.5)
    h0, (x1, x2), (y1, y2) = 0.5, (0, 1), (1, 0)
    h1 = math.tanh(U[x1] + h0 * W + b)
    h2 = math.tanh(U[x2] + h1 * W + b)
    o1, o2 = ([h * V[k] + c[k] for k in (0, 1)] for h in (h1, h2))
    p1, p2 = ([math.exp(o[k]) / (math.exp(o[0]) + math.exp(o[1])) for k in (0, 1)] for o in (o1, o2))
    loss = -math.log(p1[y1]) - math.log(p2[y2])
    do1, do2 = [p1[0], p1[1] - 1], [p2[0] - 1, p2[1]]
    da2 = (do2[0] * V[0] + do2[1] * V[1]) * (1 - h2**2)
    da1 = (do1[0] * V[0] + do1[1] * V[1] + da2 * W) * (1 - h1**2)

    model = ModelSettings(2, 1)
    parameters = np.array([*U, W, b, *V, *c])
    state = np.full((1, 1, 1, 1), h0)
    by_hand = Problem(model, parameters, np.array([[x1], [x2]]), np.array([[y1], [y2]]), state, state)
    got = by_hand.engine(engine, dtype).loss_and_gradients(by_hand.x, by_hand.y, state.astype(dtype))

    close = {"rel": WHOLE[dtype]}
    assert got.loss == pytest.approx(loss, **close)
    assert got.gradients["U"].ravel().tolist() == pytest.approx([da1, da2], **close)
    assert got.gradients["W"].item() == pytest.approx(da1 * h0 + da2 * h1, **close)
    assert got.gradients["b"].item() == pytest.approx(da1 + da2, **close)
    assert got.gradients["V"].tolist()[0] == pytest.approx(
        [do1[k] * h1 + do2[k] * h2 for k in (0, 1)], **close
    )
    assert got.gradients["c"].tolist() == pytest.approx([do1[k] + do2[k] for k in (0, 1)], **close)
    assert got.state.item() == pytest.approx(h2, **close)
    assert got.dstate.item() == pytest.approx(da1 * W, **close)


# Loss and gradients


@every_engine
@every_cell
@every_dtype
@pytest.mark.parametrize(("H", "K", "T"), SIZES)
def test_loss_state_and_every_gradient_agree_with_the_textbook(
    engine: str, cell: str, dtype: str, H: int, K: int, T: int
) -> None:
    p = problem(cell, H, K, T)
    got = p.engine(engine, dtype).loss_and_gradients(p.x, p.y, p.state.astype(dtype), p.dstate.astype(dtype))
    assert_agrees_with_the_textbook(p, got, WHOLE[dtype])


@every_build
@every_cell
@every_dtype
@pytest.mark.parametrize(("H", "K", "T"), SIZES)
def test_loss_states_and_every_gradient_agree_with_the_reference(
    engine: str, cell: str, dtype: str, H: int, K: int, T: int
) -> None:
    assert_agrees_with_the_reference(engine, dtype, cell, H, K, T)


@every_build
@every_cell
@every_dtype
@pytest.mark.parametrize(("H", "K", "T", "B"), [(1, 2, 3, 2), (7, 65, 25, 3), (129, 5, 3, 5)])
def test_streams_side_by_side_are_averaged_and_do_not_mix(
    engine: str, cell: str, dtype: str, H: int, K: int, T: int, B: int
) -> None:
    p = problem(cell, H, K, T, B)
    reader = p.engine(engine, dtype)
    together = reader.loss_and_gradients(p.x, p.y, p.state.astype(dtype), p.dstate.astype(dtype))
    alone = []
    for i in range(B):
        one = np.s_[:, i : i + 1]
        state, dstate = (a[:, :, i : i + 1].astype(dtype) for a in (p.state, B * p.dstate))
        alone.append(reader.loss_and_gradients(p.x[one], p.y[one], state, dstate))
    close = {"rtol": WHOLE[dtype], "atol": WHOLE[dtype]}
    np.testing.assert_allclose(together.loss, np.mean([a.loss for a in alone]), **close)
    for key, gradient in together.gradients.items():
        np.testing.assert_allclose(gradient, np.mean([a.gradients[key] for a in alone], axis=0), **close)
    np.testing.assert_allclose(together.state, np.concatenate([a.state for a in alone], axis=2), **close)
    np.testing.assert_allclose(
        together.dstate, np.concatenate([a.dstate for a in alone], axis=2) / B, **close
    )


@pytest.mark.parametrize(
    ("engine", "dtype"), [(e, d) for e in ENGINES for d in WHOLE if (e, d) != ("reference", "float64")]
)
@every_cell
@pytest.mark.parametrize(("H", "K", "T", "B"), [(1, 2, 1, 1), (7, 65, 3, 2), (129, 65, 25, 1)])
def test_every_entry_agrees_with_the_reference_in_float64(
    engine: str, dtype: str, cell: str, H: int, K: int, T: int, B: int
) -> None:
    p = problem(cell, H, K, T, B)
    truth = p.engine("reference", "float64").loss_and_gradients(p.x, p.y, p.state, p.dstate)
    got = p.engine(engine, dtype).loss_and_gradients(p.x, p.y, p.state.astype(dtype), p.dstate.astype(dtype))
    for key, gradient in got.gradients.items():
        largest = np.abs(truth.gradients[key]).max()
        np.testing.assert_allclose(gradient, truth.gradients[key], rtol=0, atol=WHOLE[dtype] * largest)
    np.testing.assert_allclose(got.dstate, truth.dstate, rtol=0, atol=WHOLE[dtype])


@every_engine
@every_dtype
def test_gradients_have_the_names_shapes_and_type_of_the_parameters(engine: str, dtype: str) -> None:
    p = problem("vanilla", 7, 3, 4)
    got = p.engine(engine, dtype).loss_and_gradients(p.x, p.y, p.state.astype(dtype))
    assert {key: g.shape for key, g in got.gradients.items()} == shapes(p.model)
    assert {g.dtype.name for g in (*got.gradients.values(), got.state, got.dstate)} == {dtype}
    assert got.state.shape == got.dstate.shape == p.state.shape
    assert isinstance(got.loss, float)


@every_engine
@every_cell
def test_without_a_gradient_of_the_final_state_it_is_zero(engine: str, cell: str) -> None:
    p = problem(cell, 7, 5, 3)
    reader = p.engine(engine, "float64")
    left_out = reader.loss_and_gradients(p.x, p.y, p.state)
    zero = reader.loss_and_gradients(p.x, p.y, p.state, np.zeros_like(p.dstate))
    other = reader.loss_and_gradients(p.x, p.y, p.state, p.dstate)
    np.testing.assert_array_equal(left_out.gradients["W"], zero.gradients["W"])
    assert (left_out.gradients["W"] != other.gradients["W"]).any()
    np.testing.assert_array_equal(left_out.gradients["V"], other.gradients["V"])


@every_engine
@every_cell
@pytest.mark.parametrize("B", [1, 3])
def test_the_mean_objective_divides_the_gradient_by_t_and_leaves_the_loss(
    engine: str, cell: str, B: int
) -> None:
    p = problem(cell, 7, 5, 6, B)
    total = p.engine(engine, "float64", objective="sum").loss_and_gradients(p.x, p.y, p.state)
    mean = p.engine(engine, "float64", objective="mean").loss_and_gradients(p.x, p.y, p.state)
    assert mean.loss == pytest.approx(total.loss, rel=1e-14)
    for key, gradient in mean.gradients.items():
        np.testing.assert_allclose(gradient, total.gradients[key] / 6, rtol=1e-12, atol=1e-16)


@every_engine
@every_cell
def test_asking_for_gradients_changes_nothing_and_hands_out_copies(engine: str, cell: str) -> None:
    p = problem(cell, 7, 5, 3)
    reader = p.engine(engine, "float64")
    before, state = reader.get_state(), p.state.copy()
    first = reader.loss_and_gradients(p.x, p.y, state, p.dstate)
    kept = {key: g.copy() for key, g in first.gradients.items()}
    reader.loss_and_gradients(p.y, p.x, state)
    assert_same(reader.get_state(), before)
    np.testing.assert_array_equal(state, p.state)
    for key, gradient in first.gradients.items():
        np.testing.assert_array_equal(gradient, kept[key])


@every_engine
@every_dtype
def test_a_loss_of_a_hundred_thousand_nats_is_finite_and_exact(engine: str, dtype: str) -> None:
    p = problem("vanilla", 2, 2, 1)
    p = replace(p, parameters=p.parameters.copy())
    views(p.model, p.parameters)["c"][:] = [1e5, 0]
    got = p.engine(engine, dtype).loss_and_gradients(np.array([[0]]), np.array([[1]]), p.state.astype(dtype))
    assert got.loss == pytest.approx(1e5, rel=1e-4)
    assert got.gradients["c"].tolist() == [1, -1]


@every_cell
def test_the_reference_engine_also_runs_in_complex_numbers(cell: str) -> None:
    p = problem(cell, 7, 5, 3)
    real = p.engine("reference", "float64").loss_and_gradients(p.x, p.y, p.state, p.dstate)
    for place in (0, count(p.model) // 2, count(p.model) - 1):
        moved = replace(p, parameters=p.parameters.astype(complex))
        moved.parameters[place] += EPSILON * 1j
        got = moved.engine("reference", "complex128").loss_and_gradients(
            p.x, p.y, p.state.astype(complex), p.dstate.astype(complex)
        )
        flat = np.concatenate([g.ravel() for g in real.gradients.values()])
        loss_alone = p.engine("reference", "float64").loss_and_gradients(p.x, p.y, p.state)
        expected = np.concatenate([g.ravel() for g in loss_alone.gradients.values()])[place]
        assert complex(got.loss).imag / EPSILON == pytest.approx(expected, rel=1e-12, abs=1e-15)
        assert complex(got.loss).real == pytest.approx(real.loss, rel=1e-14)
        complexes = np.concatenate([g.ravel() for g in got.gradients.values()])
        np.testing.assert_allclose(complexes.real, flat, rtol=1e-12, atol=1e-15)


# Levels of processor


@pytest.mark.skipif(not levels(), reason="there is no native core in this installation")
def test_a_level_that_this_machine_does_not_have_is_refused_and_those_it_has_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(ISA_VARIABLE, "abacus")
    known = ", ".join(sorted(levels()))
    with pytest.raises(SettingError, match=f"{ISA_VARIABLE} 'abacus'; the known ones are: {known}"):
        problem("vanilla", 7, 5, 3).engine("native", "float32")
    other = next(level for level in LEVELS if level not in levels())
    monkeypatch.setenv(ISA_VARIABLE, other)
    with pytest.raises(SettingError, match=f"is {other}, which is not to be had here; expected one of: "):
        problem("vanilla", 7, 5, 3).engine("native", "float32")
