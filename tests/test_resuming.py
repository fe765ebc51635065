"""A run that goes on ends with the same bytes as one that never stopped, and what does not fit is refused."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import safetensors

import hornbook
from hornbook import RunFolderError, SettingError, StorageError, resuming, validation
from hornbook import training as training_module
from hornbook.calibration import arranged
from hornbook.cells import CELLS
from hornbook.checkpoints import made_then, read_checkpoint
from hornbook.cli.display import Display
from hornbook.config import LONGEST
from hornbook.engines import ENGINES
from hornbook.engines.native import ISA_VARIABLE, core, levels, load
from hornbook.events import Checkpoint, Evaluated, Finished, Logged, Planned, Progress, Sampled
from hornbook.facade import resume_into, train_into
from hornbook.locks import Lock
from hornbook.optimizers import OPTIMIZERS
from hornbook.plan import Plan
from hornbook.resuming import Further, finished, spent
from hornbook.run_files import read_plan
from hornbook.runs import Run
from hornbook.storage import read_tensors, write_tensors

TEXT = hornbook.Text.from_string(
    "the cat sat on the mat and so did we, but the dog ran off " * 12, name="cats"
)
SMALL = {
    "hidden": 5, "seq_len": 4, "updates": 33, "log_every": 3, "sample_every": 7, "evaluate_every": 5,
    "sample_length": 9, "passage_length": 20, "init_scale": 0.3,
}  # fmt: skip
TIMES = ("seconds", "characters_per_second", "updates_per_second")
WEIGHTS = ("best.safetensors", "last.safetensors", "samples.jsonl")


@pytest.fixture(autouse=True)
def one_update_a_slice(monkeypatch):
    """So that a run can be stopped after any update; and no figures."""
    monkeypatch.setattr(training_module, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr("hornbook.facade.loss_figure", lambda *_: [])
    monkeypatch.setattr("hornbook.facade.rehearsed", lambda: 0.0)


class Ending:
    """A wish to stop after so many slices."""

    def __init__(self, slices: int) -> None:
        self.left = slices

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


def start(folder: Path, stop=lambda: False, save_every=1e6, **changes) -> Run:
    """A run on TEXT."""
    planned = arranged(TEXT, **{"preset": "classic", **SMALL, **changes})
    return train_into(folder, TEXT, planned, Display(4), stop, save_every)


def further(folder: Path, stop=lambda: False, save_every=1e6, updates=None, **how) -> Run:
    """The run, gone on."""
    told = how.pop("told", pytest.fail)
    return resume_into(Run(folder), Further(updates), Display(4), told, 0.0, stop, save_every, TEXT, **how)


def timeless(run: Run) -> list[object]:
    """All that a run holds but its times."""
    rows = [{k: v for k, v in row.items() if k not in TIMES} for row in run.metrics]
    summary = {k: v for k, v in run.summary.items() if k not in TIMES}
    return [rows, summary, *((run.folder / name).read_bytes() for name in WEIGHTS)]


def assert_same_when_stopped(tmp_path: Path, stops: tuple[int, ...], **changes) -> None:
    """Stop a run again and again, and see that it ends like one that was not."""
    whole = timeless(start(tmp_path / "whole", **changes))
    run = start(tmp_path / "parts", Ending(stops[0]), **changes)
    for slices in stops[1:]:
        assert not run.summary["finished"]
        run = further(run.folder, Ending(slices))
    run = further(run.folder)
    assert run.summary["finished"]
    assert timeless(run) == whole
    assert not list(run.folder.glob(".*"))
    assert not (run.folder / "lock").exists()


every_engine = pytest.mark.parametrize("engine", ENGINES)


# To the bit


@every_engine
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layers", [1, 3])
def test_every_cell_and_engine_with_layers_streams_dropout_and_validation(tmp_path, engine, cell, layers):
    changes = {"cell": cell, "engine": engine, "layers": layers, "streams": 3, "dropout": 0.3}
    assert_same_when_stopped(tmp_path, (4, 7, 9), validation=0.1, order="shuffled", chunk=3, **changes)


@every_engine
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_optimizer(tmp_path, engine, optimizer, dtype):
    changes = {"weight_decay": 0.01, "lr": 0.02, "schedule": "cosine", "warmup": 6}
    assert_same_when_stopped(tmp_path, (10, 3), engine=engine, optimizer=optimizer, dtype=dtype, **changes)


@every_engine
@pytest.mark.parametrize("preset", ["classic", "classic-adam", "plain"])
def test_every_preset(tmp_path, engine, preset):
    assert_same_when_stopped(tmp_path, (6, 6, 6), engine=engine, preset=preset)


@every_engine
@pytest.mark.parametrize("validation", [0, 0.2])
@pytest.mark.parametrize("slices", [3, 10, 11, 12, 20])
def test_the_mean_of_the_parameters_goes_on(tmp_path, engine, validation, slices):
    changes = {"validation": validation, "updates": 67, "evaluate_every": 7}
    assert_same_when_stopped(tmp_path, (slices, 4), engine=engine, average=0.3, **changes)


@pytest.mark.parametrize("slices", range(33))
def test_wherever_it_is_stopped(tmp_path, slices):
    assert_same_when_stopped(tmp_path, (slices,), validation=0.2, schedule="linear", lr=1.0)


@pytest.mark.parametrize("asked", range(4, 180, 16))
def test_stopped_while_what_is_held_out_is_read_on_the_way(tmp_path, monkeypatch, asked):
    monkeypatch.setattr(validation, "BLOCK", 7)  # so that most of the questions are asked there
    assert_same_when_stopped(tmp_path, (asked, 2, 9), validation=0.3, updates=21, evaluate_every=7)


def test_an_evaluation_that_is_broken_off_is_made_again_and_nothing_is_told_of_it_before(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(validation, "BLOCK", 7)
    run = start(tmp_path / "run", Ending(15), validation=0.3, updates=21, evaluate_every=7)
    pending = read_checkpoint(run.folder / "last.safetensors").start.pending
    assert pending is not None
    assert pending.update == run.summary["updates"] == 7
    assert [row["update"] for row in run.metrics] == [3, 6]
    rows = further(run.folder).metrics
    assert [row["update"] for row in rows if "validation" in row] == [7, 14, 21]


@pytest.mark.parametrize("change", [{"update": 8}, {"loss": "low"}, {"other": 1}])
def test_a_row_that_is_still_to_be_told_is_looked_at(tmp_path, monkeypatch, change):
    monkeypatch.setattr(validation, "BLOCK", 7)
    run = start(tmp_path / "run", Ending(15), validation=0.3, updates=21, evaluate_every=7)
    path = run.folder / "last.safetensors"
    tensors, about = read_tensors(path)
    write_tensors(path, tensors, {**about, "pending": {**about["pending"], **change}})
    with pytest.raises(RunFolderError, match="is damaged or not hornbook's"):
        read_checkpoint(path)


def test_stopped_after_every_update_and_before_the_first(tmp_path):
    assert_same_when_stopped(tmp_path, (0, 0, *[1] * 30), validation=0.2)


def test_a_patience_counts_on(tmp_path):
    changes = {"validation": 0.2, "patience": 2, "lr": 3.0, "updates": 200}
    assert_same_when_stopped(tmp_path, (3, 3, 3), **changes)
    assert Run(tmp_path / "parts").summary["stopped_early"]


def test_shards_and_threads(tmp_path):
    assert_same_when_stopped(tmp_path, (5, 9), streams=4, shards=2, threads=2, preset="plain")


def test_the_checkpoints_on_the_way_change_nothing(tmp_path):
    often = start(tmp_path / "often", save_every=1e-9, validation=0.2)
    assert timeless(often) == timeless(start(tmp_path / "once", validation=0.2))
    assert (often.folder / "previous.safetensors").exists()


def test_seconds_count_on(tmp_path):
    run = start(tmp_path / "a", Ending(9))
    before = run.summary["seconds"]
    again = further(run.folder)
    seconds = [row["seconds"] for row in again.metrics]
    assert seconds == sorted(seconds)
    assert seconds[-1] > before
    assert again.summary["seconds"] >= seconds[-1]


# As a process that was killed leaves it


def killed(folder: Path, saved: int, reached: int, **changes) -> Run:
    """A run whose process was killed after so many updates, with a checkpoint of earlier ones."""
    run = start(folder, Ending(saved), **changes)
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    further(folder, Ending(reached - saved))
    for name in set(kept) - {"metrics.jsonl", "samples.jsonl", "plan.jsonl"}:
        (folder / name).write_bytes(kept[name])
    return run


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


def test_before_the_first_checkpoint_it_starts_at_update_0(tmp_path):
    run = killed(tmp_path / "a", 0, 20, validation=0.2)
    for name in ("best", "last", "previous"):
        (run.folder / f"{name}.safetensors").unlink()
    (run.folder / "summary.json").unlink()
    assert timeless(further(run.folder)) == timeless(start(tmp_path / "whole", validation=0.2))


def test_killed_between_the_last_checkpoint_and_the_end(tmp_path):
    whole = start(tmp_path / "whole", validation=0.2)
    expected = timeless(whole)
    shutil.copytree(whole.folder, tmp_path / "a")
    run = Run(tmp_path / "a")
    (run.folder / "summary.json").write_text(json.dumps({**run.summary, "finished": False}))
    assert not finished(run)
    assert timeless(further(run.folder)) == expected


def test_a_checkpoint_between_two_names_is_found(tmp_path):
    run = start(tmp_path / "a", Ending(10))
    (run.folder / "last.safetensors").rename(run.folder / "previous.safetensors")
    assert run.model("last").flat.size
    told = []
    assert timeless(further(run.folder, told=told.append)) == timeless(start(tmp_path / "whole"))
    (sentence,) = told
    assert "last.safetensors is not there; going on from the checkpoint before it, of update 10" in sentence


def test_a_damaged_checkpoint_falls_back_to_the_one_before_and_says_so(tmp_path):
    run = start(tmp_path / "a", Ending(10))
    further(run.folder, Ending(8))
    last = run.folder / "last.safetensors"
    content = bytearray(last.read_bytes())
    content[-3] ^= 1
    last.write_bytes(content)
    told = []
    again = further(run.folder, told=told.append)
    (sentence,) = told
    assert "last.safetensors is damaged" in sentence
    assert "going on from the checkpoint before it, of update 10" in sentence
    assert timeless(again) == timeless(start(tmp_path / "whole"))


def test_a_refusal_leaves_a_damaged_checkpoint_where_it_is(tmp_path):
    run = start(tmp_path / "a", Ending(10))
    further(run.folder, Ending(8))
    (run.folder / "last.safetensors").write_bytes(b"nothing")
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    other = hornbook.Text.from_string(TEXT[:].replace("cat", "rat"), name="rats")
    with pytest.raises(RunFolderError, match="rats is not the text"):
        hornbook.resume(run.folder, other, quiet=True)
    assert {path.name: path.read_bytes() for path in run.folder.iterdir()} == before


def test_a_disk_that_fails_while_a_checkpoint_takes_the_place_of_a_damaged_one_is_told(tmp_path, monkeypatch):
    run = start(tmp_path / "a", Ending(10))
    further(run.folder, Ending(8))
    (run.folder / "last.safetensors").write_bytes(b"nothing")
    full = OSError(errno.EIO, os.strerror(errno.EIO))
    monkeypatch.setattr("pathlib.Path.replace", Mock(side_effect=full))
    with pytest.raises(StorageError, match=r"last\.safetensors cannot be written"):
        further(run.folder)


def test_where_both_are_damaged_it_is_refused(tmp_path):
    run = start(tmp_path / "a", Ending(10))
    further(run.folder, Ending(8))
    for name in ("last", "previous"):
        (run.folder / f"{name}.safetensors").write_bytes(b"nothing")
    told = r"last\.safetensors is damaged .*, and .*previous\.safetensors is damaged .*--from .*a$"
    with pytest.raises(RunFolderError, match=told):
        further(run.folder)


# Checkpoints that are gone


@pytest.mark.parametrize("end", [10, 33])
@pytest.mark.parametrize("gone", [("summary.json",), ("best.safetensors",), ()])
def test_a_run_whose_checkpoints_are_gone_is_refused_and_nothing_of_it_changed(tmp_path, end, gone):
    run = start(tmp_path / "a", Ending(end))
    for name in ("last.safetensors", *gone):
        (run.folder / name).unlink()
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    told = "neither last.safetensors nor previous.safetensors .*`force=True`"
    with pytest.raises(RunFolderError, match=told) as refused:
        further(run.folder, updates="+5")
    assert (f"hornbook train TEXT --from {run.folder}" in str(refused.value)) is (
        gone != ("best.safetensors",)
    )
    assert {path.name: path.read_bytes() for path in run.folder.iterdir()} == before


def test_a_run_whose_checkpoints_are_gone_begins_again_where_it_is_forced(tmp_path):
    run = start(tmp_path / "a", Ending(10))
    (run.folder / "last.safetensors").unlink()
    told = []
    again = further(run.folder, force=True, told=told.append)
    assert timeless(again) == timeless(start(tmp_path / "whole"))
    assert ["begins again at update 0" in sentence for sentence in told] == [True]


def test_the_best_model_of_a_run_that_begins_again_is_kept_each_time(tmp_path):
    run, told, models = start(tmp_path / "a", Ending(10)), [], []
    for stop in (5, 1):
        models.append((run.folder / "best.safetensors").read_bytes())
        for name in ("last", "previous"):
            (run.folder / f"{name}.safetensors").unlink(missing_ok=True)
        further(run.folder, Ending(stop), force=True, told=told.append)
    kept = ["best-1.safetensors", "best-2.safetensors"]
    assert [(run.folder / name).read_bytes() for name in kept] == models
    assert [name in sentence for name, sentence in zip(kept, told, strict=True)] == [True, True]
    shutil.copy(run.folder / kept[0], run.folder / "best.safetensors")
    assert len(Run(run.folder).model().sample(5)) == 5


def test_a_run_that_was_forced_to_begin_again_and_stopped_early_does_so_without_force(tmp_path, monkeypatch):
    run = start(tmp_path / "a", Ending(10))
    (run.folder / "last.safetensors").unlink()
    with monkeypatch.context() as patch:
        patch.setattr("hornbook.recorder.Recorder.save", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            further(run.folder, force=True, told=lambda _: None)
    assert timeless(further(run.folder)) == timeless(start(tmp_path / "whole"))


def test_killed_within_its_first_checkpoint_a_run_goes_on_without_a_word(tmp_path):
    run = start(tmp_path / "a", Ending(10))
    for name in ("best.safetensors", "summary.json"):  # which are written after `last`
        (run.folder / name).unlink()
    assert timeless(further(run.folder)) == timeless(start(tmp_path / "whole"))


def test_a_finished_run_is_left_as_it_is(tmp_path):
    run = start(tmp_path / "a")
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    assert finished(run)
    assert further(run.folder).folder == run.folder
    assert {path.name: path.read_bytes() for path in run.folder.iterdir()} == before


# Going on for longer


def test_a_constant_rate_goes_on_as_if_the_run_had_been_longer(tmp_path):
    start(tmp_path / "a", updates=21)
    longer = further(tmp_path / "a", updates="+21")
    whole = start(tmp_path / "whole", updates=42)
    for name in ("best.safetensors", "samples.jsonl"):
        assert (longer.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    assert (longer.model("last").flat == whole.model("last").flat).all()
    assert timeless(longer)[0] == timeless(whole)[0]
    assert read_plan(longer.folder) == [Planned(0, 21), Planned(21, 21, 0.0)]
    assert finished(longer)


def test_a_falling_rate_is_that_of_the_longer_run_from_there_on(tmp_path):
    start(tmp_path / "a", Ending(7), schedule="linear", log_every=1)
    run = further(tmp_path / "a", updates=42)
    rates = [row["lr"] for row in run.metrics]
    assert rates[:7] == pytest.approx([0.1 * (33 - u) / 33 for u in range(7)])
    assert rates[7:] == pytest.approx([0.1 * (42 - u) / 42 for u in range(7, 42)])


def test_what_was_made_longer_is_stopped_and_repeated_to_the_bit(tmp_path):
    for name in ("whole", "parts"):
        start(tmp_path / name, updates=21, schedule="cosine")
    whole = further(tmp_path / "whole", updates="+14")
    further(tmp_path / "parts", Ending(5), updates="+14")
    assert timeless(further(tmp_path / "parts")) == timeless(whole)
    planned = (whole.config.model, whole.config.training, Plan.again(read_plan(whole.folder)))
    again = train_into(tmp_path / "again", TEXT, planned, Display(4))
    assert timeless(again) == timeless(whole)


def test_fewer_updates_than_planned_may_be_asked_for(tmp_path):
    start(tmp_path / "a", Ending(7))
    assert further(tmp_path / "a", updates=10).summary["updates"] == 10


@pytest.mark.parametrize("updates", [7, "7", "3", 32])
def test_no_more_updates_than_were_made_are_refused(tmp_path, updates):
    start(tmp_path / "a", Ending(7) if updates != 32 else lambda: False)
    with pytest.raises(SettingError, match=r"made .* updates already"):
        further(tmp_path / "a", updates=updates)


@pytest.mark.parametrize("updates", ["+0", "-5", "many", "", "1.5", "+", 0, "9" * 5000])
def test_what_is_no_number_of_updates_is_refused(updates):
    with pytest.raises(SettingError, match="`updates` is"):
        Further(updates)


def test_updates_and_minutes_are_not_both_given():
    with pytest.raises(SettingError, match="both say how long"):
        Further(5, 1.0)


def test_as_many_updates_as_were_made_may_be_asked_for_until_the_run_has_ended(tmp_path):
    start(tmp_path / "a")
    whole = timeless(further(tmp_path / "a", updates=40))
    summary = json.loads((tmp_path / "a" / "summary.json").read_text())
    (tmp_path / "a" / "summary.json").write_text(
        json.dumps({**summary, "finished": False})
    )  # killed before it
    assert timeless(further(tmp_path / "a", updates=40)) == whole
    assert timeless(further(tmp_path / "a", updates=40)) == whole


def test_a_run_out_of_patience_does_not_go_on(tmp_path):
    run = start(tmp_path / "a", validation=0.2, patience=2, lr=3.0, updates=200)
    assert run.summary["stopped_early"]
    assert finished(run)
    with pytest.raises(SettingError, match="ended after 2 evaluations without a new best"):
        further(tmp_path / "a", updates="+5")


# By time


def by_time(folder: Path, stop=lambda: False) -> Run:
    return start(folder, stop, minutes=0.02, updates=None, log_every=50, sample_every=500, schedule="linear")


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
    with pytest.raises(RunFolderError, match=r"plan\.jsonl has not the 35 updates that were made"):
        further(run.folder, updates="+5")
    told = []
    run = further(run.folder, updates="+5", force=True, told=told.append)
    assert [sentence.endswith("without it: 40 updates are planned now") for sentence in told] == [True]
    assert run.summary["updates"] == 40
    assert read_plan(run.folder) == [Planned(0, 35), Planned(35, 5, 0.0)]
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


@pytest.mark.parametrize("name", ["last.safetensors", "best.safetensors", "summary.json"])
def test_a_folder_in_the_place_of_a_file_of_a_run_is_to_be_moved_away(tmp_path, name):
    class Making(Display):
        def show(self, event):
            if isinstance(event, Logged):
                (tmp_path / "a" / name / "within").mkdir(parents=True, exist_ok=True)

    planned, told = arranged(TEXT, **{"preset": "classic", **SMALL}), []
    with pytest.raises(StorageError, match=f"{name} cannot be written: Is a directory; move that folder"):
        train_into(tmp_path / "a", TEXT, planned, Making(4))
    shutil.rmtree(tmp_path / "a" / name)
    again = further(tmp_path / "a", force=name.startswith("last"), told=told.append)
    assert timeless(again) == timeless(start(tmp_path / "whole"))
    assert len(told) == name.startswith("last")


def test_a_pipe_in_the_place_of_a_plan_is_not_waited_for(tmp_path):
    run = start(tmp_path / "a", Ending(10))
    os.mkfifo(run.folder / "plan.jsonl")
    with pytest.raises(RunFolderError, match=r"plan\.jsonl cannot be read: it is no plain file"):
        further(run.folder)
    assert finished(further(run.folder, force=True, told=lambda _: None))


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


# Another folder in its place


def everything(folder: Path) -> dict[str, bytes]:
    """All that lies in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Swapping(Display):
    """At the first event of a kind, moves the folder `a` away, and puts a copy of `other` in its place."""

    def __init__(self, home: Path, kind: type | None = None) -> None:
        super().__init__(4)
        self.home, self.kind = home, kind

    def show(self, event) -> None:
        if self.kind and isinstance(event, self.kind):
            self.swap()

    def swap(self, *_) -> None:
        if not (self.home / "moved").exists():
            (self.home / "a").rename(self.home / "moved")
            shutil.copytree(self.home / "other", self.home / "a")


