"""Whether a text stands in a training text."""

from __future__ import annotations

import random

import pytest

from hornbook import Text
from hornbook.cli import known
from hornbook.cli.known import stands_in

CHANCE = random.Random(3)
BOOK, OTHER = ("".join(CHANCE.choice("abcdefgh ") for _ in range(9000)) for _ in range(2))


@pytest.fixture(params=["a string", "a Text", "in blocks"])
def training(request, monkeypatch):
    """A training text."""
    if request.param == "in blocks":
        monkeypatch.setattr(known, "BLOCK", 700)
    return BOOK if request.param == "a string" else Text.from_string(BOOK)


@pytest.mark.parametrize("text", [BOOK, BOOK[:8000] + OTHER, OTHER + BOOK[:8000], BOOK[500:1500], BOOK[7:60]])
def test_what_was_trained_on_is_found_wherever_it_stands_in_a_text(text, training):
    assert stands_in(text, training, 8000)


@pytest.mark.parametrize("text", [OTHER, BOOK[8000:], BOOK[7950:8350], BOOK[7:30], ""])
def test_another_text_what_was_held_out_and_a_few_words_are_not(text, training):
    assert not stands_in(text, training, 8000)
