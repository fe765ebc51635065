"""Rows, summaries and best models that are lost or damaged are told, and made good where that can be."""

from __future__ import annotations

import json
import math
import re

import pytest
from small_runs import TEXT, Ending, by_time, further, killed, start, timeless

import hornbook
from hornbook import RunFolderError
from hornbook.checkpoints import read_checkpoint
from hornbook.cli.display import Display
from hornbook.config import LONGEST
from hornbook.facade import resume_into
from hornbook.lengthening import Further
from hornbook.resuming import finished, spent
from hornbook.runs import Run


def test_rows_that_came_after_the_checkpoint_are_written_again(tmp_path):
    run = killed(tmp_path / "a", 10, 25)
    assert run.metrics[-1]["update"] == 24
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write('{"update": 2')
    assert timeless(further(run.folder)) == timeless(start(tmp_path / "whole"))


@pytest.mark.parametrize("garbage", [b"\0" * 4096, b"\xff\n\xff\n", b"[]\n", b'{"update": 1e999}\n'])
def test_what_a_power_cut_left_behind_the_rows_of_the_checkpoint_is_cut_off(tmp_path, garbage):
    run = killed(tmp_path / "a", 10, 25)
    for name in ("metrics.jsonl", "samples.jsonl"):
        with (run.folder / name).open("ab") as file:
            file.write(garbage)
    assert timeless(further(run.folder)) == timeless(start(tmp_path / "whole"))


def with_summary(run: Run, **changes) -> None:
    """Write other figures into the summary of a run."""
    path = run.folder / "summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("changes", [{"updates": -1, "finished": True}, {"seconds": math.nan}])
def test_a_summary_that_cannot_be_is_written_anew(tmp_path, changes):
    run = by_time(tmp_path / "a", Ending(20))
    with_summary(run, **changes)
    with pytest.warns(UserWarning, match=r"summary\.json is damaged .* it is written anew"):
        run = hornbook.resume(run.folder, TEXT, quiet=True)
    assert run.summary["finished"]


@pytest.mark.parametrize("seconds", [-1e300, 1e300])
def test_seconds_that_cannot_be_do_not_keep_a_run_from_being_saved(tmp_path, seconds):
    run = start(tmp_path / "a", Ending(5))
    with_summary(run, seconds=seconds)
    saved = read_checkpoint(run.folder / "last.safetensors")
    assert 0 <= spent(run, saved, run.summary) <= 60 * LONGEST
    rows = [{**row, "seconds": seconds} for row in run.metrics]
    (run.folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert 0 <= spent(run, saved, {}) <= 60 * LONGEST
    assert further(run.folder).summary["finished"]


def test_a_finished_run_gets_the_yardsticks_that_a_full_disk_has_kept_from_it(tmp_path):
    run = start(tmp_path / "run", validation=0.1)
    whole, path = run.summary, tmp_path / "run" / "summary.json"
    lacking = {**whole, "validation": {k: v for k, v in whole["validation"].items() if k != "baselines"}}
    path.write_text(json.dumps(lacking))
    assert further(tmp_path / "run").summary == whole
    path.write_text(json.dumps(lacking))
    told = resume_into(Run(tmp_path / "run"), Further(), Display(4), pytest.fail, 0.0)  # its text is gone
    assert told.summary == lacking


def test_lost_rows_are_told_and_gone_without_where_it_is_forced(stopped):
    rows = (stopped / "metrics.jsonl").read_text().splitlines(keepends=True)
    (stopped / "metrics.jsonl").write_text("".join(rows[:2]))
    with pytest.raises(RunFolderError, match=r"metrics\.jsonl has 2 rows, but had 5"):
        further(stopped)
    told = []
    run = further(stopped, force=True, told=told.append)
    assert [row["update"] for row in run.metrics][:4] == [3, 5, 12, 15]
    (sentence,) = told
    assert "had 5 when the checkpoint was made; going on with 2 rows" in sentence
    assert sentence.endswith("; what is left of it is kept as metrics-1.jsonl")
    assert (stopped / "metrics-1.jsonl").read_text() == "".join(rows[:2])


def test_rows_whose_file_is_gone_are_told_where_it_is_forced(stopped):
    (stopped / "samples.jsonl").unlink()
    told = []
    assert further(stopped, force=True, told=told.append).summary["finished"]
    assert [sentence.endswith("going on with 0 rows") for sentence in told] == [True]
    assert not (stopped / "samples-1.jsonl").exists()


@pytest.mark.parametrize("damage", ['{"update', "\x00\ud83d", "[]", '{"update": "3"}', "[" * 9000])
def test_rows_that_are_damaged_are_told_and_those_before_kept_where_it_is_forced(stopped, damage):
    path = stopped / "metrics.jsonl"
    rows = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*rows[:2], damage.encode("utf-8", "surrogatepass") + b"\n", *rows[3:]]))
    with pytest.raises(RunFolderError, match=r"metrics\.jsonl is damaged .*in row 3: .*`force=True`"):
        further(stopped)
    damaged, told = path.read_bytes(), []
    (stopped / "metrics-1.jsonl").write_text("of an earlier time")
    run = further(stopped, force=True, told=told.append)
    assert [row["update"] for row in run.metrics][:4] == [3, 5, 12, 15]
    (sentence,) = told
    assert "metrics.jsonl is damaged or not hornbook's, in row 3" in sentence
    assert "going on with 2 rows; what is left of it is kept as metrics-2.jsonl" in sentence
    assert (stopped / "metrics-2.jsonl").read_bytes() == damaged
    assert (stopped / "metrics-1.jsonl").read_text() == "of an earlier time"