@pytest.fixture(params=["an empty folder", "another run"])
def other(tmp_path, request):
    """What takes the place of a run's folder."""
    if request.param == "another run":
        start(tmp_path / "other", Ending(9), seed=5, validation=0.2)
        (tmp_path / "other" / "lock").write_text("process 1 on elsewhere\n")
    else:
        (tmp_path / "other").mkdir()
    return tmp_path / "other"


def train_swapped(home: Path, display: Display) -> None:
    """A training in the folder `a` that stops with an error because that is another one."""
    planned = arranged(TEXT, **{"preset": "classic", **SMALL, "validation": 0.2})
    told = r"(?s)a is not this run's folder any more: .*place; nothing is .*\nif it was moved, .* NEWPLACE"
    with pytest.raises(StorageError, match=told) as lost:
        train_into(home / "a", TEXT, planned, display, save_every=1e-9)
    assert lost.value.exit_code == 1
    assert everything(home / "a") == everything(home / "other")


@pytest.mark.parametrize("kind", [Logged, Sampled, Evaluated, Checkpoint, Progress, Finished])
def test_a_training_writes_nothing_into_another_folder_in_the_place_of_its_own(tmp_path, other, kind):
    train_swapped(tmp_path, Swapping(tmp_path, kind))
    (tmp_path / "moved" / "lock").unlink(missing_ok=True)
    assert timeless(further(tmp_path / "moved")) == timeless(start(tmp_path / "whole", validation=0.2))


