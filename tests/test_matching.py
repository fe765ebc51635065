"""Matching: longest matches against a search for every substring; the guard against copies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.errors import SettingError, TextError
from hornbook.matching import CopyGuard, MatchIndex

LETTERS = st.text("abc", min_size=1, max_size=80)
OTHERS = st.text("abcd", max_size=80)


def ids(text: str) -> np.ndarray:
    return np.array([ord(c) for c in text], dtype=np.int64)


def naive(training: str, text: str) -> list[int]:
    """The definition: the longest prefix of what follows each position that stands in the training text."""
    return [max(n for n in range(len(text) - i + 1) if text[i : i + n] in training) for i in range(len(text))]


def check(training: str, text: str) -> None:
    lengths, places = MatchIndex.of(ids(training)).longest_matches(ids(text))
    assert lengths.tolist() == naive(training, text)
    for i, (length, place) in enumerate(zip(lengths, places, strict=True)):
        assert 0 <= place < len(training)
        assert training[place : place + length] == text[i : i + length]


@given(LETTERS, OTHERS)
def test_longest_matches_are_those_that_a_search_finds(training: str, text: str) -> None:
    check(training, text)


@given(LETTERS, st.data())
def test_a_text_cut_from_the_training_text_matches_to_its_end(training: str, data: st.DataObject) -> None:
    start, end = sorted(data.draw(st.integers(0, len(training))) for _ in range(2))
    check(training, training[start:end])
    check(training, training[start:] + training[:end])


@pytest.mark.parametrize(
    ("training", "text"),
    [
        ("a" * 70, "a" * 90),
        ("abc" * 30, "cab" * 40),
        ("abcdefgh", "abcdefghabcdhgfe"),  # every symbol once: one level
        ("a", "aaba"),
        ("ab", ""),
        ("banana", "xyz"),
        ("红楼梦\U0001f600", "梦\U0001f600红楼"),
    ],
)
def test_longest_matches_of_awkward_texts(training: str, text: str) -> None:
    check(training, text)


@given(LETTERS)
def test_the_order_is_the_suffix_array(training: str) -> None:
    order = MatchIndex.of(ids(training)).order.tolist()
    assert order == sorted(range(len(training)), key=lambda i: training[i:])


def test_texts_are_told_by_their_numbers_whatever_their_type() -> None:
    index = MatchIndex.of(np.array([0, 1, 2, 0, 1], dtype=np.uint8))
    lengths, places = index.longest_matches(np.array([1, 2, 7, -1, 0], dtype=np.int16))
    assert lengths.tolist() == [2, 1, 0, 0, 1]
    assert places[0] == 1


@pytest.mark.parametrize("training", [[], [[0, 1], [1, 0]]], ids=str)
def test_an_index_needs_a_row_of_numbers(training: list[object]) -> None:
    with pytest.raises(TextError, match="expected a training text as a row of numbers"):
        MatchIndex.of(training)
    with pytest.raises(TextError, match="expected a training text as a row of numbers"):
        CopyGuard(training, 3)


TRAINING = "to be, or not to be: that is the question"


@given(LETTERS, st.text("abcd", max_size=12), st.sampled_from("abcd"), st.integers(1, 6))
def test_the_guard_allows_what_does_not_complete_a_copy_longer_than_its_limit(
    training: str, written: str, candidate: str, limit: int
) -> None:
    guard = CopyGuard(ids(training), limit)
    tail = (written + candidate)[-limit - 1 :]
    allowed = len(tail) <= limit or tail not in training
    assert guard.allowed(ids(written), ord(candidate)) is allowed
    assert guard.allowed(ids(written).tolist(), ord(candidate)) is allowed
    assert (ord(candidate) in guard.forbidden(ids(written))) is not allowed


def test_what_is_forbidden_is_all_that_follows_in_the_training_text() -> None:
    guard = CopyGuard(ids(TRAINING), 5)
    assert "".join(map(chr, guard.forbidden(ids("and to be")))) == ",:"  # `to be` stands there twice
    assert guard.forbidden(ids("o be")).tolist() == []  # not yet as many as the limit
    assert guard.forbidden(ids("stion")).tolist() == []  # the end of the training text
    assert guard.forbidden(ids("xyzzy")).tolist() == []


def test_a_writer_that_only_copies_is_stopped_after_the_limit_and_goes_on_elsewhere() -> None:
    guard, written = CopyGuard(ids(TRAINING), 8), ""
    for wanted in TRAINING:
        written += wanted if guard.allowed(ids(written), ord(wanted)) else "#"
    lengths, _ = MatchIndex.of(ids(TRAINING)).longest_matches(ids(written))
    assert lengths.max() == 8
    assert written == "to be, o# not to #e: that #s the qu#stion"


@pytest.mark.parametrize("limit", [0, -3, 2.5])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(SettingError, match="`limit` is"):
        CopyGuard(ids(TRAINING), limit)
