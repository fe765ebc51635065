"""What a plain call from Python does."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import hornbook
from hornbook import (
    Checkpoint,
    Finished,
    Logged,
    NotFiniteError,
    Progress,
    RunFolderError,
    Sampled,
    SettingError,
    StorageError,
    Text,
    TextError,
)
from hornbook.cli.display import Display

TEXT = Text.from_string("the cat sat on the mat and so did we " * 20, name="cats")
SETTINGS = {"hidden": 5, "seq_len": 4, "updates": 60, "sample_length": 9, "passage_length": 30}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def undrawn(monkeypatch):
    """No figures: they take longer than the training."""
    monkeypatch.setattr("hornbook.facade.loss_figure", lambda *_: [])


# The example of the package


def test_the_example_of_the_package_works(folder, capsys):
    chance = random.Random(0)
    (folder / "book.txt").write_text(" ".join(chance.choice(("cat", "mat", "sat")) for _ in range(500)))
    (example,) = [part for part in hornbook.__doc__.split("\n\n") if "read_text" in part]
    assert "updates=10_000" in example
    names = {"hornbook": hornbook}
    exec("\n".join(line.strip() for line in example.replace("10_000", "50").splitlines()), names)
    assert names["model"].sample(500, temperature=0.8) in capsys.readouterr().out
    symbols = len(names["text"].vocabulary)
    assert names["run"].summary["finished"]
    assert {key: value.shape for key, value in names["gradients"].items()} == {
        "U": (symbols, 100),
        "W": (100, 100),
        "b": (100,),
        "V": (100, symbols),
        "c": (symbols,),
    }
    assert all(np.isfinite(value).all() for value in names["gradients"].values())


# Events


def test_events_arrive_as_an_iterator_and_nothing_is_kept_on_disk(folder):
    happening = hornbook.train_events(TEXT, **SETTINGS)
    assert isinstance(happening, Iterator)
    kinds = [type(event) for event in happening]
    assert set(kinds) == {Sampled, Logged, Progress, Checkpoint, Finished}
    assert (kinds[0], kinds[-1]) == (Sampled, Finished)
    assert list(folder.iterdir()) == []


def test_a_training_can_be_left_in_the_middle():
    for event in hornbook.train_events(TEXT, **SETTINGS):
        if isinstance(event, Progress):
            break
    assert event.update >= 1


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"hidden": 0}, SettingError),
        ({"preset": "best"}, SettingError),
        ({"hiden": 5}, SettingError),
        ({"seq_len": 10_000}, TextError),
    ],
)
def test_what_is_wrong_is_told_at_once(changes, error, folder):
    with pytest.raises(error):
        hornbook.train_events(TEXT, **changes)
    with pytest.raises(error):
        hornbook.train(TEXT, quiet=True, **changes)
    assert list(folder.iterdir()) == []


# Training


def test_train_gives_the_run_and_load_its_model(undrawn):
    run = hornbook.train(TEXT, out="a", quiet=True, **SETTINGS)
    assert run.summary["finished"]
    assert hornbook.load("a").sample(20) == hornbook.load(run).sample(20) == run.model().sample(20)
    assert (hornbook.load("a", "last").flat == run.model("last").flat).all()


def test_a_plain_call_shows_progress_and_a_quiet_one_nothing(undrawn, capsys):
    hornbook.train(TEXT, name="loud", **SETTINGS)
    assert "update 60 of 60" in capsys.readouterr().out
    hornbook.train(TEXT, name="quiet", quiet=True, **SETTINGS)
    assert capsys.readouterr() == ("", "")


def test_without_a_place_a_fresh_one_is_chosen(undrawn):
    folders = [str(hornbook.train(TEXT, quiet=True, **SETTINGS).folder) for _ in range(2)]
    assert folders == ["runs/cats", "runs/cats-2"]


def test_figures_are_drawn_at_the_end():
    folder = hornbook.train(TEXT, quiet=True, **SETTINGS).folder
    assert (folder / "loss.svg").is_file()
    assert (folder / "loss.png").is_file()


def test_figures_that_cannot_be_written_are_told_and_the_run_is_whole(monkeypatch):
    def taken(*_):
        Path("a/loss.svg/within").mkdir(parents=True)
        return {"loss.svg": b"<svg/>"}

    monkeypatch.setattr("hornbook.report.figures.drawn", taken)
    told = r"a/loss\.svg cannot be written: Is a directory; move that folder away.*hornbook resume a draws"
    with pytest.warns(UserWarning, match=told):
        run = hornbook.train(TEXT, out="a", quiet=True, **SETTINGS)
    assert (run.summary["updates"], run.summary["finished"]) == (SETTINGS["updates"], True)
    (run.folder / "loss.svg").rename("aside")
    monkeypatch.setattr("hornbook.report.figures.drawn", lambda *_: {"loss.svg": b"<svg/>"})
    hornbook.resume(run, TEXT, quiet=True)
    assert (run.folder / "loss.svg").read_bytes() == b"<svg/>"


def test_two_trainings_in_one_folder_are_one_training_and_a_refusal(undrawn):
    def trained(_):
        together.wait()
        try:
            return hornbook.train(TEXT, out="a", quiet=True, **SETTINGS)
        except (RunFolderError, StorageError) as error:
            return error

    together = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(trained, range(4)))
    errors = [str(error) for error in found if isinstance(error, Exception)]
    assert len(errors) == 3
    assert all("choose another `out`" in error and "disk" not in error for error in errors), errors
    assert hornbook.Run("a").summary["finished"]


def test_python_and_the_events_give_the_same_bits(undrawn):
    run = hornbook.train(TEXT, quiet=True, **SETTINGS)
    *_, finished = hornbook.train_events(TEXT, **SETTINGS)
    assert (run.model("last").flat == finished.state.parameters).all()
    assert run.samples[-1]["text"] == finished.passage


def test_a_folder_that_is_not_empty_is_refused(folder):
    (folder / "thing").touch()
    with pytest.raises(RunFolderError, match="not empty"):
        hornbook.train(TEXT, out=folder, quiet=True, **SETTINGS)


def test_what_is_strange_about_a_text_is_warned_of(undrawn):
    with pytest.warns(UserWarning, match="one distinct character"):
        hornbook.train(Text.from_string("a" * 100), quiet=True, **SETTINGS)


@pytest.mark.parametrize("name", ["train", "train_events", "check_gradients"])
def test_what_is_no_text_is_refused_with_how_to_make_one(name, folder):
    more = hornbook.settings(5) if name == "check_gradients" else ()
    with pytest.raises(TextError, match=r"expected a Text, got str; .*Text\.from_string"):
        getattr(hornbook, name)("the cat sat on the mat", *more)
    with pytest.raises(
        TextError, match=r"expected a Text, got list; open one: hornbook\.read_text\('book\.txt'\)$"
    ):
        getattr(hornbook, name)(["the cat"], *more)
    assert list(folder.iterdir()) == []


def test_a_run_is_resumed_with_a_text_and_nothing_else(folder):
    run = hornbook.train(TEXT, out="a", quiet=True, **SETTINGS)
    with pytest.raises(TextError, match="expected a Text, got str"):
        hornbook.resume(run, TEXT[:], quiet=True)


def test_a_text_with_half_a_character_is_refused():
    with pytest.raises(TextError, match="half a character"):
        Text.from_string("ab\ud800" * 40)


def test_a_failure_is_raised_and_the_run_stays(folder):
    wild = {**SETTINGS, "hidden": 30, "seq_len": 400, "lr": 1.0, "clip": "none"}
    with pytest.raises(NotFiniteError):
        hornbook.train(TEXT, out="a", quiet=True, **wild)
    assert hornbook.Run("a").summary["finished"] is False


def test_a_run_that_is_not_there_cannot_be_loaded():
    with pytest.raises(RunFolderError):
        hornbook.load("nowhere")


# Signals and threads


class Pressing(Display):
    """Presses Ctrl-C at the first progress."""

    pressed = False

    def show(self, event):
        if isinstance(event, Progress) and not self.pressed:
            self.pressed = True
            signal.raise_signal(signal.SIGINT)


def test_ctrl_c_ends_a_training_and_gives_the_run(undrawn, monkeypatch):
    monkeypatch.setattr("hornbook.facade.choose_display", lambda seq_len, quiet, heading: Pressing(seq_len))
    before = signal.getsignal(signal.SIGINT)
    run = hornbook.train(TEXT, **{**SETTINGS, "updates": 10**9})
    assert run.summary["finished"] is False
    assert run.summary["updates"] >= 1
    assert len(run.model().sample(10)) == 10
    assert signal.getsignal(signal.SIGINT) is before


def test_training_works_in_a_thread_and_leaves_signals_alone(undrawn, monkeypatch):
    seen = []

    class Watching(Display):
        def show(self, event):
            seen.append((signal.getsignal(signal.SIGINT), threading.current_thread()))

    monkeypatch.setattr("hornbook.facade.choose_display", lambda seq_len, quiet, heading: Watching(seq_len))
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(hornbook.train, TEXT, **SETTINGS).result()
    assert run.summary["finished"]
    assert {handler for handler, _ in seen} == {signal.getsignal(signal.SIGINT)}
    assert threading.main_thread() not in {thread for _, thread in seen}


def test_two_trainings_side_by_side_do_not_disturb_each_other(undrawn):
    with ThreadPoolExecutor(2) as pool:
        going = [pool.submit(hornbook.train, TEXT, out=name, quiet=True, **SETTINGS) for name in ("a", "b")]
    one, other = (future.result().model() for future in going)
    assert (one.flat == other.flat).all()
    assert sorted(os.listdir()) == ["a", "b"]


def test_numbers_of_numpys_do_what_pythons_do(folder, undrawn):
    numbers = {name: np.int64(value) for name, value in SETTINGS.items()}
    how = {"lr": np.float32(0.1), "clip": np.int64(5), "validation": np.float64(0.1), "quiet": True}
    run = hornbook.train(TEXT, out="a", **numbers, **how, save_every=np.float32(9))
    again = hornbook.train(TEXT, out="b", **SETTINGS, **{**how, "lr": float(np.float32(0.1)), "clip": 5})
    assert hornbook.Run(run.folder).config.training == again.config.training
    further = hornbook.resume(run, TEXT, updates=np.int64(70), quiet=True)
    assert further.summary["updates"] == 70
    longer = hornbook.resume(run, TEXT, minutes=np.float32(0.001), quiet=True)
    assert longer.summary["updates"] > 70
    model = hornbook.load(again)
    written = {"temperature": 0.5, "top_k": 3, "top_p": 0.9, "seed": 2**40}
    as_numpys = {name: np.asarray(value)[()] for name, value in written.items()}
    assert model.sample(np.int64(20), **as_numpys) == model.sample(20, **written)
    assert model.guesses("cat", np.int8(2)) == model.guesses("cat", 2)
    assert model.evaluate("the cat", np.int64(3)) == model.evaluate("the cat", 3)
    assert model.evaluate_dynamic("the cat", lr=np.float32(0.5), segment=np.int16(3)).characters == 7
