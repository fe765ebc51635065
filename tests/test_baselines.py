"""Baselines: n-gram models against their formulas in fractions, compressors against direct calls."""

from __future__ import annotations

import bz2
import gzip
import lzma
import math
from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook import baselines
from hornbook.baselines import COMPRESSORS, KneserNey, compressed, discount, ngram_nats
from hornbook.errors import SettingError, TextError

UNKNOWN = 99
LETTERS = st.lists(st.integers(0, 3), min_size=5, max_size=60)


class Naive:
    """The formulas at the head of `baselines`, one n-gram at a time, in fractions."""

    def __init__(self, text: list[int], orders: int) -> None:
        self.symbols = set(text)
        self.counts: list[Counter[tuple[int, ...]]] = [Counter()]
        self.before: list[Counter[tuple[int, ...]]] = [Counter()]
        for n in range(1, orders + 1):
            grams = [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]
            neighbours = defaultdict(set)
            for i, gram in enumerate(grams):
                neighbours[gram].add(text[i - 1] if i else "start")
            self.counts.append(Counter(grams))
            self.before.append(Counter({gram: len(those) for gram, those in neighbours.items()}))

    def p(self, n: int, context: list[int], w: int, lower: bool = False) -> Fraction:
        """p_n(w | context), or p'_n where `lower`."""
        if n == 0:
            return Fraction(1, len(self.symbols) + 1)
        h = tuple(context[len(context) - n + 1 :]) if n > 1 else ()
        counts = (self.before if lower else self.counts)[n]
        after = [c for gram, c in counts.items() if gram[:-1] == h]
        rest = self.p(n - 1, context, w, lower=True)
        if len(context) < n - 1 or not after:
            return rest
        n1, n2 = (sum(c == k for c in counts.values()) for k in (1, 2))
        d = Fraction(n1, n1 + 2 * n2) if n1 and n2 else Fraction(1, 2)
        own = max(counts[(*h, w)] - d, Fraction(0)) if (*h, w) in counts else Fraction(0)
        return own / sum(after) + d * len(after) / sum(after) * rest


def distribution(model: KneserNey, context: list[int]) -> np.ndarray:  # -> (orders, K + 1)
    """The probability of every symbol and of the unknown after a context, under every order."""
    symbols = [*model.symbols.tolist(), UNKNOWN]
    return np.stack([np.exp(-model.nats([*context, w])[:, -1]) for w in symbols], axis=1)


def test_a_bigram_model_worked_by_hand() -> None:
    # Of a b a b c: ab twice, ba and bc once: D_2 = 2 / (2 + 2) = 1/2. Before a stand the start and b, before
    # b stands a, before c stands b: counts 2, 1, 1, so D'_1 = 2 / (2 + 2) = 1/2 and p'_0 = 1 / (3 + 1).
    # p'_1(a) = 1.5/4 + (0.5·3/4)/4 = 15/32     p'_1(c) = 0.5/4 + (0.5·3/4)/4 = 7/32    p'_1(?) = 3/32
    # p_2(a | b) = 0.5/2 + (0.5·2/2) 15/32 = 31/64          p_2(? | b) = (0.5·2/2) 3/32 = 3/64
    model = KneserNey.fit([0, 1, 0, 1, 2], 2)
    assert distribution(model, [1])[1] == pytest.approx([31 / 64, 7 / 64, 23 / 64, 3 / 64], rel=1e-14)
    # Order 1 by itself is by counts, 2 2 1; with one n1 and two n2, D_1 = 1 / (1 + 4) = 1/5.
    # p_1(a) = 1.8/5 + (0.2·3/5)/4 = 0.39
    assert distribution(model, [1])[0] == pytest.approx([0.39, 0.39, 0.19, 0.03], rel=1e-14)


@given(LETTERS, st.lists(st.sampled_from([0, 1, 2, 3, UNKNOWN]), min_size=1, max_size=12))
def test_every_order_is_the_formula_taken_one_character_at_a_time(text: list[int], scored: list[int]) -> None:
    nats, naive = KneserNey.fit(text, 5).nats(scored), Naive(text, 5)
    assert nats.shape == (5, len(scored))
    for n, i in np.ndindex(5, len(scored)):
        expected = naive.p(n + 1, scored[:i], scored[i])
        assert nats[n, i] == pytest.approx(-math.log(expected), rel=1e-12, abs=1e-12)


@given(LETTERS, st.lists(st.sampled_from([0, 1, 2, 3, UNKNOWN]), max_size=8))
def test_probabilities_sum_to_one_after_any_context_seen_or_not(text: list[int], context: list[int]) -> None:
    p = distribution(KneserNey.fit(text, 5), context)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    assert (p > 0).all()


def test_a_context_that_only_ends_the_text_leaves_all_to_the_next_lower_order() -> None:
    model = KneserNey.fit([0, 1, 0, 1, 2], 3)  # nothing follows c, nor bc
    for context in ([2], [1, 2]):
        p = distribution(model, context)
        np.testing.assert_allclose(p[1], [15 / 32, 7 / 32, 7 / 32, 3 / 32], rtol=1e-14)
        np.testing.assert_array_equal(p[2], p[1])


