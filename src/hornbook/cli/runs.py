"""`hornbook runs`: the runs in a folder, a line each."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hornbook.cli.words import printable
from hornbook.errors import HornbookError, RunFolderError
from hornbook.markup import for_shell

HEADINGS = ("run", "text", "updates", "best", "of", "last", "characters/s", "when", "state")
NUMBERS = ("updates", "best", "last", "characters/s")
LOSSES = ("best", "last")
CAPTION = "nats a character"
BEGUN = "*"  # before a smooth loss of too few updates
BEGUN_CAPTION = f"{BEGUN} in part still its first value: it lags behind what was learnt"
# Columns that go, in this order, where a terminal is too narrow for all.
DISPENSABLE = ("characters/s", "text", "when", "last", "of", "state", "updates")

if TYPE_CHECKING:
    from rich.console import JustifyMethod
    from rich.table import Table

    from hornbook.runs import Run


def runs(
    folder: Annotated[Path, typer.Argument(help="The folder that holds the runs.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the runs as JSON.")] = False,
) -> None:
    """List the runs in ./runs, or in another folder: text, updates, best and last loss, speed, when.

    Losses are in nats a character: the best model's of what is held out, or of the part of that which it was
    chosen by in a run that has not ended, where that is known; else of training, where it is the smooth loss,
    as the last one is. A star marks a smooth loss of few updates, which lags behind what was learnt.
    """
    if not folder.is_dir():
        raise RunFolderError(no_folder(folder))
    rows = [row_of(path) for path in sorted(folder.iterdir()) if path.is_dir() and path.name[0] != "."]
    rows.sort(key=lambda row: str(row.get("started")))
    if as_json:
        print(json.dumps(rows, indent=2))
    elif rows:
        show(rows)
    else:
        print(printable(f"no runs in {folder}; train something first: hornbook train book.txt"))


def no_folder(folder: Path) -> str:
    """What is wrong with a folder that is not there, and what to do."""
    if folder == Path("runs"):
        return "there is no folder runs here; train something first: hornbook train book.txt"
    inside = f"runs/{folder}"
    if Path(inside, "config.toml").is_file():
        return f"{folder} is no folder of runs, but {inside} is a run: hornbook sample {for_shell(inside)}"
    return f"{folder} is not a folder; name one that holds runs, or leave it out for those in ./runs"


def row_of(path: Path) -> dict[str, Any]:
    """What is told of a folder: a run's figures, or what is wrong with it."""
    from hornbook.runs import Run

    state = "not a run"
    try:
        run, state = Run(path), "damaged"
        return {"run": str(path), **figures(run)}
    except (HornbookError, OSError) as error:  # such as a folder that may not be looked into
        return {"run": str(path), "problem": str(error), "state": state}


def figures(run: Run) -> dict[str, Any]:
    """The figures of a run, as far as it came."""
    from hornbook.locks import under_way

    keys = ("text", "updates", "seq_len", "best_smooth_loss", "last_smooth_loss", "characters_per_second")
    summary = run.summary
    told = {key: summary.get(key) for key in (*keys, "seconds", "finished")}
    told["text"] = run.config.text["name"]
    started = run.config.made.get("started")
    told |= {"started": None if started is None else str(started), "running": under_way(run.folder)}
    last = summary.get("last_smooth_loss")
    told["last_nats_per_character"] = None if last is None else last / run.config.training.seq_len
    return {**told, **best_of(run, summary)}


def best_of(run: Run, summary: dict[str, Any]) -> dict[str, Any]:
    """What the best model needs for a character in nats, and where that was measured; runs that update by
    another number of characters compare by it."""
    held_out = summary.get("validation") or {}
    if held_out.get("nats_per_character") is not None:
        return {"nats_per_character": held_out["nats_per_character"], "measured_on": "held out"}
    chosen = chosen_by(run, summary)
    if chosen is not None:
        return {"nats_per_character": chosen, "measured_on": "part of held out"}
    best = summary.get("best_smooth_loss")
    nats = None if best is None else best / run.config.training.seq_len
    return {"nats_per_character": nats, "measured_on": None if best is None else "training"}


def chosen_by(run: Run, summary: dict[str, Any]) -> float | None:
    """The evaluation on the way by which the best model was chosen; None where no row has it."""
    from hornbook.events import VALIDATION_LOSS
    from hornbook.records import check_metric, rising
    from hornbook.rows import sound_rows
    from hornbook.run_files import METRICS

    path = run.folder / METRICS
    found: list[float] = []

    def take(row: dict[str, Any]) -> None:
        if row["update"] == summary["best_update"] and "validation" in row:
            found.append(row["validation"])

    if summary.get("best_by") == VALIDATION_LOSS and path.exists():
        sound_rows(path, rising(check_metric), take=take)
    return found[-1] if found else None


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    from hornbook.cli.words import WIDE, console_for_tables

    console = console_for_tables()
    lines = [dict(zip(HEADINGS, words(row), strict=True)) for row in rows]
    headings = list(HEADINGS)
    table = table_of(lines, headings)
    for heading in DISPENSABLE:
        if console.measure(table, options=console.options.update(width=WIDE)).maximum > console.width:
            headings.remove(heading)
            table = table_of(lines, headings)
    losses = [heading for heading in LOSSES if heading in headings]
    table.caption = f"{' and '.join(losses)}: {CAPTION}"
    if any(line[heading].startswith(BEGUN) for line in lines for heading in losses):
        table.caption += f"\n{BEGUN_CAPTION}"
    console.print(table)


def table_of(lines: list[dict[str, str]], headings: list[str]) -> Table:
    """The columns of these headings."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, caption_justify="left")
    for heading in headings:
        justify: JustifyMethod = "right" if heading in NUMBERS else "left"
        # Where even the last columns are too wide, it is the names of runs that are cut.
        whole = heading != "run"
        table.add_column(heading, justify=justify, no_wrap=whole, overflow="ellipsis")
    for line in lines:
        table.add_row(*(Text(printable(line[heading])) for heading in headings))
    return table


def words(row: dict[str, Any]) -> list[str]:
    """A run's line."""
    from hornbook.smoothing import first_share

    if "problem" in row:
        return [row["run"], *[""] * (len(HEADINGS) - 2), row["state"]]
    state = {None: "no checkpoint", True: "finished", False: "stopped"}[row["finished"]]
    state = "running" if row["running"] else state
    best, last = (number(row[key], ".3f") for key in ("nats_per_character", "last_nats_per_character"))
    if row["last_nats_per_character"] is not None and first_share(row["updates"]):
        best, last = BEGUN * (row["measured_on"] == "training") + best, BEGUN + last
    losses = [best, row["measured_on"] or "-", last]
    updates, speed = number(row["updates"], ",d"), number(row["characters_per_second"], ",.0f")
    return [row["run"], row["text"], updates, *losses, speed, when(row["started"]), state]


def number(value: Any, form: str) -> str:
    """A number, or a dash where there is none."""
    return "-" if value is None else format(value, form)


def when(started: object) -> str:
    """A start in local time, to the minute; a dash for what is no time, or is before the first or after the
    last year there is."""
    try:
        return datetime.fromisoformat(str(started)).astimezone().strftime("%d %b %H:%M")
    except (ValueError, OverflowError, OSError):
        return "-"
