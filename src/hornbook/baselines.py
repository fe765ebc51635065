"""Baselines: what n-grams and compressors need for the same text, so that a model's number means something.

The n-grams are interpolated Kneser-Ney models with one discount an order (Chen and Goodman, "An empirical
study of smoothing techniques for language modeling", Computer Speech & Language 13, 1999, section 2.7):

    p_n(w | h) = (c(hw) - D_n) / c(h·) + D_n N(h·) / c(h·) p'_{n-1}(w | h')      h' = h less its first symbol
    p'_n       = the same, with c(g) = N(·g), the number of distinct symbols that come before g
    p'_0(w)    = 1 / (K + 1)                                                     D_n = n1 / (n1 + 2 n2)

c(h·) is the sum of c(hw) over w, N(h·) the number of distinct w that follow h, n1 and n2 the number of
n-grams whose count is 1 and 2; D_n is 1/2 where either is zero. The start of the training text counts as one
more symbol that comes before. An n-gram that was never seen has no first term; after a context that was never
seen (or reaches beyond the text's start) p_n = p'_{n-1}. K is the number of distinct symbols in the training
text, and all other symbols together are one more, the unknown: it has a probability in every context, by the
formula, and each unknown character is scored with it. Nothing here knows networks.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hornbook.errors import TextError
from hornbook.values import integer

ORDERS = 8
ZSTD_LEVEL, ZSTD_WINDOW = 19, 27  # 2^27 bytes, as `zstd --long`

Numbers = npt.NDArray[np.int64]
Places = npt.NDArray[np.signedinteger[Any]]
Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """One formula for all n-grams of one length: `own` is the first term of each n-gram that was seen,
    `backoff` the weight of the next lower order after each context that was seen."""

    own: Reals  # (n-grams,)
    backoff: Reals  # (contexts,)

    @classmethod
    def of(cls, counts: Numbers, contexts: Numbers, size: int) -> Table:
        """The terms of n-grams from their counts, all positive, and the numbers of their contexts, of
        which there are `size`; that of the text's end may be followed by nothing."""
        d = discount(counts)
        totals = np.bincount(contexts, weights=counts, minlength=size)
        kinds = np.bincount(contexts, minlength=size)
        backoff = np.where(kinds > 0, d * kinds / np.maximum(totals, 1), 1.0)
        return cls((counts - d) / totals[contexts], backoff)

    def read(self, grams: Numbers, contexts: Numbers, lower: Reals) -> Reals:  # (N,) each
        """The probability of each symbol from its n-gram, its context (-1: never seen) and p'_{n-1}."""
        own = np.where(grams >= 0, self.own[grams], 0.0)
        return own + np.where(contexts >= 0, self.backoff[contexts], 1.0) * lower


def discount(counts: Numbers) -> float:
    """D_n from the counts of all n-grams of one length: above 0 and below 1."""
    n1, n2 = np.count_nonzero(counts == 1), np.count_nonzero(counts == 2)
    return n1 / (n1 + 2 * n2) if n1 and n2 else 0.5


@dataclass(frozen=True)
class Order:
    """All n-grams of one length that were seen, numbered by the order of their keys. A key is the number
    of the context, itself an n-gram one shorter, times K, plus the symbol."""

    keys: Numbers  # (n-grams,) ascending
    highest: Table  # by counts: p_n
    lower: Table  # by the symbols that come before: p'_n

    def find(self, keys: Numbers, possible: npt.NDArray[np.bool_]) -> Numbers:  # (N,), (N,) -> (N,)
        """The numbers of n-grams from their keys; -1 for one that is not `possible` or was never seen."""
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(possible & (self.keys[places] == keys), places, -1)


@dataclass(frozen=True)
class KneserNey:
    """Interpolated Kneser-Ney models of orders 1, 2, …, made from one training text."""

    symbols: Numbers  # (K,) the distinct symbols of the training text, ascending
    orders: tuple[Order, ...]

    @classmethod
    def fit(cls, training: npt.ArrayLike, orders: int = ORDERS) -> KneserNey:
        """The models of orders 1 to `orders` of a text (N,). Raises TextError where it is shorter than
        the longest n-gram, SettingError for a number of orders that is not 1 to 100."""
        orders = integer("orders", orders, 1, 100)
        ids = sequence(training)
        if len(ids) < orders:
            raise TextError(f"n-grams of order {orders} need a text of {orders} characters; got {len(ids)}")
        found = distinct(ids)
        return cls(found.keys, tuple(count(found.grams, len(found.keys), orders)))

    def nats(self, text: npt.ArrayLike) -> Reals:  # (N,) -> (orders, N)
        """What each model needs for each character of a text, in nats: -ln p. The text is read on its
        own: its first character has no context."""
        w = self.number(sequence(text))
        contexts = np.zeros(len(w), dtype=np.int64)
        p = np.full(len(w), 1 / (len(self.symbols) + 1))
        rows = []
        for order in self.orders:
            grams = order.find(contexts * len(self.symbols) + w, w >= 0)  # no key is below 0
            rows.append(-np.log(order.highest.read(grams, contexts, p)))
            p = order.lower.read(grams, contexts, p)
            contexts = np.append(-1, grams[:-1])[: len(w)]  # the n-gram that ends before each character
        return np.array(rows)

    def number(self, ids: Numbers) -> Numbers:  # (N,) -> (N,)
        """The places of symbols among those of the training text; -1 for one that it lacks."""
        places = np.minimum(np.searchsorted(self.symbols, ids), len(self.symbols) - 1)
        return np.where(self.symbols[places] == ids, places, -1)


