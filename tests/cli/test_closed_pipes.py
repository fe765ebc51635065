"""Output that nobody reads any more: a command that only prints ends as by SIGPIPE, a training goes on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from conftest import SMALL, UNBUFFERED
from hornbook import Run

BUFFERED = (sys.executable, "-m", "hornbook")  # as it is usual: what is short is written at the end
BROKEN = 128 + 13


def unread(*args: object, start=BUFFERED, characters: int = 0, stderr: int = subprocess.PIPE):
    """The code of a command of whose output so many bytes are read, as by `head -c`, and what it says on
    standard error, unless that goes into the same pipe."""
    with subprocess.Popen([*start, *map(str, args)], stdout=subprocess.PIPE, stderr=stderr) as child:
        assert child.stdout
        assert len(child.stdout.read(characters)) == characters
        child.stdout.close()
        err = child.stderr.read().decode() if child.stderr else ""
        return child.wait(), err


@pytest.mark.parametrize("start", [BUFFERED, UNBUFFERED], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    "line",
    ["--help", "train --help", "--version", "runs", "resume runs/book", "compare runs/book runs/again"],
)
def test_a_command_that_only_prints_ends_as_by_the_signal_of_a_closed_pipe(run, hornbook, line, start):
    if "again" in line:
        hornbook("train", "--config", run, "--out", "runs/again", "--quiet")
    assert unread(*line.split(), start=start) == (BROKEN, "")


def test_a_text_that_nobody_reads_to_its_end(run):
    assert unread("sample", run, "--length", 100_000, characters=10) == (BROKEN, "")


def test_both_streams_in_one_closed_pipe(run):
    assert unread("sample", run, "--length", 100_000, characters=10, stderr=subprocess.STDOUT)[0] == BROKEN
    assert unread("sample", "nowhere", stderr=subprocess.STDOUT)[0] == 2


@pytest.mark.parametrize("flags", [(), ("--json",), ("--quiet",)], ids=str)
@pytest.mark.parametrize("stderr", [subprocess.PIPE, subprocess.STDOUT], ids=["apart", "together"])
def test_a_training_goes_on_unseen(run, book, flags, stderr):
    code, err = unread(
        "train", book, *SMALL, "--seed", 2, "--updates", 50, *flags, "--out", "a", stderr=stderr
    )
    assert code == 0
    assert "Traceback" not in err
    assert Run("a").summary["finished"]


def test_nor_does_a_training_fail_where_only_its_conclusion_is_not_read(run, book, start, finish):
    program = """
import os, sys
from hornbook.cli import conclusion
from hornbook.cli.main import main

tell = conclusion.tell
def unread(*how):
    reading, writing = os.pipe()
    os.dup2(writing, 1)
    os.close(reading)
    tell(*how)

conclusion.tell = unread
main()
"""
    ended = finish(start("train", book, *SMALL, "--out", "a", program=program))
    assert (ended.code, ended.err) == (0, "")
