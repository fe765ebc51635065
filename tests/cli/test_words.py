"""How figures and texts are put on a terminal."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.cli.conclusion import tell
from hornbook.cli.words import duration, loss_words, printable, visible
from hornbook.runs import Run


def test_a_picture_stands_for_each_control_character():
    assert printable("\x1b[31m\x07\r\0\x7f") == "␛[31m␇␍␀␡"


def test_line_ends_and_tabs_are_kept():
    assert printable("a\tb\n") == "a\tb\n"


def test_what_has_no_picture_is_replaced():
    assert printable("\x9b\u202e\u2066\ud800") == "\ufffd" * 4


@given(st.text(alphabet=st.characters()))
def test_nothing_that_steers_a_terminal_comes_through(text):
    shown = printable(text)
    assert len(shown) == len(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    shown.encode()


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Cf"])))
def test_everything_else_comes_through_unchanged(text):
    assert printable(text) == text


def test_a_character_that_would_not_be_seen_has_a_picture_or_a_code():
    shown = [visible(c) for c in ("a", "😀", "\n", " ", "\t", "\0", "\xa0", "\u200b", "\x9b")]
    assert shown == ["a", "😀", "␊", "␠", "␉", "␀", r"\xa0", r"\u200b", r"\x9b"]


def test_a_loss_is_told_as_a_sum_in_nats_and_in_bits():
    assert loss_words(25 * math.log(2), 25) == "17.33 (0.693 nats, 1.000 bits a character)"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0:00"),
        (0.4, "0:00"),
        (9.6, "0:10"),
        (59.6, "1:00"),
        (61, "1:01"),
        (3599.7, "1:00:00"),
        (3600, "1:00:00"),
        (86_400, "24:00:00"),
        (86_401, "over a day"),
        (math.inf, "over a day"),
        (math.nan, "over a day"),
    ],
)
def test_a_time_is_told_in_minutes_hours_or_as_over_a_day(seconds, words):
    assert duration(seconds) == words


def test_the_speed_of_a_slow_training_is_not_told_as_none(trained, capsys):
    run = Run(trained)
    tell(run, {**run.summary, "updates": 1, "seconds": 7.0, "updates_per_second": 1 / 7})
    assert "1 update in 7.0 s, 0.14 updates/s, engine" in capsys.readouterr().out