@pytest.mark.parametrize("unknown", [-1, 3, UNKNOWN, 2**40])
def test_all_characters_that_the_training_text_lacks_are_one_unknown(unknown: int) -> None:
    model = KneserNey.fit([0, 1, 0, 1, 2, 0, 0, 1], 4)
    np.testing.assert_array_equal(model.nats([0, 1, unknown, 0]), model.nats([0, 1, 7, 0]))
    assert np.isfinite(model.nats([unknown] * 5)).all()


def test_the_symbols_are_those_that_the_training_text_uses_whatever_their_numbers() -> None:
    dense, sparse = [0, 1, 0, 1, 2, 1], [10, 4000, 10, 4000, 4436, 4000]
    np.testing.assert_array_equal(
        ngram_nats(np.array(dense, np.uint8), [1, 0, 2], 3),
        ngram_nats(np.array(sparse, np.uint16), [4000, 10, 4436], 3),
    )


def test_a_text_of_one_character_over_and_over_is_learnt() -> None:
    nats = ngram_nats([5] * 1000, [5] * 50)
    assert nats.shape == (8,)
    assert (nats < 0.1).all()


def test_longer_contexts_help_where_the_text_is_regular() -> None:
    nats = ngram_nats([0, 0, 1, 0, 1, 1] * 200, [0, 0, 1, 0, 1, 1] * 20, 4)
    assert (np.diff(nats) < 0).all()


@pytest.mark.parametrize(
    ("counts", "d"), [([1, 1, 2], 0.5), ([1, 1, 1, 2, 9], 0.6), ([1, 1], 0.5), ([2, 3], 0.5), ([7], 0.5)]
)
def test_the_discount_is_n1_of_n1_and_twice_n2_and_a_half_where_one_is_zero(
    counts: list[int], d: float
) -> None:
    assert discount(np.array(counts)) == pytest.approx(d)


@pytest.mark.parametrize("text", [[], [[1, 2], [3, 4]], [0.5, 1.0]], ids=str)
def test_what_is_no_text_is_refused(text: list[object]) -> None:
    with pytest.raises(TextError, match="expected a text as a row of whole numbers"):
        KneserNey.fit(text)
    with pytest.raises(TextError, match="expected a text as a row of whole numbers"):
        KneserNey.fit([0, 1, 2], 2).nats(text)


def test_a_text_shorter_than_its_n_grams_is_refused_and_one_as_long_is_not() -> None:
    with pytest.raises(TextError, match="of order 4 need a text of 4 characters; got 3"):
        KneserNey.fit([0, 1, 2], 4)
    assert np.isfinite(ngram_nats([0, 1, 2, 1], [1, 2], 4)).all()


@pytest.mark.parametrize("orders", [0, -1, 101, 2.5])
def test_a_number_of_orders_out_of_range_is_refused(orders: int) -> None:
    with pytest.raises(SettingError, match="orders is"):
        KneserNey.fit([0, 1] * 200, orders)


TRAINING = "The quick brown fox jumps over the lazy dog. “Naïve”, said 红楼梦.\n" * 7
TEXT = "The lazy fox said: “quick”!\n红楼梦"


def xz(data: bytes) -> bytes:
    return lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)


@pytest.mark.parametrize(
    ("name", "call"),
    [("gzip", lambda d: gzip.compress(d, 9, mtime=0)), ("bzip2", lambda d: bz2.compress(d, 9)), ("xz", xz)],
)
def test_bits_per_character_are_those_of_direct_calls(name: str, call: baselines.Callable) -> None:
    before, data = TRAINING.encode(), TEXT.encode()
    row = next(row for row in compressed(TRAINING, TEXT) if row.compressor == name)
    assert row.alone == 8 * len(call(data)) / len(TEXT)
    assert row.after_training == 8 * (len(call(before + data)) - len(call(before))) / len(TEXT)


def test_every_compressor_writes_what_its_own_reader_gives_back() -> None:
    zstandard = pytest.importorskip("zstandard")
    readers = {"gzip": gzip.decompress, "bzip2": bz2.decompress, "xz": lzma.decompress}
    readers["zstd"] = zstandard.ZstdDecompressor().decompress
    assert set(readers) == set(COMPRESSORS)
    for name, read in readers.items():
        assert read(COMPRESSORS[name](TRAINING.encode())) == TRAINING.encode()


def test_zstd_looks_back_as_far_as_the_text_goes() -> None:
    pytest.importorskip("zstandard")
    noise = np.random.default_rng(0).integers(32, 127, size=600_000, dtype=np.uint8).tobytes()
    data = noise + noise[:100_000]
    assert len(COMPRESSORS["zstd"](data)) - len(COMPRESSORS["zstd"](noise)) < 2_000


def test_a_text_that_repeats_the_training_text_costs_little_more_after_it() -> None:
    for row in compressed(TRAINING, TRAINING[:300]):
        assert row.after_training < row.alone / 2


def test_without_a_training_text_what_a_text_adds_is_what_it_needs_but_for_the_header() -> None:
    for row in compressed("", TEXT):
        assert 0 < row.after_training <= row.alone


def test_zstd_is_left_out_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(data: bytes) -> bytes:
        raise ImportError("zstandard")

    monkeypatch.setitem(COMPRESSORS, "zstd", missing)
    assert [row.compressor for row in compressed(TRAINING, TEXT)] == ["gzip", "bzip2", "xz"]


def test_lone_surrogates_are_compressed_and_an_empty_text_is_refused() -> None:
    assert compressed("a\ud800", "\udfff")
    with pytest.raises(TextError, match="the text is empty"):
        compressed(TRAINING, "")
