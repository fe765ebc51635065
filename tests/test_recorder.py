"""The recorder keeps what a training tells; the folder appears whole, and only what is finite is saved."""

from __future__ import annotations

import errno
import json
import math
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from hornbook import Checkpoint, Finished, Logged, Run, Sampled, Text, storage
from hornbook.config import settings
from hornbook.engines import TrainingState
from hornbook.errors import NotFiniteError, PlaceError, RunFolderError, SettingError, StorageError
from hornbook.events import Best, Lanes, Validation
from hornbook.folders import choose_folder, create
from hornbook.locks import Lock
from hornbook.recorder import Recorder
from hornbook.training import training_events

TEXT = Text.from_string("the cat sat on the mat " * 20, name="cats")
MODEL, TRAINING = settings(len(TEXT.vocabulary), hidden=4, seq_len=3, updates=30, sample_every=10)
STATE = replace(TrainingState.initial(MODEL, TRAINING), update=9, smooth_loss=3.0, best_smooth_loss=2.5)


def new(folder, model=MODEL, training=TRAINING):
    return Recorder(create(folder, TEXT, model, training), TEXT, model, training)


@pytest.fixture
def recorder(tmp_path):
    return new(tmp_path / "a")


def keep(recorder, *events):
    return list(recorder.record(iter(events)))


def weights(recorder):
    """The files of weights that are there, and their content."""
    return {path.name: path.read_bytes() for path in recorder.folder.glob("*.safetensors")}


# Where a run goes


def test_a_fresh_folder_bears_the_name_of_the_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(choose_folder("cats")) == "runs/cats"
    (tmp_path / "runs" / "cats").mkdir(parents=True)
    (tmp_path / "runs" / "cats-2").touch()
    assert str(choose_folder("cats")) == "runs/cats-3"


def test_a_link_to_nowhere_has_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    Path("runs/cats").symlink_to("nowhere")
    assert str(choose_folder("cats")) == "runs/cats-2"


def test_a_file_in_the_place_of_the_folder_of_runs_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("runs").touch()
    with pytest.raises(PlaceError, match="cannot be written: Not a directory"):
        create(choose_folder("cats"), TEXT, MODEL, TRAINING, fresh=True)


def test_a_fresh_folder_has_a_name_that_the_system_takes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("n" * 250, "漢" * 80):
        place = create(choose_folder(name), TEXT, MODEL, TRAINING)
        place.lock.release()
        assert place.folder.is_dir()


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("a book", "a-book"),
        ("a/b", "a-b"),
        ("紅樓夢", "紅樓夢"),
        (".hidden", "hidden"),
        ("...", "text"),
        ("", "text"),
    ],
)
def test_the_name_of_a_text_is_made_fit_for_a_folder(tmp_path, monkeypatch, text, folder):
    monkeypatch.chdir(tmp_path)
    assert str(choose_folder(text)) == f"runs/{folder}"


def test_a_named_folder_lies_in_runs_and_out_lies_where_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(choose_folder("cats", name="try")) == "runs/try"
    assert str(choose_folder("cats", out="deep/down")) == "deep/down"
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_may_be_used_and_a_full_one_not(tmp_path):
    assert choose_folder("cats", out=tmp_path) == tmp_path
    (tmp_path / "thing").touch()
    with pytest.raises(RunFolderError, match="is not empty"):
        choose_folder("cats", out=tmp_path)
    with pytest.raises(RunFolderError, match="is a file"):
        choose_folder("cats", out=tmp_path / "thing")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a"])
def test_a_name_must_be_the_name_of_one_folder(name):
    with pytest.raises(SettingError, match="name of one folder"):
        choose_folder("cats", name=name)


def test_out_and_name_are_not_both_given():
    with pytest.raises(SettingError, match="give one of them"):
        choose_folder("cats", out="a", name="b")


# The folder appears whole


