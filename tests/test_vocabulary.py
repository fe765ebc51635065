"""Vocabularies of bytes, and what a person types and reads of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook import TextError
from hornbook.vocabulary import BYTES, Vocabulary, shown


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
