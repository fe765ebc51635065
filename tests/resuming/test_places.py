"""What is in the place of a file that a run which goes on is to write, and is no plain file."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest
from small_runs import Ending, further, start, timeless

from hornbook.errors import PlaceError, RunFolderError
from hornbook.resuming import ROWS

WRITTEN = (
    "plan.jsonl", "metrics.jsonl", "samples.jsonl", "best.safetensors", "last.safetensors",
    "previous.safetensors", "summary.json", "lock", "loss.svg", "loss.png",
)  # fmt: skip
READ = ("config.toml", "vocabulary.json")


def bound(path: Path) -> None:
    """A socket."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))  # its path is to be short


def as_it_is(folder: Path) -> dict[str, object]:
    """All that lies in a folder: bytes, and kinds of what is no file."""
    return {
        path.name: path.read_bytes() if path.is_file() else path.lstat().st_mode for path in folder.iterdir()
    }


@pytest.fixture
def taken(tmp_path, monkeypatch):
    """A stopped run in which a name is taken by what a function makes there."""
    monkeypatch.chdir(tmp_path)
    run = start(Path("a"), Ending(12), validation=0.2)

    def take(name, make):
        (run.folder / name).unlink(missing_ok=True)
        make(run.folder / name)
        return run.folder

    return take


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, bound])
def test_what_takes_the_name_of_a_runs_file_is_refused_by_name_before_anything_is_changed(taken, name, make):
    folder = taken(name, make)
    before = as_it_is(folder)
    why = (
        "Is a directory; move that folder away" if make is Path.mkdir else "it is no plain file; move it away"
    )
    for force in (False, True):
        with pytest.raises(PlaceError, match=rf"^a/{name} cannot be written: {why}") as told:
            further(folder, force=force)
        assert told.value.exit_code == 2
        assert as_it_is(folder) == before


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, bound])
def test_so_is_what_takes_the_name_of_a_file_that_is_read_first(taken, name, make):
    folder = taken(name, make)
    before = as_it_is(folder)
    with pytest.raises(RunFolderError, match=f"{name} cannot be read: it is no plain file; move it"):
        further(folder)
    assert as_it_is(folder) == before


@pytest.mark.parametrize("name", ROWS)
def test_a_link_in_the_place_of_rows_is_refused_before_anything_is_changed(taken, name):
    folder = taken(name, lambda path: path.symlink_to("elsewhere"))
    before = as_it_is(folder)
    with pytest.raises(PlaceError, match=f"{name} cannot be written: it is a link, .*; remove it, or put"):
        further(folder)
    assert as_it_is(folder) == before


def test_a_folder_where_a_file_is_written_before_it_is_renamed_is_refused_by_its_own_name(taken):
    folder = taken(".best.safetensors.new", Path.mkdir)
    with pytest.raises(PlaceError, match=r"a/\.best\.safetensors\.new cannot be written: Is a directory"):
        further(folder)


def test_once_it_is_moved_away_the_run_goes_on(taken, tmp_path):
    folder = taken("best.safetensors", Path.mkdir)
    with pytest.raises(PlaceError, match="move that folder away"):
        further(folder)
    shutil.rmtree(folder / "best.safetensors")
    assert timeless(further(folder)) == timeless(start(tmp_path / "whole", validation=0.2))
