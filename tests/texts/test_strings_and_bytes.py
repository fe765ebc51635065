"""Texts of strings and of bytes, how they are numbered, and what is odd about them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from characters import ANY
from hypothesis import given

from hornbook import text_files
from hornbook.errors import TextError
from hornbook.text import Text, oddities, read_text, smallest_type
from hornbook.vocabulary import BYTES

# Text from a string


@given(ANY)
def test_a_text_from_a_string_is_the_string_as_it_is(characters: str) -> None:
    text = Text.from_string(characters)
    assert text[:] == characters
    assert len(text) == len(characters)
    assert text.vocabulary.symbols == "".join(sorted(set(characters)))


def test_a_part_of_a_text_is_a_string() -> None:
    text = Text.from_string("banana")
    assert (text[1:4], text[-2:], text[9:]) == ("ana", "na", "")


def test_an_empty_string_is_no_text() -> None:
    with pytest.raises(TextError, match="verse is empty"):
        Text.from_string("", "verse")


# The numbers


@pytest.mark.parametrize(
    ("symbols", "kind"),
    [
        (1, np.uint8),
        (256, np.uint8),
        (257, np.uint16),
        (65_536, np.uint16),
        (65_537, np.uint32),
        (0x110000, np.uint32),
    ],
)
def test_numbers_have_the_smallest_type_that_fits(symbols: int, kind: type) -> None:
    assert smallest_type(symbols) is kind
    assert np.iinfo(kind).max >= symbols - 1


@pytest.mark.parametrize(("symbols", "kind"), [(256, np.uint8), (257, np.uint16), (4000, np.uint16)])
def test_a_text_of_thousands_of_symbols_is_encoded_whole(tmp_path: Path, symbols: int, kind: type) -> None:
    characters = "".join(map(chr, range(0x4E00, 0x4E00 + symbols)))
    path = tmp_path / "book.txt"
    path.write_bytes((characters + characters[::-1]).encode())
    text = read_text(path)
    assert text.ids.dtype == kind
    assert text.vocabulary.symbols == characters
    assert text.ids.tolist() == [*range(symbols), *reversed(range(symbols))]
    assert Text.from_string(characters).ids.dtype == kind


# Oddities


def test_what_is_odd_about_a_text_is_said_though_it_can_be_read() -> None:
    assert oddities(Text.from_string("prose")) == []
    (nothing,) = oddities(Text.from_string("aaaa", "scream"))
    assert "scream has one distinct character" in nothing
    (binary,) = oddities(Text.from_string("a\0b", "dump"))
    assert "dump holds NUL characters" in binary
    assert len(oddities(Text.from_string("\0\0"))) == 2


# Bytes

EVERY = bytes(range(256))
FILES = {
    "every byte": EVERY,
    "NULs": bytes(50),
    "invalid UTF-8": b"\xff\xfe\x80ab\xc3",
    "a byte-order mark and line ends of Windows": b"\xef\xbb\xbfone\r\ntwo\r\n",
    "UTF-8": "字 é\n".encode(),
}


@pytest.mark.parametrize("block", [1, 7, 1 << 22])
@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_bytes_are_read_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, block: int
) -> None:
    monkeypatch.setattr(text_files, "BLOCK_BYTES", block)
    path = tmp_path / "file.bin"
    path.write_bytes(content)
    text = read_text(path, tokens="bytes")
    assert text.ids.tobytes() == content
    assert text.vocabulary == BYTES
    assert text[:].encode("latin-1") == content
    assert [(s.bytes, s.characters) for s in text.sources] == [(len(content), len(content))]
    assert (text.encoding, text.newlines) == ("", "")


def test_files_of_bytes_are_joined(tmp_path: Path) -> None:
    paths = [tmp_path / "one", tmp_path / "two"]
    for path, content in zip(paths, (b"\xff\n", b"\x00"), strict=True):
        path.write_bytes(content)
    assert read_text(*paths, tokens="bytes").ids.tolist() == [255, 10, 0]


def test_of_bytes_it_is_strange_only_that_they_are_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(EVERY)
    assert oddities(read_text(path, tokens="bytes")) == []
    path.write_bytes(bytes(9))
    (sentence,) = oddities(read_text(path, tokens="bytes"))
    assert "one distinct byte" in sentence


def test_a_text_with_nuls_is_told_of_bytes() -> None:
    assert "`tokens='bytes'`" in oddities(Text.from_string("a\0b"))[0]


def test_tokens_that_do_not_exist_are_refused(book: Path) -> None:
    with pytest.raises(TextError, match="unknown tokens 'words'; the known ones are: bytes, chars"):
        read_text(book, tokens="words")


def test_an_empty_file_of_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(TextError, match="is empty"):
        read_text(tmp_path / "empty", tokens="bytes")
