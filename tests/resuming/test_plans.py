"""A run by time goes on by its plan, and says so where the plan is lost."""

from __future__ import annotations

import json
import os
import time

import pytest
from small_runs import TEXT, Ending, by_time, further, rewritten, start, timeless

import hornbook
from hornbook import RunFolderError, SettingError
from hornbook.cli.display import Display
from hornbook.events import Planned
from hornbook.facade import resume_into, train_into
from hornbook.lengthening import Further
from hornbook.plan import Plan
from hornbook.remains import kept_plan
from hornbook.resuming import finished
from hornbook.run_files import read_plan


def test_a_run_by_time_ends_in_time_and_is_repeated_by_its_plan(tmp_path):
    run = by_time(tmp_path / "a", Ending(40))
    assert not run.summary["finished"]
    run = hornbook.resume(run.folder, TEXT, quiet=True)
    assert run.summary["finished"]
    steps = read_plan(run.folder)
    assert run.summary["updates"] == steps[-1].update + steps[-1].remaining
    again = train_into(
        tmp_path / "again", TEXT, (run.config.model, run.config.training, Plan.again(steps)), Display(4)
    )
    assert timeless(again) == timeless(run)
    assert (again.folder / "plan.jsonl").read_bytes() == (run.folder / "plan.jsonl").read_bytes()


def test_what_is_recorded_of_a_plan_is_followed(tmp_path):
    run = by_time(tmp_path / "a", Ending(20))
    ahead = [Planned(0, 300), Planned(60, 100), Planned(70, 400)]
    lines = [{"update": step.update, "remaining": step.remaining} for step in ahead]
    (run.folder / "plan.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"upd')
    run = hornbook.resume(run.folder, TEXT, quiet=True)
    assert read_plan(run.folder)[:3] == ahead


@pytest.mark.parametrize(
    "content", [None, "", '{"update": 3, "remaining": 5}\n'], ids=["gone", "empty", "cut"]
)
def test_a_run_by_time_whose_plan_is_lost_is_refused_and_forced_goes_on_by_the_clock(tmp_path, content):
    run = by_time(tmp_path / "a", Ending(20))
    made, path = run.summary["updates"], run.folder / "plan.jsonl"
    path.unlink() if content is None else path.write_text(content)
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    with pytest.raises(RunFolderError, match=r"plan\.jsonl .*put it back from a copy; `force=True` goes on"):
        hornbook.resume(run.folder, TEXT, quiet=True)
    assert {path.name: path.read_bytes() for path in run.folder.iterdir()} == before
    with pytest.warns(UserWarning, match=r"without it: about [\d,]+ updates are planned now, by the clock"):
        run = hornbook.resume(run.folder, TEXT, force=True, quiet=True)
    assert run.summary["finished"]
    assert (run.folder / "plan-1.jsonl").exists() is (content is not None)
    steps = read_plan(run.folder)
    assert [(step.update, step.until and round(step.until, 6)) for step in steps[:2]] == [
        (0, None),
        (made, 1.2),
    ]
    assert finished(hornbook.resume(run.folder, TEXT, updates="+5", quiet=True))


def test_a_run_by_time_whose_time_is_over_and_whose_plan_is_lost_is_forced_to_its_end(tmp_path):
    run = by_time(tmp_path / "a", Ending(20))
    summary = {**run.summary, "seconds": 9.0}
    (run.folder / "summary.json").write_text(json.dumps(summary))
    (run.folder / "plan.jsonl").unlink()
    with pytest.warns(UserWarning, match="updates are planned now"):
        run = hornbook.resume(run.folder, TEXT, force=True, quiet=True)
    assert run.summary["updates"] == summary["updates"]


def test_a_finished_run_by_time_is_finished_without_its_plan(tmp_path):
    run = by_time(tmp_path / "a")
    (run.folder / "plan.jsonl").unlink()
    assert finished(run)
    assert hornbook.resume(run.folder, TEXT, quiet=True).folder == run.folder


def test_a_run_that_was_made_longer_and_has_lost_its_plan_is_refused_by_name(tmp_path):
    start(tmp_path / "a", updates=21)
    run = further(tmp_path / "a", updates="+14")
    (run.folder / "plan.jsonl").unlink()
    with pytest.raises(RunFolderError, match=r"plan\.jsonl does not reach update 35, which was made"):
        further(run.folder, updates="+5")
    told = []
    run = further(run.folder, updates="+5", force=True, told=told.append)
    assert [sentence.endswith("without it: 40 updates are planned now") for sentence in told] == [True]
    assert run.summary["updates"] == 40
    assert read_plan(run.folder) == [Planned(0, 35), Planned(35, 5, 0.0, True)]
    assert further(run.folder, updates="+5").summary["updates"] == 45


@pytest.mark.parametrize("slices", [10, 99])
def test_a_run_that_needs_no_plan_is_forced_to_its_end_without_a_damaged_one(tmp_path, slices):
    run = start(tmp_path / "a", Ending(slices))
    (run.folder / "plan.jsonl").write_text('{"update": 3, "remaining": 5}\n')
    with pytest.raises(RunFolderError, match=r"plan\.jsonl is damaged .*`force=True` goes on"):
        further(run.folder)
    told = []
    again = further(run.folder, force=True, told=told.append)
    (sentence,) = told
    assert "plan.jsonl is damaged" in sentence
    assert "without it: 33 updates are planned now; what is left of it is kept as plan-1.jsonl" in sentence
    assert finished(again)
    assert not (run.folder / "plan.jsonl").exists()
    assert (run.folder / "plan-1.jsonl").read_text() == '{"update": 3, "remaining": 5}\n'
    assert timeless(further(run.folder)) == timeless(start(tmp_path / "whole"))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{}", "update is missing or not a whole number from 0"),
        ('{"update": 0}', "remaining is missing or not a whole number from 0"),
        ('{"update": 0, "remaining": 9, "until": "noon"}', "until is missing or not a finite number"),
        ('{"update": %s, "remaining": 9}' % ("9" * 5000), "a number has more digits than any"),
    ],
)
def test_what_is_wrong_with_a_plan_is_told_in_words(tmp_path, row, told):
    (tmp_path / "plan.jsonl").write_text(row + "\n")
    with pytest.raises(RunFolderError, match=rf"plan\.jsonl is damaged or not hornbook's: {told}$"):
        read_plan(tmp_path)


