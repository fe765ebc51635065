"""When a training tells what: samples, rows, checkpoints, progress, and the steps of a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from small_trainings import held_out, of

from hornbook import training as training_module
from hornbook.config import settings
from hornbook.events import Checkpoint, Evaluated, Finished, Logged, Planned, Progress, Sampled
from hornbook.plan import Plan
from hornbook.text import Text
from hornbook.training import training_events
from problems import Chosen


def update_of(event: Any) -> int:
    """The update that an event tells of."""
    return int(event.state.update if isinstance(event, Checkpoint | Finished) else event.update)


# The order of events


def test_samples_are_written_at_0_at_every_interval_and_at_the_end(prose: Text, small: Chosen) -> None:
    events = list(training_events(prose, *small(updates=25, sample_every=10)))
    assert [event.update for event in of(Sampled, events)] == [0, 10, 20, 25]
    assert {len(event.text) for event in of(Sampled, events)} == {20}


def test_a_run_that_ends_at_an_interval_has_one_sample_there(prose: Text, small: Chosen) -> None:
    events = list(training_events(prose, *small(updates=20, sample_every=10)))
    assert [event.update for event in of(Sampled, events)] == [0, 10, 20]


def test_the_classic_recipe_has_11_samples_of_200_and_a_passage_of_1000_characters(
    prose: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, training = settings(len(prose.vocabulary))
    assert training.updates // training.sample_every + 1 == 11
    short = replace(training, updates=11, sample_every=1)
    events = list(training_events(prose, model, short))
    assert len(of(Sampled, events)) == 12
    assert {len(event.text) for event in of(Sampled, events)} == {200}
    assert len(of(Finished, events)[0].passage) == 1000


def test_rows_are_kept_at_every_multiple_of_the_log_interval_and_at_the_end(
    prose: Text, small: Chosen
) -> None:
    events = list(training_events(prose, *small(updates=23, log_every=5)))
    assert [row.update for row in of(Logged, events)] == [5, 10, 15, 20, 23]


def test_a_checkpoint_follows_the_last_sample_and_the_end_comes_last(prose: Text, small: Chosen) -> None:
    events = [e for e in training_events(prose, *small()) if not isinstance(e, Progress | Logged)]
    kinds = [type(event) for event in events]
    assert kinds == [Sampled, Sampled, Sampled, Sampled, Checkpoint, Finished]
    assert [event.state.update for event in of(Checkpoint, events)] == [25]


def test_checkpoints_follow_each_other_in_so_many_seconds_after_all_else_of_their_update(
    prose: Text, small: Chosen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_module, "SLICE_SECONDS", 0.0)  # one update a slice
    chosen = small(log_every=1, validation=0.2, evaluate_every=5)
    events = list(training_events(prose, *chosen, save_every=1e-9))
    assert [event.state.update for event in of(Checkpoint, events)] == list(range(1, 26))
    told = [(update_of(e), isinstance(e, Checkpoint)) for e in events[:-1] if not isinstance(e, Progress)]
    assert told == sorted(told)


def test_rows_come_before_the_sample_of_the_same_update(prose: Text, small: Chosen) -> None:
    events = list(training_events(prose, *small(log_every=1, sample_every=7)))
    updates = [e.update for e in events if isinstance(e, Logged | Sampled)]
    assert updates == sorted(updates)


def test_progress_counts_up_to_the_last_update_with_the_losses_of_the_state(
    prose: Text, small: Chosen
) -> None:
    events = list(training_events(prose, *small()))
    progress, end = of(Progress, events), of(Finished, events)[0].state
    updates = [event.update for event in progress]
    assert updates == sorted(set(updates))
    last = progress[-1]
    assert (last.update, last.updates, last.epoch) == (25, 25, 25 / ((len(prose) - 1) // 5))
    assert (last.smooth_loss, last.best_smooth_loss) == (end.smooth_loss, end.best_smooth_loss)
    assert last.best_update == end.best_update


def test_every_row_has_a_time_of_its_own_and_times_do_not_run_backwards(
    prose: Text, small: Chosen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_module, "SLICE_SECONDS", 1e9)  # several rows a slice
    events = list(training_events(prose, *small(log_every=1)))
    seconds = [e.seconds for e in events if not isinstance(e, Sampled)]
    rows = [row.seconds for row in of(Logged, events)]
    assert rows == sorted(set(rows))
    assert min(seconds) >= 0
    assert max(seconds) == seconds[-1]
    assert all(e.characters_per_second > 0 for e in events if isinstance(e, Logged | Progress))


# Plans


def test_a_plan_that_is_cut_short_ends_as_a_shorter_training_does_but_for_its_rates(
    prose: Text, small: Chosen
) -> None:
    model, training = held_out(small, updates=40, minutes=1.0, evaluate_every=7, sample_every=9, log_every=6)
    steps = [Planned(0, 40), Planned(12, 30), Planned(25, 0)]
    events = list(training_events(prose, model, training, plan=Plan.again(steps)))
    assert of(Planned, events) == steps
    assert [event.update for event in of(Evaluated, events)] == [7, 14, 21, 25]
    assert [row.update for row in of(Logged, events)] == [6, 7, 12, 14, 18, 21, 24, 25]
    assert [event.update for event in of(Sampled, events)] == [0, 9, 18, 25]
    assert of(Progress, events)[-1].updates == 25
    end = of(Finished, events)[0]
    assert (end.complete, end.early, end.state.update) == (True, False, 25)


def test_a_step_is_told_before_the_updates_that_it_governs(prose: Text, small: Chosen) -> None:
    model, training = small(updates=30, minutes=1.0, log_every=1, schedule="linear", lr=0.5)
    steps = [Planned(0, 30), Planned(10, 10)]
    events = list(training_events(prose, model, training, plan=Plan.again(steps)))
    told = [event for event in events if isinstance(event, Planned | Logged)]
    assert told.index(steps[0]) == 0
    assert told[told.index(steps[1]) - 1] == of(Logged, events)[8]
    rates = {row.update: row.lr for row in of(Logged, events)}
    assert rates[10] == pytest.approx(0.5 * 21 / 30)
    assert rates[11] == pytest.approx(0.5 * 10 / 20)
    assert rates[20] == pytest.approx(0.5 / 20)
