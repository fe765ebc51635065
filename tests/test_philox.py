"""Random numbers: Philox4x64-10, with a counter layout that every engine shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.config import LARGEST_SEED
from hornbook.philox import CHECK, INITIAL, PASSAGE, SAMPLE, WRITE, Source

MASK = 2**64 - 1


def philox4x64_10(counter: tuple[int, int, int, int], key: tuple[int, int]) -> list[int]:
    """Four words, as Salmon, Moraes, Dror and Shaw write it (SC11)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        left, right = 0xD2E7470EE14C6C93 * c0, 0xCA5A826395121157 * c2
        c0, c1, c2, c3 = (right >> 64) ^ c1 ^ k0, right & MASK, (left >> 64) ^ c3 ^ k1, left & MASK
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
    return [c0, c1, c2, c3]


def test_the_plain_form_gives_the_words_published_with_random123() -> None:
    zero = [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B]
    assert philox4x64_10((0, 0, 0, 0), (0, 0)) == zero


@given(
    seed=st.integers(0, LARGEST_SEED),
    purpose=st.integers(0, 4),
    update=st.integers(0, 10**12),
    stream=st.integers(0, 2**32),
    position=st.integers(0, 2**40),
)
def test_position_p_of_a_stream_is_block_p_plus_1_of_stream_and_update_under_seed_and_purpose(
    seed: int, purpose: int, update: int, stream: int, position: int
) -> None:
    words = philox4x64_10((position + 1, stream, update, 0), (seed, purpose))
    source = Source(seed, purpose, update)
    assert source.bits(stream, position).random_raw(4).tolist() == words
    assert source.uniforms(stream, position, 1)[0] == (words[0] >> 11) / 2**53


@given(at=st.integers(0, 1000), parts=st.lists(st.integers(0, 9), max_size=8))
def test_uniforms_taken_in_parts_are_the_uniforms_taken_at_once(at: int, parts: list[int]) -> None:
    source = Source(7, SAMPLE, 3)
    places = at + np.cumsum([0, *parts])
    pieces = [source.uniforms(2, int(p), n) for p, n in zip(places, parts, strict=False)]
    assert np.concatenate([*pieces, []]).tolist() == source.uniforms(2, at, sum(parts)).tolist()


def test_uniforms_are_even_over_zero_to_one() -> None:
    uniforms = Source(1, SAMPLE).uniforms(0, 0, 20_000)
    assert uniforms.min() >= 0
    assert uniforms.max() < 1
    counts = np.bincount((uniforms * 10).astype(int), minlength=10)
    assert ((counts - 2000) ** 2 / 2000).sum() < 27.9  # chi-square, 9 degrees of freedom, 0.1 %


@pytest.mark.parametrize("change", [{"seed": 6}, {"purpose": WRITE}, {"update": 1}], ids=str)
def test_another_seed_purpose_or_update_gives_other_numbers(change: dict[str, int]) -> None:
    one = {"seed": 5, "purpose": PASSAGE, "update": 0}
    assert not np.intersect1d(
        Source(**one).uniforms(0, 0, 100), Source(**one | change).uniforms(0, 0, 100)
    ).size


def test_another_stream_gives_other_numbers() -> None:
    source = Source(5, PASSAGE)
    assert not np.intersect1d(source.uniforms(0, 0, 100), source.uniforms(1, 0, 100)).size


def test_a_generator_starts_at_position_zero_each_time_it_is_asked_for() -> None:
    source = Source(11, CHECK)
    first = source.generator(4).standard_normal(5)
    assert source.generator(4).standard_normal(5).tolist() == first.tolist()
    assert source.generator(4).random() == source.uniforms(4, 0, 1)[0]


def test_each_purpose_has_a_number_of_its_own() -> None:
    assert len({INITIAL, SAMPLE, PASSAGE, WRITE, CHECK}) == 5