class Distinct(NamedTuple):
    """The distinct keys of a row of keys (N,), as `np.unique` has them."""

    keys: Numbers  # (U,) ascending
    first: Numbers  # (U,) where each stands first
    grams: Places  # (N,) the number of each place's key
    counts: Numbers  # (U,)


def distinct(keys: Numbers) -> Distinct:
    """The distinct keys of a row, in less than half the memory of `np.unique`."""
    places = np.argsort(keys, kind="stable")
    ordered = keys[places]
    new = np.ones(len(keys), dtype=bool)
    new[1:] = ordered[1:] != ordered[:-1]
    starts = np.flatnonzero(new)
    unique = ordered[starts]
    del ordered
    grams: Places = np.empty(len(keys), dtype=np.int32 if len(keys) < 1 << 31 else np.int64)
    grams[places] = np.cumsum(new, dtype=grams.dtype) - 1
    return Distinct(unique, places[starts], grams, np.diff(np.append(starts, len(keys))))


def count(ids: Places, symbols: int, orders: int) -> Iterator[Order]:
    """The n-grams of a text (N,) of each order from 1 up; `ids` run from 0 and use every symbol."""
    size, seen = 1, distinct(ids.astype(np.int64))  # the only context of order 1 is the empty one
    for n in range(1, orders + 1):
        longer = distinct(seen.grams[:-1].astype(np.int64) * symbols + ids[n:])  # (N - n,)
        before = np.bincount(seen.grams[longer.first + 1], minlength=len(seen.keys))  # N(·g)
        before[seen.grams[0]] += 1  # the start of the text
        contexts = seen.keys // symbols
        yield Order(seen.keys, Table.of(seen.counts, contexts, size), Table.of(before, contexts, size))
        size, seen = len(seen.keys), longer


def sequence(ids: npt.ArrayLike) -> Numbers:
    """A text as a row of numbers; raises TextError for anything else and where it is empty."""
    row = np.asarray(ids)
    if row.ndim != 1 or not len(row) or row.dtype.kind not in "iu":
        raise TextError(f"expected a text as a row of whole numbers; got {row.dtype} of shape {row.shape}")
    return row.astype(np.int64)


def ngram_nats(training: npt.ArrayLike, text: npt.ArrayLike, orders: int = ORDERS) -> Reals:  # -> (orders,)
    """Nats per character of a text (N,) under the n-gram models of orders 1, 2, … of a training text."""
    return np.asarray(KneserNey.fit(training, orders).nats(text).mean(axis=1))


@dataclass(frozen=True)
class Compressed:
    """What a compressor needs for a text, in bits per character: `alone`, and `after_training`, the bytes
    by which the training text's file grows when the text is appended: C(training + text) - C(training).
    The second is the one to set beside a model, which has read the training text too."""

    compressor: str
    alone: float
    after_training: float


def zstd(data: bytes) -> bytes:
    """Zstandard at level 19 with a window of 128 MB. Raises ImportError where Python is older than 3.14
    and the package `zstandard` is missing."""
    if sys.version_info >= (3, 14):
        from compression import zstd as z

        p = z.CompressionParameter
        options: dict[int, int] = {p.compression_level: ZSTD_LEVEL, p.window_log: ZSTD_WINDOW}
        options[p.enable_long_distance_matching] = 1
        return z.compress(data, options=options)
    import zstandard

    parameters = zstandard.ZstdCompressionParameters.from_level(
        ZSTD_LEVEL, window_log=ZSTD_WINDOW, enable_ldm=True
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(data)


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": partial(gzip.compress, compresslevel=9, mtime=0),  # a window of 32 kB
    "bzip2": partial(bz2.compress, compresslevel=9),  # blocks of 900 kB, each on its own
    "xz": partial(lzma.compress, preset=9 | lzma.PRESET_EXTREME),
    "zstd": zstd,
}


def compressed(training: str, text: str, encoding: str = "utf-8") -> tuple[Compressed, ...]:
    """What each compressor needs for a text in an encoding, its few bytes of header included; zstd is left
    out where it is not installed. Raises TextError where the text is empty."""
    if not text:
        raise TextError("there is nothing to compress: the text is empty")
    before, data = (part.encode(encoding, "surrogatepass") for part in (training, text))
    parts = (data, before, before + data)
    found = []
    with ThreadPoolExecutor(2) as pool:  # the compressors let go of Python's lock
        waiting = [(name, [pool.submit(f, part) for part in parts]) for name, f in COMPRESSORS.items()]
        for name, files in waiting:
            with suppress(ImportError):
                alone, short, long = (len(file.result()) for file in files)
                found.append(Compressed(name, 8 * alone / len(text), 8 * (long - short) / len(text)))
    return tuple(found)
