"""`hornbook eval`: what a model needs for the held-out part of its text, or for another text, in a number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hornbook.cli.options import Encoding, Newlines, reading

if TYPE_CHECKING:
    from hornbook.evaluation import Evaluation
    from hornbook.runs import Run


def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder, such as runs/book.")],
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT",
            help="Text files, joined in this order; '-' is standard input. Without: what the run held out.",
            show_default=False,
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(help="Measure by windows of so many characters too, the state zero before each."),
    ] = None,
    which: Annotated[str, typer.Option(help="The best model or the last one.")] = "best",
    newlines: Newlines = None,
    encoding: Encoding = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Evaluate a model: nats and bits per character and perplexity, on what its run held out or on a text.

    The text is read as one stream, from the state in which the model starts to write, and what was held out
    from the last 2,000 characters before it: each character is foretold after all before it. With --window
    256 it is cut into windows of 256 characters too, for comparison with models that see no more: the state
    is zero before each, its first character is only read, and each of the other 255 is foretold after those
    before it.
    """
    from hornbook.config import integer
    from hornbook.runs import Run

    if window is not None:
        integer("window", window, 2, 10**9)
    opened = Run(run)
    model = opened.model(which)
    name, text, before = text_of(opened, texts, encoding, newlines)
    found = [model.evaluate(text, before=before)] + ([model.evaluate(text, window)] if window else [])
    if as_json:
        print(json.dumps(record(found), indent=2))
    else:
        show(found, f"{name}, read by {run} ({which})", model.vocabulary.unit)


def text_of(
    run: Run, texts: list[str] | None, encoding: str | None, newlines: str | None
) -> tuple[str, str, str]:
    """The name of what is evaluated, itself, and what stands before it: the texts that are named, or what the
    run held out."""
    from hornbook.errors import SettingError
    from hornbook.scoring import LEAD
    from hornbook.text import read_text

    if texts:
        text = read_text(*texts, **reading(encoding, newlines, run=run.config.text))
        return text.name, text[:], ""
    if encoding or newlines:
        raise SettingError("--encoding and --newlines are of a text that is named, but none is")
    return f"the part held out of {run.config.text['name']}", *run.held_out(LEAD)


def record(found: list[Evaluation]) -> dict[str, object]:
    """The figures as JSON; those by windows under a key of their own."""
    stream, *windows = found
    return {**stream.record(), **({"windows": windows[0].record()} if windows else {})}


def show(found: list[Evaluation], title: str, unit: str) -> None:
    """Print the table."""
    from rich import box
    from rich.table import Table

    from hornbook.cli.words import console_for_tables, printable

    print(printable(title))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("")
    for heading in (f"{unit}s", "unknown", f"nats/{unit}", f"bits/{unit}", "perplexity"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found:
        table.add_row(
            f"windows of {one.window:,}" if one.window else "one stream",
            f"{one.characters:,}",
            f"{one.unknown_characters:,}",
            f"{one.nats_per_character:.4f}",
            f"{one.bits_per_character:.4f}",
            f"{one.perplexity:.3f}",
        )
    console_for_tables().print(table)
