"""Originality: which part of a text is copied from the training text, and which is new.

Everything about substrings follows from one thing: the longest match at each position of the text, that is
how many characters from there on stand somewhere in the training text too. The words are counted apart.

A word is a run of letters and digits, with apostrophes inside it, its capitals kept. Where a script sets no
spaces (Chinese, Japanese, Thai) such a run is a clause rather than a word; `has_spaces` tells. Nothing here
knows networks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hornbook.errors import TextError
from hornbook.matching import MatchIndex, Numbers

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
LONGEST = 50  # characters, to which the novelty curve goes
SPACED = 0.04  # the least share of white space in a script that sets words apart

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Copy:
    """The longest span of a text that stands in the training text too: its `length` in characters, where
    it begins in both (the first such place in the training text), and the span itself. A span never
    crosses from one piece of the text into the next; `piece` counts them from 0."""

    length: int
    piece: int
    offset: int  # in the piece
    training_offset: int
    quote: str


@dataclass(frozen=True)
class Originality:
    """How much of a text is new. Shares are from 0 to 1, and not a number where there is nothing to count.

    `words_in_training` and `words_in_held_out` are the shares of all its words that stand in these texts.
    `distinct` is the number of different runs of 1, 2 and 3 words over the number of all, and
    `distinct_characters` that of runs of 4 characters (distinct-n: Li et al., "A diversity-promoting
    objective function for neural conversation models", NAACL 2016); they fall with length, so compare texts
    of equal length. `novelty[n - 1]` is the share of its substrings of n characters, each counted as often
    as it stands there, that the training text lacks (McCoy et al., "How much do language models copy from
    their training data?", TACL 2023).
    """

    characters: int
    words: int
    words_in_training: float
    words_in_held_out: float
    distinct: tuple[float, float, float]
    distinct_characters: float
    novelty: Reals  # (LONGEST,)
    longest: Copy


@dataclass(frozen=True)
class Corpus:
    """What texts are compared with: the training text and, if there is one, a held-out text. It is
    indexed at the first question. Raises TextError where the training text is empty."""

    training: str
    held_out: str = ""

    def __post_init__(self) -> None:
        if not self.training:
            raise TextError("there is nothing to compare with: the training text is empty")

    @cached_property
    def index(self) -> MatchIndex:
        """The index of the training text, over code points."""
        return MatchIndex.of(code_points(self.training))

    @cached_property
    def vocabularies(self) -> tuple[frozenset[str], frozenset[str]]:
        """The distinct words of the training text and of the held-out text."""
        return frozenset(words(self.training)), frozenset(words(self.held_out))

    def originality(self, pieces: Sequence[str]) -> Originality:
        """The measures of a text that was written in pieces (samples). A run of words or characters never
        crosses from one piece into the next. Raises TextError where all of it is empty."""
        if isinstance(pieces, str) or not any(pieces):
            raise TextError("expected a list of pieces of text, not all of them empty")
        found = [words(piece) for piece in pieces]
        every = [word for piece in found for word in piece]
        matches = [self.index.longest_matches(code_points(piece)) for piece in pieces]
        return Originality(
            characters=sum(map(len, pieces)),
            words=len(every),
            words_in_training=share(word in self.vocabularies[0] for word in every),
            words_in_held_out=share(word in self.vocabularies[1] for word in every),
            distinct=(distinct(found, 1), distinct(found, 2), distinct(found, 3)),
            distinct_characters=distinct(pieces, 4),
            novelty=novelty([lengths for lengths, _ in matches]),
            longest=self.longest([lengths for lengths, _ in matches], pieces),
        )

    def longest(self, matches: Sequence[Numbers], pieces: Sequence[str]) -> Copy:
        """The longest span that is copied, of equals the first, from the longest matches in each piece."""
        peaks = [int(lengths.max(initial=-1)) for lengths in matches]
        piece = int(np.argmax(peaks))
        offset, length = int(np.argmax(matches[piece])), peaks[piece]
        quote = pieces[piece][offset : offset + length]
        return Copy(length, piece, offset, self.training.find(quote), quote)


def novelty(matches: Sequence[Numbers], longest: int = LONGEST) -> Reals:  # [(N,), …] -> (longest,)
    """The share of the substrings of length 1, 2, … that have no match, from the longest matches at the
    positions of each piece. Of N characters N - n + 1 substrings have length n."""
    lengths = np.concatenate([*matches, np.zeros(0, np.int64)])
    rest = np.concatenate([np.arange(len(m), 0, -1) for m in matches])
    copied, all_of_them = at_least(lengths, longest), at_least(rest, longest)
    with np.errstate(invalid="ignore"):
        return np.asarray(1 - copied / all_of_them)


def at_least(lengths: Numbers, longest: int) -> Numbers:  # (N,) -> (longest,)
    """How many of the lengths are at least 1, 2, … `longest`."""
    counts = np.bincount(np.minimum(lengths, longest), minlength=longest + 1)
    return np.asarray(counts[::-1].cumsum()[::-1][1:])


def words(text: str) -> list[str]:
    """The words of a text in order."""
    return WORD.findall(text)


def has_spaces(text: str) -> bool:
    """Whether a text sets its words apart, so that `words` are words: one character in 25 is a space."""
    return sum(map(str.isspace, text)) >= SPACED * len(text)


def share(hits: Iterable[bool]) -> float:
    """The share of what is true; not a number where there is nothing."""
    found = list(hits)
    return sum(found) / len(found) if found else float("nan")


def distinct(pieces: Sequence[Sequence[str]], n: int) -> float:
    """The number of different runs of n over the number of all such runs; not a number without any."""
    runs = [run for piece in pieces for run in zip(*(piece[k:] for k in range(n)), strict=False)]
    return len(set(runs)) / len(runs) if runs else float("nan")


def code_points(text: str) -> Numbers:
    """The code points of a text."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.int64)
