"""Standard input and output that are closed, full, or of an encoding that lacks what is written."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys

import pytest

import hornbook as package
from hornbook import Run, Text
from hornbook.cli.audience import Audience
from hornbook.cli.display import Display, LiveDisplay, PlainDisplay, choose_display
from hornbook.events import Sampled

TEXT = Text.from_string("“the cat” sat on the mat — " * 40)
SMALL = {"hidden": 4, "seq_len": 4, "updates": 40}


def closed(words: str, streams: str) -> subprocess.CompletedProcess[str]:
    """The command in a process without some of its standard streams."""
    command = f'"$0" -m hornbook {words} {streams}'
    return subprocess.run(["sh", "-c", command, sys.executable], capture_output=True, text=True, check=False)


def test_a_text_from_standard_input_that_was_closed_is_refused(folder):
    told = closed("train - --quiet", "<&-")
    assert told.returncode == 2
    assert told.stderr == "error: there is no standard input, since it was closed; name a text file instead\n"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("streams", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_written_nowhere(run, streams):
    told = closed("runs", streams)
    assert told.returncode == 0
    assert "Traceback" not in told.stderr + told.stdout
    assert bool(told.stdout) is (streams == "2>&-")
    told = closed("resume runs/book --updates +20", streams)
    assert told.returncode == 0
    assert "Traceback" not in told.stderr + told.stdout
    assert Run(run).summary["updates"] == 260


def test_the_number_of_a_closed_stream_goes_to_no_other_file(run):
    program = (
        "import os, sys; from hornbook.cli.main import open_streams; open_streams();"
        "file = open('runs/book/config.toml'); sys.exit(file.fileno())"
    )
    command = ["sh", "-c", '"$0" -c "$1" <&- >&- 2>&-', sys.executable, program]
    assert subprocess.run(command, check=False).returncode == 3


def test_no_room_for_standard_input_is_no_fault_of_standard_output(process, folder, story):
    told = process("train", "-", "--quiet", stdin=story.encode() * 1000, largest=100_000)
    assert told.code == 1
    assert told.err.startswith("error: standard input does not fit into ")
    assert "standard output" not in told.err
    assert list(folder.iterdir()) == []


def test_a_failing_read_of_standard_input_is_the_inputs_fault(refused, monkeypatch):
    class Failing(io.BytesIO):
        def read(self, size=-1):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("hornbook.text_files.io.BytesIO", Failing)
    assert "python-reference: Input/output error" in refused("train")


# Encodings


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_an_encoding_lacks_does_not_end_a_training(tmp_path, monkeypatch, encoding):
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    run = package.train(TEXT, out=tmp_path / "a", **SMALL)
    sys.stdout.flush()
    shown = sys.stdout.buffer.getvalue().decode(encoding)
    assert run.summary["finished"]
    assert "?" in shown
    assert "sample after update 40" in shown


def test_a_bar_is_drawn_in_any_encoding(monkeypatch):
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    display = LiveDisplay(25, "16 × 64")
    with display:
        display.show(Sampled(0, "“cat”"))
    sys.stdout.flush()
    shown = sys.stdout.buffer.getvalue().decode("ascii")
    assert "16 ? 64" in shown
    assert "?cat?" in shown


def test_a_display_that_lacks_a_character_is_asked_again():
    shown = []

    class Choosy(Display):
        def show(self, event):
            event.text.encode("ascii")
            shown.append(event.text)

    audience = Audience(Choosy(4), lambda: False)
    for text in ("é", "e"):
        audience.show(Sampled(0, text))
    assert shown == ["e"]
    assert not audience.stop()


def test_without_standard_output_plain_lines_go_nowhere(monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    display = choose_display(25)
    assert type(display) is PlainDisplay
    display.show(Sampled(0, "cat"))
