"""Text: read, check and encode. Files become one sequence of symbol numbers, memory-mapped.

A text is read twice in blocks, once to find its characters and once to number them, so memory does
not grow with it. Nothing here knows networks.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from hornbook.errors import StorageError, TextError

BUILT_IN = "python-reference"
CODE_POINTS = 0x110000
BLOCK_BYTES = 1 << 22
BYTE_ORDER_MARK = "\ufeff"

Ids = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class Vocabulary:
    """The symbols of a text in order; the number of a symbol is its place. Raises TextError where a
    symbol is not one character or stands twice."""

    symbols: str

    def __post_init__(self) -> None:
        if not self.symbols or len(set(self.symbols)) != len(self.symbols):
            raise TextError("a vocabulary needs at least one symbol, and each of them only once")
        if any("\ud800" <= symbol <= "\udfff" for symbol in self.symbols):
            raise TextError("the text holds half a character (a lone surrogate); write it as valid Unicode")

    def __len__(self) -> int:
        return len(self.symbols)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The number of each symbol."""
        return {symbol: i for i, symbol in enumerate(self.symbols)}

    def encode(self, text: str) -> npt.NDArray[np.int64]:  # (len(text),)
        """The numbers of the characters of `text`; raises TextError at one that is unknown."""
        for i, character in enumerate(text):
            if character not in self.numbers:
                raise TextError(f"the character {character!r} at position {i} is not in the vocabulary")
        return np.array([self.numbers[character] for character in text], dtype=np.int64)

    def find(self, text: str) -> npt.NDArray[np.int64]:  # (len(text),)
        """The numbers of the characters of `text`; -1 for one that is unknown."""
        codes, order = code_row(self.symbols), np.argsort(code_row(self.symbols))
        wanted = code_row(text)
        places = order[np.minimum(np.searchsorted(codes[order], wanted), len(codes) - 1)]
        return np.asarray(np.where(codes[places] == wanted, places, -1))

    def decode(self, ids: npt.ArrayLike) -> str:
        """The characters that bear the numbers `ids`."""
        return "".join(self.symbols[i] for i in np.asarray(ids).tolist())


@dataclass(frozen=True)
class Source:
    """Where a part of a text came from: `path` (absolute, or a name for what is no file), its size in
    bytes, the SHA-256 of these bytes, and the characters that it gave to the text."""

    path: str
    bytes: int
    sha256: str
    characters: int


@dataclass(frozen=True)
class Text:
    """A text as numbers: `ids` (N,) in the smallest unsigned type that fits, and their vocabulary."""

    name: str
    ids: Ids  # (N,)
    vocabulary: Vocabulary
    sources: tuple[Source, ...] = ()
    encoding: str = "utf-8"
    newlines: str = "lf"

    def __len__(self) -> int:
        """The number of characters, N."""
        return len(self.ids)

    def __getitem__(self, part: slice) -> str:
        """The characters of a slice."""
        return self.vocabulary.decode(self.ids[part])

    @classmethod
    def from_string(cls, characters: str, name: str = "text") -> Text:
        """A text from a string, taken as it is. Raises TextError where it is empty."""
        codes = np.array([ord(c) for c in characters], dtype=np.uint32)
        if not len(codes):
            raise TextError(f"{name} is empty; a text needs at least two characters")
        distinct = np.unique(codes)
        ids = np.searchsorted(distinct, codes).astype(smallest_type(len(distinct)))
        return cls(name, ids, Vocabulary("".join(map(chr, distinct.tolist()))))


def code_row(text: str) -> npt.NDArray[np.uint32]:  # (len(text),)
    """The code points of a string."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def oddities(text: Text) -> list[str]:
    """What is strange about a text, though it can be trained on: a sentence each."""
    found = []
    if len(text.vocabulary) == 1:
        found.append(f"{text.name} has one distinct character, so there is nothing to learn")
    if "\0" in text.vocabulary.numbers:
        found.append(f"{text.name} holds NUL characters; it may not be a text")
    return found


def smallest_type(symbols: int) -> type[np.unsignedinteger[Any]]:
    """The smallest unsigned integer type that holds `symbols` numbers."""
    if symbols <= 1 << 8:
        return np.uint8
    return np.uint16 if symbols <= 1 << 16 else np.uint32


def read_text(
    *paths: str | Path, encoding: str = "utf-8", newlines: str = "lf", name: str | None = None
) -> Text:
    """Read files, joined in the order given, as one text; without a path, the built-in text.

    A byte-order mark is dropped; CRLF becomes LF unless `newlines` is `keep`; `-` is standard input.
    The vocabulary is the distinct characters in code-point order. Raises TextError for a file that is
    missing, no file, or not in its encoding (with the offset of the byte), and for an empty text.
    """
    check_reading(encoding, newlines)
    names = [str(p) for p in paths] or [BUILT_IN]
    with opened(names) as files:
        seen = np.zeros(CODE_POINTS, dtype=bool)
        sources = []
        for label, file in files:
            digest, characters = hashlib.sha256(), 0
            for codes in code_points(file, label, encoding, newlines, digest):
                seen[codes] = True
                characters += len(codes)
            sources.append(Source(label, file.tell(), digest.hexdigest(), characters))
        total = sum(source.characters for source in sources)
        symbols = np.flatnonzero(seen)
        if not total:
            listed = ", ".join("standard input" if name == "-" else name for name in names)
            raise TextError(f"{listed}: the text is empty; a text needs at least two characters")
        ids = encode_files(files, symbols, total, encoding, newlines)
    vocabulary = Vocabulary("".join(map(chr, symbols.tolist())))
    return Text(name or text_name(names), ids, vocabulary, tuple(sources), encoding, newlines)


def check_reading(encoding: str, newlines: str) -> None:
    """Raise TextError unless the encoding is known and `newlines` is `lf` or `keep`."""
    try:
        known = codecs.lookup(encoding)._is_text_encoding
    except (LookupError, ValueError):
        known = False
    if not known:
        raise TextError(f"unknown encoding {encoding!r}; expected a name such as utf-8 or latin-1")
    if newlines not in ("lf", "keep"):
        raise TextError(f"newlines is {newlines!r}; expected lf (CRLF becomes LF) or keep")


def text_name(names: Sequence[str]) -> str:
    """What a text is called: its first file's stem, and how many files follow."""
    first = "stdin" if names[0] == "-" else writable(Path(names[0]).stem) or "text"
    return first if len(names) == 1 else f"{first}+{len(names) - 1}"


