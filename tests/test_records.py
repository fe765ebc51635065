"""What the JSON of a run has to hold is checked where it is read."""

from __future__ import annotations

import json
import math
import shutil

import pytest

from hornbook import Run, RunFolderError, Text, train
from hornbook.records import (
    MAYBE,
    METRIC,
    NUMBER,
    SAMPLE,
    SUMMARY,
    VALIDATION,
    check,
    check_sample,
    rising,
)

FILES = {"metrics.jsonl": METRIC, "samples.jsonl": SAMPLE, "summary.json": SUMMARY}
FITTING = {MAYBE: None, "a text": "1", "true or false": True}
WRONG = (None, [], {}, "1", True, 10**400, -(10**400), 2**63, math.inf, -math.inf, math.nan)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run with all that a record can hold; not to be changed."""
    folder = tmp_path_factory.mktemp("made") / "a"
    text = Text.from_string("the cat sat on the mat " * 40)
    changes = {"preset": "classic", "hidden": 4, "seq_len": 4, "updates": 20, "log_every": 5}
    train(text, out=folder, quiet=True, validation=0.2, evaluate_every=10, **changes)
    return folder


@pytest.fixture
def run(made, tmp_path):
    shutil.copytree(made, tmp_path / "a")
    return Run(tmp_path / "a")


def read(run: Run, name: str) -> object:
    """What a file holds, checked."""
    return getattr(run, name.split(".", maxsplit=1)[0])


def changed(record: dict, key: str, value: object) -> dict:
    """A record with another value, or without one."""
    return {k: value if k == key else v for k, v in record.items() if value is not ... or k != key}


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, form in FILES.items() for key in form])
def test_a_record_without_a_key_or_with_another_kind_of_value_is_refused(run, name, key):
    path = run.folder / name
    lines = path.read_text().splitlines() if name.endswith("l") else [path.read_text()]
    record = json.loads(lines[0])
    for value in (..., *(value for value in WRONG if value is not FITTING.get(FILES[name][key], ...))):
        path.write_text(json.dumps(changed(record, key, value)) + "\n")
        with pytest.raises(RunFolderError, match=rf"{name} is damaged or not hornbook's"):
            read(run, name)


def test_by_which_loss_the_best_is_the_best_is_checked_where_a_summary_says_it(run):
    path, summary = run.folder / "summary.json", run.summary
    assert summary["best_by"] == "validation"
    path.write_text(json.dumps({**summary, "best_by": 5}))
    with pytest.raises(RunFolderError, match="best_by is missing or not a text"):
        read(run, "summary.json")
    path.write_text(json.dumps(changed(summary, "best_by", ...)))
    assert "best_by" not in read(run, "summary.json")


@pytest.mark.parametrize("key", VALIDATION)
def test_the_validation_of_a_summary_is_checked(run, key):
    summary = run.summary
    path = run.folder / "summary.json"
    path.write_text(json.dumps({**summary, "validation": changed(summary["validation"], key, "low")}))
    with pytest.raises(RunFolderError, match=f"{key} is missing or not"):
        run.summary  # noqa: B018


def test_a_validation_in_a_row_of_metrics_is_checked(run):
    rows = [row for row in run.metrics if "validation" in row]
    assert rows
    (run.folder / "metrics.jsonl").write_text(json.dumps({**rows[0], "validation": "low"}) + "\n")
    with pytest.raises(RunFolderError, match="validation is missing or not a finite number"):
        run.metrics  # noqa: B018


def test_a_whole_number_counts_and_is_none_below_0():
    for number in (0, 2**63 - 1):  # the largest seed
        check({"update": number, "text": "", "model": ""}, SAMPLE)
    with pytest.raises(ValueError, match="update is missing or not a whole number from 0"):
        check({"update": -1, "text": "", "model": ""}, SAMPLE)
    check({"a": -1, "b": -0.5}, {"a": NUMBER, "b": MAYBE})


def test_of_a_row_nothing_is_kept_but_what_it_has_to_hold(run):
    rows = [{**row, "more": [1]} for row in run.metrics]
    (run.folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [set(row) - {"validation"} for row in run.metrics] == [set(METRIC)] * len(rows)
    assert ["validation" in row for row in run.metrics] == ["validation" in row for row in rows]


def out_of_turn(rows: list[tuple[int, str]], until: int | None = None) -> str:
    """What is wrong with samples of these updates by these models; empty where nothing is."""
    look = rising(check_sample, until)
    try:
        for update, model in rows:
            assert look({"update": update, "text": "", "model": model, "more": 1})["update"] == update
    except ValueError as error:
        return str(error)
    return ""


NOW, BEST = "current", "best"


def test_updates_rise_from_row_to_row_but_for_the_text_at_the_end():
    for rows in ([], [(0, NOW)], [(0, NOW), (7, NOW), (3, BEST)], [(7, NOW), (7, BEST)], [(0, BEST)]):
        assert out_of_turn(rows) == ""
    assert out_of_turn([(0, NOW), (1_000, NOW), (7, NOW)]) == (
        "its update is 7, and that of the row before it 1,000"
    )
    assert "its update is 7, and" in out_of_turn([(7, NOW), (7, NOW)])
    for model in (NOW, BEST):
        assert "which is the last row" in out_of_turn([(0, NOW), (7, BEST), (14, model)])


def test_what_comes_after_a_checkpoint_is_no_row_of_it():
    assert out_of_turn([(0, NOW), (7, NOW)], until=7) == ""
    for row in ((8, NOW), (3, BEST)):
        assert "was written after the checkpoint" in out_of_turn([(0, NOW), row], until=7)


def test_each_file_is_looked_at_from_its_beginning(run):
    assert run.metrics == run.metrics
    assert run.samples == run.samples


@pytest.mark.parametrize("record", [[], "a", 5, None])
def test_what_is_no_record_is_refused(record):
    with pytest.raises(ValueError, match="no record"):
        check(record, SAMPLE)
