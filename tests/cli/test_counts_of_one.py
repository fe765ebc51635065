"""A count of one is told in the singular, wherever it may be one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hornbook import Run

PLURAL = re.compile(r"(?<![\d.,/])1 (new )?(updates|characters|evaluations|rows|streams|symbols|units)\b")
TINY = ("--hidden", "4", "--seq-len", "5", "--sample-length", "9", "--updates", "1")


@pytest.fixture
def said(hornbook):
    """What a command says on both streams, in which no count of one has a plural."""

    def say(*args, code=0):
        told = hornbook(*args)
        assert told.code == code, told
        assert not PLURAL.findall(told.out + told.err), told
        return told.out + told.err

    return say


def test_a_training_of_one_update(said, book):
    assert re.search(r"\n1 update in \d", said("train", book, *TINY, "--out", "a"))
    assert "a is finished, after 1 update; give it more" in said("resume", "a")
    said("report", "a", "--format", "md")
    assert not PLURAL.findall(Path("a/report.md").read_text(encoding="utf-8"))


def test_its_hints(said, book):
    told = said("train", book, *TINY, "--warmup", 1, "--out", "a", code=2)
    assert "the training has 1 update; give at most --warmup 0, or" in told
    told = said("train", book, *TINY, "--schedule", "step:1:0.5", "--out", "b")
    assert "makes no step in 1 update" in told


def test_the_validation_of_one_update_and_an_early_end(said, book):
    flags = (*TINY[:-1], 9, "--validation", 0.1, "--evaluate-every", 1, "--patience", 1, "--lr", 9)
    assert "ended early: 1 evaluation without a new best" in said("train", book, *flags, "--out", "a")
    assert "after 1 evaluation without a new best" in said("resume", "a", "--updates", "+9", code=2)


def test_a_text_of_one_character_and_one_new_character(said, run, book, folder):
    (folder / "one.txt").write_text("é", encoding="utf-8")
    assert "knows no character of this text" in said("score", run, "one.txt", code=2)
    said("train", "one.txt", *TINY, code=2)
    book.write_text(book.read_text(encoding="utf-8") + "é", encoding="utf-8")
    assert "; 1 new character: é" in said("train", book, *TINY[2:], "--from", run, "--out", "a")


def test_one_row_of_two(said, run):
    assert Run(run).summary["finished"]
    path = run / "samples.jsonl"
    path.write_text(path.read_text(encoding="utf-8").split("\n", 1)[0] + "\n", encoding="utf-8")
    assert "has 1 row, but had " in said("resume", run)
