"""The files of a text: opened, and read in blocks as code points, or as the bytes they are."""

from __future__ import annotations

import codecs
import io
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from hornbook.errors import StorageError, TextError
from hornbook.values import nameable
from hornbook.vocabulary import check_tokens

BUILT_IN = "python-reference"
BLOCK_BYTES = 1 << 18  # so few that a block's characters stay in the processor's cache
MOST_PENDING = 1 << 20  # bytes whose character has no end yet: they are decoded again with each block
BYTE_ORDER_MARK = "\ufeff"
MARKS = (  # that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
LONGEST_MARK = 4  # bytes
NO_ENCODINGS = ("idna", "punycode", "undefined")  # of names, in the square of their length; of nothing

Codes = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class Manner:
    """How files are read: in an encoding, with CRLF as LF (`newlines` is `lf`) or as it is (`keep`), or as
    bytes, to which neither applies. Raises TextError for what is unknown."""

    encoding: str = "utf-8"
    newlines: str = "lf"
    tokens: str = "chars"

    def __post_init__(self) -> None:
        check_tokens(self.tokens)
        if self.tokens == "chars":
            self.check_characters()

    def check_characters(self) -> None:
        """Raise TextError unless the encoding is known and `newlines` is `lf` or `keep`."""
        try:
            found = codecs.lookup(self.encoding)
            known = found._is_text_encoding and found.name not in NO_ENCODINGS
        except (LookupError, ValueError, TypeError):
            known = False
        if not known:
            raise TextError(f"unknown encoding {self.encoding!r}; expected a name such as utf-8 or latin-1")
        if self.newlines not in ("lf", "keep"):
            raise TextError(f"`newlines` is {self.newlines!r}; expected lf (CRLF becomes LF) or keep")


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
        if sys.stdin is None:
            raise TextError("there is no standard input, since it was closed; name a text file instead")
        check_device(sys.stdin.buffer, "-")
        return "-", spooled(sys.stdin.buffer, "-")
    if not nameable(name):
        raise TextError(f"{name!r} is not a file name; name a text file that can be read")
    path = Path(name)
    if name == BUILT_IN and not path.exists():
        return BUILT_IN, spooled(io.BytesIO(built_in_text().encode()), BUILT_IN)
    with being_read(name):
        if path.is_dir():
            raise TextError(f"{name} is a folder; name the text files in it instead")
        file = path.open("rb")
        try:
            check_device(file, name)
        except TextError:
            file.close()
            raise
        if not file.seekable():  # a named pipe
            with file:
                return "-", spooled(file, name)
        return writable(str(path.resolve())), file


def check_device(file: IO[bytes], label: str) -> None:
    """Raise TextError for a device such as /dev/zero, of which nobody knows whether it has an end. A terminal
    has one, and /dev/null is empty, as is told of any file."""
    try:
        status = os.fstat(file.fileno())
    except io.UnsupportedOperation:  # of what is no file of the system's
        return
    device = stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)
    if device and not file.isatty() and status.st_rdev != os.stat(os.devnull).st_rdev:
        raise TextError(
            f"{named(label)} is a device, which may have no end; name a text file, or hand a part of it to "
            "standard input (head -c 1000000 DEVICE | hornbook train -)"
        )


@contextmanager
def being_read(label: str) -> Iterator[None]:
    """Turn what the system says of a text into a TextError that names it."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise TextError(f"{named(label)}: {reason}; name a text file that can be read") from error


def named(label: str) -> str:
    """What a file is called in a message."""
    return "standard input" if label == "-" else label


@contextmanager
def being_kept(what: str) -> Iterator[None]:
    """Turn what the system says of a temporary file into a StorageError that says what does not fit there."""
    try:
        yield
    except OSError as error:
        folder = tempfile.tempdir or "the folder for temporary files"  # not known where none can be written
        raise StorageError(
            f"{what} does not fit into {folder}: {error.strerror or error}; make room there, or name another "
            "folder in TMPDIR"
        ) from error


def spooled(source: IO[bytes], label: str) -> IO[bytes]:
    """All of a source, in a temporary file that can be read twice. Raises TextError where it cannot be read,
    StorageError where there is no room for it."""
    with being_kept(named(label)), ExitStack() as closing:
        spool = cast(IO[bytes], tempfile.TemporaryFile(prefix="hornbook-"))
        closing.callback(spool.close)
        for block in hashed(source, label, None):
            spool.write(block)
        spool.seek(0)  # writes what is left
        closing.pop_all()
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


def codes(file: IO[bytes], label: str, manner: Manner, digest: Any = None) -> Iterator[Codes]:
    """The symbols of a file from its start, a block at a time: bytes, or characters as code points."""
    file.seek(0)
    blocks = hashed(file, label, digest)
    return as_bytes(blocks) if manner.tokens == "bytes" else as_characters(blocks, label, manner)


def hashed(file: IO[bytes], label: str, digest: Any) -> Iterator[bytes]:
    """The blocks of a file, which are added to a digest on the way; an empty one ends it. Raises TextError
    where it cannot be read."""
    block = b"-"
    while block:
        with being_read(label):
            block = file.read(BLOCK_BYTES)
        if digest is not None:
            digest.update(block)
        yield block


def as_bytes(blocks: Iterator[bytes]) -> Iterator[Codes]:
    """Blocks as they are."""
    return (np.frombuffer(block, dtype=np.uint8) for block in blocks)


def likely(beginning: bytes, refused: str) -> str:
    """An encoding to try in place of one that was refused: that of the file's byte order mark, else one that
    any bytes fit."""
    name = next((name for mark, name in MARKS if beginning.startswith(mark)), "latin-1")
    return "latin-1" if codecs.lookup(refused).name.startswith(name) else name


def as_characters(blocks: Iterator[bytes], label: str, manner: Manner) -> Iterator[Codes]:
    """Blocks decoded; the last one is empty. Raises TextError where a byte does not fit."""
    decoder = codecs.getincrementaldecoder(manner.encoding)()
    offset, first, held, beginning = 0, True, "", b""
    for block in blocks:
        beginning = beginning or block[:LONGEST_MARK]
        pending = len(decoder.getstate()[0])
        try:
            if pending > MOST_PENDING:
                raise UnicodeError
            text = held + decoder.decode(block, final=not block)
        except UnicodeError as error:
            at = offset - pending + getattr(error, "start", 0)
            raise TextError(
                f"{named(label)} is not {manner.encoding}: the byte at offset {at:,} does not fit; name its "
                f"encoding, for example `encoding='{likely(beginning, manner.encoding)}'`, or train on it "
                "with `tokens='bytes'`"
            ) from error
        offset += len(block)
        if first and text:
            text, first = text.removeprefix(BYTE_ORDER_MARK), False
        held = ""
        if manner.newlines == "lf":
            if text.endswith("\r") and block:
                text, held = text[:-1], "\r"  # its LF may open the next block
            text = text.replace("\r\n", "\n") if "\r" in text else text  # to look first is much faster
        if text:
            yield np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