def test_a_pipe_in_the_place_of_a_plan_is_not_waited_for(tmp_path):
    run = start(tmp_path / "a", Ending(10))
    os.mkfifo(run.folder / "plan.jsonl")
    with pytest.raises(
        RunFolderError, match=r"plan\.jsonl cannot be read: it is no plain file; move it away"
    ):
        kept_plan(run, None, force=False)


def test_a_plan_of_which_a_kill_left_half_a_row_is_written_anew(tmp_path):
    run = by_time(tmp_path / "a", Ending(20))
    for name in ("best.safetensors", "last.safetensors", "summary.json"):
        (run.folder / name).unlink()
    (run.folder / "plan.jsonl").write_text('{"upd')
    assert hornbook.resume(run.folder, TEXT, quiet=True).summary["finished"]
    assert read_plan(run.folder)[0].update == 0


def test_a_run_that_was_made_longer_and_has_lost_its_plan_on_the_way_does_not_end_early(tmp_path):
    start(tmp_path / "a", Ending(7))
    run, told = further(tmp_path / "a", Ending(3), updates=42), []
    (run.folder / "plan.jsonl").unlink()
    with pytest.raises(
        RunFolderError, match=r"plan\.jsonl has lost its step of update 7.*`force=True` goes on"
    ):
        further(run.folder)
    again = further(run.folder, force=True, told=told.append)
    assert timeless(again) == timeless(start(tmp_path / "whole"))
    assert ["going on without it" in sentence for sentence in told] == [True]


def test_a_run_by_time_does_not_go_on_by_what_is_left_of_its_plan(tmp_path):
    run = by_time(tmp_path / "a", Ending(20))
    path, rows = run.folder / "plan.jsonl", ['{"update": 0, "remaining": 300}\n']
    path.write_text("".join([*rows, '{"update": 25, "remaining": 200}\n']))
    begun = time.perf_counter()
    resume_into(run, Further(), Display(4), pytest.fail, begun, Ending(10), text=TEXT)
    path.write_text("".join(rows))
    with pytest.raises(
        RunFolderError, match=r"plan\.jsonl has lost its step of update .*`force=True` goes on"
    ):
        hornbook.resume(run.folder, TEXT, quiet=True)
    with pytest.warns(UserWarning, match="by the clock; what is left of it is kept as plan-1"):
        assert hornbook.resume(run.folder, TEXT, force=True, quiet=True).summary["finished"]
    assert (run.folder / "plan-1.jsonl").read_text() == "".join(rows)


