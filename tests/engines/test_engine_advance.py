"""Updates by all engines: however asked for, the same bits; each the gradient, clipped and stepped along."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from hornbook.engines import ENGINES, TrainingState
from hornbook.engines.reference import ReferenceEngine
from hornbook.optimizers import OPTIMIZERS
from hornbook.text import Text
from problems import (
    Build,
    Chosen,
    assert_same,
    every_build,
    every_cell,
    every_dtype,
    every_engine,
)


def joined(parts: list[Any]) -> Any:
    """What `advance` would have given if it had not been asked in parts."""
    columns = [np.concatenate(column) for column in list(zip(*parts, strict=True))[:4]]
    return [c.tolist() for c in columns]


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
