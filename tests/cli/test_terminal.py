"""Nothing that comes from a text, a model, a run or a file name steers the terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b31m\x08\x7f\u202e"
NAME = "a\x1b[31mb\x9b"
SMALL = ("--hidden", 8, "--seq-len", 5, "--updates", 60, "--sample-length", 60, "--validation", 0.2)
STEERING = {*map(chr, range(32)), *map(chr, range(0x7F, 0xA0)), "\u202e"} - {"\n", "\t"}


@pytest.fixture
def hostile(folder, hornbook):
    """A run on a text full of escapes, with escapes in its name."""
    book = folder / NAME
    book.write_text(ESCAPES * 60, encoding="utf-8")
    told = hornbook("train", book, *SMALL, "--out", f"{NAME}-run")
    assert told.code == 0, told
    assert_harmless(told)
    return f"{NAME}-run"


def assert_harmless(told) -> None:
    """What was printed has no character that steers a terminal."""
    assert not STEERING & set(told.out + told.err), told


@pytest.mark.parametrize(
    "line",
    ["score RUN TEXT", "eval RUN TEXT", "inside RUN TEXT", "inside RUN TEXT --unit 1", "resume RUN", "runs .",
     "runs . --json", "compare RUN RUN", "resume RUN --updates 3", "sample nowhere-TEXT", "score TEXT TEXT",
     "resume RUN --updates +20 --json", "train --config RUN --updates 20 --out b", "train TEXT-gone"],
)  # fmt: skip
def test_no_command_prints_what_steers_a_terminal(hostile, hornbook, line):
    words = [word.replace("RUN", hostile).replace("TEXT", NAME) for word in line.split(" ")]
    told = hornbook(*words)
    assert told.out + told.err
    assert_harmless(told)


def test_a_damaged_file_cannot_steer_the_terminal_by_what_is_told_of_it(run, hornbook):
    config = run / "config.toml"
    text = config.read_text().replace('cell = "vanilla"', r'cell = "\u001b[2Jx"') + '"\\u001b[2J" = 5\n'
    config.write_text(text)
    (run / "summary.json").write_text(json.dumps({"\x1b": 1}))
    for line in ("sample", "resume", "report", "eval"):
        told = hornbook(line, run)
        assert told.code == 2
        assert_harmless(told)


def test_a_sample_on_a_terminal_is_shown_with_pictures(hostile):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "hornbook", "sample", hostile, "--length", "80"]
    with subprocess.Popen(command, stdout=theirs) as child:
        os.close(theirs)
        shown = b""
        while part := read(ours):
            shown += part
        assert child.wait() == 0
    os.close(ours)
    assert not STEERING & set(shown.decode().replace("\r\n", "\n"))
    assert "␛" in shown.decode()


def read(terminal: int) -> bytes:
    """What has arrived on a terminal; nothing when its other side is closed."""
    try:
        return os.read(terminal, 10_000)
    except OSError:
        return b""
