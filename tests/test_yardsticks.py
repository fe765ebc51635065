"""Yardsticks: what a 5-gram and xz need for what is held out, measured once for a split of a text."""

from __future__ import annotations

import json
import lzma
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hornbook import cache, yardsticks
from hornbook.baselines import KneserNey
from hornbook.config import TrainingSettings
from hornbook.text import Text, read_text, renumbered
from hornbook.vocabulary import Vocabulary

HALF = TrainingSettings(validation=0.5)


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch) -> Path:
    """A cache of its own for each test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "hornbook" / "yardsticks"


@pytest.fixture
def at_work(monkeypatch) -> list[int]:
    """A row that grows with each measurement."""
    measure, made = yardsticks.measure, []

    def counted(text, before, held_out):
        made.append(len(held_out))
        return measure(text, before, held_out)

    monkeypatch.setattr(yardsticks, "measure", counted)
    return made


def grown(before: bytes, after: bytes) -> int:
    """The bytes by which a file of xz grows."""
    preset = 9 | lzma.PRESET_EXTREME
    return len(lzma.compress(before + after, preset=preset)) - len(lzma.compress(before, preset=preset))


def test_they_are_what_the_formulas_give_after_the_part_that_is_trained_on(prose):
    found = yardsticks.measured(prose, HALF)
    half = len(prose) - round(len(prose) / 2)
    ngram = KneserNey.fit(prose.ids[:half], 5).nats(prose.ids[half:])[4].mean()
    xz = 8 * grown(prose[:half].encode(), prose[half:].encode()) * math.log(2) / (len(prose) - half)
    assert found["5-gram"]["nats_per_character"] == pytest.approx(ngram, rel=1e-12)
    assert found["xz"]["nats_per_character"] == pytest.approx(xz, rel=1e-12)
    assert (found["trained_on"], found["characters"]) == (half, len(prose) - half)
    for name in ("5-gram", "xz"):
        bits = found[name]["nats_per_character"] / math.log(2)
        assert found[name]["bits_per_character"] == pytest.approx(bits, rel=1e-12)


def test_bytes_are_compressed_as_they_are(tmp_path):
    (tmp_path / "a").write_bytes(bytes(range(256)) * 9)
    text = read_text(tmp_path / "a", tokens="bytes")
    assert yardsticks.encoded(text, text.ids) == bytes(range(256)) * 9
    assert yardsticks.measured(text, HALF)["xz"]["nats_per_character"] < 1


def test_characters_are_compressed_as_utf_8(prose):
    assert yardsticks.encoded(prose, prose.ids) == prose[:].encode("utf-8")


def test_they_are_measured_once_for_a_text_and_a_split(prose, tmp_path, at_work):
    path = tmp_path / "prose.txt"
    path.write_text(prose[:], encoding="utf-8")
    first = yardsticks.measured(read_text(path), HALF)
    assert yardsticks.measured(read_text(path), replace(HALF, seed=9, lr=3)) == first
    wider = Vocabulary(prose.vocabulary.symbols + "😀")
    assert yardsticks.measured(renumbered(read_text(path), wider), HALF) == first
    assert len(at_work) == 1
    assert yardsticks.measured(read_text(path), replace(HALF, validation=0.25)) != first
    path.write_text(prose[:].replace("Alice", "Clive"), encoding="utf-8")
    yardsticks.measured(read_text(path), HALF)
    assert len(at_work) == 3


def test_texts_that_came_from_no_file_are_told_apart(at_work, prose):
    for text in (prose, Text.from_string(prose[:]), Text.from_string(prose[:].replace("A", "B"))):
        yardsticks.measured(text, HALF)
    assert len(at_work) == 2


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"5-gram": 3}', '{"5-gram": {}, "xz": {}}'])
def test_a_damaged_file_of_the_cache_is_measured_again(prose, own, at_work, content):
    found = yardsticks.measured(prose, HALF)
    (path,) = own.iterdir()
    path.write_text(content)
    assert yardsticks.measured(prose, HALF) == found
    assert len(at_work) == 2
    assert json.loads(path.read_text()) == found


def test_a_cache_that_cannot_be_written_is_done_without(prose, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert yardsticks.measured(prose, HALF)["characters"] > 0
    assert yardsticks.kept(prose, HALF) is None


def test_the_cache_is_bounded_and_loses_what_is_oldest(prose, own, monkeypatch):
    monkeypatch.setattr(cache, "KEPT", 3)
    own.mkdir(parents=True)
    for age in range(5):
        (own / f"{age}.json").write_text("{}")
        os.utime(own / f"{age}.json", (1000 - age, 1000 - age))
    yardsticks.measured(prose, HALF)
    assert len(list(own.iterdir())) == 3
    assert {path.name for path in own.iterdir()} > {"0.json", "1.json"}


def test_of_a_long_text_only_the_ends_that_meet_are_read(prose, monkeypatch):
    monkeypatch.setattr(yardsticks, "TRAINING_LIMIT", 60)
    monkeypatch.setattr(yardsticks, "HELD_OUT_LIMIT", 40)
    found = yardsticks.measured(prose, HALF)
    assert (found["trained_on"], found["characters"]) == (60, 40)
    half = len(prose) - round(len(prose) / 2)
    before, held_out = yardsticks.parts(prose, HALF)
    np.testing.assert_array_equal(np.append(before, held_out), prose.ids[half - 60 : half + 40])


def test_a_text_shorter_than_an_n_gram_has_none():
    assert yardsticks.measured(Text.from_string("abcdef"), HALF) is None


def test_ahead_of_a_training_by_time_they_are_measured_where_that_is_a_small_part_of_it(prose, at_work):
    for minutes, validation in ((1e-6, 0.5), (1, 0.0)):
        yardsticks.ahead(prose, TrainingSettings(minutes=minutes, validation=validation))
    assert at_work == []
    yardsticks.ahead(prose, TrainingSettings(minutes=1, validation=0.5))
    assert len(at_work) == 1
    assert yardsticks.kept(prose, HALF) is not None