def test_a_checkpoint_that_does_not_say_by_which_step_it_went_goes_on(stopped):
    rewritten(stopped / "last.safetensors", lambda about, _: about.pop("ruled"))
    assert further(stopped).summary["finished"]


def test_before_its_first_checkpoint_a_run_by_time_starts_anew(tmp_path):
    run = by_time(tmp_path / "a", Ending(20))
    for name in ("best.safetensors", "last.safetensors", "summary.json", "plan.jsonl"):
        (run.folder / name).unlink()
    assert hornbook.resume(run.folder, TEXT, quiet=True).summary["finished"]
    assert read_plan(run.folder)


def test_more_minutes_are_given_from_now_on_and_are_kept(tmp_path):
    start(tmp_path / "a")
    run = hornbook.resume(tmp_path / "a", TEXT, minutes=0.02, quiet=True)
    steps = read_plan(run.folder)
    assert steps[:1] == [Planned(0, 33)]
    assert steps[1].update == 33
    assert steps[1].until > 1.2
    assert run.summary["updates"] > 33
    assert finished(run)


# By time, with a text that may be read so often


OFTEN = {"minutes": 1.0, "updates": None, "most_epochs": 0.5}


WHOLE = 86  # updates: half of the 173 of an epoch


@pytest.fixture
def looking_at_once(monkeypatch):
    """The clock is looked at after the first updates, not after a tenth of a second."""
    monkeypatch.setattr("hornbook.plan.FIRST", 0.0)


@pytest.mark.usefixtures("looking_at_once")
@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_text_is_read_no_more_often_than_it_may_when_a_run_goes_on(tmp_path, checkpoint):
    run = start(tmp_path / "a", Ending(20), schedule="linear", **OFTEN)
    assert (run.config.training.most_epochs, run.summary["updates"]) == (0.5, 20)
    if not checkpoint:
        for name in ("best.safetensors", "last.safetensors", "summary.json", "plan.jsonl"):
            (run.folder / name).unlink()
    run = hornbook.resume(run.folder, TEXT, quiet=True)
    assert (run.summary["updates"], run.summary["finished"]) == (WHOLE, True)
    rates = [row["lr"] for row in run.metrics]
    assert rates == sorted(rates, reverse=True)
    assert finished(run)


@pytest.mark.usefixtures("looking_at_once")
def test_nor_in_minutes_that_are_given_later_but_by_a_number_of_updates(tmp_path):
    run = start(tmp_path / "a", Ending(20), **OFTEN)
    run = hornbook.resume(run.folder, TEXT, minutes=0.5, quiet=True)
    assert run.summary["updates"] == WHOLE
    assert sum(vars(read_plan(run.folder)[-1])[key] for key in ("update", "remaining")) == WHOLE
    with pytest.raises(SettingError, match=r"has read its text 0\.5 times, as often as .*`updates='\+N'`"):
        hornbook.resume(run.folder, TEXT, minutes=0.5, quiet=True)
    assert hornbook.resume(run.folder, TEXT, updates="+5", quiet=True).summary["updates"] == WHOLE + 5
    with pytest.raises(SettingError, match="has read its text"):
        hornbook.resume(run.folder, TEXT, minutes=0.5, quiet=True)


@pytest.mark.usefixtures("looking_at_once")
@pytest.mark.parametrize("slices", [20, 1000])
def test_nor_where_its_plan_is_lost_and_it_is_forced(tmp_path, slices):
    run = start(tmp_path / "a", Ending(slices), **OFTEN)
    (run.folder / "plan.jsonl").unlink()
    (run.folder / "summary.json").write_text(json.dumps({**run.summary, "finished": False}))
    with pytest.warns(UserWarning, match="going on without it"):
        run = hornbook.resume(run.folder, TEXT, force=True, quiet=True)
    assert (run.summary["updates"], run.summary["finished"]) == (WHOLE, True)
