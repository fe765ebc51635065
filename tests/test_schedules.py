"""Schedules: the learning rate of each update."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.config import TrainingSettings
from hornbook.schedules import rates

SCHEDULES = ("constant", "linear", "cosine", "step:3:0.5", "linear:0.3", "cosine:0.1")


def training(schedule: str, warmup: int = 0) -> TrainingSettings:
    return TrainingSettings(lr=0.1, schedule=schedule, warmup=warmup)


def test_a_constant_rate_is_the_rate() -> None:
    assert rates(training("constant"), 0, 5, 10).tolist() == [0.1] * 5


def test_a_linear_rate_falls_evenly_to_zero_at_the_end() -> None:
    assert rates(training("linear"), 0, 4, 4) == pytest.approx([0.1, 0.075, 0.05, 0.025])


def test_a_cosine_rate_falls_slowly_then_fast_then_slowly() -> None:
    found = rates(training("cosine"), 0, 4, 4)
    assert found == pytest.approx([0.1 * (1 + math.cos(math.pi * i / 4)) / 2 for i in range(4)])


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_a_rate_may_fall_to_a_share_of_itself(kind: str) -> None:
    zero, some = (rates(training(kind + end), 0, 5, 5) for end in ("", ":0.2"))
    np.testing.assert_allclose(some, 0.2 * 0.1 + 0.8 * zero)


def test_a_stepped_rate_falls_by_its_factor_every_so_many_updates() -> None:
    assert rates(training("step:3:0.5"), 0, 7, 7) == pytest.approx([0.1] * 3 + [0.05] * 3 + [0.025])


def test_a_warm_up_rises_evenly_from_zero_and_the_fall_begins_after_it() -> None:
    assert rates(training("constant", 4), 0, 6, 10) == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1, 0.1])
    found = rates(training("linear", 2), 0, 6, 6)
    assert found == pytest.approx([0.05, 0.1, 0.1, 0.075, 0.05, 0.025])


@given(
    schedule=st.sampled_from(SCHEDULES),
    warmup=st.integers(0, 30),
    total=st.integers(1, 60),
    cut=st.integers(0, 60),
)
def test_every_rate_is_above_zero_and_at_most_lr_and_asking_in_parts_gives_the_same(
    schedule: str, warmup: int, total: int, cut: int
) -> None:
    chosen, cut = training(schedule, warmup), min(cut, total)
    whole = rates(chosen, 0, total, total)
    assert ((whole > 0) & (whole <= 0.1)).all()
    parts = [rates(chosen, 0, cut, total), rates(chosen, cut, total - cut, total)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