def test_the_folder_is_there_before_the_first_event_with_its_settings_in_it(recorder):
    run = Run(recorder.folder)
    assert (run.config.model, run.config.training) == (MODEL, TRAINING)
    assert run.vocabulary == TEXT.vocabulary
    assert (run.metrics, run.samples, run.summary) == ([], [], {})


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_creation_that_fails_leaves_nothing(tmp_path, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr("hornbook.folders.write_json", fail)
    with pytest.raises((StorageError, KeyboardInterrupt)):
        new(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_of_a_folder_is_removed_and_what_is_being_made_is_not(tmp_path):
    old, fresh, live, other = (tmp_path / f".{name}" for name in ("a.new-1", "a.new-2", "a.new-3", "b.new-4"))
    for path in (old, fresh, live, other):
        path.mkdir()
        (path / "lock").touch()
    with Lock(live):
        for path in (old, live, other):
            os.utime(path, (0, 0))
        new(tmp_path / "a")
    assert sorted(tmp_path.iterdir()) == [fresh, live, other, tmp_path / "a"]


def test_a_folder_in_the_making_may_take_its_place_while_another_is_begun(tmp_path, monkeypatch):
    def appears() -> float:
        (tmp_path / ".a.new-1").rename(tmp_path / "a")
        return 0.0

    (tmp_path / ".a.new-1").mkdir()
    (tmp_path / ".a.new-1" / "config.toml").touch()
    monkeypatch.setattr("hornbook.folders.time", Mock(time=appears))
    monkeypatch.setattr("hornbook.folders.RUNS", tmp_path)
    place = create(tmp_path / "a", replace(TEXT, name="a"), MODEL, TRAINING, fresh=True)
    place.lock.release()
    assert place.folder == tmp_path / "a-2"


@pytest.mark.parametrize("kill", range(1, 7))
def test_a_kill_while_a_folder_is_put_in_the_place_of_an_empty_one_leaves_a_run_or_nothing(
    tmp_path, monkeypatch, kill
):
    renames, rename = 0, Path.rename

    def killed(path, to):
        nonlocal renames
        rename(path, to)
        renames += 1
        if renames == kill:
            raise KeyboardInterrupt

    (tmp_path / "a").mkdir()
    monkeypatch.setattr(Path, "rename", killed)
    with suppress(KeyboardInterrupt):
        new(tmp_path / "a")
    if any((tmp_path / "a").iterdir()):
        assert Run(tmp_path / "a").vocabulary == TEXT.vocabulary


@pytest.mark.parametrize("kind", ["link", "working", "mounted"])
def test_an_empty_folder_that_has_to_stay_is_filled(tmp_path, monkeypatch, kind):
    def mounted(path, to):
        if place not in path.parents:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return rename(path, to)

    place, rename = tmp_path / "a", Path.rename
    (tmp_path / "b").mkdir()
    place.symlink_to("b") if kind == "link" else place.mkdir()
    number = place.stat().st_ino
    if kind == "working":
        monkeypatch.chdir(place)
    if kind == "mounted":
        monkeypatch.setattr("os.path.ismount", lambda path: path == place)
        monkeypatch.setattr(Path, "rename", mounted)
    recorder = new(Path() if kind == "working" else place)
    keep(recorder, Sampled(0, "abc"))
    assert place.stat().st_ino == number
    assert place.is_symlink() == (kind == "link")
    assert [row["text"] for row in Run(place).samples] == ["abc"]


def test_what_a_killed_process_left_within_an_empty_folder_hinders_nobody(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old, fresh = (tmp_path / f".{tmp_path.name}.new-{number}" for number in (1, 2))
    for path in (old, fresh):
        path.mkdir()
    os.utime(old, (0, 0))
    assert Run(new(choose_folder("cats", out=".")).folder).vocabulary == TEXT.vocabulary
    assert [path for path in (old, fresh) if path.exists()] == [fresh]


def test_of_two_trainings_that_find_one_empty_folder_that_has_to_stay_only_one_fills_it(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hornbook.folders.filled", lambda _: False)  # as both of them have found it
    recorder = new(Path())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(StorageError, match="another training or program has put something there"):
        create(Path(), replace(TEXT, name="dogs"), MODEL, TRAINING)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    keep(recorder, Sampled(0, "abc"))
    assert [row["text"] for row in Run(tmp_path).samples] == ["abc"]


def test_a_folder_in_the_place_of_an_empty_one_has_its_permissions(tmp_path):
    (tmp_path / "a").mkdir(mode=0o700)
    assert new(tmp_path / "a").folder.stat().st_mode & 0o777 == 0o700


def test_the_names_of_folders_that_are_made_on_the_way_are_on_the_disk(tmp_path, monkeypatch):
    synced, sync = [], storage.sync
    monkeypatch.setattr("hornbook.folders.sync", lambda path: (synced.append(path), sync(path)))
    new(tmp_path / "a" / "b" / "c")
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]


def test_a_folder_that_was_filled_meanwhile_is_not_touched(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thing").touch()
    with pytest.raises(PlaceError, match=r"a cannot be written: another training .*choose another `out`"):
        new(tmp_path / "a")
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "thing"]


# Events


def test_events_are_handed_on_as_they_are(recorder):
    events = [Sampled(0, "abc"), Logged(1, 0.1, 5.0, 5.0, 0.1, 1.0, 0, 0.2, 15.0)]
    assert keep(recorder, *events) == events


def test_an_event_is_kept_before_it_is_handed_on(recorder):
    happening = recorder.record(iter([Sampled(0, "abc"), Sampled(10, "def")]))
    next(happening)
    assert [row["text"] for row in Run(recorder.folder).samples] == ["abc"]


def test_a_row_of_metrics_has_the_fields_of_its_event(recorder):
    keep(recorder, Logged(1, 0.1, 5.0, 4.0, 0.1, 1.0, 2, 0.2, 15.0))
    (row,) = Run(recorder.folder).metrics
    assert row == {
        "update": 1,
        "epoch": 0.1,
        "loss": 5.0,
        "smooth_loss": 4.0,
        "lr": 0.1,
        "gradient_norm": 1.0,
        "clipped": 2,
        "seconds": 0.2,
        "characters_per_second": 15.0,
    }


def test_a_sample_keeps_every_character(recorder):
    text = "a\nb\r\n\u2028\x1b\0é紅\x85"
    keep(recorder, Sampled(0, text))
    assert Run(recorder.folder).samples == [{"update": 0, "text": text, "model": "current"}]


def test_a_checkpoint_writes_weights_and_summary_and_leaves_nothing_beside_them(recorder):
    keep(recorder, Checkpoint(STATE, STATE.hidden, 3.3, 2.0))
    run = Run(recorder.folder)
    assert weights(recorder).keys() == {"best.safetensors", "last.safetensors"}
    assert (run.summary["updates"], run.summary["finished"]) == (9, False)
    assert run.summary["characters_read"] == 27
    assert run.summary["updates_per_second"] == 4.5
    assert run.summary["best_nats_per_character"] == 2.5 / 3
    assert run.summary["best_bits_per_character"] == pytest.approx(2.5 / 3 / math.log(2))
    assert not list(recorder.folder.glob(".*"))


def test_the_end_writes_the_passage_and_that_it_is_finished(recorder):
    keep(
        recorder,
        Checkpoint(STATE, STATE.hidden, 3.3, 2.0),
        Finished(STATE, 3.3, "a passage", 2.0, complete=True),
    )
    run = Run(recorder.folder)
    assert run.samples == [{"update": STATE.best_update, "text": "a passage", "model": "best"}]
    assert run.summary["finished"] is True


def test_a_stop_leaves_no_passage(recorder):
    keep(recorder, Finished(STATE, 3.3, "", 2.0, complete=False))
    assert Run(recorder.folder).samples == []
    assert Run(recorder.folder).summary["finished"] is False


def test_it_is_told_by_which_loss_the_best_update_is_the_best(recorder):
    best = Best(STATE.parameters, STATE.hidden[:, :, :1], 4, 1.5, Lanes(1, 9))
    for found, by in ((None, "smooth loss"), (best, "validation")):
        keep(recorder, Checkpoint(STATE, STATE.hidden, 3.3, 2.0, best=found))
        assert Run(recorder.folder).summary["best_by"] == by


def test_the_loss_of_the_best_model_is_that_by_which_it_is_the_best(recorder):
    best = Best(STATE.parameters, STATE.hidden[:, :, :1], 4, 1.5, Lanes(1, 9))
    checkpoint = Checkpoint(STATE, STATE.hidden, 3.3, 2.0)
    end = Finished(STATE, 3.3, "", 2.0, complete=True)
    measured = replace(end, validation=Validation(1.25, 9), best_by="validation")
    for event, nats in (
        (checkpoint, 2.5 / 3),
        (replace(checkpoint, best=best), None),  # a part of what is held out: losses of parts do not compare
        (measured, 1.25),
        (end, 2.5 / 3),
        (replace(end, best_by="average"), None),
    ):
        keep(recorder, event)
        summary = Run(recorder.folder).summary
        assert summary["best_smooth_loss"] == 2.5
        assert summary["best_nats_per_character"] == nats
        assert summary["best_bits_per_character"] == (None if nats is None else nats / math.log(2))


def test_no_time_at_all_is_no_speed(recorder):
    keep(recorder, Finished(STATE, 3.3, "", 0.0, complete=False))
    assert Run(recorder.folder).summary["updates_per_second"] == 0


def test_losses_that_are_not_there_yet_are_null(recorder):
    state = TrainingState.initial(MODEL, TRAINING)
    keep(recorder, Checkpoint(state, state.hidden, math.nan, 0.0))
    text = (recorder.folder / "summary.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    summary = json.loads(text)
    for key in ("first_loss", "last_smooth_loss", "best_smooth_loss", "best_nats_per_character"):
        assert summary[key] is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_parameters_that_are_not_finite_are_never_saved(recorder, value):
    keep(recorder, Checkpoint(STATE, STATE.hidden, 3.3, 2.0))
    before = weights(recorder)
    wrong = STATE.parameters.copy()
    wrong[3] = value
    keep(
        recorder, Checkpoint(replace(STATE, parameters=wrong, best_parameters=wrong), STATE.hidden, 3.3, 3.0)
    )
    assert weights(recorder) == before


def test_the_best_parameters_are_saved_though_the_current_ones_are_not_finite(recorder):
    wrong = np.full_like(STATE.parameters, np.nan)
    keep(recorder, Checkpoint(replace(STATE, parameters=wrong), STATE.hidden, 3.3, 2.0))
    assert weights(recorder).keys() == {"best.safetensors"}
    assert (Run(recorder.folder).model().flat == STATE.best_parameters).all()


def test_a_training_that_is_not_finite_is_kept_up_to_that_update(tmp_path):
    model, training = settings(
        len(TEXT.vocabulary), hidden=30, seq_len=400, lr=1.0, clip="none", updates=40, log_every=1
    )
    recorder = new(tmp_path / "a", model, training)
    with pytest.raises(NotFiniteError, match="update"):
        list(recorder.record(training_events(TEXT, model, training)))
    run = Run(tmp_path / "a")
    assert len(run.metrics) == run.summary["updates"] < 40
    assert run.summary["finished"] is False
    assert np.isfinite(run.model("last").flat).all()


def test_a_disk_that_fills_up_between_two_checkpoints_keeps_the_first(recorder, monkeypatch):
    keep(recorder, Checkpoint(STATE, STATE.hidden, 3.3, 2.0))
    before = weights(recorder)

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hornbook.storage.os.fsync", fail)
    better = replace(STATE, update=20, best_parameters=STATE.parameters + 1)
    with pytest.raises(StorageError, match=r"metrics\.jsonl cannot be written: No space left"):
        keep(recorder, Checkpoint(better, better.hidden, 3.3, 3.0))
    assert weights(recorder) == before
    assert Run(recorder.folder).summary["updates"] == 9
    assert not list(recorder.folder.glob(".*"))


def test_a_folder_that_became_a_file_is_a_storage_error(recorder):
    for path in recorder.folder.iterdir():
        path.unlink()
    recorder.folder.rmdir()
    recorder.folder.touch()
    with pytest.raises(StorageError, match="cannot be written: Not a directory"):
        keep(recorder, Sampled(0, "abc"))