@pytest.mark.parametrize("damage", [b"", b"junk" * 99, None])
def test_a_finished_run_gets_its_best_model_back_from_its_checkpoint(tmp_path, damage):
    run = start(tmp_path / "a")
    best, last = ((run.folder / name).read_bytes() for name in ("best.safetensors", "last.safetensors"))
    (run.folder / "best.safetensors").unlink()
    if damage is not None:
        (run.folder / "best.safetensors").write_bytes(damage)
    assert not finished(run)
    run = further(run.folder)
    assert finished(run)
    assert (run.folder / "best.safetensors").read_bytes() == best
    assert (run.folder / "last.safetensors").read_bytes() == last


@pytest.mark.parametrize(("name", "row"), [("metrics.jsonl", 2), ("samples.jsonl", -1)])
def test_a_finished_run_with_damaged_rows_is_made_good_where_it_is_forced(tmp_path, name, row):
    run = start(tmp_path / "a", validation=0.2)
    whole, samples, path = timeless(run), run.samples, run.folder / name
    rows = path.read_bytes().splitlines(keepends=True)
    rows[row] = b'{"update\n'
    path.write_bytes(b"".join(rows))
    advice = f"go on without that row and those after it: hornbook resume {run.folder} --force"
    with pytest.raises(RunFolderError, match=re.escape(advice)):
        _ = run.metrics, run.samples
    told = []
    further(run.folder, told=told.append)
    assert [sentence.startswith(f"{path} is damaged") for sentence in told] == [True]
    assert told[0].endswith(advice)
    assert path.read_bytes() == b"".join(rows)
    told.clear()
    healed = further(run.folder, force=True, told=told.append)
    assert ["kept as metrics-1.jsonl" in sentence for sentence in told] == [True] * (name != "samples.jsonl")
    assert finished(healed, force=True)
    assert healed.samples == samples
    if name == "samples.jsonl":  # of which only the passage was lost, which is made anew
        assert timeless(healed) == whole
    else:
        assert [row["update"] for row in healed.metrics] == [3, 5]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "\0"])
@pytest.mark.parametrize("slices", [12, 99])
def test_a_summary_that_is_damaged_is_told_and_written_anew(tmp_path, content, slices):
    run, told = start(tmp_path / "a", Ending(slices), validation=0.2), []
    (run.folder / "summary.json").write_text(content)
    again = further(run.folder, told=told.append)
    assert [("summary.json" in line, "it is written anew" in line) for line in told] == [(True, True)]
    assert timeless(again) == timeless(start(tmp_path / "whole", validation=0.2))


@pytest.mark.parametrize("row", [0, 2, -1])
@pytest.mark.parametrize("name", ["metrics.jsonl", "samples.jsonl"])
def test_a_finished_run_with_fewer_rows_than_it_had_says_so_and_is_made_good(tmp_path, name, row):
    run, told = start(tmp_path / "a", validation=0.2), []
    whole, path = timeless(run), run.folder / name
    rows = path.read_bytes().splitlines(keepends=True)
    passage = name == "samples.jsonl" and row == -1
    path.write_bytes(b"".join(line for line in rows if line != rows[row]))
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    further(run.folder, told=told.append)
    lost = f"{path} has {len(rows) - 1} rows, but had {len(rows)} when the training ended; put it back from a"
    assert [sentence.startswith(lost) for sentence in told] == [True]
    assert told[0].endswith(f"or go on without the lost ones: hornbook resume {run.folder} --force")
    if not passage:  # which is cut off where a run is made longer
        with pytest.raises(RunFolderError, match=f"{name} (has|is damaged) .*`force=True` goes on without"):
            further(run.folder, updates="+10")
    assert {path.name: path.read_bytes() for path in run.folder.iterdir()} == before
    told.clear()
    healed = further(run.folder, force=True, told=told.append)
    assert [name in sentence for sentence in told] == [True] * (not passage)
    assert finished(healed, force=True)
    assert healed.samples[-1]["model"] == "best"
    assert (timeless(healed) == whole) is passage


def test_a_finished_run_whose_rows_are_gone_says_so(tmp_path):
    run, told = start(tmp_path / "a"), []
    for name in ("metrics.jsonl", "samples.jsonl"):
        (run.folder / name).unlink()
    further(run.folder, told=told.append)
    assert ["has 0 rows, but had" in sentence for sentence in told] == [True, True]


def test_of_a_finished_run_without_a_whole_checkpoint_no_number_of_rows_is_known(tmp_path):
    run = start(tmp_path / "a")
    (run.folder / "last.safetensors").write_bytes(b"nothing")
    (run.folder / "samples.jsonl").unlink()
    told = []
    further(run.folder, told=told.append)
    assert [sentence.partition(" is damaged")[0] for sentence in told] == [
        str(run.folder / "last.safetensors")
    ]
