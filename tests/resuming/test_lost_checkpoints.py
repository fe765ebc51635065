"""Checkpoints that a kill or damage took: the one before is gone on from; where none is left, it is told."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from unittest.mock import Mock

import pytest
from small_runs import TEXT, Ending, further, killed, start, timeless

import hornbook
from hornbook import RunFolderError, SettingError, StorageError
from hornbook.resuming import finished
from hornbook.runs import Run


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


def with_a_damaged_end(folder: Path, before: int = 10) -> Run:
    """A finished run of 33 updates whose last checkpoint is damaged, and one of earlier ones whole."""
    start(folder, Ending(before))
    run = further(folder)
    (folder / "last.safetensors").write_bytes(b"nothing")
    return run


def test_more_updates_are_counted_from_those_that_were_made_before_the_checkpoint_was_damaged(tmp_path):
    run = with_a_damaged_end(tmp_path / "a")
    told = []
    longer = further(run.folder, updates="+5", told=told.append)
    assert "of update 10" in told[0]
    whole = start(tmp_path / "whole", updates=38)
    assert longer.summary["updates"] == 38
    for name in ("best.safetensors", "samples.jsonl"):
        assert (longer.folder / name).read_bytes() == (whole.folder / name).read_bytes()


def test_nor_where_it_is_stopped_on_the_way_back_and_asked_again(tmp_path):
    run = with_a_damaged_end(tmp_path / "a")
    further(run.folder, Ending(0), updates="+5", told=[].append)
    assert further(run.folder).summary["updates"] == 38


@pytest.mark.parametrize("updates", [12, 32])
def test_fewer_updates_than_were_made_are_refused_where_the_last_checkpoint_is_damaged(tmp_path, updates):
    run = with_a_damaged_end(tmp_path / "a")
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    with pytest.raises(SettingError, match="has made 33 updates already"):
        further(run.folder, updates=updates)
    after = {path.name: path.read_bytes() for path in run.folder.iterdir() if path.name != "lock"}
    assert after == {name: content for name, content in before.items() if name != "lock"}


def test_a_best_model_that_comes_after_the_checkpoint_is_kept_when_a_run_goes_back(tmp_path):
    run = with_a_damaged_end(tmp_path / "a", before=3)
    update, best = run.summary["best_update"], (run.folder / "best.safetensors").read_bytes()
    assert update > 3
    told = []
    further(run.folder, Ending(1), updates="+5", told=told.append)
    assert (
        f"its best model, of update {update}, comes after that and is kept as best-1.safetensors" in told[0]
    )
    assert (run.folder / "best-1.safetensors").read_bytes() == best
    assert (run.folder / "best.safetensors").read_bytes() != best


def test_that_the_last_checkpoint_of_a_finished_run_is_damaged_is_told(tmp_path):
    run = with_a_damaged_end(tmp_path / "a")
    told = []
    assert further(run.folder, told=told.append).summary["finished"]
    (sentence,) = told
    assert "last.safetensors is damaged" in sentence
    assert "the run is whole without it, but goes on for longer from the checkpoint before it" in sentence
    assert (run.folder / "last.safetensors").read_bytes() == b"nothing"


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
    (run.folder / "best.safetensors").write_bytes(b"nothing")
    with pytest.raises(RunFolderError, match=r"put it back from a copy$"):
        further(run.folder)


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