@contextmanager
def opened(names: Sequence[str]) -> Iterator[list[tuple[str, IO[bytes]]]]:
    """The named files, open for reading from the start: (label, file) each."""
    files: list[tuple[str, IO[bytes]]] = []
    try:
        for name in names:
            files.append(open_one(name))
        yield files
    finally:
        for _, file in files:
            file.close()


def open_one(name: str) -> tuple[str, IO[bytes]]:
    """A named file, standard input (`-`, spooled to a temporary file) or the built-in text."""
    if name == "-":
        return "-", spooled(sys.stdin.buffer)
    if "\0" in name:
        raise TextError(f"{name!r} is not a file name; name a text file that can be read")
    path = Path(name)
    if name == BUILT_IN and not path.exists():
        return BUILT_IN, spooled(io.BytesIO(built_in_text().encode()))
    try:
        if path.is_dir():
            raise TextError(f"{name} is a folder; name the text files in it instead")
        file = path.open("rb")
        if not file.seekable():  # a named pipe
            with file:
                return "-", spooled(file)
        return writable(str(path.resolve())), file
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise TextError(f"{name}: {reason}; name a text file that can be read") from error


def spooled(source: IO[bytes]) -> IO[bytes]:
    """All of a source, in a temporary file that can be read twice."""
    spool = cast(IO[bytes], tempfile.TemporaryFile(prefix="hornbook-"))
    for block in iter(lambda: source.read(BLOCK_BYTES), b""):
        spool.write(block)
    spool.seek(0)
    return spool


def writable(name: str) -> str:
    """A file's name as it can stand in a UTF-8 file; bytes that are not UTF-8 are shown by number."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def built_in_text() -> str:
    """The Python language reference that ships inside CPython: its topics sorted by name, joined by
    blank lines. Raises TextError where a distribution has stripped it."""
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise TextError(
            f"this Python ships without pydoc_data, so the built-in text {BUILT_IN} is missing; "
            "name a text file instead: hornbook train book.txt"
        ) from error
    return "\n\n".join(topics[name] for name in sorted(topics))


def code_points(
    file: IO[bytes], label: str, encoding: str, newlines: str, digest: Any = None
) -> Iterator[npt.NDArray[np.uint32]]:
    """The characters of a file from its start, a block at a time, as code points."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    offset, first, held = 0, True, ""
    while True:
        block = file.read(BLOCK_BYTES)
        if digest is not None:
            digest.update(block)
        pending = len(decoder.getstate()[0])
        try:
            text = held + decoder.decode(block, final=not block)
        except UnicodeError as error:
            at = offset - pending + getattr(error, "start", 0)
            what = "standard input" if label == "-" else label
            raise TextError(
                f"{what} is not {encoding}: the byte at offset {at:,} does not fit; "
                "name its encoding, for example --encoding latin-1"
            ) from error
        offset += len(block)
        if first and text:
            text, first = text.removeprefix(BYTE_ORDER_MARK), False
        held = ""
        if newlines == "lf":
            if text.endswith("\r") and block:
                text, held = text[:-1], "\r"  # its LF may open the next block
            text = text.replace("\r\n", "\n")
        if text:
            yield np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        if not block:
            return


def encode_files(
    files: Sequence[tuple[str, IO[bytes]]],
    symbols: npt.NDArray[np.int64],
    total: int,
    encoding: str,
    newlines: str,
) -> Ids:
    """The numbers of all characters of the files, in a memory-mapped file that has no name any more,
    so that nothing is left behind however the process ends."""
    kind = smallest_type(len(symbols))
    number = np.zeros(CODE_POINTS, dtype=kind)
    number[symbols] = np.arange(len(symbols))
    try:
        with tempfile.TemporaryFile(prefix="hornbook-") as store:
            for label, file in files:
                for codes in code_points(file, label, encoding, newlines):
                    store.write(number[codes].tobytes())
            store.flush()
            return np.memmap(store, dtype=kind, mode="r", shape=(total,))
    except OSError as error:
        folder = tempfile.gettempdir()
        raise StorageError(
            f"the encoded text does not fit into {folder}: {error.strerror}; free it"
        ) from error
