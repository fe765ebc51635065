"""A run that goes on ends with the same bytes as one that never stopped."""

from __future__ import annotations

import pytest
from small_runs import Ending, assert_same_when_stopped, every_engine, further, start, timeless

from hornbook import RunFolderError, validation
from hornbook.cells import CELLS
from hornbook.checkpoints import read_checkpoint
from hornbook.optimizers import OPTIMIZERS
from hornbook.resuming import finished
from hornbook.runs import Run
from hornbook.storage import write_tensors
from hornbook.untrusted import read_tensors


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


def test_the_number_of_threads_changes_no_byte_of_any_file(tmp_path):
    how = {"streams": 4, "shards": 2, "preset": "plain", "validation": 0.2}
    one, two = (start(tmp_path / str(threads), threads=threads, **how) for threads in (1, 2))
    assert timeless(one) == timeless(two)


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


def test_a_finished_run_is_left_as_it_is(tmp_path):
    run = start(tmp_path / "a")
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    assert finished(run)
    assert further(run.folder).folder == run.folder
    assert {path.name: path.read_bytes() for path in run.folder.iterdir()} == before
