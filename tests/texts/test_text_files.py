"""Texts from files: encodings, line ends, byte-order marks, several files, and how much memory they take."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from characters import ANY, as_read
from hypothesis import given
from hypothesis import strategies as st

from hornbook import text_files
from hornbook.errors import TextError
from hornbook.text import read_text

AWKWARD = st.text(st.sampled_from("a\r\n\0é字😀\ufeff"), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("texts")


# Text from files


@given(ANY)
def test_any_string_written_as_utf_8_is_read_back(folder: Path, characters: str) -> None:
    path = folder / "any.txt"
    path.write_bytes(("start" + characters).encode())
    assert read_text(path)[:] == as_read("start" + characters)


@pytest.mark.parametrize("block", [1, 2, 3, 5])
@given(characters=AWKWARD)
def test_the_size_of_a_block_makes_no_difference(folder: Path, block: int, characters: str) -> None:
    path = folder / "blocks.txt"
    path.write_bytes(("a" + characters).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_files, "BLOCK_BYTES", block)
        text = read_text(path)
        kept = read_text(path, newlines="keep")
    assert text[:] == as_read("a" + characters)
    assert kept[:] == "a" + characters


@pytest.mark.parametrize("block", [1, 2, 3, 5, 1 << 22])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030"])
def test_a_byte_order_mark_is_dropped_wherever_the_blocks_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, encoding: str
) -> None:
    monkeypatch.setattr(text_files, "BLOCK_BYTES", block)
    marks = "" if encoding in ("utf-8-sig", "utf-16") else "\ufeff"  # these two write their own
    path = tmp_path / "marked.txt"
    path.write_bytes((marks + "字é\r\nz").encode(encoding))
    assert read_text(path, encoding=encoding)[:] == "字é\nz"


@pytest.mark.parametrize(
    ("content", "encoding", "likely"),
    [
        (b"\xff\xfea\x00", "utf-8", "utf-16"),
        (b"\xfe\xff\x00a", "utf-8", "utf-16"),
        (b"\xff\xfe\x00\x00a\x00\x00\x00", "utf-8", "utf-32"),
        (b"\xff\xfea\x00\x00\xd8a\x00", "utf-16", "latin-1"),
        (b"caf\xe9 ", "utf-8", "latin-1"),
    ],
)
def test_the_encoding_that_a_file_may_have_is_named(
    tmp_path: Path, content: bytes, encoding: str, likely: str
) -> None:
    path = tmp_path / "other.txt"
    path.write_bytes(content)
    with pytest.raises(TextError, match=f"for example `encoding='{likely}'`"):
        read_text(path, encoding=encoding)


def test_a_byte_order_mark_inside_a_text_is_a_character(tmp_path: Path) -> None:
    path = tmp_path / "marks.txt"
    path.write_bytes("\ufeff\ufeffa\ufeff".encode())
    assert read_text(path)[:] == "\ufeffa\ufeff"


@pytest.mark.parametrize("block", [1, 2, 3, 5, 1 << 22])
def test_only_a_pair_of_cr_and_lf_becomes_lf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(text_files, "BLOCK_BYTES", block)
    path = tmp_path / "lines.txt"
    path.write_bytes(b"\r\na\r\r\n\n\rb\r")
    assert read_text(path)[:] == "\na\r\n\n\rb\r"
    assert read_text(path, newlines="keep")[:] == "\r\na\r\r\n\n\rb\r"


def test_several_files_are_joined_in_the_order_given(tmp_path: Path) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_bytes("\ufeffzebra\r".encode())
    two.write_bytes("\ufeff\nape".encode())
    assert read_text(one, two)[:] == "zebra\r\nape"  # a pair across files is no pair
    assert read_text(two, str(one), two)[:] == "\napezebra\r\nape"
    assert read_text(two, one).vocabulary.symbols == "\n\rabeprz"
    assert (read_text(one).name, read_text(one, two, two).name) == ("one", "one+2")
    assert read_text(one, name="fable").name == "fable"


def test_an_empty_file_among_others_adds_nothing(tmp_path: Path, book: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert read_text(tmp_path / "empty", book)[:] == read_text(book)[:]


def test_a_text_remembers_path_size_and_hash_of_each_source(book: Path) -> None:
    (source,) = read_text(book).sources
    content = book.read_bytes()
    assert source.path == str(book.resolve())
    assert source.bytes == len(content)
    assert source.sha256 == hashlib.sha256(content).hexdigest()


def test_the_path_that_is_remembered_is_absolute(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(book.parent)
    assert read_text("book.txt").sources[0].path == str(book.resolve())


def test_the_vocabulary_is_in_code_point_order(book: Path) -> None:
    assert read_text(book).vocabulary.symbols == "\n ?avÇ字"


def test_another_encoding_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "old.txt"
    path.write_bytes("señor".encode("latin-1"))
    text = read_text(path, encoding="latin-1")
    assert (text[:], text.encoding) == ("señor", "latin-1")


def test_the_numbers_are_mapped_from_a_file_that_nobody_has_to_delete(
    tmp_path: Path, book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(store))
    text = read_text(book)
    assert isinstance(text.ids, np.memmap)
    assert not text.ids.flags.writeable
    assert list(store.iterdir()) == []


def test_a_text_of_one_character_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    text = read_text(tmp_path / "a")
    assert (len(text), text.vocabulary.symbols) == (1, "a")


def test_nul_is_a_character_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "nul").write_bytes(b"a\0b")
    assert read_text(tmp_path / "nul").vocabulary.symbols == "\0ab"


# Memory

MEASURED = """
import sys
from pathlib import Path
from hornbook.text import read_text
text = read_text(sys.argv[1])
assert len(text) == int(sys.argv[2]), len(text)
# Not getrusage, whose figure a child inherits from the process that started it.
status = Path("/proc/self/status").read_text()
PEAK = 1024 * int(status.split("VmHWM:")[1].split()[0])
print(text.ids.nbytes, int(text.ids[-1]), PEAK)
"""


@pytest.mark.parametrize("paragraph", ["All in the golden afternoon,\r\n", "不分南北西東\n"])
def test_reading_a_large_text_takes_less_memory_than_three_times_its_size_and_200_megabytes(
    tmp_path: Path, paragraph: str
) -> None:
    path = tmp_path / "large.txt"
    times = 60_000_000 // len(paragraph.encode())
    with path.open("wb") as file:
        for _ in range(100):
            file.write(paragraph.encode() * (times // 100))
    characters = len(as_read(paragraph)) * (times // 100) * 100
    child = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path), str(characters)],
        capture_output=True,
        text=True,
        check=True,
    )
    ids, last, peak = map(int, child.stdout.split())
    assert (ids, last) == (characters, 0)
    assert peak < 3 * path.stat().st_size + 200_000_000
