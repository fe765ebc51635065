"""Text: read, check and encode. Files become one sequence of symbol numbers, memory-mapped, so memory does
not grow with them. Nothing here knows networks.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hornbook.errors import TextError
from hornbook.numbering import smallest_type, stored
from hornbook.text_cache import in_the_way, numbered
from hornbook.text_files import BUILT_IN, Manner, opened, writable
from hornbook.values import place, words
from hornbook.vocabulary import Vocabulary

BLOCK = 1 << 20  # characters that are renumbered or put into a digest at a time

Ids = npt.NDArray[np.unsignedinteger[Any]]


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
    """A text as numbers: `ids` (N,) in the smallest unsigned type that fits, and their vocabulary. Where
    they are bytes, there is no encoding and no `newlines`."""

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
        """A text from a string, taken as it is. Raises TextError where it is none, or empty."""
        words("`name`", name)
        if not isinstance(characters, str):
            raise TextError(f"expected the characters as a string, got {type(characters).__name__}")
        codes = np.array([ord(c) for c in characters], dtype=np.uint32)
        if not len(codes):
            raise TextError(f"{name} is empty; a text needs at least two characters")
        distinct = np.unique(codes)
        ids = np.searchsorted(distinct, codes).astype(smallest_type(len(distinct)))
        return cls(name, ids, Vocabulary("".join(map(chr, distinct.tolist()))))


def check_text(text: object) -> None:
    """Raise TextError for what is no Text."""
    if not isinstance(text, Text):
        kind = type(text).__name__
        here = ", or make one: hornbook.Text.from_string(characters)" if isinstance(text, str) else ""
        raise TextError(f"expected a Text, got {kind}; open one: hornbook.read_text('book.txt'){here}")


def characters_of(text: object) -> str:
    """The characters of a Text, or of a string. Raises TextError for anything else."""
    if isinstance(text, Text):
        return text[:]
    if not isinstance(text, str):
        kind = type(text).__name__
        raise TextError(
            f"expected a string or a Text, got {kind}; open a file: hornbook.read_text('book.txt')"
        )
    return text


def oddities(text: Text) -> list[str]:
    """What is strange about a text, or hinders it, though it can be trained on: a sentence each."""
    found = []
    if all((text.ids[at : at + BLOCK] == text.ids[0]).all() for at in range(0, len(text), BLOCK)):
        found.append(f"{text.name} has one distinct {text.vocabulary.unit}, so there is nothing to learn")
    if text.vocabulary.tokens == "chars" and "\0" in text.vocabulary.numbers:
        found.append(
            f"{text.name} holds NUL characters; it may not be a text, and `tokens='bytes'` reads any file"
        )
    obstacle = in_the_way(sum(source.bytes for source in text.sources))
    if obstacle:
        found.append(
            f"{obstacle} is no folder, so what {text.name} is encoded to is not kept, and it is encoded anew "
            "each time; remove or rename that file"
        )
    return found


def digest(text: Text) -> str:
    """The SHA-256 of a text's characters in UTF-8, for one that came from no file."""
    sha256 = hashlib.sha256()
    for at in range(0, len(text), BLOCK):
        sha256.update(text[at : at + BLOCK].encode("utf-8"))
    return sha256.hexdigest()


def read_text(
    *paths: str | Path,
    encoding: str = "utf-8",
    newlines: str = "lf",
    name: str | None = None,
    tokens: str = "chars",
) -> Text:
    """Read files, joined in the order given, as one text; without a path, the built-in text.

    A byte-order mark is dropped; CRLF becomes LF unless `newlines` is `keep`; `-` is standard input.
    The vocabulary is the distinct characters in code-point order. With `tokens` `bytes` any file is read
    as it is, whatever its encoding, and the vocabulary is the 256 bytes. Raises TextError for a file that
    is missing, no file, or not in its encoding (with the offset of the byte), and for an empty text, and
    SettingError for what is no path or no name. A large text that was read before in the same manner is taken
    from the user's cache folder.
    """
    manner = Manner(encoding, newlines, tokens)
    for p in paths:
        place("the path of a text", p)
    if name is not None:
        words("`name`", name)
    names = [str(p) for p in paths] or [BUILT_IN]
    with opened(names) as files:
        found = numbered(files, manner)
        sizes = [os.fstat(file.fileno()).st_size for _, file in files]
    labels = [label for label, _ in files]
    sources = tuple(map(Source, labels, sizes, found.digests, found.characters))
    decoded = (encoding, newlines) if tokens == "chars" else ("", "")
    return Text(name or text_name(names), found.ids, found.vocabulary, sources, *decoded)


def text_name(names: Sequence[str]) -> str:
    """What a text is called: its first file's stem, and how many files follow."""
    first = "stdin" if names[0] == "-" else writable(Path(names[0]).stem) or "text"
    return first if len(names) == 1 else f"{first}+{len(names) - 1}"


def renumbered(text: Text, vocabulary: Vocabulary) -> Text:
    """The same text as a vocabulary numbers it that has all its symbols, and others. Raises TextError where
    it lacks one."""
    if vocabulary == text.vocabulary:
        return text
    number = vocabulary.encode(text.vocabulary.symbols).astype(smallest_type(len(vocabulary)))
    blocks = (number[text.ids[at : at + BLOCK]] for at in range(0, len(text), BLOCK))
    return replace(text, ids=stored(blocks, number.dtype, len(text)), vocabulary=vocabulary)
