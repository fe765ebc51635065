"""Optimizers: clip a gradient and step along it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.compound import Clip
from hornbook.optimizers import OPTIMIZERS, clip, decay, norm

DTYPES = [np.float32, np.float64]
GRADIENTS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20).map(np.array)
LIMITS = st.floats(1e-3, 1e3)


def test_sgd_goes_the_rate_times_the_gradient_against_it() -> None:
    parameters = np.array([1.0, -2.0, 0.5])
    OPTIMIZERS["sgd"].step(parameters, np.array([0.5, -1.0, 0.0]), np.zeros((0, 3)), 0.1, 1)
    assert parameters.tolist() == [1.0 - 0.1 * 0.5, -2.0 + 0.1, 0.5]


def test_adagrad_divides_by_the_root_of_the_sum_of_squares_of_all_gradients_so_far() -> None:
    parameters, memory = np.array([1.0, 1.0]), np.zeros((1, 2))
    step = OPTIMIZERS["adagrad"].step
    step(parameters, np.array([3.0, -0.5]), memory, 0.1, 1)
    expected = [1 - 0.1 * 3 / math.sqrt(9 + 1e-8), 1 + 0.1 * 0.5 / math.sqrt(0.25 + 1e-8)]
    assert parameters.tolist() == pytest.approx(expected, rel=1e-15)
    step(parameters, np.array([4.0, 0.0]), memory, 0.1, 2)
    assert memory.tolist() == [[25.0, 0.25]]
    assert parameters[0] == pytest.approx(expected[0] - 0.1 * 4 / math.sqrt(25 + 1e-8), rel=1e-15)
    assert parameters[1] == pytest.approx(expected[1], rel=1e-15)


def test_adagrad_takes_a_small_step_where_the_gradient_is_far_below_the_root_of_epsilon() -> None:
    parameters = np.zeros(1)
    OPTIMIZERS["adagrad"].step(parameters, np.array([1e-9]), np.zeros((1, 1)), 0.1, 1)
    assert parameters[0] == pytest.approx(-0.1 * 1e-9 / math.sqrt(1e-8 + 1e-18), rel=1e-12)


def test_rmsprop_divides_by_the_root_of_a_running_mean_of_squares() -> None:
    parameters, memory = np.array([1.0, 1.0]), np.array([[0.5, 0.0]])
    OPTIMIZERS["rmsprop"].step(parameters, np.array([3.0, -2.0]), memory, 0.1, 1)
    means = [0.99 * 0.5 + 0.01 * 9, 0.01 * 4]
    assert memory[0].tolist() == pytest.approx(means, rel=1e-14)
    expected = [1 - 0.1 * 3 / (math.sqrt(means[0]) + 1e-8), 1 + 0.1 * 2 / (math.sqrt(means[1]) + 1e-8)]
    assert parameters.tolist() == pytest.approx(expected, rel=1e-14)


def test_adam_divides_the_mean_gradient_by_the_root_of_the_mean_square_both_without_their_start() -> None:
    parameters, memory, step = np.array([1.0]), np.zeros((2, 1)), OPTIMIZERS["adam"].step
    step(parameters, np.array([3.0]), memory, 0.1, 1)
    assert parameters[0] == pytest.approx(1 - 0.1 * 3 / (3 + 1e-8), rel=1e-14)
    step(parameters, np.array([-1.0]), memory, 0.1, 2)
    m, s = 0.9 * 0.3 - 0.1, 0.999 * 0.009 + 0.001
    assert memory.ravel().tolist() == pytest.approx([m, s], rel=1e-12)
    hat = (m / (1 - 0.9**2)) / (math.sqrt(s / (1 - 0.999**2)) + 1e-8)
    assert parameters[0] == pytest.approx(1 - 0.1 * 3 / (3 + 1e-8) - 0.1 * hat, rel=1e-12)


def test_decay_shrinks_every_parameter_by_its_share() -> None:
    parameters = np.array([2.0, -4.0])
    decay(parameters, 0.25)
    assert parameters.tolist() == [1.5, -3.0]
    decay(parameters, 0.0)
    assert parameters.tolist() == [1.5, -3.0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_rule_works_in_place_in_its_own_type_and_leaves_the_gradient(name: str, dtype: type) -> None:
    rule = OPTIMIZERS[name]
    assert rule.name == name
    parameters, gradient = np.linspace(-1, 1, 7).astype(dtype), np.linspace(2, -3, 7).astype(dtype)
    memory, before = np.zeros((rule.slots, 7), dtype), parameters.copy()
    rule.step(parameters, gradient, memory, 0.01, 1)
    assert parameters.dtype == memory.dtype == dtype
    np.testing.assert_array_equal(gradient, np.linspace(2, -3, 7).astype(dtype))
    assert (np.sign(before - parameters) == np.sign(gradient)).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_where_there_has_never_been_a_gradient_nothing_changes(name: str) -> None:
    rule = OPTIMIZERS[name]
    parameters = np.array([0.3, -0.7])
    rule.step(parameters, np.zeros(2), np.zeros((rule.slots, 2)), 0.1, 1)
    assert parameters.tolist() == [0.3, -0.7]


@given(GRADIENTS, LIMITS)
def test_clipping_by_value_brings_each_entry_into_its_limits_and_counts_the_changed(
    gradient: np.ndarray, limit: float
) -> None:
    clipped, count = clip(gradient, Clip("value", limit), norm(gradient))
    assert clipped.tolist() == [min(max(g, -limit), limit) for g in gradient.tolist()]
    assert count == sum(abs(g) > limit for g in gradient.tolist())


@given(GRADIENTS, LIMITS)
def test_clipping_by_norm_shortens_the_whole_and_keeps_its_direction(
    gradient: np.ndarray, limit: float
) -> None:
    length = norm(gradient)
    clipped, count = clip(gradient, Clip("norm", limit), length)
    if length <= limit:
        np.testing.assert_array_equal(clipped, gradient)
        assert count == 0
    else:
        assert norm(clipped) == pytest.approx(limit, rel=1e-12)
        np.testing.assert_allclose(clipped * length, gradient * limit, rtol=1e-12)
        assert count == gradient.size


@given(GRADIENTS)
def test_no_clipping_changes_nothing(gradient: np.ndarray) -> None:
    clipped, count = clip(gradient, Clip("none"), norm(gradient))
    np.testing.assert_array_equal(clipped, gradient)
    assert count == 0


@pytest.mark.parametrize("how", [Clip("value", 0.5), Clip("norm", 0.5), Clip("none")], ids=lambda c: c.kind)
@pytest.mark.parametrize("dtype", DTYPES)
def test_clipping_keeps_the_type_and_leaves_the_gradient_as_it_was(how: Clip, dtype: type) -> None:
    gradient = np.array([3.0, -4.0], dtype)
    clipped, _ = clip(gradient, how, 5.0)
    assert clipped.dtype == dtype
    assert gradient.tolist() == [3.0, -4.0]


def test_the_norm_is_euclidean() -> None:
    assert norm(np.array([3.0, 4.0])) == 5.0
    assert norm(np.zeros(0)) == 0.0


def test_the_norm_of_float32_has_the_room_of_float64() -> None:
    assert norm(np.full(4, 1e30, np.float32)) == pytest.approx(2e30, rel=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_norm_of_what_is_not_finite_is_not_finite(bad: float, dtype: type) -> None:
    assert not math.isfinite(norm(np.array([1.0, bad], dtype)))
