"""Rows that another program changes under their training: it stops, and writes over nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small_runs import SMALL, TEXT, further, start, timeless

from hornbook import RunFolderError, StorageError, locks
from hornbook.calibration import arranged
from hornbook.cli.display import Display
from hornbook.events import Checkpoint, Evaluated, Logged, Planned, Progress, Sampled
from hornbook.facade import resume_into, train_into
from hornbook.lengthening import Further
from hornbook.resuming import finished
from hornbook.runs import Run

ROWS = ("metrics.jsonl", "samples.jsonl")


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Nobody waits for a folder to be deleted."""
    monkeypatch.setattr(locks, "DELETING", 0.0)


def everything(folder: Path) -> dict[str, bytes]:
    """All that lies in a folder but its lock."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "lock"}


class Meddling(Display):
    """Lets something happen to a run's folder at the first event of a kind, and keeps what is there then."""

    def __init__(self, folder: Path, kind: type, meddle: Callable[[], object]) -> None:
        super().__init__(4)
        self.folder, self.kind, self.meddle, self.left = folder, kind, meddle, {}

    def show(self, event) -> None:
        if isinstance(event, self.kind) and not self.left:
            self.meddle()
            self.left = everything(self.folder)


def train_meddled(folder: Path, kind: type, meddle: Callable[[], object], save_every=1e6, **changes) -> None:
    """A training that stops with an error since one of its files was changed, which are left as they were."""
    planned = arranged(TEXT, **{"preset": "classic", **SMALL, **changes})
    display = Meddling(folder, kind, meddle)
    with pytest.raises(StorageError, match=r"jsonl was changed or deleted by another program") as stopped:
        train_into(folder, TEXT, planned, display, save_every=save_every)
    assert stopped.value.exit_code == 1
    assert everything(folder) == display.left
    assert not (folder / "lock").exists()
    kept = (folder / "last.safetensors").exists()
    assert ("what was learnt before is kept in" in str(stopped.value)) is kept
    assert ("there was no checkpoint yet; begin again with: hornbook res" in str(stopped.value)) is not kept


@pytest.mark.parametrize(
    ("kind", "save_every"),
    [(kind, often) for kind in (Sampled, Logged, Evaluated, Progress) for often in (1e6, 1e-9)]
    + [(Checkpoint, 1e-9)],
)
def test_a_training_writes_over_nothing_of_another_one_that_went_on_without_its_lock(
    tmp_path, kind, save_every
):
    folder = tmp_path / "a"

    def overtake():
        (folder / "lock").unlink()
        further(folder)

    train_meddled(folder, kind, overtake, save_every, validation=0.2)
    run = Run(folder)
    assert timeless(run) == timeless(start(tmp_path / "whole", validation=0.2))
    assert finished(run)
    further(folder)


def test_nor_of_one_that_was_made_longer_meanwhile(tmp_path):
    folder = tmp_path / "a"

    def overtake():
        (folder / "lock").unlink()
        further(folder, updates=50)

    train_meddled(folder, Logged, overtake, save_every=1e-9)
    assert Run(folder).summary["updates"] == 50
    assert [row["update"] for row in Run(folder).metrics][-1] == 50


def shorten(path: Path) -> None:
    """Take the first row away."""
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))


LOSSES = {"deleted": Path.unlink, "emptied": lambda path: path.write_bytes(b""), "shorter": shorten}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_rows_that_are_lost_under_a_training_are_told_at_once(stopped, name, lose):
    display = Meddling(stopped, Progress, lambda: lose(stopped / name))
    with pytest.raises(StorageError, match=f"{name} was changed or deleted .*; put it back .*`force=True`"):
        resume_into(Run(stopped), Further(), display, pytest.fail, 0.0, text=TEXT)
    assert everything(stopped) == display.left
    with pytest.raises(RunFolderError, match=rf"{name} (has \d rows?, but had \d|is damaged).*`force=True`"):
        further(stopped)
    assert everything(stopped) == display.left
    told = []
    assert further(stopped, force=True, told=told.append).summary["finished"]
    assert [name in sentence for sentence in told] == [True]


@pytest.mark.parametrize("name", ROWS)
def test_rows_that_were_added_by_another_program_are_cut_off(tmp_path, stopped, name):
    def add():
        with (stopped / name).open("ab") as file:
            file.write(b'{"update": 1}\n')

    with pytest.raises(StorageError, match=f"{name} was changed or deleted"):
        resume_into(Run(stopped), Further(), Meddling(stopped, Logged, add), pytest.fail, 0.0, text=TEXT)
    assert timeless(further(stopped)) == timeless(start(tmp_path / "whole", validation=0.2))


def test_rows_that_are_lost_before_the_first_checkpoint_are_written_again(tmp_path):
    folder = tmp_path / "a"
    train_meddled(folder, Logged, (folder / "metrics.jsonl").unlink)
    assert timeless(further(folder)) == timeless(start(tmp_path / "whole"))


def test_rows_that_are_lost_after_the_last_update_are_told(tmp_path, monkeypatch):
    path = tmp_path / "a" / "metrics.jsonl"
    monkeypatch.setattr("hornbook.facade.loss_figure", lambda *_: path.unlink())
    with pytest.raises(StorageError, match=r"metrics\.jsonl was changed or deleted"):
        start(path.parent)


@pytest.mark.parametrize("kind", [Planned, Sampled])
def test_a_file_that_goes_before_it_has_a_row_is_made_again(tmp_path, kind):
    folder = tmp_path / "a"
    planned = arranged(TEXT, **{"preset": "classic", **SMALL, "minutes": 0.01, "updates": None})
    display = Meddling(folder, kind, (folder / "metrics.jsonl").unlink)
    assert train_into(folder, TEXT, planned, display).summary["finished"]
    assert len(Run(folder).metrics) > 1
