"""`hornbook compare`: several runs in one figure and one table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hornbook.report.document import Document


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders, such as runs/*.")],
    out: Annotated[Path, typer.Option(help="The page that is written.")] = Path("compare.html"),
) -> None:
    """Set runs side by side: a table here, the same with a figure as a page.

    Runs that differ only in their seed are drawn as one line, their mean, in a band.
    """
    from hornbook.report.compare import comparison
    from hornbook.report.html import page
    from hornbook.runs import Run
    from hornbook.storage import write_whole

    document = comparison([Run(run) for run in runs])
    write_whole(out, page(document).encode())
    show(document)
    print(out)


def show(document: Document) -> None:
    """Print the tables of a document."""
    from rich import box
    from rich.table import Table as Printed
    from rich.text import Text

    from hornbook.cli.words import console_for_tables, printable
    from hornbook.report.document import Table

    for table in (block for section in document.sections for block in section.blocks):
        if isinstance(table, Table):
            printed = Printed(box=box.SIMPLE_HEAD)
            for place, head in enumerate(table.heads):
                printed.add_column(head, justify="right" if place else "left", overflow="fold")
            for row in table.rows:
                printed.add_row(*(Text(printable(cell)) for cell in row))
            console_for_tables().print(printed)
