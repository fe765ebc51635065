"""Texts that cannot be read: what is told, and at which byte."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from hornbook import text_files
from hornbook.errors import TextError
from hornbook.text import read_text
from hornbook.text_files import Manner


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"gone.txt: No such file or directory; name a text file"):
        read_text(tmp_path / "gone.txt")


def test_a_folder_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(TextError, match=r"is a folder; name the text files in it"):
        read_text(tmp_path)


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(TextError, match="not a file name"):
        read_text("a\0b")


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"], ids=["no bytes", "only a byte-order mark"])
@pytest.mark.parametrize("block", [1, 2, 1 << 22])
def test_a_file_without_a_character_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, block: int
) -> None:
    monkeypatch.setattr(text_files, "BLOCK_BYTES", block)
    path = tmp_path / "nothing.txt"
    path.write_bytes(content)
    with pytest.raises(TextError, match=r"nothing.txt: the text is empty"):
        read_text(path)


@pytest.mark.parametrize("block", [1, 2, 3, 5, 1 << 22])
@pytest.mark.parametrize(
    ("content", "offset"),
    [
        (b"\xff", 0),
        (b"abc\xffdef", 3),
        ("字é".encode() + b"\x80z", 5),
        (b"\xef\xbb\xbfab\xc3(", 5),  # the mark counts, and the offset is that of the sequence
        (b"abcd" + "字".encode()[:2], 4),
        (b"ab" + "😀".encode()[:3], 2),
        ("ab字".encode()[:3], 2),
        (b"0123456789\xe5\xad", 10),
        (b"\r\r\n\xff", 3),
    ],
)
def test_bytes_that_are_not_utf_8_are_refused_with_their_offset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, offset: int, block: int
) -> None:
    with pytest.raises(UnicodeDecodeError) as truth:
        content.decode()
    assert truth.value.start == offset
    monkeypatch.setattr(text_files, "BLOCK_BYTES", block)
    path = tmp_path / "bytes.bin"
    path.write_bytes(content)
    with pytest.raises(TextError, match=rf"bytes.bin is not utf-8: the byte at offset {offset} .*`encoding="):
        read_text(path)


@pytest.mark.parametrize("block", [3, 1 << 22])
def test_the_offset_counts_from_the_start_of_the_file_that_is_wrong(
    tmp_path: Path, book: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(text_files, "BLOCK_BYTES", block)
    path = tmp_path / "second.txt"
    path.write_bytes(b"good\xe9 bad")
    with pytest.raises(TextError, match=r"second.txt is not utf-8: the byte at offset 4 "):
        read_text(book, path)


def test_a_large_offset_is_written_with_thousands() -> None:
    blocks = text_files.codes(io.BytesIO(b"a" * 5_000_000 + b"\xff"), "big", Manner())
    with pytest.raises(TextError, match="offset 5,000,000 "):
        sum(len(block) for block in blocks)


@pytest.mark.parametrize(
    "encoding", ["utf-9", "", "a\0b", "base64", "hex", "rot13", "punycode", "IDNA", "undefined"]
)
def test_an_encoding_that_is_none_is_refused(book: Path, encoding: str) -> None:
    with pytest.raises(TextError, match="unknown encoding"):
        read_text(book, encoding=encoding)


@pytest.mark.parametrize(("encoding", "start"), [("utf-7", b"ab+"), ("unicode_escape", b"ab\\N{")])
def test_a_character_that_does_not_end_is_refused_and_not_decoded_again_and_again(tmp_path, encoding, start):
    (tmp_path / "a.txt").write_bytes(start + b"A" * (3 << 20))
    with pytest.raises(TextError, match=f"a.txt is not {encoding}: the byte at offset 2 does not fit"):
        read_text(tmp_path / "a.txt", encoding=encoding)


def test_newlines_are_made_lf_or_kept(book: Path) -> None:
    with pytest.raises(TextError, match="`newlines` is 'crlf'; expected lf"):
        read_text(book, newlines="crlf")


def test_a_file_is_closed_when_another_cannot_be_read(
    tmp_path: Path, book: Path, recwarn: pytest.WarningsRecorder
) -> None:
    with pytest.raises(TextError):
        read_text(book, tmp_path / "gone.txt")
    assert not recwarn.list
