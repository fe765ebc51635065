"""`hornbook train --minutes`: the whole command in so long a time, and the same run again by its plan."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hornbook import Run, read_text, train
from hornbook.reach import LEAST
from hornbook.run_files import plan_row, read_plan

SMALL = ("--hidden", 8, "--seq-len", 5, "--sample-length", 20, "--validation", 0.1, "--quiet")
TIMES = ("seconds", "characters_per_second", "updates_per_second")


@pytest.fixture(scope="module")
def by_time(tmp_path_factory, story):
    """A run of six seconds on the story, made once in a process of its own, and the seconds it took."""
    folder = tmp_path_factory.mktemp("by-time")
    (folder / "book.txt").write_text(story, encoding="utf-8")
    begun = time.perf_counter()
    flags = ("--minutes", "0.1", "--schedule", "linear", "--out", "a")
    command = [sys.executable, "-m", "hornbook", "train", "book.txt", *map(str, SMALL), *flags]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "a", time.perf_counter() - begun


def rows(path: Path) -> list[dict]:
    """Records without what depends on the clock."""
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in row.items() if key not in TIMES} for row in found]


def test_a_run_by_time_is_finished_and_whole(by_time):
    run = Run(by_time[0])
    summary, steps = run.summary, read_plan(by_time[0])
    assert summary["finished"]
    assert not summary["stopped_early"]
    assert summary["updates"] == steps[-1].update + steps[-1].remaining
    assert steps[0] == type(steps[0])(0, run.config.training.updates)
    assert run.config.training.minutes == 0.1
    assert summary["validation"]["characters"] == 200
    assert run.metrics[-1]["update"] == summary["updates"]
    assert run.metrics[-1]["validation"] is not None
    assert run.samples[-2]["update"] == summary["updates"]
    assert (by_time[0] / "loss.svg").exists()


def test_the_rate_follows_the_plan(by_time):
    run, steps = Run(by_time[0]), read_plan(by_time[0])
    for row in run.metrics:
        step = [step for step in steps if step.update < row["update"]][-1]
        total = step.update + step.remaining
        assert row["lr"] == pytest.approx(0.1 * (total - row["update"] + 1) / total)


def test_the_plan_of_a_run_repeats_it_to_the_bit(by_time, hornbook):
    told = hornbook("train", "--config", by_time[0], "--quiet", "--out", "again")
    assert told.code == 0
    for name in ("best.safetensors", "last.safetensors", "samples.jsonl", "plan.jsonl"):
        assert Path("again", name).read_bytes() == (by_time[0] / name).read_bytes(), name
    assert rows(Path("again/metrics.jsonl")) == rows(by_time[0] / "metrics.jsonl")
    one, other = Run(by_time[0]), Run("again")
    assert other.config.training == one.config.training
    assert {k: v for k, v in other.summary.items() if k not in TIMES} == {
        k: v for k, v in one.summary.items() if k not in TIMES
    }
    assert hornbook("train", "--config", "again", "--quiet", "--out", "thrice").code == 0
    assert Path("thrice/plan.jsonl").read_bytes() == (by_time[0] / "plan.jsonl").read_bytes()


def test_a_length_that_is_typed_takes_the_place_of_the_plan(by_time, hornbook):
    assert hornbook("train", "--config", by_time[0], "--updates", 40, "--quiet", "--out", "a").code == 0
    run = Run("a")
    assert (run.summary["updates"], run.config.training.minutes) == (40, 0)
    assert run.config.training.log_every == 2
    assert not Path("a/plan.jsonl").exists()


def test_a_number_of_updates_gives_way_to_minutes(hornbook, trained):
    assert hornbook("train", "--config", trained, "--minutes", 0.01, "--quiet", "--out", "a").code == 0
    run = Run("a")
    assert run.config.training.minutes == 0.01
    assert run.summary["updates"] == sum(plan_row(read_plan(Path("a"))[-1]).values())


def test_the_plan_is_told_as_events(hornbook, book):
    told = hornbook("train", book, *SMALL[:-1], "--minutes", 0.01, "--json", "--out", "a")
    events = [json.loads(line) for line in told.out.splitlines()]
    found = [event for event in events if event["event"] == "planned"]
    assert [{k: e[k] for k in ("update", "remaining")} for e in found] == [
        plan_row(step) for step in read_plan(Path("a"))
    ]
    assert all(0 <= e["seconds_left"] <= 0.6 for e in events if e["event"] == "progress")


# Fluent, on a page and on a text that is too long for so little time


@pytest.mark.parametrize("text", ["page", "built in"])
def test_fluent_in_hardly_any_time_trains_or_says_why_not_and_leaves_nothing(hornbook, folder, story, text):
    (folder / "page.txt").write_text(story[:300])
    before = set(folder.rglob("*"))
    texts = ["page.txt"] if text == "page" else []
    told = hornbook("train", *texts, "--preset", "fluent", "--minutes", 0.01, "--quiet", "--out", "a")
    if told.code == 0:
        assert Run("a").summary["finished"]
    else:
        assert told.code == 2
        assert "give more minutes" in told.err
        assert set(folder.rglob("*")) == before


def test_fluent_trains_on_a_page(hornbook, folder, story):
    (folder / "page.txt").write_text(story[:300])
    how = ("--preset", "fluent", "--minutes", 0.2, "--validation", 0.1, "--quiet", "--out", "a")
    assert hornbook("train", "page.txt", *how).code == 0
    run = Run("a")
    assert run.summary["finished"]
    assert run.summary["last_smooth_loss"] < run.summary["first_loss"]
    assert run.summary["updates"] <= 1.1 * LEAST


@pytest.mark.parametrize(("often", "told"), [(0.1, True), (0, False)])
def test_a_training_that_has_read_its_text_as_often_as_it_may_says_why_it_ended(hornbook, book, often, told):
    how = ("--hidden", 8, "--seq-len", 5, "--updates", 40, "--quiet", "--out", "a")
    assert hornbook("train", book, *how).code == 0
    config = Path("a/config.toml").read_text(encoding="utf-8")
    length = {"minutes = 0.0": "minutes = 0.1", "most_epochs = 0.0": f"most_epochs = {often:.1f}"}
    for old, new in length.items():
        assert old in config
        config = config.replace(old, new)
    Path("by_time.toml").write_text(config, encoding="utf-8")
    said = hornbook("train", "--config", "by_time.toml", "--minutes", 0.1, "--out", "b")
    assert said.code == 0
    assert ("ended early: the text was read 0.1 times, as often as" in said.out) is told


def test_minutes_are_not_offered_to_a_run_that_has_read_its_text_as_often_as_it_may(hornbook, refused, book):
    how = {"hidden": 8, "seq_len": 5, "minutes": 0.5, "most_epochs": 0.1}
    train(read_text(book), out="a", quiet=True, **how)
    told = hornbook("resume", "a")
    assert told.code == 0
    assert told.out.endswith("is finished, after 40 updates; give it more with --updates +N\n")
    assert "has read its text 0.1 times" in refused("resume", "a", "--minutes", 0.1)


def test_a_warm_up_that_the_time_does_not_hold_is_told_and_lasts_until_its_end(hornbook, book):
    told = hornbook(
        "train", book, *SMALL, "--minutes", 0.05, "--warmup", 10**9, "--log-every", 1, "--out", "a"
    )
    assert told.code == 0
    planned = read_plan(Path("a"))[0].remaining
    assert told.err == (
        f"warning: --warmup is 1,000,000,000, but about {planned:,} updates will fit into --minutes 0.05: "
        "the rate rises until their end; give fewer\n"
    )
    rates = [row["lr"] for row in Run("a").metrics]
    assert rates[0] < 0.05 < rates[-1] <= 0.1  # nearly full: where the clock ends it is not known
    assert hornbook("train", "--config", "a", "--quiet", "--out", "b").code == 0
    assert rows(Path("b/metrics.jsonl")) == rows(Path("a/metrics.jsonl"))


# A plan that is gone or damaged

DAMAGED = {
    "empty": "",
    "no records": "5\n",
    "no JSON": "{update\n",
    "another key": '{"update": 0, "remaining": 5, "why": 1}\n',
    "no number": '{"update": 0, "remaining": "five"}\n',
    "less than nothing": '{"update": 0, "remaining": -5}\n',
    "no update at all": '{"update": 0, "remaining": 0}\n',
    "a start in the middle": '{"update": 3, "remaining": 5}\n',
    "steps out of order": '{"update": 0, "remaining": 5}\n' + 2 * '{"update": 3, "remaining": 5}\n',
    "a step after the end": '{"update": 0, "remaining": 5}\n{"update": 9, "remaining": 5}\n',
}


@pytest.fixture
def run_by_time(by_time, folder):
    shutil.copytree(by_time[0], folder / "run")
    return folder / "run"


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_plan_is_refused(refused, run_by_time, content):
    (run_by_time / "plan.jsonl").write_text(content)
    assert "plan.jsonl is damaged" in refused("train", "--config", run_by_time, "--out", "b")


def test_a_plan_that_is_gone_is_refused(refused, run_by_time):
    (run_by_time / "plan.jsonl").unlink()
    message = refused("train", "--config", run_by_time, "--out", "b")
    assert "is of a run by --minutes 0.1, and plan.jsonl is not beside it" in message
    assert "copy that too, or say how long: --minutes or --updates" in message


def test_without_its_plan_a_run_is_repeated_for_so_long_as_is_said(hornbook, run_by_time):
    (run_by_time / "plan.jsonl").unlink()
    how = ("--config", run_by_time / "config.toml", "--quiet")
    assert hornbook("train", *how, "--minutes", 0.02, "--out", "b").code == 0
    assert Run("b").config.training.minutes == 0.02


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("--minutes 0", "minutes is 0.0; expected a number above 0"),
        ("--minutes -2", "minutes is -2.0"),
        ("--minutes nan", "minutes is nan"),
        (
            "--minutes 0.0000001",
            "--minutes 1e-07 is over before a training can start; give at least --minutes 0.01;",
        ),
        ("--minutes 0.001", "--minutes 0.001 is over before a training can start"),
        ("--minutes 0.0099 --preset fluent", "--minutes 0.0099 is over"),
        ("--minutes 1 --updates 10", "--updates and --minutes both say how long"),
        ("--minutes 1 --epochs 2", "--epochs and --minutes both say how long"),
    ],
)
def test_a_time_that_cannot_be_is_refused(refused, book, flag, told):
    assert told in refused("train", book, *flag.split(" "))
