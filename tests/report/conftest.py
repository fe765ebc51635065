"""Runs to report on: a small one whose text is full of markup, and documents made from it."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

import hornbook
from hornbook import Run
from hornbook.report.content import report_of
from hornbook.report.document import Document

MARKUP = (
    "<script>alert(\"1\")</script> & 'q' #let x = 1 $x^2$ \\alpha *bold* _low_ @ref `code` <a@b.c> "
    "[link](http://nowhere.example/x) | ~~s~~ {{ }} %s \x07 \x1b \u202e <!-- --> ]]> </style> # head\n"
)
WORDS = ("the", "cat", "sat", "on", "a", "Mat.", "(so", "did)", '"we"', "all,", "naïve")
SMALL = {
    "hidden": 8,
    "seq_len": 5,
    "updates": 400,
    "sample_every": 100,
    "sample_length": 60,
    "passage_length": 200,
}


def markup_text() -> str:
    """Some 9,000 characters, half of them markup of every kind."""
    chance = random.Random(1)
    lines = (" ".join(chance.choice(WORDS) for _ in range(18)) + "\n" + MARKUP for _ in range(36))
    return "".join(lines)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on that text; not to be changed."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "book.txt").write_text(markup_text(), encoding="utf-8")
    text = hornbook.read_text(folder / "book.txt")
    return hornbook.train(text, out=folder / "book", quiet=True, **SMALL).folder


@pytest.fixture(scope="session")
def document(trained: Path) -> Document:
    """Its report."""
    return report_of(Run(trained))


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Run:
    """A copy of that run, to be damaged at will."""
    return Run(shutil.copytree(trained, tmp_path / "book"))
