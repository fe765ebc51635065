"""Hindsight: what is said of a run by where in it the best model is."""

from __future__ import annotations

import pytest

from hornbook.hindsight import warning_of


@pytest.mark.parametrize(("update", "told"), [(0, False), (1, True), (100, True), (101, False)])
def test_a_best_update_among_the_first_hundred_is_told(update, told):
    losses = {"first_loss": 90.0, "last_smooth_loss": 80.0}
    assert bool(warning_of({"best_update": update, **losses})) is told


KEPT = {"best_by": "validation", "validation": {"nats_per_character": 1.5}, "finished": True}


def test_a_best_update_in_the_first_fifth_of_a_run_that_holds_something_out_is_told():
    told = warning_of({"best_update": 210, "updates": 1599, **KEPT})
    assert told.startswith("the best model is of update 210 of 1,599: ")
    assert told.endswith("writes with hornbook sample --which last")


@pytest.mark.parametrize(
    "other",
    [
        {"best_update": 400},
        {"updates": 1000},
        {"validation": None},
        {"best_by": "smooth loss"},
        {"finished": False},
        {"stopped_early": True},
    ],
    ids=str,
)
def test_it_is_not_told_where_the_best_update_is_late_or_the_run_was_ended(other):
    assert warning_of({"best_update": 210, "updates": 1599, **KEPT, **other}) == ""


def test_a_run_that_ended_worse_than_it_began_is_told_so():
    assert "diverged" in warning_of({"best_update": 3, "first_loss": 90.0, "last_smooth_loss": 140.0})


@pytest.mark.parametrize("missing", ["first_loss", "last_smooth_loss"])
def test_a_short_run_without_one_of_the_two_losses_is_told_as_short(missing):
    summary = {"best_update": 3, "first_loss": 90.0, "last_smooth_loss": 140.0, missing: None}
    assert "too short" in warning_of(summary)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (KEPT, "the best model is of update 75 of 1,500: after that the loss on what is held out"),
        (
            {"finished": True},
            "the smooth loss soon rose: it was lowest at update 75 of 1,500; give it a lower",
        ),
        (
            {"finished": True, "from": "a"},
            "going on has not lowered the smooth loss: it was lowest at update 75 of 1,5",
        ),
        ({"finished": False}, ""),
        ({"finished": True, "stopped_early": True}, ""),
        ({"updates": 150, "stopped_early": True}, ""),
        ({"updates": 150}, "the best update is 75, among the first 100: the run is too short"),
    ],
    ids=str,
)
def test_a_long_run_that_was_best_at_its_beginning_is_not_called_too_short(other, told):
    losses = {"first_loss": 90.0, "last_smooth_loss": 80.0}
    said = warning_of({"best_update": 75, "updates": 1500, **losses, **other})
    assert said.startswith(told) if told else said == ""


@pytest.mark.parametrize(("best", "told"), [(60, False), (59, False), (31, False), (30, True)])
def test_a_short_training_that_goes_on_from_a_run_and_still_learns_is_not_called_vain(best, told):
    summary = {
        "best_update": best,
        "updates": 60,
        "first_loss": 350.0,
        "last_smooth_loss": 338.0,
        "from": "a",
    }
    assert bool(warning_of(summary)) is told


@pytest.mark.parametrize(("best", "updates"), [(1, 5), (20, 100)])
def test_a_run_of_a_hundred_updates_is_told_to_be_too_short_wherever_its_best_is(best, updates):
    losses = {"first_loss": 90.0, "last_smooth_loss": 89.0, "finished": True}
    assert "too short" in warning_of({"best_update": best, "updates": updates, **losses})


@pytest.mark.parametrize("other", [{"best_update": 1500, "best_by": "average"}, {"best_update": 210, **KEPT}])
def test_divergence_is_told_wherever_the_best_update_is(other):
    losses = {"first_loss": 90.0, "last_smooth_loss": 140.0}
    assert "diverged" in warning_of({"updates": 1500, **losses, **other})
