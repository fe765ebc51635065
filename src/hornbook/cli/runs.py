"""`hornbook runs`: the runs in a folder, a line each."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hornbook.cli.words import printable
from hornbook.errors import HornbookError, RunFolderError

# Columns that go, in this order, where a terminal is too narrow for all.
DISPENSABLE = ("characters/s", "text", "when", "last")

if TYPE_CHECKING:
    from rich.table import Table

    from hornbook.runs import Run


def runs(
    folder: Annotated[Path, typer.Argument(help="The folder that holds the runs.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the runs as JSON.")] = False,
) -> None:
    """List the runs in ./runs, or in another folder: text, updates, losses, speed, when."""
    if not folder.is_dir():
        raise RunFolderError(f"{folder} is not a folder; train something first: hornbook train book.txt")
    rows = [row_of(path) for path in sorted(folder.iterdir()) if path.is_dir() and path.name[0] != "."]
    rows.sort(key=lambda row: str(row.get("started")))
    if as_json:
        print(json.dumps(rows, indent=2))
    elif rows:
        show(rows)
    else:
        print(printable(f"no runs in {folder}; train something first: hornbook train book.txt"))


def row_of(path: Path) -> dict[str, Any]:
    """What is told of a folder: a run's figures, or why it is none."""
    from hornbook.runs import Run

    try:
        return {"run": str(path), **figures(Run(path))}
    except HornbookError as error:
        return {"run": str(path), "problem": str(error)}


def figures(run: Run) -> dict[str, Any]:
    """The figures of a run, as far as it came."""
    from hornbook.locks import under_way

    keys = ("text", "updates", "seq_len", "best_smooth_loss", "last_smooth_loss", "characters_per_second")
    summary = run.summary
    told = {key: summary.get(key) for key in (*keys, "seconds", "finished")}
    told["text"] = run.config.text["name"]
    return {**told, "started": run.config.made.get("started"), "running": under_way(run.folder)}


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from hornbook.cli.words import WIDE, console_for_tables

    console = console_for_tables()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("run", "text"):
        table.add_column(heading, no_wrap=True)
    for heading in ("updates", "best", "last", "characters/s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("when", "state"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(word)) for word in words(row)))
    for heading in DISPENSABLE:
        if console.measure(table, options=console.options.update(width=WIDE)).maximum > console.width:
            drop(table, heading)
    console.print(table)


def drop(table: Table, heading: str) -> None:
    """Take a column out of a table."""
    table.columns = [column for column in table.columns if column.header != heading]


def words(row: dict[str, Any]) -> list[str]:
    """A run's line; losses are nats summed over T."""
    if "problem" in row:
        return [row["run"], "", "", "", "", "", "", "not a run"]
    state = {None: "no checkpoint", True: "finished", False: "stopped"}[row["finished"]]
    state = "running" if row["running"] else state
    losses = [number(row[key], ".2f") for key in ("best_smooth_loss", "last_smooth_loss")]
    updates, speed = number(row["updates"], ",d"), number(row["characters_per_second"], ",.0f")
    return [row["run"], row["text"], updates, *losses, speed, when(row["started"]), state]


def number(value: Any, form: str) -> str:
    """A number, or a dash where there is none."""
    return "-" if value is None else format(value, form)


def when(started: object) -> str:
    """A start in local time, to the minute."""
    try:
        return datetime.fromisoformat(str(started)).astimezone().strftime("%d %b %H:%M")
    except ValueError:
        return "-"
