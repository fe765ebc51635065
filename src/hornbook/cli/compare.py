"""`hornbook compare`: several runs in one figure and one table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hornbook.cli.words import printable, warn
from hornbook.errors import SettingError
from hornbook.markup import for_shell

if TYPE_CHECKING:
    from rich.table import Table as Printed

    from hornbook.report.document import Document, Passage

NARROWEST = 36  # letters in a passage's line
FOLDED = 100  # columns, where no terminal has a width of its own


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders, such as runs/*.")],
    out: Annotated[Path, typer.Option(help="The page that is written.")] = Path("compare.html"),
) -> None:
    """Set runs side by side: a table and what each writes here, the same with a figure as a page,
    compare.html where --out names no other.

    Runs that differ only in their seed are drawn as one line, their mean, in a band.
    """
    from hornbook.cli.places import check_place
    from hornbook.report.compare import comparison
    from hornbook.report.html import page
    from hornbook.report.subject import figures_of
    from hornbook.runs import Run
    from hornbook.storage import write_whole

    place = check_place("--out", out)
    opened = [Run(run) for run in runs]
    check_several(runs)
    document = comparison(opened)
    for run in opened:
        if damage := figures_of(run)[1]:
            warn(
                f"the comparison lacks what {run.folder} reached: {damage}; "
                f"hornbook resume {for_shell(run.folder)} writes it anew"
            )
    write_whole(place, page(document).encode())
    show(document)
    print(printable(str(out)))


def check_several(runs: Sequence[Path]) -> None:
    """Raise SettingError unless there are two runs or more, each once."""
    if len(runs) < 2:
        raise SettingError(f"{runs[0]} is one run; name two or more to compare")
    places = [run.resolve() for run in runs]
    for place, run in enumerate(runs):
        if places[place] in places[:place]:
            raise SettingError(f"{run} is named twice; name each run once")


def show(document: Document) -> None:
    """Print the notes, the tables and the passages of a document."""
    from rich import box
    from rich.table import Table as Printed
    from rich.text import Text

    from hornbook.cli.words import console_for_tables, plain_console
    from hornbook.report.document import Beside, Note, Table

    tables = console_for_tables()  # in a file or a pipe, no cell is cut
    console = tables if sys.stdout.isatty() else plain_console(width=FOLDED)
    for block in (block for section in document.sections for block in section.blocks):
        if isinstance(block, Note):
            console.print(printable("".join(span.text for span in block.spans)))
        if isinstance(block, Table):
            console.print(printable(block.caption))
            heads, rows = fitting(block.heads, block.rows, console.width)
            printed = Printed(box=box.SIMPLE_HEAD)
            for place, head in enumerate(heads):
                printed.add_column(printable(head), justify="right" if place else "left", overflow="fold")
            for row in rows:
                printed.add_row(*(Text(printable(cell)) for cell in row))
            tables.print(printed)
        if isinstance(block, Beside):
            together = max(1, console.width // NARROWEST)
            for start in range(0, len(block.passages), together):
                console.print(columns(block.passages[start : start + together]))


def columns(passages: Sequence[Passage]) -> Printed:
    """Passages beside each other."""
    from rich import box
    from rich.table import Table as Printed
    from rich.text import Text

    printed = Printed(box=box.SIMPLE_HEAD)
    for passage in passages:
        printed.add_column(printable(passage.title), overflow="fold", ratio=1)
    printed.add_row(*(Text(printable("".join(s.text for s in passage.spans))) for passage in passages))
    return printed


def fitting(
    heads: tuple[str, ...], rows: tuple[tuple[str, ...], ...], width: int
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """A table as it is, or turned, a column a run, where it is wider than so many characters."""
    columns = list(zip(heads, *rows, strict=True))
    if sum(max(map(len, column)) + 2 for column in columns) <= width or len(rows) >= len(heads):
        return heads, rows
    return tuple(columns[0]), tuple(columns[1:])
