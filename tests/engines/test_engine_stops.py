"""Where an epoch starts, which parameters are the best, and what is not finite, by all engines."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hornbook.cells.cell import Array
from hornbook.config import settings
from hornbook.engines import ENGINES, Engine, TrainingState
from hornbook.optimizers import OPTIMIZERS
from hornbook.parameters import views
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
