"""The cache of numbered texts: a large text that was numbered before is taken from the user's cache folder.

What is kept is found by the SHA-256 of the files and how they were read, so it does not matter what they are
called or where they lie: KEY.ids holds the numbers as they are, to be memory-mapped, and KEY.json what they
mean and their SHA-256. Of all that is kept, what was used last stays. A file appears by a rename when it is
whole and on the disk; what a killed process leaves is locked by nobody and removed by the next one. Small
texts are numbered each time, and so is every text where the cache cannot be written or is damaged.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from hornbook import cache
from hornbook.errors import HornbookError, StorageError
from hornbook.locks import locked
from hornbook.numbering import Files, Ids, Kind, Numbering, smallest_type, stored
from hornbook.storage import write_json
from hornbook.text_files import Manner, being_read
from hornbook.untrusted import read_json
from hornbook.vocabulary import Vocabulary

LEAST = 8_000_000  # bytes of a text that is kept; a smaller one is numbered in a tenth of a second
MOST = 10_000_000_000  # bytes of all that is kept
SPARE = 1_000_000_000  # bytes of the disk that stay free
FRESH = 60.0  # seconds in which a file without its record may still get one
FORM = 1  # of what is kept
TEXTS = "texts"


@dataclass(frozen=True)
class Numbered:
    """Files as numbers: `ids` (N,), their vocabulary, and of each file the characters that it gave, and the
    SHA-256 of its bytes."""

    ids: Ids  # (N,)
    vocabulary: Vocabulary
    characters: list[int]
    digests: list[str]


def numbered(files: Files, manner: Manner) -> Numbered:
    """The numbers of files, from the cache, or else made, and kept there if they are many. Raises TextError
    as `Numbering` does, StorageError where there is no room for them anywhere."""
    if sum(os.fstat(file.fileno()).st_size for _, file in files) < LEAST:
        return in_passing(Numbering.of(files, manner))
    digests = [content(file, label) for label, file in files]
    entry = Entry.of(digests, manner)
    found = entry.read(digests)
    return found or entry.made(Numbering.of(files, manner), digests)


def content(file: IO[bytes], label: str) -> str:
    """The SHA-256 of a file's bytes. Raises TextError where it cannot be read."""
    with being_read(label):
        return cache.content(file, label if label.startswith("/") else None)


def in_the_way(size: int) -> Path | None:
    """What stands in the place of the cache's folder, or of one above it, and is no folder itself, so that a
    text of so many bytes is not kept; None where nothing does, or it is too small to be kept."""
    folder = cache.cache_folder(os.environ) / TEXTS
    places = [*reversed(folder.parents), folder] if size >= LEAST else []
    return next((path for path in places if os.path.lexists(path) and not path.is_dir()), None)


def in_passing(numbering: Numbering) -> Numbered:
    """The numbers of files in a file that is gone with the process."""
    ids = stored(numbering.blocks(), numbering.kind, len(numbering))
    return Numbered(ids, numbering.vocabulary, numbering.characters, numbering.digests)


