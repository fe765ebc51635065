"""The gradient check of networks that are sensitive or chaotic: right gradients are not called wrong, and
wrong ones do not pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradient_rows import red
from hornbook import gradients
from hornbook.cells.cell import Array
from hornbook.config import settings
from hornbook.engines import ENGINES
from hornbook.gradients import GradientCheck, check_gradients
from hornbook.perturbation import Case
from hornbook.text import Text
from hornbook.verdicts import ALONE, BOTH, UNCLEAR
from problems import every_engine
from test_broken_lines import BREAKS, Mutation, put_in

SENSITIVE = {"hidden": 9, "init_scale": 0.9}  # the cut-off of differences is over their limit, just so
ROUNDED = {"hidden": 9, "init_scale": 1.5}  # and rounding changes the complex step by more than 1e-13
SATURATED = {"hidden": 5, "init_scale": 100.0, "seq_len": 3, "seed": 1}  # every tanh' is little but rounding
CHAOTIC = {"hidden": 20, "init_scale": 2.0, "seq_len": 60}
every_telling = pytest.mark.parametrize("shape", [SENSITIVE, ROUNDED], ids=["sensitive", "rounded"])


def checked(text: Text, shape: dict[str, Any], engine: str = "reference") -> GradientCheck:
    return check_gradients(text, *settings(len(text.vocabulary), engine=engine, **shape))


def judges(check: GradientCheck) -> dict[str, str]:
    """By what the rows of the recipe were judged."""
    return {row.parameter: row.judged_by for row in check.rows if row.case == "recipe"}


@every_engine
@pytest.mark.parametrize("shape", [SENSITIVE, ROUNDED, SATURATED], ids=["sensitive", "rounded", "saturated"])
def test_right_gradients_pass_where_the_numerical_ones_reach_their_limits(
    prose: Text, engine: str, shape: dict[str, Any]
) -> None:
    check = checked(prose, shape, engine)
    assert check.passed
    assert not check.wrong
    out = [row for row in check.rows if row.max_abs_difference > row.limit or row.max_rel_complex > 1e-13]
    assert {row.case for row in out} == {"recipe"}
    for row in check.rows:
        assert row.judged_by == (ALONE if row.max_abs_difference > row.limit else BOTH)
        assert row.max_abs_complex <= row.limit_complex


def test_where_the_limits_are_kept_they_are_as_they_always_were(prose: Text) -> None:
    for row in checked(prose, {"hidden": 9}).rows:
        assert row.judged_by == BOTH
        assert row.limit == pytest.approx(1e-9, rel=0.2)
        if row.max_rel_complex > 0:
            largest = row.max_abs_complex / row.max_rel_complex
            assert row.limit_complex == pytest.approx(1e-13 * largest, rel=1e-6) or row.limit_complex < 3e-14


@pytest.mark.parametrize(("mutation", "expected"), BREAKS.values(), ids=BREAKS)
@every_telling
def test_a_broken_line_turns_the_rows_of_its_parameters_red_there_too(
    prose: Text,
    monkeypatch: pytest.MonkeyPatch,
    mutation: Mutation,
    expected: set[str],
    shape: dict[str, Any],
) -> None:
    put_in(monkeypatch, mutation)
    check = checked(prose, shape)
    assert check.wrong
    assert red(check, "recipe") == red(check, "hard") == expected


@pytest.mark.parametrize("key", "UWbVc")
@every_telling
def test_one_entry_that_is_off_by_a_millionth_of_the_largest_is_found(
    prose: Text, monkeypatch: pytest.MonkeyPatch, shape: dict[str, Any], key: str
) -> None:
    whole: Any = ENGINES["reference"]

    class Wrong(whole):
        def loss_and_gradients(self, *arguments: Any) -> Any:
            got = super().loss_and_gradients(*arguments)
            got.gradients[key].flat[-1] += 1e-6 * np.abs(got.gradients[key]).max()
            return got

    monkeypatch.setitem(ENGINES, "reference", Wrong)
    assert red(checked(prose, shape), "recipe") == {key}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_is_wrong_and_stands_in_json(
    prose: Text, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    whole: Any = ENGINES["reference"]

    class Wrong(whole):
        def loss_and_gradients(self, *arguments: Any) -> Any:
            got = super().loss_and_gradients(*arguments)
            got.gradients["V"].flat[0] = value
            return got

    monkeypatch.setitem(ENGINES, "reference", Wrong)
    check = checked(prose, {"hidden": 3, "seq_len": 4})
    assert red(check, "recipe") == {"V"}
    numbers = [x for row in check.rows for x in row.record().values() if isinstance(x, float)]
    assert np.isfinite(numbers).all()


def test_differences_that_are_off_but_steady_are_heard_in_a_sensitive_network(
    prose: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = gradients.by_differences

    def wrong(case: Case, key: str, entries: Array, *h: float) -> Array:
        return np.asarray(whole(case, key, entries, *h) + (2e-9 if key == "V" else 0))

    monkeypatch.setattr(gradients, "by_differences", wrong)
    assert red(checked(prose, SENSITIVE), "recipe") == {"V"}


@every_engine
def test_of_a_chaotic_network_is_said_that_it_cannot_be_told(prose: Text, engine: str) -> None:
    check = checked(prose, CHAOTIC, engine)
    assert not check.passed
    assert not check.wrong
    assert {judges(check)[key] for key in "UWb"} == {UNCLEAR}
    assert red(check, "hard") == set()
    assert "? cannot be told" in check._repr_html_()


@pytest.mark.parametrize(("mutation", "expected"), BREAKS.values(), ids=BREAKS)
def test_of_a_chaotic_network_a_broken_line_turns_a_row_red_in_the_hard_case(
    prose: Text, monkeypatch: pytest.MonkeyPatch, mutation: Mutation, expected: set[str]
) -> None:
    put_in(monkeypatch, mutation)
    check = checked(prose, CHAOTIC)
    assert check.wrong
    assert red(check, "hard") == expected
    assert red(check, "recipe") >= expected