STAGES = {
    "hornbook.facade.loss_figure": lambda _, to_write: to_write("loss.svg").touch(),
    "hornbook.yardsticks.measured": lambda *_: {"found": True},
    "hornbook.facade.yardsticks.add": lambda *_: None,
}


@pytest.mark.parametrize("stage", STAGES)
def test_nor_its_figures_and_yardsticks(tmp_path, monkeypatch, other, stage):
    display = Swapping(tmp_path)
    monkeypatch.setattr(stage, lambda *how: display.swap() or STAGES[stage](*how))
    train_swapped(tmp_path, display)


def test_nor_its_plan(tmp_path, other):
    planned = arranged(TEXT, **{**SMALL, "minutes": 0.02, "updates": None, "preset": "classic"})
    with pytest.raises(StorageError, match="is not this run's folder any more"):
        train_into(tmp_path / "a", TEXT, planned, Swapping(tmp_path, Planned))
    assert everything(tmp_path / "a") == everything(other)


@pytest.mark.parametrize("kind", [Checkpoint, None])
def test_nor_does_a_training_that_goes_on(tmp_path, monkeypatch, other, kind):
    start(tmp_path / "a", Ending(12), validation=0.2)
    display, plan_on = Swapping(tmp_path, kind), resuming.plan_on
    if kind is None:  # while it is being taken up
        monkeypatch.setattr(resuming, "plan_on", lambda *how: display.swap() or plan_on(*how))
    with pytest.raises(StorageError, match="is not this run's folder any more"):
        resume_into(Run(tmp_path / "a"), Further(), display, pytest.fail, 0.0, save_every=1e-9, text=TEXT)
    assert everything(tmp_path / "a") == everything(other)
    assert timeless(further(tmp_path / "moved")) == timeless(start(tmp_path / "whole", validation=0.2))


