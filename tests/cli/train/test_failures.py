"""Trainings that fail: numbers that are not finite, no memory, disks and outputs that are full."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from short_runs import SMALL, lines

from hornbook import Run

# Numbers that are not finite

WILD = ("--hidden", 30, "--seq-len", 400, "--lr", 1, "--clip", "none", "--updates", 40, "--quiet")


def test_a_gradient_that_is_not_finite_ends_with_1_names_the_update_and_what_to_try(hornbook, book):
    told = hornbook("train", book, *WILD, "--out", "a")
    stopped = Run("a").summary["updates"] + 1
    assert told.code == 1
    assert told.err.startswith("error: the ")
    assert told.err.count("\n") <= 2
    assert f"of update {stopped} is not finite" in told.err
    assert "--lr" in told.err
    assert "a lower --lr (it is 1)" in told.err


def test_a_run_that_was_not_finite_can_be_read_and_writes(hornbook, book):
    hornbook("train", book, *WILD, "--out", "a")
    summary = Run("a").summary
    assert summary["finished"] is False
    assert 1 <= summary["updates"] < 40
    assert all(row["update"] <= summary["updates"] for row in lines(Path("a/metrics.jsonl")))
    assert hornbook("sample", "a", "--length", 20).code == 0
    assert hornbook("sample", "a", "--length", 20, "--which", "last").code == 0
    assert "stopped" in hornbook("runs", ".").out


def test_a_first_update_that_is_not_finite_leaves_a_run_too(hornbook, book):
    told = hornbook("train", book, *WILD, "--init-scale", 0.6, "--out", "a")
    assert told.code == 1
    assert "of update 1 is not finite" in told.err
    assert Run("a").summary["best_smooth_loss"] is None
    assert hornbook("sample", "a", "--length", 20).code == 0
    assert hornbook("runs", ".").code == 0


def test_a_training_that_failed_tells_where_its_last_good_model_is(hornbook, book):
    assert "runs/wild" in hornbook("train", book, *WILD, "--name", "wild").err


# Memory


def test_memory_that_is_not_there_is_told_without_a_traceback(hornbook, book, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("hornbook.training.Checkpoint.initial", full)
    told = hornbook("train", book, "--quiet")
    assert told.code == 1
    assert "not enough memory" in told.err
    assert "--hidden" in told.err
    assert not Path("runs").exists()


# Disks and outputs


def assert_readable(folder: Path) -> None:
    """A folder is a run, whole or not there."""
    if folder.exists():
        run = Run(folder)
        assert run.vocabulary.symbols
        assert run.metrics is not None
        assert run.samples is not None
        assert run.summary is not None
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("largest", [2_500, 3_500, 6_000, 10_000, 40_000])
def test_a_full_disk_ends_with_1_and_leaves_a_run_that_can_be_read(process, book, folder, largest):
    told = process("train", book, *SMALL, "--log-every", 1, "--out", "a", largest=largest)
    assert told.code == 1
    assert told.err.count("\n") <= 2
    assert told.err.startswith("error: a/")
    assert "cannot be written: File too large" in told.err
    assert_readable(folder / "a")
    if (folder / "a").exists():
        kept = any((folder / "a").glob("*.safetensors"))
        where = (
            "what was learnt before is kept in a; go on"
            if kept
            else "there was no checkpoint yet; begin again"
        )
        assert told.err.endswith(f"\n{where} with: hornbook resume a\n")
    assert {path.name for path in folder.iterdir()} <= {"book.txt", "a"}


def test_a_full_disk_at_the_start_leaves_no_folder(process, folder):
    Path("tiny.txt").write_text("the cat sat " * 5)
    told = process("train", "tiny.txt", *SMALL, "--out", "a", largest=200)
    assert told.code == 1
    assert "cannot be written: File too large" in told.err
    assert ".new" not in told.err
    assert {path.name for path in folder.iterdir()} == {"tiny.txt"}


def test_a_full_disk_for_temporary_files_is_told_without_a_traceback(process, book, folder):
    told = process("train", book, *SMALL, "--out", "a", largest=1_500)
    assert told.code == 1
    assert "Traceback" not in told.err
    assert told.err.startswith("error: ")
    assert {path.name for path in folder.iterdir()} == {"book.txt"}


def test_the_best_model_of_a_checkpoint_outlives_a_full_disk(process, hornbook, book):
    flags = ("--updates", 400, "--sample-every", 20, "--log-every", 1, "--save-every", 1e-6)
    told = process("train", book, *SMALL, *flags, "--out", "a", largest=10_000)
    assert told.code == 1
    assert "metrics.jsonl cannot be written" in told.err
    assert hornbook("sample", "a", "--length", 20).code == 0
    assert Run("a").summary["updates"] < 400


FULL = Path("/dev/full")
full = pytest.mark.skipif(not FULL.exists(), reason="the system has no /dev/full")


@full
@pytest.mark.parametrize("flags", [(), ("--json",), ("--preset", "plain")])
def test_standard_output_that_is_full_is_named_and_the_training_goes_on_where_it_was(book, hornbook, flags):
    command = [sys.executable, "-m", "hornbook", "train", str(book), *SMALL[:-1], *flags, "--out", "a"]
    with FULL.open("w") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "error: standard output cannot be written: No space left on device\n"
        "what was learnt before is kept in a; go on with: hornbook resume a\n"
    )
    assert not Run("a").summary["finished"]
    assert hornbook("resume", "a", "--quiet").code == 0
    assert hornbook("train", book, *SMALL, *flags, "--out", "b", "--quiet").code == 0
    assert Path("a/last.safetensors").read_bytes() == Path("b/last.safetensors").read_bytes()


@full
@pytest.mark.parametrize("command", ["sample", "runs"])
def test_standard_output_that_is_full_is_named_by_every_command(run, command):
    words = [command, str(run if command == "sample" else run.parent)]
    with FULL.open("w") as out:
        done = subprocess.run(
            [sys.executable, "-m", "hornbook", *words],
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "error: standard output cannot be written: No space left on device\n"


@full
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["train", "--help"], ["resume", "-h"], []])
def test_standard_output_that_is_full_is_named_by_help_and_version(words):
    command = [sys.executable, "-m", "hornbook", *words]
    with FULL.open("w") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: standard output cannot be written: No space left on device\n"


@pytest.mark.parametrize("where", ["/proc/run", "/dev/null/run", "book.txt/run"])
def test_a_place_that_cannot_be_written_is_told_without_a_traceback(hornbook, book, folder, where):
    told = hornbook("train", book, *SMALL, "--updates", 3, "--out", where)
    assert told.code in (1, 2)
    assert told.err.startswith("error: ")
    assert "cannot be written" in told.err
    assert list(folder.iterdir()) == [book]
