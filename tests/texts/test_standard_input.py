"""Texts that no plain file holds: standard input, the built-in one, devices, a terminal, pipes."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import pty
import sys
import threading
from pathlib import Path

import pytest
from characters import as_read

from hornbook import text_files
from hornbook.errors import StorageError, TextError
from hornbook.text import read_text
from hornbook.text_files import BUILT_IN, Manner

# Standard input


class Stdin:
    """Standard input with the given bytes."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


@pytest.mark.parametrize("block", [3, 1 << 22])
def test_a_dash_is_standard_input(book: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(text_files, "BLOCK_BYTES", block)
    monkeypatch.setattr("sys.stdin", Stdin("字\r\ngot".encode()))
    text = read_text("-", book)
    assert text[:] == "字\ngot" + as_read(book.read_bytes().decode())
    assert text.name == "stdin+1"
    assert text.sources[0].path == "-"
    assert text.sources[0].bytes == 8
    assert text.sources[0].sha256 == hashlib.sha256("字\r\ngot".encode()).hexdigest()


def test_standard_input_that_is_not_utf_8_is_refused_like_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Stdin(b"abc\xff"))
    with pytest.raises(TextError, match="standard input is not utf-8: the byte at offset 3"):
        read_text("-")


class Failing(io.BytesIO):
    """A file that cannot be read to its end."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(size)


def test_what_cannot_be_read_to_its_end_is_told_of_the_text(monkeypatch):
    blocks = text_files.codes(Failing(b"abc"), "/a/book.txt", Manner())
    with pytest.raises(TextError, match=r"/a/book.txt: Input/output error; name a text file"):
        list(blocks)
    monkeypatch.setattr("sys.stdin", Stdin(b""))
    monkeypatch.setattr("sys.stdin.buffer", Failing(b"abc"))
    with pytest.raises(TextError, match="standard input: Input/output error"):
        read_text("-")


def test_standard_input_that_was_closed_is_told(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(TextError, match="there is no standard input, since it was closed"):
        read_text("-")


def test_no_room_for_standard_input_is_told_of_the_disk(monkeypatch):
    full = open("/dev/full", "wb+", buffering=0)
    monkeypatch.setattr("sys.stdin", Stdin(b"abc" * 100_000))
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: full)
    with full, pytest.raises(StorageError, match=r"input does not fit into .*: No space left on device"):
        read_text("-")


# The built-in text


def test_without_a_path_the_python_reference_is_read() -> None:
    text = read_text()
    assert text.name == text.sources[0].path == BUILT_IN == "python-reference"
    assert len(text) > 300_000
    topics = [text[:].index(topic) for topic in ('The "assert" statement', 'The "while" statement')]
    assert topics == sorted(topics)


def test_the_built_in_text_is_its_topics_by_name_with_blank_lines_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pydoc_data.topics.topics", {"b": "second", "a": "first", "c": "third"})
    assert read_text(BUILT_IN)[:] == "first\n\nsecond\n\nthird"


def test_a_file_of_that_name_goes_before_the_built_in_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / BUILT_IN).write_text("mine")
    assert read_text(BUILT_IN)[:] == "mine"


def test_a_python_without_the_built_in_text_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(TextError, match=r"without pydoc_data.*name a text file instead"):
        read_text()


# Devices, a terminal, pipes


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom", "/dev/full"])
def test_a_device_is_refused_before_it_is_read(device: str, monkeypatch, recwarn) -> None:
    monkeypatch.setattr("hornbook.text_files.hashed", lambda *_: pytest.fail("it was read"))
    for name in (device, "-"):
        with open(device, "rb") as file:
            monkeypatch.setattr("sys.stdin", Stdin(b""))
            monkeypatch.setattr("sys.stdin.buffer", file)
            with pytest.raises(TextError, match="is a device, which may have no end; name a text file, or"):
                read_text(name, tokens="bytes")
    assert not recwarn.list


def test_the_device_that_holds_nothing_is_empty() -> None:
    with pytest.raises(TextError, match="/dev/null: the text is empty"):
        read_text("/dev/null")


def test_what_is_typed_at_a_terminal_is_read(monkeypatch) -> None:
    above, below = pty.openpty()
    os.write(above, b"the cat\n\x04\x04")  # Ctrl-D, and again where the next block begins
    with open(below, "rb") as typed:
        monkeypatch.setattr("sys.stdin", Stdin(b""))
        monkeypatch.setattr("sys.stdin.buffer", typed)
        assert read_text("-")[:] == "the cat\n"
    os.close(above)


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=("字 and more".encode(),), daemon=True)
    writer.start()
    assert read_text(pipe)[:] == "字 and more"
