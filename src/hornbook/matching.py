"""Matching: where the substrings of one text stand in another, for any length at once.

The training text is numbered by prefix doubling (Karp, Miller and Rosenberg, "Rapid identification of
repeated patterns in strings, trees and arrays", STOC 1972; Manber and Myers, "Suffix arrays: a new method for
on-line string searches", SIAM J. Comput. 22, 1993): on level k the blocks of 2^k symbols that start at each
position are sorted, and each bears the rank of its kind. A block of level k + 1 is a pair of blocks of level
k, so a level is one sort of pairs; on the last level all ranks differ, which is the suffix array. The blocks
of another text are then looked up level by level.

Ranks are odd in the training text; a block that it lacks gets the even number between its neighbours, so that
one comparison orders all blocks. 1 stands beyond the end of the training text, 0 beyond that of the other.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hornbook.errors import SettingError, TextError
from hornbook.values import integer, make_plain

BEYOND, BEYOND_OTHER = 1, 0

Whole = npt.NDArray[np.integer[Any]]
Numbers = npt.NDArray[np.int64]
History = Sequence[int] | Whole


class Level(NamedTuple):
    """The blocks of one length: the sorted keys of their kinds, and the rank of the block at each position
    of the training text. A key is a symbol, or the rank of the first half times `base` plus that of the
    second."""

    keys: Numbers  # (kinds,) ascending
    ranks: npt.NDArray[np.int32]  # (N + 1,), BEYOND at the end
    base: int

    @classmethod
    def of(cls, keys: Numbers, base: int) -> Level:  # (N,)
        """The level whose blocks have these keys."""
        kinds, numbers = np.unique(keys, return_inverse=True)
        return cls(kinds, np.append(2 * numbers + 3, BEYOND).astype(np.int32), base)

    def look_up(self, keys: Numbers) -> Numbers:  # (M,) -> (M + 1,)
        """The ranks of another text's blocks: odd where the training text has the block."""
        places = np.searchsorted(self.keys, keys)
        here = self.keys[np.minimum(places, len(self.keys) - 1)] == keys
        return np.append(2 * places + 2 + here, BEYOND_OTHER)


def pairs(ranks: Whole, half: int, beyond: int, base: int) -> Numbers:  # (N + 1,) -> (N,)
    """The keys of blocks twice as long, from the ranks of blocks of length `half`."""
    second = np.full(len(ranks) - 1, beyond, dtype=np.int64)
    second[: max(len(second) - half, 0)] = ranks[half:-1]
    return ranks[:-1].astype(np.int64) * base + second


