"""What a 5-gram and xz need for what is held out, told beside the validation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hornbook import Run, yardsticks
from hornbook.text import read_text

SMALL = ("--hidden", 8, "--seq-len", 5, "--sample-length", 20, "--validation", 0.1)


@pytest.fixture(autouse=True)
def own(tmp_path_factory, monkeypatch) -> None:
    """A cache of its own for each test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def test_the_summary_and_the_terminal_tell_them(hornbook, book):
    told = hornbook("train", book, *SMALL, "--updates", 60, "--out", "a")
    run = Run("a")
    validation = json.loads(Path("a/summary.json").read_text(encoding="utf-8"))["validation"]
    expected = yardsticks.measured(read_text(book), run.config.training)
    assert validation["baselines"] == expected
    ngram = expected["5-gram"]["nats_per_character"]
    assert f"\n5-gram            {ngram:.3f} nats, " in told.out
    assert "bits a character, with Kneser-Ney smoothing, after 1,800 characters\nxz      " in told.out


def test_they_are_no_part_of_the_seconds(hornbook, book, monkeypatch):
    seen = []
    monkeypatch.setattr(yardsticks, "measure", lambda *_: seen.append(Run("a").summary) or {})
    assert hornbook("train", book, *SMALL, "--updates", 60, "--out", "a").code == 0
    assert seen[0]["finished"]
    assert seen[0]["seconds"] == Run("a").summary["seconds"]
    assert "baselines" not in Run("a").summary["validation"]


def test_without_validation_there_are_none(hornbook, book):
    told = hornbook("train", book, *SMALL, "--validation", 0, "--updates", 60, "--out", "a")
    assert "5-gram" not in told.out
    assert Run("a").summary["validation"] is None


def test_a_training_by_time_measures_them_before_it_begins(hornbook, book, monkeypatch):
    monkeypatch.setattr(yardsticks, "SECONDS_A_BYTE", 0.0)
    told = hornbook("train", book, *SMALL, "--minutes", 0.02, "--out", "a")
    assert "\n5-gram " in told.out
    assert "baselines" in Run("a").summary["validation"]


def test_a_training_by_time_goes_without_them_where_they_would_take_much_of_it(hornbook, book, monkeypatch):
    monkeypatch.setattr(yardsticks, "SECONDS_A_BYTE", 1.0)
    told = hornbook("train", book, *SMALL, "--minutes", 0.02, "--out", "a")
    assert told.code == 0
    assert "5-gram and xz    not measured: that needs more --minutes\n" in told.out
    assert "baselines" not in Run("a").summary["validation"]
    assert "\n5-gram  " in hornbook("train", "--config", "a", "--out", "b").out
    assert "\n5-gram  " in hornbook("train", book, *SMALL, "--minutes", 0.02, "--out", "c").out