# What is deleted under a training


class Deleting(Display):
    """Deletes what a run has from its beginning at the first event of a kind."""

    def __init__(self, folder: Path, kind: type) -> None:
        super().__init__(4)
        self.folder, self.kind = folder, kind

    def show(self, event) -> None:
        if isinstance(event, self.kind):
            self.kind = type(None)
            for name in ("config.toml", "vocabulary.json"):
                (self.folder / name).unlink()


@pytest.mark.parametrize("kind", [Logged, Checkpoint])
@pytest.mark.parametrize("stop", [99, 12])
def test_settings_and_symbols_that_are_deleted_under_a_training_are_written_again(tmp_path, kind, stop):
    planned = arranged(TEXT, **{"preset": "classic", **SMALL})
    run = train_into(tmp_path / "a", TEXT, planned, Deleting(tmp_path / "a", kind), Ending(stop))
    whole = start(tmp_path / "whole")
    assert (run.config.text, run.config.training) == (whole.config.text, whole.config.training)
    assert run.vocabulary == whole.vocabulary
    assert not list(run.folder.glob(".*"))
    assert timeless(further(run.folder)) == timeless(whole)


def test_so_they_are_under_a_training_that_goes_on(tmp_path):
    run = start(tmp_path / "a", Ending(12))
    before = {name: (run.folder / name).read_bytes() for name in ("config.toml", "vocabulary.json")}
    resume_into(run, Further(), Deleting(run.folder, Logged), pytest.fail, 0.0, text=TEXT)
    assert {name: (run.folder / name).read_bytes() for name in before} == before
    assert timeless(run) == timeless(start(tmp_path / "whole"))


