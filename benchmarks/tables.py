"""The figures of the family as the README's tables, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.family import Row
    from benchmarks.generation import Written

TRAINING = "training, characters a second", "hornbook", "of the peak", "2 cores / 1", "mixed", "PyTorch", "×"
WRITING = "writing, characters a second", "streams", "hornbook", "to be reached", "share", "PyTorch", "×"


def family(rows: Sequence[Row], written: Sequence[Written]) -> str:
    """Both tables."""
    training = [
        (
            f"`{row.name}`",
            number(row.characters_per_second),
            f"{row.share:.0%}",
            times(row.speedup),
            " · ".join(filter(None, (number(row.mixed), times(row.gain)))),
            number(row.pytorch),
            times(row.ratio),
        )
        for row in rows
    ]
    writing = [
        (
            f"`{row.name}`",
            str(row.streams),
            number(row.characters_per_second),
            row.aim,
            f"{row.share:.0%}",
            number(row.pytorch),
            times(row.ratio),
        )
        for row in written
    ]
    return f"{table(TRAINING, training)}\n{table(WRITING, writing)}"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, a line a row."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def number(value: float | None) -> str:
    """Three digits that mean something; empty where nothing was measured."""
    return "" if value is None else f"{float(f'{value:.3g}'):,.0f}"


def times(value: float | None) -> str:
    """A ratio; empty where nothing was measured."""
    return "" if value is None else f"{value:.3g} ×" if value >= 10 else f"{value:.2f} ×"
