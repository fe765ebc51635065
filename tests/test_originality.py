"""Originality: words, distinct-n, the novelty curve and the longest copy, against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.errors import TextError
from hornbook.originality import LONGEST, Copy, Corpus, has_spaces, words

TRAINING = "The cat sat on the mat. It's a cat's life, said the cat.\n"
HELD_OUT = "The dog sat on the log. It isn't a dog's life.\n"


def test_words_are_runs_of_letters_and_digits_with_apostrophes_inside() -> None:
    assert words("It's 'tis, dogs’ o’clock—3rd_row: naïve, 红楼 梦!") == (
        ["It's", "tis", "dogs", "o’clock", "3rd", "row", "naïve", "红楼", "梦"]
    )


def test_shares_of_words_count_every_word_as_often_as_it_stands() -> None:
    found = Corpus(TRAINING, HELD_OUT).originality(["the cat, the", "Cat; isn't"])
    assert found.words == 5
    assert found.words_in_training == 3 / 5  # not Cat, isn't
    assert found.words_in_held_out == 3 / 5  # not cat, Cat
    assert Corpus(TRAINING, HELD_OUT).originality(["cat"]).words_in_held_out == 0
    assert found.characters == 22


def test_distinct_n_is_different_runs_over_all_runs_and_runs_end_with_their_piece() -> None:
    found = Corpus(TRAINING).originality(["a b a b", "b a"])
    # words: a b of 6; pairs: ab ba ab, ba; threes: aba bab
    assert found.distinct == (2 / 6, 2 / 4, 2 / 2)
    # characters: "a b " " b a" "b a " " a b" and, in the second piece, none
    assert found.distinct_characters == 1
    assert Corpus(TRAINING).originality(["aaaaaa"]).distinct_characters == 1 / 3


def naive_novelty(training: str, pieces: list[str], n: int) -> float:
    """The definition, one substring at a time."""
    every = [piece[i : i + n] for piece in pieces for i in range(len(piece) - n + 1)]
    return sum(run not in training for run in every) / len(every) if every else math.nan


@given(
    st.text("ab ", min_size=1, max_size=80), st.lists(st.text("abc ", max_size=70), min_size=1, max_size=3)
)
def test_the_novelty_curve_is_the_share_of_substrings_that_the_training_text_lacks(
    training: str, pieces: list[str]
) -> None:
    if any(pieces):
        found = Corpus(training).originality(pieces).novelty
        expected = [naive_novelty(training, pieces, n) for n in range(1, LONGEST + 1)]
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_a_copy_of_the_training_text_has_nothing_new() -> None:
    found = Corpus(TRAINING).originality([TRAINING])
    assert not found.novelty.any()
    assert found.words_in_training == 1
    assert found.longest == Copy(len(TRAINING), 0, 0, 0, TRAINING)


def test_the_longest_copy_is_quoted_with_its_place_in_both_texts() -> None:
    found = Corpus(TRAINING).originality(["", "a mat. It", "xx the cat sat on a mat"])
    assert found.longest == Copy(14, 2, 4, 1, "he cat sat on ")


def test_of_equal_copies_the_first_is_quoted_with_its_first_place_in_the_training_text() -> None:
    found = Corpus("abc abd abc").originality(["xbcx", "yabzy"])
    assert found.longest == Copy(2, 0, 1, 1, "bc")


def test_a_copy_never_crosses_from_one_piece_into_the_next() -> None:
    found = Corpus("abcdef").originality(["abc", "def"])
    assert found.longest == Copy(3, 0, 0, 0, "abc")
    assert np.isnan(found.novelty[3:]).all()  # no piece has four characters


def test_a_text_with_nothing_in_common_has_a_copy_of_length_zero() -> None:
    found = Corpus(TRAINING).originality(["红楼梦"])
    assert found.longest.length == 0
    assert found.longest.quote == ""
    assert found.novelty[:3].tolist() == [1, 1, 1]


def test_where_there_is_nothing_to_count_a_share_is_not_a_number() -> None:
    found = Corpus(TRAINING).originality(["?!"])
    assert found.words == 0
    assert np.isnan([found.words_in_training, found.words_in_held_out, *found.distinct]).all()
    assert math.isnan(found.distinct_characters)


def test_a_script_without_spaces_is_told_apart() -> None:
    assert has_spaces(TRAINING)
    assert not has_spaces("列位看官：你道此书从何而来？说起根由，虽近荒唐，细按则深有趣味。\n")


@pytest.mark.parametrize("pieces", [[], ["", ""], "one string"], ids=repr)
def test_what_is_no_list_of_pieces_is_refused(pieces: list[str]) -> None:
    with pytest.raises(TextError, match="expected a list of pieces of text"):
        Corpus(TRAINING).originality(pieces)


def test_a_corpus_without_a_training_text_is_refused() -> None:
    with pytest.raises(TextError, match="the training text is empty"):
        Corpus("", HELD_OUT)
