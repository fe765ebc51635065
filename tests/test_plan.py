"""Plans: a number of updates, the plan of a run that is repeated, or what a time allows."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import pytest

from hornbook.config import TrainingSettings
from hornbook.events import Planned
from hornbook.plan import Budget, Plan
from hornbook.schedules import rates


class Machine:
    """A clock, and a machine that makes updates by it: `speed` tells how many a second, at a moment."""

    def __init__(self, speed: Callable[[float], float]) -> None:
        self.now, self.speed = 1000.0, speed

    def clock(self) -> float:
        return self.now

    def work(self, updates: int) -> None:
        for _ in range(updates):
            self.now += 1 / self.speed(self.now - 1000)


def made_until(budget: Budget, machine: Machine) -> list[Planned]:
    """The plan of a training that goes by a budget in slices of about 50 ms."""
    update, found = 0, []
    while True:
        step = budget.correction(update)
        found += [step] if step else []
        if update == budget.total:
            return found
        slice_ = max(1, int(0.05 * machine.speed(machine.now - 1000)))
        done = min(slice_, budget.next_step(update) - update)
        machine.work(done)
        update += done


def test_a_budget_tells_the_seconds_that_are_left_for_updates_and_a_plan_has_no_end_by_the_clock() -> None:
    machine = Machine(lambda _: 10.0)
    budget = Budget(1000, end=1012.0, close=1014.0, clock=machine.clock)
    machine.work(20)
    assert budget.seconds_left() == pytest.approx(10.0)
    machine.work(200)
    assert budget.seconds_left() == 0.0
    assert Plan(50).seconds_left() == math.inf


# Planned beforehand


def test_a_number_of_updates_has_no_corrections() -> None:
    plan = Plan(50)
    assert [plan.correction(update) for update in (0, 10, 50)] == [None] * 3
    assert (plan.total, plan.next_step(0), plan.next_step(49)) == (50, 50, 50)
    assert plan.in_time()


def test_a_plan_that_is_repeated_changes_at_its_steps() -> None:
    steps = [Planned(0, 100), Planned(10, 50), Planned(40, 0)]
    plan = Plan.again(steps)
    assert (plan.total, plan.next_step(0)) == (100, 10)
    assert plan.correction(0) == steps[0]
    assert plan.correction(5) is None
    assert (plan.correction(10), plan.total, plan.next_step(10)) == (steps[1], 60, 40)
    assert (plan.correction(40), plan.total) == (steps[2], 40)


# A time


@pytest.mark.parametrize("updates_a_second", [0.7, 13.0, 1000.0])
@pytest.mark.parametrize("seconds", [2.0, 60.0])
@pytest.mark.parametrize("wrong", [0.1, 1.0, 10.0])
def test_a_time_is_filled_and_not_exceeded_however_wrong_the_first_estimate_is(
    updates_a_second: float, seconds: float, wrong: float
) -> None:
    machine = Machine(lambda _: updates_a_second)
    planned = max(1, int(wrong * seconds * updates_a_second))
    budget = Budget(planned, 1000 + seconds, 1000 + seconds, machine.clock)
    found = made_until(budget, machine)
    an_update = 1 / updates_a_second
    assert machine.now - 1000 <= seconds + max(0.051, an_update)
    assert machine.now - 1000 >= seconds - max(0.1, 1.01 * an_update, 0.02 * seconds)
    assert found[0] == Planned(0, planned)
    assert [step.update for step in found] == sorted({step.update for step in found})


def test_a_machine_that_slows_down_and_recovers_ends_in_time_too() -> None:
    machine = Machine(lambda moment: 200.0 if 20 < moment < 45 else 2000.0)
    budget = Budget(120_000, 1060.0, 1060.0, machine.clock)
    found = made_until(budget, machine)
    assert 59.5 < machine.now - 1000 < 60.1
    assert len(found) < 100


def test_a_machine_that_stands_still_ends_at_once_when_the_time_is_over() -> None:
    machine = Machine(lambda moment: 10.0 if moment < 5 else 0.05)
    budget = Budget(100, 1010.0, 1010.0, machine.clock)
    found = made_until(budget, machine)
    assert found[-1].remaining == 0
    assert machine.now - 1000 < 26  # one update of 20 s began before the end


def test_a_steady_machine_is_hardly_ever_corrected() -> None:
    machine = Machine(lambda _: 1000.0)
    found = made_until(Budget(60_000, 1060.0, 1060.0, machine.clock), machine)
    assert len(found) <= 15


def test_the_rate_falls_to_almost_nothing_and_jumps_no_more_than_the_speed_does() -> None:
    chance = random.Random(4)
    noise = [1 + 0.1 * chance.random() for _ in range(100)]
    machine = Machine(lambda moment: 1000 * noise[int(moment)])
    found = made_until(Budget(63_000, 1060.0, 1060.0, machine.clock), machine)
    training = TrainingSettings(lr=1.0, schedule="linear")
    lr = []
    for step, after in zip(found, [*found[1:], None], strict=True):
        end = after.update if after else step.update + step.remaining
        lr += rates(training, step.update, end - step.update, step.update + step.remaining).tolist()
    assert len(lr) == found[-1].update + found[-1].remaining
    assert lr[0] == 1
    assert lr[-1] < 0.003
    assert np.abs(np.diff(lr)).max() < 0.05


def test_at_least_one_update_is_made_though_the_time_is_over_before_it() -> None:
    machine = Machine(lambda _: 1.0)
    budget = Budget(1, 900.0, 900.0, machine.clock)
    assert made_until(budget, machine) == [Planned(0, 1)]
    assert machine.now == 1001


def test_reading_ends_at_the_close() -> None:
    machine = Machine(lambda _: 1.0)
    budget = Budget(1, 1000.0, 1002.0, machine.clock)
    assert budget.in_time()
    machine.now = 1002.5
    assert not budget.in_time()


def test_a_plan_that_ran_out_before_more_was_asked_for_has_an_end_there():
    plan = Plan.again([Planned(0, 60), Planned(20, 40), Planned(60, 30, 0.0, True), Planned(80, 20, 5.0)])
    for step, ends in ((20, [60]), (60, [60, 90]), (80, [60, 100])):
        plan.correction(step)
        assert [update for update in range(120) if plan.ends(update)] == ends


def test_a_clock_that_goes_on_where_the_updates_ran_out_makes_no_end_there():
    plan = Plan.again([Planned(0, 60), Planned(60, 30)], 70)
    assert [update for update in range(120) if plan.ends(update)] == [90]