@dataclass(frozen=True)
class Entry:
    """What the cache has, or will have, of a text."""

    folder: Path
    key: str

    @classmethod
    def of(cls, digests: list[str], manner: Manner) -> Entry:
        """The place for files with these SHA-256, read in some manner."""
        chars = manner.tokens == "chars"
        how = [codecs.lookup(manner.encoding).name, manner.newlines] if chars else []
        python = list(sys.version_info[:2])  # whose decoders they are
        about = {"form": FORM, "files": digests, "read": [manner.tokens, *how], "python": python}
        return cls(cache.cache_folder(os.environ) / TEXTS, cache.key(about))

    @property
    def ids(self) -> Path:
        """The file of the numbers."""
        return self.folder / f"{self.key}.ids"

    @property
    def record(self) -> Path:
        """The file about them."""
        return self.folder / f"{self.key}.json"

    def read(self, digests: list[str]) -> Numbered | None:
        """What is kept; None where that is nothing, or damaged."""
        try:
            cache.own(self.record).close()
            record = read_json(self.record)
            if record.pop("sha256") != cache.key({**record, "key": self.key}):
                return None
            vocabulary = Vocabulary(record["symbols"], record["tokens"])
            kind = np.dtype(smallest_type(len(vocabulary)))
            ids = self.mapped(kind, sum(record["characters"]), record["ids"])
        except (OSError, HornbookError, AttributeError, KeyError, TypeError, ValueError):
            return None
        with suppress(OSError):  # of a folder that cannot be written
            os.utime(self.record)  # it was used last
        return Numbered(ids, vocabulary, record["characters"], digests)

    def mapped(self, kind: Kind, total: int, sha256: str) -> Ids:
        """The numbers, memory-mapped. Raises OSError or ValueError where they are not those."""
        with cache.own(self.ids) as file:
            if os.fstat(file.fileno()).st_size != total * kind.itemsize:
                raise ValueError("a file of another size")
            if cache.content(file, str(self.ids)) != sha256:
                raise ValueError("a file of other numbers")
            return np.memmap(file, dtype=kind, mode="r", shape=(total,))

    def made(self, numbering: Numbering, digests: list[str]) -> Numbered:
        """The numbers, kept in the cache where that can be."""
        try:
            self.make_room(len(numbering) * numbering.kind.itemsize)
            ids = self.written(numbering, digests)
        except OSError:
            return in_passing(numbering)
        return Numbered(ids, numbering.vocabulary, numbering.characters, numbering.digests)

    def written(self, numbering: Numbering, digests: list[str]) -> Ids:
        """The numbers in their file, memory-mapped. They are kept only if the files have not changed since
        their SHA-256 were taken. Raises OSError."""
        digest = hashlib.sha256()
        for path in (self.ids, self.record):
            cache.clear(path)
        with beside(self.ids) as file:
            for block in numbering.blocks():
                file.write(block.data)
                digest.update(block.data)
            file.flush()
            if numbering.digests == digests:
                os.fsync(file.fileno())
                Path(file.name).replace(self.ids)
                self.tell(numbering, digest.hexdigest())
                cache.remember(str(self.ids), file, digest.hexdigest())
            else:
                Path(file.name).unlink()
            return np.memmap(file, dtype=numbering.kind, mode="r", shape=(len(numbering),))

    def tell(self, numbering: Numbering, sha256: str) -> None:
        """Tell what the numbers mean, so that they are found from here on."""
        vocabulary = numbering.vocabulary
        record: dict[str, Any] = {"symbols": vocabulary.symbols, "tokens": vocabulary.tokens}
        record |= {"characters": numbering.characters, "ids": sha256}
        with suppress(StorageError):
            write_json(self.record, {**record, "sha256": cache.key({**record, "key": self.key})})

    def make_room(self, size: int) -> None:
        """Remove what is in the way of so many bytes more: what killed processes have left, then what was
        not used for the longest time. Raises OSError where there is no room all the same."""
        if size > MOST:
            raise OSError("the text is larger than the cache")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        remove_left(self.folder)
        records = sorted(self.folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
        sizes = [size_of(path.with_suffix(".ids")) for path in records]
        for i, record in enumerate(records):
            if not sizes[i] or sum(sizes[i:]) + size > MOST:
                record.unlink(missing_ok=True)
                record.with_suffix(".ids").unlink(missing_ok=True)
        if shutil.disk_usage(self.folder).free < size + SPARE:
            raise OSError("the disk would be full")


@contextmanager
def beside(path: Path) -> Iterator[IO[bytes]]:
    """A file to be renamed to a path when it is whole, locked until then; gone at an error."""
    new = path.with_name(f".{path.stem}-{secrets.token_hex(4)}.new")
    with new.open("xb+") as file:
        locked(file.fileno())
        try:
            yield file
        except BaseException:
            new.unlink(missing_ok=True)
            raise


def remove_left(folder: Path) -> None:
    """Remove files that a killed process did not finish, and numbers whose record was never written."""
    left = [*folder.glob(".*.new"), *(ids for ids in folder.glob("*.ids") if not has_record(ids))]
    for path in left:
        with suppress(OSError), cache.own(path) as file:
            if time.time() - os.fstat(file.fileno()).st_mtime > FRESH and locked(file.fileno()):
                path.unlink()


def has_record(ids: Path) -> bool:
    """Whether it is told what numbers mean."""
    return ids.with_suffix(".json").exists()


def size_of(path: Path) -> int:
    """The bytes of a file; 0 where it is gone."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
