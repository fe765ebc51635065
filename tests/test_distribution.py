"""What is drawn from: temperature, top-k, top-p, and one symbol drawn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hornbook.distribution import Choice, draw, probabilities
from hornbook.errors import SettingError
from hornbook.philox import SAMPLE, Source

LOGITS = st.lists(st.floats(-20, 20), min_size=1, max_size=12)


def naive(logits: list[float], choice: Choice) -> list[float]:
    """The definition, one symbol at a time."""
    weights = [math.exp((o - max(logits)) / choice.temperature) for o in logits]
    ranked = sorted(range(len(logits)), key=lambda i: (-weights[i], i))
    kept = ranked[: choice.top_k] if choice.top_k else ranked
    if choice.top_p < 1:
        total = math.fsum(weights[i] for i in kept)
        reached = [math.fsum(weights[i] for i in kept[: n + 1]) / total for n in range(len(kept))]
        assume(all(abs(r - choice.top_p) > 1e-12 for r in reached))  # on the edge, rounding decides
        enough = next((n for n, r in enumerate(reached) if r >= choice.top_p), len(kept) - 1)
        kept = kept[: enough + 1]
    total = math.fsum(weights[i] for i in kept)
    return [weights[i] / total if i in kept else 0.0 for i in range(len(logits))]


@given(
    LOGITS,
    st.builds(
        Choice,
        temperature=st.floats(0.05, 100),
        top_k=st.integers(0, 15),
        top_p=st.one_of(st.just(1.0), st.floats(0.01, 1)),
    ),
)
def test_probabilities_are_temperature_then_top_k_then_top_p_by_definition(
    logits: list[float], choice: Choice
) -> None:
    p = probabilities(np.array(logits), choice)
    np.testing.assert_allclose(p, naive(logits, choice), rtol=1e-10, atol=1e-300)
    assert p.sum() == pytest.approx(1, rel=1e-12)


def test_temperature_one_is_the_softmax() -> None:
    p = probabilities(np.log([0.2, 0.5, 0.3]), Choice())
    assert p.tolist() == pytest.approx([0.2, 0.5, 0.3], rel=1e-14)


def test_temperature_a_half_squares_the_odds() -> None:
    p = probabilities(np.log([0.2, 0.8]), Choice(temperature=0.5))
    assert p[1] / p[0] == pytest.approx(16, rel=1e-14)


def test_temperature_zero_takes_the_likeliest_and_of_equals_the_first() -> None:
    assert probabilities(np.array([1.0, 3.0, 3.0, 2.0]), Choice(temperature=0)).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("temperature", [1e-3, 1e-100, 1e-310])
def test_a_temperature_near_zero_comes_to_the_same(temperature: float) -> None:
    assert probabilities(np.array([1.0, 3.0, 2.0]), Choice(temperature)).tolist() == [0, 1, 0]


def test_top_k_keeps_the_k_likeliest_and_of_equals_the_lower_number() -> None:
    logits = np.log([0.1, 0.3, 0.3, 0.3])
    assert probabilities(logits, Choice(top_k=2)).tolist() == pytest.approx([0, 0.5, 0.5, 0])
    assert probabilities(logits, Choice(top_k=9)).tolist() == pytest.approx([0.1, 0.3, 0.3, 0.3])


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(0.3, [1]), (0.5, [1]), (0.6, [1, 2]), (0.75, [1, 2]), (0.8, [1, 2, 3]), (1.0, [0, 1, 2, 3])],
)
def test_top_p_keeps_the_smallest_set_that_reaches_it(top_p: float, kept: list[int]) -> None:
    p = np.array([0.0625, 0.5, 0.25, 0.1875])  # exact in binary
    assert np.flatnonzero(probabilities(np.log(p), Choice(top_p=top_p))).tolist() == kept


def test_top_p_looks_at_what_top_k_has_left() -> None:
    p = np.log([0.4, 0.3, 0.2, 0.1])
    kept = probabilities(p, Choice(top_k=2, top_p=0.55))  # 0.4 of 0.7 is 0.57
    assert kept.tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("choice", [Choice(), Choice(0), Choice(0.5, 3, 0.8), Choice(top_p=0.4)], ids=str)
def test_rows_of_logits_are_treated_one_by_one(choice: Choice) -> None:
    rows = np.random.default_rng(0).normal(size=(4, 3, 6)).astype(np.float32)
    together = probabilities(rows, choice)
    assert together.shape == rows.shape
    assert together.dtype == np.float64
    for place in np.ndindex(4, 3):
        np.testing.assert_array_equal(together[place], probabilities(rows[place], choice))


def test_logits_of_any_size_do_not_overflow_and_are_not_changed() -> None:
    logits = np.array([1e300, 0.0, -1e300])
    assert probabilities(logits, Choice()).tolist() == [1, 0, 0]
    assert logits.tolist() == [1e300, 0.0, -1e300]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1),
        ("temperature", 101),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("temperature", "hot"),
        ("top_p", "wide"),
        ("top_k", -1),
        ("top_k", 1.5),
        ("top_p", 0),
        ("top_p", 1.01),
        ("top_p", math.nan),
    ],
)
def test_a_choice_out_of_range_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(SettingError, match=rf"`{name}` is .*expected"):
        Choice(**{name: value})  # type: ignore[arg-type]


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=8).filter(lambda p: sum(p) > 1e-3),
    st.floats(0, 1, exclude_max=True),
)
def test_a_symbol_is_drawn_where_the_sum_first_exceeds_the_uniform(
    weights: list[float], uniform: float
) -> None:
    p = np.array(weights) / sum(weights)
    symbol = draw(p, uniform)
    assert p[symbol] > 0
    assert p[:symbol].sum() <= uniform + 1e-12
    assert p[: symbol + 1].sum() > uniform - 1e-12


def test_what_has_no_probability_is_never_drawn_at_the_ends() -> None:
    p = np.array([0.0, 0.5, 0.5, 0.0])
    assert draw(p, 0.0) == 1
    assert draw(p, np.nextafter(1.0, 0)) == 2
    assert draw(p, 0.5) == 2


def test_evenly_spread_uniforms_draw_each_symbol_in_proportion() -> None:
    p = np.array([0.1, 0.0, 0.25, 0.65])
    drawn = [draw(p, (i + 0.5) / 1000) for i in range(1000)]
    assert np.bincount(drawn).tolist() == [100, 0, 250, 650]


def test_drawn_frequencies_follow_the_probabilities() -> None:
    p = np.array([0.4, 0.3, 0.2, 0.06, 0.04])
    uniforms = Source(3, SAMPLE).uniforms(0, 0, 20_000)
    counts = np.bincount([draw(p, u) for u in uniforms], minlength=5)
    assert ((counts - 20_000 * p) ** 2 / (20_000 * p)).sum() < 18.5  # chi-square, 4 degrees, 0.1 %