@dataclass(frozen=True)
class MatchIndex:
    """A training text made ready for questions, in at most 12 bytes of memory a symbol and level; a book has
    some 8 levels, one character over and over has log2 N."""

    levels: tuple[Level, ...]
    order: npt.NDArray[np.int64]  # (N,) the suffix array: the positions, sorted by what follows

    @classmethod
    def of(cls, training: npt.ArrayLike) -> MatchIndex:  # (N,)
        """The index of a text as numbers from 0. Raises TextError where it is empty."""
        ids = np.asarray(training)
        if ids.ndim != 1 or not len(ids):
            raise TextError(f"expected a training text as a row of numbers; got shape {ids.shape}")
        levels = [Level.of(ids.astype(np.int64), 0)]
        while len(levels[-1].keys) < len(ids):
            base = 2 * len(levels[-1].keys) + 3  # above every rank
            half = 1 << (len(levels) - 1)
            levels.append(Level.of(pairs(levels[-1].ranks, half, BEYOND, base), base))
        return cls(tuple(levels), np.argsort(levels[-1].ranks[:-1]))

    def longest_matches(self, text: npt.ArrayLike) -> tuple[Numbers, Numbers]:  # (M,) -> (M,), (M,)
        """For each position of a text, how many of the symbols from there on stand together in the
        training text too, and one place where they do (any place where there are none)."""
        ranks = self.ranks(np.asarray(text).astype(np.int64))
        last, final = ranks[-1][:-1], len(self.order) - 1
        after = self.order[np.minimum(last // 2 - 1, final)]  # neighbours in the suffix array,
        before = self.order[np.maximum((last - 3) // 2, 0)]  # one and the same where the block is there
        first, second = self.common(ranks, after), self.common(ranks, before)
        whole = (1 << (len(self.levels) - 1)) + steps(last % 2 == 1, after)
        lengths = np.where(last % 2 == 1, whole, np.maximum(first, second))
        return lengths, np.where(first >= second, after, before)

    def ranks(self, ids: Numbers) -> list[Numbers]:  # (M,) -> levels × (M + 1,)
        """The ranks of a text's blocks on each level."""
        found = [self.levels[0].look_up(ids)]
        for k, level in enumerate(self.levels[1:]):
            found.append(level.look_up(pairs(found[-1], 1 << k, BEYOND_OTHER, level.base)))
        return found

    def common(self, ranks: list[Numbers], places: Numbers) -> Numbers:  # (M,) -> (M,)
        """How many symbols each position of a text has in common with a place of the training text, if
        they are fewer than a block of the last level has."""
        length = np.zeros(len(places), dtype=np.int64)
        here = np.arange(len(places))
        for k in reversed(range(len(self.levels) - 1)):
            same = ranks[k][here + length] == self.levels[k].ranks[places + length]
            length += same.astype(np.int64) << k
        return length


def steps(found: npt.NDArray[np.bool_], places: Numbers) -> Numbers:  # (M,), (M,) -> (M,)
    """How far the place of each position goes on, one step with every position: 0 where the next has
    another place. A block of the last level stands in one place only, so a longer match is such steps."""
    goes_on = np.append(found[1:] & (places[1:] == places[:-1] + 1), False)
    ends = np.flatnonzero(~goes_on)
    here = np.arange(len(places))
    return ends[np.searchsorted(ends, here)] - here


@dataclass(frozen=True)
class CopyGuard:
    """Holds a writer back from copying: no `limit` + 1 symbols in a row may stand in the training text.

    The training text (N,) is indexed when the guard is made (about a second for a million symbols). Raises
    TextError where it is empty, SettingError for a limit below 1.
    """

    training: npt.ArrayLike
    limit: int

    def __post_init__(self) -> None:
        make_plain(self)
        integer("`limit`", self.limit, 1, 10**9)
        assert self.order is not None

    @cached_property
    def ids(self) -> Numbers:  # (N,)
        """The training text as numbers."""
        return np.asarray(self.training, dtype=np.int64)

    @cached_property
    def order(self) -> memoryview:
        """The suffix array of the training text."""
        return MatchIndex.of(self.training).order.data

    @cached_property
    def text(self) -> str:
        """The training text as a string, a code point a symbol: slices of it compare fast."""
        return characters(self.ids)

    def allowed(self, history: History, candidate: int) -> bool:
        """Whether `candidate` may follow what was written so far."""
        if len(history) < self.limit:
            return True
        window = characters(history[len(history) - self.limit :]) + chr(candidate)
        place = self.place(window)
        return self.text[place : place + len(window)] != window

    def place(self, window: str) -> int:
        """A place in the training text where the window stands, if there is one."""
        k = bisect_left(self.order, window, key=lambda i: self.text[i : i + len(window)])
        return self.order[min(k, len(self.order) - 1)]

    def forbidden(self, history: History) -> Numbers:
        """All symbols that may not follow what was written so far, ascending: those that follow its last
        `limit` symbols somewhere in the training text, so the shorter the limit, the slower. None is
        forbidden before there are as many."""
        if len(history) < self.limit:
            return np.zeros(0, dtype=np.int64)
        window = characters(history[len(history) - self.limit :])

        def block(i: int) -> str:
            return self.text[i : i + self.limit]

        low, high = (bisect(self.order, window, key=block) for bisect in (bisect_left, bisect_right))
        after = np.asarray(self.order[low:high]) + self.limit
        return np.unique(self.ids[after[after < len(self.order)]])


def check_guard(guard: object) -> None:
    """Raise SettingError for what is no guard."""
    if guard is not None and not isinstance(guard, CopyGuard):
        raise SettingError(f"guard is {guard!r}; expected what the method copy_guard of a model gives")


def characters(ids: History) -> str:
    """Symbols as a string of the code points with their numbers."""
    if not isinstance(ids, np.ndarray):
        return "".join(map(chr, ids))
    return ids.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
