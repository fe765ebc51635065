"""Text: read, check and encode; the vocabulary."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook import text_files
from hornbook.errors import StorageError, TextError
from hornbook.text import Text, oddities, read_text, smallest_type
from hornbook.text_files import BUILT_IN, Manner
from hornbook.vocabulary import BYTES, Vocabulary

ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
AWKWARD = st.text(st.sampled_from("a\r\n\0é字😀\ufeff"), min_size=1, max_size=12)


def as_read(characters: str) -> str:
    """What reading makes of characters: no byte-order mark, LF for CRLF."""
    return characters.removeprefix("\ufeff").replace("\r\n", "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("texts")


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_bytes("Ça va?\r\n字\n".encode())
    return path


# The vocabulary


@given(ANY)
def test_encoding_and_then_decoding_changes_nothing(characters: str) -> None:
    vocabulary = Vocabulary("".join(sorted(set(characters))))
    ids = vocabulary.encode(characters)
    assert ids.shape == (len(characters),)
    assert vocabulary.decode(ids) == characters


@given(st.lists(st.integers(0, 4)))
def test_decoding_and_then_encoding_changes_nothing(ids: list[int]) -> None:
    vocabulary = Vocabulary("zyx\n字")
    assert vocabulary.encode(vocabulary.decode(ids)).tolist() == ids


def test_the_number_of_a_symbol_is_its_place() -> None:
    vocabulary = Vocabulary("ban")
    assert len(vocabulary) == 3
    assert vocabulary.numbers == {"b": 0, "a": 1, "n": 2}
    assert vocabulary.encode("banana").tolist() == [0, 1, 2, 1, 2, 1]


def test_an_unknown_character_is_named_with_its_position() -> None:
    with pytest.raises(TextError, match="'k' at position 3"):
        Vocabulary("ban").encode("bank")


@given(st.text(st.characters(), min_size=1), st.permutations("abcé字😀"))
def test_each_character_is_found_in_a_vocabulary_of_any_order_or_is_minus_one(text, symbols):
    vocabulary = Vocabulary("".join(symbols))
    for asked in (text, "".join(symbols) + text):
        assert vocabulary.find(asked).tolist() == [vocabulary.symbols.find(c) for c in asked]


def test_nothing_is_found_in_an_empty_text():
    assert Vocabulary("ab").find("").tolist() == []


@pytest.mark.parametrize("symbols", ["", "aba"])
def test_a_vocabulary_is_not_empty_and_has_no_symbol_twice(symbols: str) -> None:
    with pytest.raises(TextError, match="at least one symbol, and each of them only once"):
        Vocabulary(symbols)


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


def test_what_is_odd_about_a_text_is_said_though_it_can_be_read() -> None:
    assert oddities(Text.from_string("prose")) == []
    (nothing,) = oddities(Text.from_string("aaaa", "scream"))
    assert "scream has one distinct character" in nothing
    (binary,) = oddities(Text.from_string("a\0b", "dump"))
    assert "dump holds NUL characters" in binary
    assert len(oddities(Text.from_string("\0\0"))) == 2


# Standard input and the built-in text


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


# What cannot be read


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


def test_newlines_are_made_lf_or_kept(book: Path) -> None:
    with pytest.raises(TextError, match="`newlines` is 'crlf'; expected lf"):
        read_text(book, newlines="crlf")


def test_a_file_is_closed_when_another_cannot_be_read(
    tmp_path: Path, book: Path, recwarn: pytest.WarningsRecorder
) -> None:
    with pytest.raises(TextError):
        read_text(book, tmp_path / "gone.txt")
    assert not recwarn.list


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