# What does not fit


def edit(path: Path, old: str, new: str) -> None:
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))


@pytest.fixture
def stopped(tmp_path):
    start(tmp_path / "a", Ending(12), validation=0.2)
    return tmp_path / "a"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("lr = 0.1", "lr = 0.2", r"lr is 0.2 in .*config.toml, but the checkpoint was made with 0.1"),
        ("seed = 0", "seed = 1", "seed is 1"),
        ("hidden = 5", "hidden = 6", "hidden is 6"),
        ("updates = 33", "updates = 34", "updates is 34"),
        ("characters = 696", "characters = 695", r"config\.toml was changed"),
    ],
)
@pytest.mark.parametrize("force", [True, False])
def test_a_changed_setting_is_named_and_refused(stopped, old, new, told, force):
    edit(stopped / "config.toml", old, new)
    with pytest.raises(RunFolderError, match=told):
        further(stopped, force=force)


def test_the_number_of_threads_may_change(stopped):
    edit(stopped / "config.toml", "threads = 0", "threads = 1")
    assert further(stopped).summary["finished"]


def test_another_text_is_refused(stopped):
    other = hornbook.Text.from_string(TEXT[:].replace("cat", "rat"), name="rats")
    with pytest.raises(RunFolderError, match=r"rats is not the text that .* was trained on"):
        hornbook.resume(stopped, other, quiet=True)


