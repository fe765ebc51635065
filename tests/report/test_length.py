"""How long a training was: what its folder tells, and no more."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

import hornbook
from hornbook.config import settings
from hornbook.report.length import length
from hornbook.report.setting import command
from hornbook.report.subject import Subject

FINISHED = {"finished": True, "stopped_early": False}


def told(folder, steps=(), summary=FINISHED, why="", **changes):
    """What is told of a run of 1,000 updates in ten epochs that was to last three minutes, by its plan."""
    training = settings(30, **{"minutes": 3, **changes})[1]
    if steps:
        (folder / "plan.jsonl").write_text("".join(json.dumps(step) + "\n" for step in steps))
    run = SimpleNamespace(folder=folder, config=SimpleNamespace(training=training))
    return length(
        SimpleNamespace(run=run, summary=summary, why_no_summary=why, updates=1000, updates_per_epoch=100)
    )


BEGUN = {"update": 0, "remaining": 900}


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({}, "as many as 3 minutes allowed"),
        ({"steps": [BEGUN, {"update": 400, "remaining": 600}]}, "as many as 3 minutes allowed"),
        ({"minutes": 1, "most_epochs": 11}, "as many as 1 minute allowed"),
        (
            {"most_epochs": 9.997},
            "in which it had read the text as often as a training by time is to; 3 minutes would allow more",
        ),
        (
            {"steps": [BEGUN, {"update": 900, "remaining": 100, "until": 0.0}], "most_epochs": 9},
            "as many as were asked for when it went on; at first it was given 3 minutes",
        ),
        (
            {"steps": [BEGUN, {"update": 900, "remaining": 100, "until": 240.0}]},
            "in 3 minutes, and in those that it was given when it went on",
        ),
        (  # its plan was lost, so it went on for what was left of its time
            {"steps": [BEGUN, {"update": 900, "remaining": 100, "until": 179.9999}]},
            "as many as 3 minutes allowed",
        ),
        ({"summary": {}}, "of a training of 3 minutes that is not finished"),
        ({"summary": {}, "why": "it is damaged"}, "in a training of 3 minutes"),
        (
            {"summary": {"finished": True, "stopped_early": True}, "patience": 2, "validation": 0.1},
            "ended by 2 evaluations without a new best, in a training of 3 minutes",
        ),
    ],
    ids=str,
)
def test_why_a_training_by_time_made_so_many_updates(tmp_path, how, words):
    assert told(tmp_path, **how) == f"1,000 updates, {words}"


def test_a_plan_that_cannot_be_read_is_gone_without(tmp_path):
    (tmp_path / "plan.jsonl").write_text("no plan\n")
    assert told(tmp_path) == "1,000 updates, as many as 3 minutes allowed"


def test_a_run_that_was_made_longer_is_told_and_trained_again_as_long(run):
    longer = hornbook.resume(run.folder, updates="+50", quiet=True)
    assert "--updates 450" in command(Subject(longer))
    assert length(Subject(longer)) == "450 updates, longer than the 400 that were asked for at first"


def test_a_run_by_time_that_was_made_longer_is_told_and_trained_again_as_long(tmp_path):
    text = hornbook.Text.from_string("the cat sat on the mat and so did we " * 20, name="cats")
    run = hornbook.train(text, out=tmp_path / "a", quiet=True, minutes=0.01, hidden=4, seq_len=4)
    assert "--minutes 0.01" in command(Subject(run))
    made = run.summary["updates"]
    longer = hornbook.resume(run, text, updates="+7", quiet=True)
    assert f"--updates {made + 7}" in command(Subject(longer))
    assert "--minutes" not in command(Subject(longer))
    assert "when it went on" in length(Subject(longer))
