"""Calibration: updates, epochs or minutes become settings and a plan."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hornbook import calibration, parameters, trial
from hornbook.calibration import arranged, budget, planned
from hornbook.capacity import SAVING
from hornbook.engines import ENGINES, Advance
from hornbook.engines.interface import Floats
from hornbook.errors import SettingError, TextError
from hornbook.events import Planned
from hornbook.plan import Budget
from hornbook.text import Text
from hornbook.trial import Trial, cost
from hornbook.validation import EARLY

SMALL: dict[str, Any] = {"hidden": 5, "seq_len": 4, "sample_length": 9, "passage_length": 30}


def seconds(took: float) -> Callable[[], float]:
    return lambda: took


def test_a_number_of_updates_is_settings_and_a_plan(prose: Text) -> None:
    _, training, plan = arranged(prose, updates=50, **SMALL)
    assert (training.updates, training.minutes, plan.total, type(plan)) == (50, 0, 50, calibration.Plan)


def test_epochs_are_turned_into_updates_of_what_is_trained_on(prose: Text) -> None:
    _, training, plan = arranged(prose, epochs=2, validation=0.5, **SMALL)
    an_epoch = (len(prose) - round(len(prose) * 0.5) - 1) // 4
    assert training.updates == plan.total == 2 * an_epoch


def test_minutes_are_turned_into_the_updates_that_they_allow(prose: Text) -> None:
    _, training, plan = arranged(prose, minutes=0.05, engine="reference", **SMALL)
    assert isinstance(plan, Budget)
    assert (training.minutes, training.updates) == (0.05, plan.total)
    assert 10 < plan.total < 1_000_000
    assert training.log_every == max(1, plan.total // 300)
    assert training.sample_every == plan.total // 10
    assert training.evaluate_every == plan.total // 20


def test_a_rhythm_that_is_asked_for_is_kept_in_a_training_by_time(prose: Text) -> None:
    chosen = {"log_every": 7, "sample_every": 70, "evaluate_every": 33}
    _, training, _ = arranged(prose, minutes=0.02, **chosen, **SMALL)
    assert {name: getattr(training, name) for name in chosen} == chosen


def test_what_the_end_and_the_figures_take_is_kept_free(prose: Text) -> None:
    begun = time.perf_counter()
    _, _, plan = arranged(prose, minutes=1, begun=begun, figures=seconds(7.0), **SMALL)
    assert isinstance(plan, Budget)
    assert begun + 40 < plan.end < begun + 60 - 7 - SAVING
    assert begun + 53 < plan.close <= begun + 53 + calibration.GRACE


def test_the_time_before_counts_too(prose: Text) -> None:
    begun = time.perf_counter() - 55
    _, _, plan = arranged(prose, minutes=1, begun=begun, **SMALL)
    assert isinstance(plan, Budget)
    assert plan.end < begun + 60
    assert plan.total >= 1


def test_figures_are_not_measured_where_nothing_goes_by_time(prose: Text) -> None:
    def never() -> float:
        raise AssertionError("measured")

    arranged(prose, updates=5, figures=never, **SMALL)
    arranged(prose, epochs=1, figures=never, **SMALL)


@pytest.mark.parametrize(("seconds", "shown"), [(70.0, "70"), (1234.5, "1,23[45]")])
def test_minutes_that_are_not_enough_for_an_update_are_refused(
    prose: Text, monkeypatch: pytest.MonkeyPatch, seconds: float, shown: str
) -> None:
    monkeypatch.setattr(Trial, "seconds_of_an_update", lambda trial, left: seconds)
    with pytest.raises(
        SettingError,
        match=rf"`minutes=1` leaves \d+\.\d s for training, but an update takes about {shown} s here; "
        "give more minutes, or a smaller `hidden`, `layers`, `streams` or `seq_len`$",
    ):
        arranged(prose, minutes=1, **SMALL)


def test_only_what_can_be_chosen_is_advised_where_an_update_does_not_fit(
    prose: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trial, "seconds_of_an_update", lambda trial, left: 70.0)
    with pytest.raises(SettingError, match=r"more minutes, or a smaller `streams` or `seq_len`$"):
        arranged(prose, minutes=1, start="runs/old", **SMALL)
    model, training, _ = arranged(prose, updates=5, **SMALL)
    with pytest.raises(SettingError, match=r"70 s here; give more minutes$"):  # a run that goes on
        budget(prose, model, replace(training, minutes=1.0), time.perf_counter(), 0.0, update=5)


def test_where_nothing_is_left_of_the_minutes_no_smaller_network_is_advised(
    prose: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Trial, "seconds_of_an_update", lambda trial, left: 70.0)
    with pytest.raises(SettingError, match=r"`minutes=1` leaves nothing .* all of it; give more minutes$"):
        arranged(prose, minutes=1, begun=time.perf_counter() - 61, **SMALL)


def test_where_nothing_is_left_one_disturbed_step_is_not_taken_for_an_update(
    prose: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, training, _ = arranged(prose, updates=1000, **SMALL)
    taken = iter((0.15,))
    monkeypatch.setattr(trial, "timed", lambda work, size: next(taken, 0.002))
    assert Trial(prose, model, training).seconds_of_an_update(-1.0) < 0.1


def test_an_update_that_is_disturbed_is_measured_again(prose: Text, monkeypatch: pytest.MonkeyPatch) -> None:
    model, training, _ = arranged(prose, updates=1000, **SMALL)
    taken = iter((0.001, 0.9))  # a step, and the first update
    monkeypatch.setattr(trial, "timed", lambda work, size: next(taken, 0.002))
    assert Trial(prose, model, training).seconds_of_an_update(60) == 0.002


def test_samples_and_evaluations_on_the_way_are_counted(prose: Text) -> None:
    model, training, _ = arranged(prose, updates=1000, validation=0.5, **SMALL)
    trial = Trial(prose, model, training)
    trial.reading, trial.writing = (0.0, 1.0), (0.0, 100.0)
    lane = EARLY + round(len(prose) * 0.5)
    for updates, samples, evaluations in ((1, 1, 1), (15, 10, 15), (1e6, 10, 20)):
        assert trial.seconds_on_the_way(updates) == 900 * samples + lane * evaluations
    assert Trial(prose, model, replace(training, validation=0.0)).seconds_on_the_way(9) > 0


def test_minutes_that_are_over_already_are_refused_before_anything_is_measured(prose: Text) -> None:
    def never(*_: object) -> float:
        raise AssertionError("measured")

    with pytest.raises(SettingError, match=r"`minutes=1` were over before .* taken 7\d\.\d s; give more"):
        arranged(prose, minutes=1, begun=time.perf_counter() - 70, figures=never, ahead=never, **SMALL)


@pytest.mark.parametrize(
    ("length", "told"),
    [
        ({"minutes": 0}, "`minutes` is 0; expected a number above 0"),
        ({"minutes": -1}, "`minutes` is -1"),
        ({"minutes": float("nan")}, "`minutes` is nan"),
        ({"minutes": "ten"}, "`minutes` is 'ten'"),
        ({"epochs": 0}, "`epochs` is 0"),
        ({"updates": 5, "minutes": 1}, "`updates` and `minutes` both"),
        ({"epochs": 5, "minutes": 1}, "`epochs` and `minutes` both"),
        ({"epochs": 5, "updates": 1}, "`updates` and `epochs` both"),
    ],
)
def test_a_length_that_cannot_be_is_refused(prose: Text, length: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingError, match=told):
        arranged(prose, **length, **SMALL)


@pytest.mark.parametrize("length", [{"updates": 5}, {"epochs": 5}, {"minutes": 1}])
def test_a_text_too_short_is_refused_before_anything_is_measured(length: dict[str, Any]) -> None:
    with pytest.raises(TextError, match="to train on"):
        arranged(Text.from_string("abcdabcdab"), validation=0.6, seq_len=4, **length)


def test_a_settled_plan_is_taken_as_it_is(prose: Text) -> None:
    _, training, plan = planned(
        prose, [Planned(0, 9), Planned(4, 2)], {"updates": 9, "minutes": 3.0, **SMALL}
    )
    assert (training.minutes, training.updates, plan.total) == (3.0, 9, 9)
    assert plan.next_step(0) == 4


@pytest.mark.parametrize("engine", ENGINES)
def test_a_rate_at_which_the_network_diverges_is_measured_as_any_other(
    prose: Text, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    how = {"lr": 1e6, "weight_decay": 0.5, "engine": engine}
    model, training, _ = arranged(prose, updates=1000, **how, **SMALL)
    trial, made = Trial(prose, model, training), list[bool]()
    advance = trial.engine.advance

    def watched(rates: Floats, measure_every: int = 1) -> Advance:
        result = advance(rates, measure_every)
        made.append(len(result.losses) == len(rates) and not result.stopped)
        return result

    monkeypatch.setattr(trial.engine, "advance", watched)
    trial.seconds_of_an_update(60)
    assert len(made) > 1
    assert all(made)


def test_a_step_that_other_programs_disturb_is_not_believed(
    prose: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, training, _ = arranged(prose, updates=1000, **SMALL)
    taken = iter((0.5, 0.001, 0.4))
    monkeypatch.setattr(trial, "timed", lambda work, size: next(taken, 0.002))
    assert Trial(prose, model, training).seconds_of_an_update(60) < 0.01


def test_a_step_that_takes_a_good_part_of_the_time_is_not_made_again(
    prose: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, training, _ = arranged(prose, updates=1000, **SMALL)
    taken = iter((9.0,))
    monkeypatch.setattr(trial, "timed", lambda work, size: next(taken))
    assert Trial(prose, model, training).seconds_of_an_update(60) > 60


def test_no_orthogonal_matrix_is_made_to_measure_a_speed(
    prose: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("made")

    model, training, _ = arranged(prose, "plain", updates=1000, **SMALL)
    assert training.init == "orthogonal"
    monkeypatch.setitem(parameters.STARTS, "orthogonal", never)
    assert Trial(prose, model, training).seconds_of_an_update(60) > 0


def test_a_cost_is_that_of_a_unit_and_of_what_comes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now, asked = [0.0], list[int]()
    monkeypatch.setattr(calibration.time, "perf_counter", lambda: now[0])

    def work(units: int) -> None:
        asked.append(units)
        now[0] += 0.02 + units * 0.001

    assert cost(work, seconds=0.03, most=1000) == pytest.approx((0.02, 0.001))
    assert asked == [1, 1, 4, 16, 64]
    asked.clear()
    assert cost(work, seconds=9.0, most=10) == pytest.approx((0.02, 0.001))
    assert asked == [1, 1, 4, 10]