def test_a_changed_vocabulary_is_refused(stopped):
    edit(stopped / "vocabulary.json", '"w"', '"q"')
    with pytest.raises(RunFolderError, match=r"config\.toml was changed; put it back from a copy"):
        further(stopped)


def test_a_text_from_a_program_has_to_be_given_again(stopped):
    call = re.escape(f"hornbook.resume({str(stopped)!r}, text=")
    with pytest.raises(RunFolderError, match=rf"came from a program and was not kept; give it .*{call}"):
        hornbook.resume(stopped, quiet=True)


@pytest.mark.parametrize(
    ("engine", "key"), [("native", "hornbook"), ("native", "level"), ("reference", "numpy")]
)
def test_another_version_or_processor_is_refused_unless_it_is_forced(tmp_path, monkeypatch, engine, key):
    start(tmp_path / "a", Ending(10), engine=engine)
    then = read_checkpoint(tmp_path / "a" / "last.safetensors").made
    monkeypatch.setattr("hornbook.resuming.made_here", lambda _: {**then, key: "another"})
    with pytest.raises(RunFolderError, match=rf"was trained with {key} .*here is another.*`force=True`"):
        further(tmp_path / "a")
    assert further(tmp_path / "a", force=True).summary["finished"]


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({}, False),
        ({"schedule": "linear", "warmup": 3}, False),
        ({"schedule": "cosine"}, True),
        ({"schedule": "step:9:0.7"}, True),
        ({"order": "shuffled", "chunk": 3}, True),
        ({"validation": 0.2}, True),
    ],
)
def test_another_numpy_is_refused_where_its_digits_are_still_to_come(tmp_path, monkeypatch, changes, refused):
    run = start(tmp_path / "a", Ending(10), engine="native", **changes)
    then = read_checkpoint(run.folder / "last.safetensors").made
    monkeypatch.setattr("hornbook.resuming.made_here", lambda _: {**then, "numpy": "another"})
    if refused:
        with pytest.raises(RunFolderError, match=r"was trained with numpy .*here is another.*`force=True`"):
            further(run.folder)
    assert further(run.folder, force=refused).summary["finished"]


