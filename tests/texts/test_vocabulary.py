"""Vocabularies: symbols and their numbers, bytes, and what a person types and reads of them."""

from __future__ import annotations

import json

import pytest
from characters import ANY
from hypothesis import given
from hypothesis import strategies as st

from hornbook import TextError
from hornbook.vocabulary import BYTES, Vocabulary, shown

# Symbols and their numbers


@given(ANY)
def test_encoding_and_then_decoding_changes_nothing(characters: str) -> None:
    vocabulary = Vocabulary("".join(sorted(set(characters))))
    ids = vocabulary.encode(characters)
    assert ids.shape == (len(characters),)
    assert vocabulary.decode(ids) == characters


@given(st.lists(st.integers(0, 4)))
def test_decoding_and_then_encoding_changes_nothing(ids: list[int]) -> None:
    vocabulary = Vocabulary("zyx\n字")
    assert vocabulary.encode(vocabulary.decode(ids)).tolist() == ids


def test_the_number_of_a_symbol_is_its_place() -> None:
    vocabulary = Vocabulary("ban")
    assert len(vocabulary) == 3
    assert vocabulary.numbers == {"b": 0, "a": 1, "n": 2}
    assert vocabulary.encode("banana").tolist() == [0, 1, 2, 1, 2, 1]


def test_an_unknown_character_is_named_with_its_position() -> None:
    with pytest.raises(TextError, match="'k' at position 3"):
        Vocabulary("ban").encode("bank")


@given(st.text(st.characters(), min_size=1), st.permutations("abcé字😀"))
def test_each_character_is_found_in_a_vocabulary_of_any_order_or_is_minus_one(text, symbols):
    vocabulary = Vocabulary("".join(symbols))
    for asked in (text, "".join(symbols) + text):
        assert vocabulary.find(asked).tolist() == [vocabulary.symbols.find(c) for c in asked]


def test_nothing_is_found_in_an_empty_text():
    assert Vocabulary("ab").find("").tolist() == []


@pytest.mark.parametrize("symbols", ["", "aba"])
def test_a_vocabulary_is_not_empty_and_has_no_symbol_twice(symbols: str) -> None:
    with pytest.raises(TextError, match="at least one symbol, and each of them only once"):
        Vocabulary(symbols)


# Bytes, and what is typed and shown


def test_a_byte_is_the_character_of_its_number() -> None:
    assert BYTES.encode("\x00A\xff").tolist() == [0, 65, 255]
    assert BYTES.decode([0, 65, 255]) == "\x00A\xff"
    assert (len(BYTES), BYTES.unit, Vocabulary("ab").unit) == (256, "byte", "character")


@pytest.mark.parametrize("symbols", ["abc", "".join(map(chr, range(255, -1, -1)))])
def test_a_vocabulary_of_bytes_has_all_of_them_in_order(symbols: str) -> None:
    with pytest.raises(TextError, match="all 256"):
        Vocabulary(symbols, "bytes")


def test_characters_are_typed_and_shown_as_they_are() -> None:
    assert Vocabulary("é字").typed("é字?") == Vocabulary("é字").shown("é字?") == "é字?"


def test_what_is_typed_is_utf_8_and_what_is_shown_is_read_as_it() -> None:
    assert BYTES.typed("é字") == "é字".encode().decode("latin-1")
    assert BYTES.shown("\xc3\xa9") == "é"
    assert BYTES.shown("a\xff\xc3") == "a\udcff\udcc3"


@given(st.binary())
def test_nothing_is_lost_between_the_two_nor_in_a_file_of_json(data: bytes) -> None:
    text = data.decode("latin-1")
    read = shown(text, "bytes")
    assert BYTES.typed(read) == text
    stored = json.dumps(read, ensure_ascii=False).encode("utf-8", "backslashreplace")
    assert json.loads(stored.decode()) == read
