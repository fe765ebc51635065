"""Numbering: the characters of files become numbers, a block at a time.

Files are read twice, once to find their characters and once to number them, so memory does not grow with
them.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from hornbook.errors import TextError
from hornbook.text_files import Manner, being_kept, codes
from hornbook.vocabulary import BYTES, Vocabulary, code_row

CODE_POINTS = 0x110000

Ids = npt.NDArray[np.unsignedinteger[Any]]
Kind = np.dtype[np.unsignedinteger[Any]]
Files = Sequence[tuple[str, IO[bytes]]]  # (label, file) each


def smallest_type(symbols: int) -> type[np.unsignedinteger[Any]]:
    """The smallest unsigned integer type that holds `symbols` numbers."""
    if symbols <= 1 << 8:
        return np.uint8
    return np.uint16 if symbols <= 1 << 16 else np.uint32


@dataclass
class Numbering:
    """Files that are being numbered: their vocabulary, and how many characters each of them gives; once they
    have been read to the end, the SHA-256 of each."""

    files: Files
    manner: Manner
    vocabulary: Vocabulary
    characters: list[int]
    digests: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, files: Files, manner: Manner) -> Numbering:
        """The first reading. Raises TextError where a byte does not fit, and for an empty text."""
        seen, characters = np.zeros(CODE_POINTS, dtype=bool), []
        for label, file in files:
            characters.append(0)
            for block in codes(file, label, manner):
                if not seen.take(block).all():  # much faster than to write them again
                    seen[block] = True
                characters[-1] += len(block)
        if not sum(characters):
            listed = ", ".join("standard input" if label == "-" else label for label, _ in files)
            raise TextError(f"{listed}: the text is empty; a text needs at least two characters")
        found = "".join(map(chr, np.flatnonzero(seen).tolist()))
        return cls(files, manner, BYTES if manner.tokens == "bytes" else Vocabulary(found), characters)

    def __len__(self) -> int:
        """The characters of all files."""
        return sum(self.characters)

    @property
    def kind(self) -> Kind:
        """The type of the numbers."""
        return np.dtype(smallest_type(len(self.vocabulary)))

    def blocks(self) -> Iterator[Ids]:
        """The second reading: the numbers, block by block; each is overwritten by the next one. Raises
        TextError where a file has become longer or shorter."""
        number = np.zeros(CODE_POINTS, dtype=self.kind)
        number[code_row(self.vocabulary.symbols)] = np.arange(len(self.vocabulary))
        room = np.empty(0, dtype=self.kind)  # fresh memory for each block would take most of the time
        self.digests = []
        for (label, file), characters in zip(self.files, self.characters, strict=True):
            digest, left = hashlib.sha256(), characters
            for block in codes(file, label, self.manner, digest):
                room = room if len(room) >= len(block) else np.empty(len(block), dtype=self.kind)
                yield number.take(block, out=room[: len(block)], mode="clip")
                left -= len(block)
            if left:
                raise TextError(f"{label} has changed while it was read; start again when nothing writes it")
            self.digests.append(digest.hexdigest())


def stored(blocks: Iterable[Ids], kind: Kind, total: int) -> Ids:
    """Numbers, block by block, as one memory-mapped row in a file that has no name any more, so that nothing
    is left behind however the process ends. Raises StorageError where there is no room for them."""
    with being_kept("the encoded text"), tempfile.TemporaryFile(prefix="hornbook-") as store:
        for block in blocks:
            store.write(block.data)
        store.flush()
        return np.memmap(store, dtype=kind, mode="r", shape=(total,))