def test_another_numpy_is_refused_before_the_first_checkpoint(tmp_path, monkeypatch):
    run = start(tmp_path / "a", Ending(0), engine="native")
    for name in ("best.safetensors", "last.safetensors", "summary.json"):
        (run.folder / name).unlink()
    here = {key: str(run.config.made[key]) for key in ("hornbook", "level")}
    monkeypatch.setattr("hornbook.resuming.made_here", lambda _: {**here, "numpy": "another"})
    with pytest.raises(RunFolderError, match=r"was trained with numpy .*here is another.*`force=True`"):
        further(run.folder)
    assert further(run.folder, force=True).summary["finished"]


def test_a_finished_run_gets_the_yardsticks_that_a_full_disk_has_kept_from_it(tmp_path):
    run = start(tmp_path / "run", validation=0.1)
    whole, path = run.summary, tmp_path / "run" / "summary.json"
    lacking = {**whole, "validation": {k: v for k, v in whole["validation"].items() if k != "baselines"}}
    path.write_text(json.dumps(lacking))
    assert further(tmp_path / "run").summary == whole
    path.write_text(json.dumps(lacking))
    told = resume_into(Run(tmp_path / "run"), Further(), Display(4), pytest.fail, 0.0)  # its text is gone
    assert told.summary == lacking


@pytest.mark.skipif(not levels(), reason="the core is not built")
def test_a_mixed_run_is_refused_where_the_processor_has_no_bfloat16(tmp_path, monkeypatch):
    monkeypatch.setenv(ISA_VARIABLE, levels()[0])  # which has none anywhere
    model, training, plan = arranged(TEXT, preset="plain", cell="gru", engine="native", **SMALL)
    planned = model, replace(training, dtype="mixed"), plan
    train_into(tmp_path / "run", TEXT, planned, Display(4), Ending(9), 1e6)
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(
        RunFolderError, match=r"`dtype='mixed'`: this processor .*bfloat16.*`force=True` goes on"
    ):
        further(tmp_path / "run")
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
    run = further(tmp_path / "run", force=True)
    assert run.summary["finished"]
    assert run.config.training.dtype == "mixed"


