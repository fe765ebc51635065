"""Engines: all of them, by one suite. Whatever is in the registries is covered.

The truth here is the textbook form of `problems`. One layer and the classic optimizers stand here, the rest
of the family in `test_family`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hornbook.cells.cell import Array
from hornbook.config import ModelSettings, TrainingSettings, settings
from hornbook.distribution import Choice, probabilities
from hornbook.engines import ENGINES, Engine, Start, TrainingState
from hornbook.engines.native import ISA_VARIABLE, levels
from hornbook.engines.reference import ReferenceEngine
from hornbook.errors import SettingError
from hornbook.optimizers import OPTIMIZERS
from hornbook.parameters import count, shapes, views
from hornbook.philox import SAMPLE, Source
from hornbook.streams import Streams
from hornbook.text import Text
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

Settings = tuple[ModelSettings, TrainingSettings]
Build = Callable[..., Engine]
Chosen = Callable[..., Settings]

SIZES = list(product((1, 7, 100, 129), (2, 65, 4437), (1, 3, 25)))  # H, K, T


def joined(parts: list[Any]) -> Any:
    """What `advance` would have given if it had not been asked in parts."""
    columns = [np.concatenate(column) for column in list(zip(*parts, strict=True))[:4]]
    return [c.tolist() for c in columns]


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


# The classic recipe


class MinCharRnn:
    """The textbook loop: column vectors, one-hot inputs, one character at a time, AdaGrad or SGD."""

    def __init__(self, model: ModelSettings, flat: Array, optimizer: str, clip: float) -> None:
        named = views(model, flat.astype(float))
        self.U, self.W, self.V = (named[key].T.copy() for key in ("U", "W", "V"))
        self.b, self.c = (named[key][:, None].copy() for key in ("b", "c"))
        self.memory = [np.zeros_like(p) for p in (self.U, self.W, self.b, self.V, self.c)]
        self.optimizer, self.clip = optimizer, clip
        self.H, self.K = model.hidden, model.vocabulary

    def train(self, ids: list[int], T: int, updates: int, rate: float) -> list[float]:
        """The loss of each update."""
        losses, at, h = [], 0, np.zeros((self.H, 1))
        for _ in range(updates):
            if at + T + 1 > len(ids):
                at, h = 0, np.zeros((self.H, 1))
            loss, gradients, h = self.backpropagate(ids[at : at + T], ids[at + 1 : at + T + 1], h)
            losses.append(loss)
            parameters = (self.U, self.W, self.b, self.V, self.c)
            for p, g, m in zip(parameters, gradients, self.memory, strict=True):
                g = np.clip(g, -self.clip, self.clip)
                m += g * g
                p -= rate * g / np.sqrt(m + 1e-8) if self.optimizer == "adagrad" else rate * g
            at += T
        return losses

    def backpropagate(
        self, inputs: list[int], targets: list[int], h: Array
    ) -> tuple[float, list[Array], Array]:
        """Loss, gradients of U W b V c, and the last state."""
        xs, hs, ps, loss = [], [h], [], 0.0
        for i, target in zip(inputs, targets, strict=True):
            x = np.zeros((self.K, 1))
            x[i] = 1
            xs.append(x)
            hs.append(np.tanh(self.U @ x + self.W @ hs[-1] + self.b))
            o = self.V @ hs[-1] + self.c
            ps.append(np.exp(o) / np.sum(np.exp(o)))
            loss -= math.log(ps[-1][target, 0])
        dU, dW, db, dV, dc = (np.zeros_like(p) for p in (self.U, self.W, self.b, self.V, self.c))
        carried = np.zeros_like(h)
        for t in reversed(range(len(inputs))):
            do = ps[t].copy()
            do[targets[t]] -= 1
            dV += do @ hs[t + 1].T
            dc += do
            da = (1 - hs[t + 1] ** 2) * (self.V.T @ do + carried)
            dU += da @ xs[t].T
            dW += da @ hs[t].T
            db += da
            carried = self.W.T @ da
        return loss, [dU, dW, db, dV, dc], hs[-1]

    def flat(self) -> Array:
        """The parameters in the order of the buffer."""
        return np.concatenate([p.T.ravel() for p in (self.U, self.W, self.b, self.V, self.c)])


@every_build
@pytest.mark.parametrize(
    ("optimizer", "rate", "updates", "hidden", "seq_len", "tolerance"),
    [
        ("adagrad", 0.1, 3, 100, 25, 1e-10),
        ("adagrad", 0.01, 200, 40, 25, 1e-9),
        ("sgd", 0.01, 200, 40, 25, 1e-9),
        ("sgd", 0.01, 200, 7, 3, 1e-9),
    ],
)
def test_training_is_the_textbook_loop(
    prose: Text,
    engine: str,
    optimizer: str,
    rate: float,
    updates: int,
    hidden: int,
    seq_len: int,
    tolerance: float,
) -> None:
    model, training = settings(
        len(prose.vocabulary),
        "classic",
        hidden=hidden,
        seq_len=seq_len,
        optimizer=optimizer,
        dtype="float64",
        clip="5",
    )
    state = TrainingState.initial(model, training)
    truth = MinCharRnn(model, state.parameters, optimizer, 5.0)
    losses = truth.train(prose.ids.tolist(), seq_len, updates, rate)
    trained = ENGINES[engine](model, training, state, prose.ids)
    result = trained.advance(np.full(updates, rate))
    np.testing.assert_allclose(result.losses, losses, rtol=0, atol=tolerance)
    np.testing.assert_allclose(trained.get_state().parameters, truth.flat(), rtol=0, atol=tolerance)


@every_engine
def test_the_first_loss_is_about_25_ln_k(prose: Text, engine: str) -> None:
    model, training = settings(len(prose.vocabulary))
    first = ENGINES[engine](model, training, TrainingState.initial(model, training), prose.ids)
    expected = 25 * math.log(len(prose.vocabulary))
    assert first.advance(np.full(1, 0.1)).losses[0] == pytest.approx(expected, rel=1e-3)


@every_engine
def test_training_learns(prose: Text, start: Build, small: Chosen, engine: str) -> None:
    trained = start(small(hidden=40, seq_len=25, dtype="float32"), engine)
    losses = trained.advance(np.full(600, 0.1)).losses
    assert losses[-20:].mean() < 0.8 * losses[:20].mean()


# advance


CASES = [
    {},
    {"optimizer": "sgd", "clip": "norm:1"},
    {"clip": "none", "objective": "mean"},
    {"dtype": "float32"},
    {"dtype": "float32", "optimizer": "sgd", "clip": "0.01"},
]


@every_build
@every_cell
@pytest.mark.parametrize("changes", CASES, ids=str)
def test_a_hundred_updates_are_forty_and_then_sixty_to_the_bit(
    start: Build, small: Chosen, engine: str, cell: str, changes: dict[str, Any]
) -> None:
    whole, split = (start(small(cell=cell, **changes), engine) for _ in range(2))
    rates = np.linspace(0.2, 0.05, 100)
    once = whole.advance(rates)
    parts = [split.advance(rates[:40]), split.advance(rates[40:])]
    assert joined(parts) == joined([once])
    assert len(once.losses) == 100
    assert_same(split.get_state(), whole.get_state())


@every_engine
@every_cell
@given(cuts=st.sets(st.integers(0, 100), max_size=12))
@hypothesis_settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_updates_are_asked_for_the_bits_are_the_same(
    start: Build, small: Chosen, engine: str, cell: str, cuts: set[int]
) -> None:
    whole, split = (start(small(cell=cell), engine) for _ in range(2))
    rates = np.linspace(0.2, 0.05, 100)
    once = whole.advance(rates)
    parts = [split.advance(rates[a:b]) for a, b in pairwise([0, *sorted(cuts), 100])]
    assert joined(parts) == joined([once])
    assert_same(split.get_state(), whole.get_state())


@every_build
@every_cell
@every_dtype
def test_the_same_seed_gives_the_same_run_to_the_bit_and_another_seed_another(
    start: Build, small: Chosen, engine: str, cell: str, dtype: str
) -> None:
    one, same, other = (start(small(cell=cell, dtype=dtype, seed=seed), engine) for seed in (4, 4, 5))
    losses = [e.advance(np.full(120, 0.1)).losses.tolist() for e in (one, same, other)]
    assert losses[0] == losses[1] != losses[2]
    assert_same(one.get_state(), same.get_state())


@every_build
@every_cell
@every_dtype
def test_a_state_taken_out_and_put_into_another_engine_goes_on_to_the_bit(
    prose: Text, small: Chosen, start: Build, engine: str, cell: str, dtype: str
) -> None:
    chosen = small(cell=cell, dtype=dtype)
    first = start(chosen, engine)
    first.advance(np.full(33, 0.1))
    second = ENGINES[engine](*chosen, first.get_state(), prose.ids)
    assert_same(second.get_state(), first.get_state())
    assert joined([second.advance(np.full(50, 0.1))]) == joined([first.advance(np.full(50, 0.1))])
    assert_same(second.get_state(), first.get_state())


def test_the_reference_engine_goes_back_to_a_state_that_is_set(small: Chosen, start: Build) -> None:
    engine = start(small(), "reference")
    assert isinstance(engine, ReferenceEngine)
    engine.advance(np.full(10, 0.1))
    kept = engine.get_state()
    first = engine.advance(np.full(20, 0.1))
    engine.set_state(kept)
    assert_same(engine.get_state(), kept)
    assert joined([engine.advance(np.full(20, 0.1))]) == joined([first])


@every_engine
def test_the_state_that_is_handed_in_or_out_is_a_copy(
    prose: Text, small: Chosen, start: Build, engine: str
) -> None:
    chosen = small()
    given_in = TrainingState.initial(*chosen)
    untouched = replace(given_in, parameters=given_in.parameters.copy(), hidden=given_in.hidden.copy())
    trained = ENGINES[engine](*chosen, given_in, prose.ids)
    trained.advance(np.full(7, 0.1))
    assert_same(given_in, untouched)
    handed_out = trained.get_state()
    for array in (handed_out.parameters, handed_out.memory, handed_out.hidden, handed_out.best_parameters):
        array[...] = 99
    again = start(chosen, engine)
    again.advance(np.full(7, 0.1))
    assert_same(trained.get_state(), again.get_state())


@every_build
@every_cell
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_update_is_the_gradient_clipped_and_stepped_along(
    prose: Text, small: Chosen, start: Build, engine: str, cell: str, optimizer: str
) -> None:
    model, training = small(cell=cell, optimizer=optimizer, clip="0.05", init_scale=0.3)
    trained = start((model, training), engine)
    before = trained.get_state()
    x, y = prose.ids[:5, None].astype(int), prose.ids[1:6, None].astype(int)
    loss, gradients, final, _ = trained.loss_and_gradients(x, y, before.hidden)
    flat = np.concatenate([g.ravel() for g in gradients.values()])
    result = trained.advance(np.array([0.1]))
    after = trained.get_state()
    expected, memory = before.parameters.copy(), before.memory.copy()
    OPTIMIZERS[optimizer].step(expected, np.clip(flat, -0.05, 0.05), memory, 0.1, 1)
    np.testing.assert_allclose(after.parameters, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(after.memory, memory, rtol=0, atol=1e-12)
    np.testing.assert_allclose(after.hidden, final, rtol=0, atol=1e-14)
    assert after.update == 1
    assert result.losses[0] == pytest.approx(loss, rel=1e-14)
    assert result.norms[0] == pytest.approx(np.linalg.norm(flat), rel=1e-13)
    assert result.clipped[0] == (np.abs(flat) > 0.05).sum() > 0


@every_engine
def test_clipping_by_norm_takes_a_step_of_that_length(small: Chosen, start: Build, engine: str) -> None:
    trained = start(small(optimizer="sgd", clip="norm:0.5", init_scale=0.3), engine)
    before = trained.get_state().parameters
    result = trained.advance(np.array([0.1]))
    assert result.norms[0] > 0.5
    assert result.clipped[0] == before.size
    assert np.linalg.norm(trained.get_state().parameters - before) == pytest.approx(0.05, rel=1e-12)


@every_engine
def test_a_rate_of_zero_changes_no_parameter_and_reads_on(small: Chosen, start: Build, engine: str) -> None:
    trained = start(small(), engine)
    before = trained.get_state().parameters
    result = trained.advance(np.zeros(3))
    np.testing.assert_array_equal(trained.get_state().parameters, before)
    assert trained.get_state().update == 3
    assert len(set(result.losses.tolist())) == 3


@every_engine
def test_no_rates_are_no_updates(small: Chosen, start: Build, engine: str) -> None:
    trained = start(small(), engine)
    before = trained.get_state()
    result = trained.advance(np.zeros(0))
    assert [len(column) for column in result[:4]] == [0, 0, 0, 0]
    assert result.stopped == ""
    assert_same(trained.get_state(), before)


@every_engine
def test_the_smooth_loss_starts_at_the_first_loss_and_moves_a_thousandth_of_the_way(
    small: Chosen, start: Build, engine: str
) -> None:
    trained = start(small(), engine)
    assert math.isnan(trained.get_state().smooth_loss)
    result = trained.advance(np.full(50, 0.1))
    expected = [result.losses[0]]
    for loss in result.losses[1:]:
        expected.append(0.999 * expected[-1] + 0.001 * loss)
    np.testing.assert_allclose(result.smooth_losses, expected, rtol=1e-14)
    assert trained.get_state().smooth_loss == result.smooth_losses[-1]


# Epochs


@every_engine
@every_cell
def test_the_state_goes_from_update_to_update_and_is_zero_where_an_epoch_starts(
    engine: str, cell: str
) -> None:
    text = Text.from_string("abcabcbacacbbac")  # 15 characters: 4 updates of 3, and then from the start
    chosen = settings(3, "classic", cell=cell, hidden=5, seq_len=3, init_scale=0.5, dtype="float64")
    trained = ENGINES[engine](*chosen, TrainingState.initial(*chosen), text.ids)
    for update in range(10):
        before = trained.get_state()
        at = update % 4 * 3
        x, y = text.ids[at : at + 3, None].astype(int), text.ids[at + 1 : at + 4, None].astype(int)
        state = np.zeros_like(before.hidden) if update % 4 == 0 else before.hidden
        expected = trained.loss_and_gradients(x, y, state)
        assert trained.advance(np.array([0.1])).losses[0] == pytest.approx(expected.loss, rel=1e-14)
        np.testing.assert_allclose(trained.get_state().hidden, expected.state, rtol=1e-13)
        assert update == 0 or before.hidden.any()


# The best model


def swinging() -> Text:
    """A text with an easy half and a hard half, so that the smooth loss swings."""
    random = np.random.default_rng(0)
    return Text.from_string("ab" * 300 + "".join(random.choice(list("abcdefgh"), 600)))


@every_engine
@every_cell
@every_dtype
def test_the_best_parameters_are_those_after_the_update_with_the_lowest_smooth_loss(
    engine: str, cell: str, dtype: str
) -> None:
    text = swinging()
    chosen = settings(8, "classic", cell=cell, hidden=5, seq_len=5, dtype=dtype)
    lazy, eager = (ENGINES[engine](*chosen, TrainingState.initial(*chosen), text.ids) for _ in range(2))
    rates = np.where(np.arange(900) % 300 < 200, 0.1, 0.5)
    best, best_update, best_parameters, lows = math.inf, 0, None, 0
    for update, rate in enumerate(rates, start=1):
        smooth = eager.advance(np.array([rate])).smooth_losses[0]
        state = eager.get_state()
        if smooth < best:
            lows += best_update != update - 1  # a new minimum after a rise
            best, best_update, best_parameters = smooth, update, state.parameters
        assert (state.best_smooth_loss, state.best_update) == (best, best_update)
        np.testing.assert_array_equal(state.best_parameters, best_parameters)
    lazy.advance(rates)
    assert_same(lazy.get_state(), eager.get_state())
    assert lows >= 2
    assert best_update < 900


@every_engine
def test_before_the_first_update_nothing_is_best(small: Chosen, start: Build, engine: str) -> None:
    state = start(small(), engine).get_state()
    assert (state.update, state.best_update, state.best_smooth_loss) == (0, 0, math.inf)
    np.testing.assert_array_equal(state.best_parameters, state.parameters)


# What is not finite


def assert_stopped_before(engine: Engine, rates: Array, what: str) -> int:
    """Advancing stops, for this reason, at an update that changes nothing; the updates before it."""
    result = engine.advance(rates)
    made = len(result.losses)
    assert made < len(rates)
    assert result.stopped == what
    assert np.isfinite(result[:3]).all()
    state = engine.get_state()
    assert state.update == made
    again = engine.advance(rates[made:])
    assert (len(again.losses), again.stopped) == (0, what)
    assert_same(engine.get_state(), state)
    return made


@every_build
@every_cell
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_rate_that_is_far_too_high_stops_at_the_first_loss_that_is_not_finite(
    small: Chosen, start: Build, engine: str, cell: str, optimizer: str
) -> None:
    trained = start(small(cell=cell, dtype="float32", hidden=50, optimizer=optimizer, clip="none"), engine)
    assert assert_stopped_before(trained, np.full(50, 1e37), "loss") > 0
    state = trained.get_state()
    assert state.best_update == 1
    assert np.isfinite(state.best_parameters).all()


@every_engine
@every_dtype
def test_at_a_rate_of_1e30_whatever_is_kept_is_finite(
    small: Chosen, start: Build, engine: str, dtype: str
) -> None:
    trained = start(small(dtype=dtype, clip="none"), engine)
    result = trained.advance(np.full(100, 1e30))
    assert np.isfinite(result[:3]).all()
    assert result.losses[-1] > 1e20
    state = trained.get_state()
    assert np.isfinite(state.parameters).all()
    assert state.best_smooth_loss == result.smooth_losses.min()


@every_engine
@every_cell
def test_a_parameter_that_is_not_a_number_stops_training_at_the_update_that_meets_it(
    prose: Text, small: Chosen, engine: str, cell: str
) -> None:
    chosen = small(cell=cell)
    state = TrainingState.initial(*chosen)
    unmet = prose.ids[:20].tolist()
    symbol = next(i for i in prose.ids.tolist() if i not in unmet)
    views(chosen[0], state.parameters)["U"][symbol, 0] = np.nan
    meets = prose.ids.tolist().index(symbol) // 5
    trained = ENGINES[engine](*chosen, state, prose.ids)
    assert assert_stopped_before(trained, np.full(50, 0.1), "loss") == meets > 3


@every_build
@every_dtype
def test_a_gradient_that_is_not_finite_stops_training_though_the_loss_is(engine: str, dtype: str) -> None:
    text = Text.from_string("a" * 26 + "b")
    chosen = settings(2, hidden=3, dtype=dtype)
    state = TrainingState.initial(*chosen)
    state.parameters[:] = 0  # so h and o are zero, and the loss 25 ln 2
    views(chosen[0], state.parameters)["V"][:] = np.array([0.9, -0.9]) * np.finfo(dtype).max
    trained = ENGINES[engine](*chosen, state, text.ids)
    assert assert_stopped_before(trained, np.full(3, 0.1), "gradient") == 0


# Reading and drawing


@every_build
@every_cell
@every_dtype
def test_one_step_at_a_time_gives_the_losses_of_reading_at_once(engine: str, cell: str, dtype: str) -> None:
    p = problem(cell, 7, 5, 6, 3)
    reader = p.engine(engine, dtype)
    state, loss = p.state.astype(dtype), 0.0
    for x, y in zip(p.x, p.y, strict=True):
        logits, state = reader.step(x, state)
        assert logits.shape == (3, 5)
        loss -= np.log(probabilities(logits, Choice())[np.arange(3), y]).sum() / 3
    at_once = reader.loss_and_gradients(p.x, p.y, p.state.astype(dtype))
    assert loss == pytest.approx(at_once.loss, rel=WHOLE[dtype])
    np.testing.assert_allclose(state, at_once.state, rtol=0, atol=WHOLE[dtype])


@every_engine
@every_cell
@every_dtype
@pytest.mark.parametrize("n", [1, 6, 300])
def test_reading_gives_each_step_its_nats_and_its_hidden_state(
    engine: str, cell: str, dtype: str, n: int
) -> None:
    p = problem(cell, 7, 5, n, 3)
    reader = p.engine(engine, dtype)
    nats, hidden, final = reader.read(p.x, p.y, p.state.astype(dtype))
    assert (nats.shape, hidden.shape, final.shape) == ((n, 3), (n, 3, 7), p.state.shape)
    assert (nats.dtype, hidden.dtype, final.dtype) == (np.float64, dtype, dtype)
    state = p.state.astype(dtype)
    for t, (x, y) in enumerate(zip(p.x, p.y, strict=True)):
        logits, state = reader.step(x, state)
        chances = probabilities(logits, Choice())[np.arange(3), y]
        np.testing.assert_allclose(nats[t], -np.log(chances), rtol=0, atol=WHOLE[dtype])
        np.testing.assert_allclose(hidden[t], state[-1, 0], rtol=0, atol=WHOLE[dtype])
    np.testing.assert_allclose(final, state, rtol=0, atol=WHOLE[dtype])


@every_engine
@every_cell
def test_reading_on_from_the_state_that_came_out_is_reading_at_once(engine: str, cell: str) -> None:
    p = problem(cell, 7, 5, 700, 2)
    reader = p.engine(engine, "float64")
    whole, parts, state = reader.read(p.x, p.y, p.state), [], p.state
    for start, end in ((0, 1), (1, 300), (300, 300), (300, 700)):
        parts.append(reader.read(p.x[start:end], p.y[start:end], state))
        state = parts[-1].state
    np.testing.assert_allclose(np.concatenate([part.nats for part in parts]), whole.nats, atol=1e-12)
    np.testing.assert_allclose(np.concatenate([part.hidden for part in parts]), whole.hidden, atol=1e-12)
    np.testing.assert_allclose(state, whole.state, atol=1e-12)


@every_engine
@every_dtype
def test_what_reading_gives_for_an_update_is_the_loss_that_training_logs_for_it(
    small: Chosen, start: Build, prose: Text, engine: str, dtype: str
) -> None:
    chosen = small(dtype=dtype, seq_len=25, hidden=33)
    trained, plan = start(chosen, engine), Streams(len(prose), 25)
    for update in range(2 * plan.updates_per_epoch):
        before = trained.get_state()
        state = np.zeros_like(before.hidden) if plan.starts_afresh(update) else before.hidden
        x, y = plan.read(prose.ids, update)
        nats = trained.with_parameters(before.parameters).read(x, y, state).nats
        logged = trained.advance(np.array([0.1])).losses[0]
        assert abs(nats.sum() - logged) / 25 < {"float32": 1e-6, "float64": 1e-12}[dtype]


@every_engine
@every_cell
def test_a_step_without_a_character_predicts_from_the_state_and_leaves_it(engine: str, cell: str) -> None:
    p = problem(cell, 7, 5, 1, 3)
    logits, state = p.engine(engine, "float64").step(None, p.state)
    named = views(p.model, p.parameters)
    np.testing.assert_allclose(logits, p.state[-1, 0] @ named["V"] + named["c"], rtol=1e-13)
    np.testing.assert_array_equal(state, p.state)


@every_build
@every_cell
@every_dtype
def test_drawing_in_parts_gives_the_characters_of_drawing_at_once(engine: str, cell: str, dtype: str) -> None:
    p = problem(cell, 7, 5, 1, 3)
    writer, source = p.engine(engine, dtype), Source(2, SAMPLE, 9)
    first = Start(p.state.astype(dtype), np.array([1, 0, 4]))
    ids, end = writer.sample(first, 50, Choice(0.9), source)
    pieces, now = [], first
    for length in (1, 20, 0, 29):
        piece, now = writer.sample(now, length, Choice(0.9), source)
        pieces.append(piece)
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), ids)
    assert ids.shape == (3, 50)
    assert now.position == end.position == 50
    np.testing.assert_array_equal(now.last, end.last)
    np.testing.assert_array_equal(now.state, end.state)
    assert end.last.tolist() == ids[:, -1].tolist()


@every_build
@every_cell
def test_each_character_is_drawn_by_the_uniform_of_its_stream_and_position(engine: str, cell: str) -> None:
    p = problem(cell, 7, 5, 1, 2)
    writer, source = p.engine(engine, "float64"), Source(2, SAMPLE, 9)
    ids, _ = writer.sample(Start(p.state, np.array([-1, -1]), 3), 12, Choice(), source)
    state = p.state
    for i in range(12):
        logits, state = writer.step(None if i == 0 else ids[:, i - 1], state)
        for stream in (0, 1):
            u = source.uniforms(stream, 3 + i, 1)[0]
            chances = np.cumsum(probabilities(logits[stream], Choice()))
            assert ids[stream, i] == int((chances <= u).sum())


@every_engine
def test_temperature_zero_writes_the_likeliest_each_time(engine: str) -> None:
    p = problem("vanilla", 7, 5, 1)
    writer = p.engine(engine, "float64")
    ids, _ = writer.sample(Start(p.state, np.array([2])), 20, Choice(0), Source(0, SAMPLE))
    last, state = np.array([2]), p.state
    for i in ids[0]:
        logits, state = writer.step(last, state)
        last = logits.argmax(axis=1)
        assert i == last[0]


@every_engine
def test_written_frequencies_follow_the_probabilities(engine: str) -> None:
    chances = np.array([0.45, 0.3, 0.15, 0.1])
    model = ModelSettings(4, 2)
    p = replace(problem("vanilla", 2, 4, 1), parameters=np.zeros(count(model)))
    views(model, p.parameters)["c"][:] = np.log(chances)
    writer = p.engine(engine, "float32")
    start = Start(np.zeros((1, 1, 50, 2), np.float32), np.zeros(50, int))
    ids, _ = writer.sample(start, 200, Choice(), Source(6, SAMPLE))
    counts = np.bincount(ids.ravel(), minlength=4)
    assert (
        (counts - 10_000 * chances) ** 2 / (10_000 * chances)
    ).sum() < 16.3  # chi-square, 3 degrees, 0.1 %
    follows = np.bincount((4 * ids[:, :-1] + ids[:, 1:]).ravel(), minlength=16)
    expected = 9950 * np.outer(chances, chances).ravel()  # each character by chances of its own
    assert ((follows - expected) ** 2 / expected).sum() < 37.7  # 15 degrees


@every_engine
def test_other_parameters_make_another_engine_and_leave_this_one(
    small: Chosen, start: Build, engine: str
) -> None:
    trained = start(small(), engine)
    trained.advance(np.full(5, 0.1))
    before = trained.get_state()
    other = trained.with_parameters(np.zeros_like(before.parameters))
    assert not other.get_state().parameters.any()
    assert other.model == trained.model
    assert_same(trained.get_state(), before)
    logits, _ = other.step(np.array([1]), before.hidden)
    assert not logits.any()