@pytest.mark.skipif(not any(load(level).pairs() for level in levels()), reason="no bfloat16 here")
def test_a_mixed_run_goes_on_as_it_was_mixed(tmp_path, monkeypatch):
    start(tmp_path / "run", Ending(10), engine="native", preset="plain", cell="gru", dtype="mixed")
    then = read_checkpoint(tmp_path / "run" / "last.safetensors").made
    assert then["pairs"] == Run(tmp_path / "run").config.made["pairs"] == core().pairs()[-1]
    monkeypatch.setattr("hornbook.resuming.made_here", lambda _: {**then, "pairs": "another"})
    with pytest.raises(RunFolderError, match=r"was trained with pairs .*here is another.*`force=True`"):
        further(tmp_path / "run")
    assert further(tmp_path / "run", force=True).summary["finished"]


def test_a_mixed_run_that_does_not_say_how_was_mixed_by_vectors():
    assert made_then({"level": "avx512"}) == {"level": "avx512", "pairs": "vector"}
    assert made_then({"pairs": "tiles"}) == {"pairs": "tiles"}


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


def test_a_run_that_is_under_way_is_refused(stopped):
    with Lock(stopped), pytest.raises(RunFolderError, match="is being trained by process"):
        further(stopped)
    assert further(stopped).summary["finished"]


# A checkpoint that was made by somebody else


def rewritten(path: Path, change) -> None:
    """Change a checkpoint's record and arrays, with a checksum that fits."""
    with safetensors.safe_open(path, framework="numpy") as file:
        about = json.loads(file.metadata()["hornbook"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del about["sha256"]
    change(about, tensors)
    write_tensors(path, tensors, about)


CHANGES = {
    "no settings": lambda about, _: about.pop("settings"),
    "settings that are a list": lambda about, _: about.update(settings=[]),
    "a foreign setting": lambda about, _: about["settings"].update(heads=8),
    "a negative update": lambda about, _: about.update(update=-1),
    "a step of no plan": lambda about, _: about.update(ruled=-2),
    "a huge update": lambda about, _: about.update(update=10**30),
    "a word for a loss": lambda about, _: about.update(smooth_loss="low"),
    "no rows": lambda about, _: about.update(rows={}),
    "negative rows": lambda about, _: about["rows"].update({"metrics.jsonl": -1}),
    "lanes of nothing": lambda about, _: about["validation"].update(lanes=[0, 0]),
    "one lane": lambda about, _: about["validation"].update(lanes=[1]),
    "a truth for a count": lambda about, _: about["validation"].update(since=True),
    "no validation": lambda about, _: about.pop("validation"),
    "not a number": lambda _, tensors: tensors["best.W"].__setitem__((0, 0), np.nan),
    "infinite": lambda _, tensors: tensors["hidden"].__setitem__((0, 0, 0, 0), np.inf),
    "a memory that is no number": lambda _, tensors: tensors["memory0.V"].__setitem__((0, 0), np.nan),
    "an array less": lambda _, tensors: tensors.pop("memory0.U"),
    "another type": lambda _, tensors: tensors.update(V=tensors["V"].astype("float64")),
    "another shape": lambda _, tensors: tensors.update(hidden=tensors["hidden"][..., :-1]),
    "no hidden state of the best": lambda _, tensors: tensors.pop("best.hidden"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_checkpoint_that_is_not_what_it_says_is_refused(stopped, change):
    rewritten(stopped / "last.safetensors", change)
    with pytest.raises(RunFolderError, match=r"last\.safetensors is damaged"):
        further(stopped)


@pytest.mark.parametrize("name", ["best.safetensors", "last.safetensors"])
def test_weights_of_more_bytes_than_the_network_has_are_refused_before_they_are_read(stopped, name):
    with (stopped / name).open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(RunFolderError, match=r"it has 1,099,511,627,776 bytes, and no such file has more"):
        further(stopped) if name.startswith("last") else Run(stopped).model()


def test_an_undefined_validation_comes_back(stopped):
    rewritten(stopped / "last.safetensors", lambda about, _: about["validation"].update(nats=math.nan))
    best = read_checkpoint(stopped / "last.safetensors").start.best
    assert best
    assert math.isnan(best.nats)
