"""`hornbook inside`: what hidden units follow in a text, and one of them over a passage in colours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hornbook.cli.options import Encoding, Newlines, reading
from hornbook.markup import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from hornbook.cells.cell import Array
    from hornbook.units import Inside, UnitFinding

MOST_NUMBERS = 60_000_000  # activations that are kept at a time
BEST = 3  # units of a feature, features of a unit


def inside(
    run: Annotated[Path, typer.Argument(help="A run folder, such as runs/book.")],
    texts: Annotated[
        list[str],
        typer.Argument(metavar="TEXT", help="Text files, joined in this order; '-' is standard input."),
    ],
    unit: Annotated[int | None, typer.Option(help="The hidden unit to show, from 0.")] = None,
    start: Annotated[int, typer.Option(help="Where the passage that is shown starts.")] = 0,
    length: Annotated[int, typer.Option(help="Characters of that passage.")] = 1000,
    which: Annotated[str, typer.Option(help="The best model or the last one.")] = "best",
    newlines: Newlines = None,
    encoding: Encoding = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON, with the activations.")] = False,
) -> None:
    """Look inside a model: what its hidden units follow in a text that a person can name.

    With --unit, that unit's activation over a passage, from blue (-1) to red (1), and what it follows
    best. Without, the units that follow each thing best. The correlations are over the whole text, which is
    read from the state in which the model starts to write.
    """
    from hornbook.runs import Run
    from hornbook.text import read_text
    from hornbook.units import Inside
    from hornbook.values import integer

    opened = Run(run)
    model = opened.model(which)
    text = read_text(*texts, **reading(encoding, newlines, run=opened.config.text))
    characters = text[: MOST_NUMBERS // model.settings.hidden]
    if unit is not None:
        integer("--unit", unit, 0, model.settings.hidden - 1)
    integer("--start", start, 0, len(characters) - 1)
    integer("--length", length, 1, 10**9)
    hidden = model.hidden(characters)
    found = Inside.look(characters, hidden)
    part = slice(start, start + length)
    if unit is None:
        tell_best(found, extent(len(characters), len(text), text.vocabulary.unit), as_json)
    elif as_json:
        print(json.dumps(record(found, unit, characters[part], hidden[part, unit])))
    else:
        show_unit(found, unit, characters[part], hidden[part, unit])
        if text.vocabulary.tokens == "bytes":
            print("each byte stands here as its character in Latin-1")


def findings(found: tuple[UnitFinding, ...]) -> list[dict[str, Any]]:
    """Findings as they stand in JSON."""
    return [{"unit": f.unit, "feature": f.feature, "correlation": f.correlation} for f in found]


def record(found: Inside, unit: int, passage: str, activations: Array) -> dict[str, Any]:
    """A unit as it stands in JSON: what it follows, and its activation after each character."""
    values = [round(float(a), 6) for a in activations]
    return {"unit": unit, "follows": findings(found.followed(unit)), "text": passage, "activations": values}


def extent(characters: int, every: int, unit: str) -> str:
    """How much of a text was looked into."""
    return f"the first {characters:,} of " * (characters < every) + counted(every, unit)


def tell_best(found: Inside, over: str, as_json: bool) -> None:
    """Print the best units of every feature, and over how much of a text."""
    from hornbook.cli.words import console_for_tables

    if as_json:
        print(json.dumps(findings(found.best(BEST)), indent=2))
        return
    print(f"The units that follow each thing best, over {over} (Pearson's r):")
    console_for_tables().print(best_table(found))
    print("see one of them with --unit")


def best_table(found: Inside) -> Table:
    """The best units of every feature, a row a feature."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("what it follows")
    for heading in ("best unit", "second", "third"):
        table.add_column(heading, justify="right", no_wrap=True)
    for feature in found.features:
        units = [f"{f.unit} ({f.correlation:+.2f})" for f in found.units(feature, BEST)]
        table.add_row(feature, *units, *["-"] * (BEST - len(units)))
    return table


def show_unit(found: Inside, unit: int, passage: str, activations: Array) -> None:
    """Print what a unit follows, and its activation over a passage."""
    from hornbook.cli.words import plain_console

    follows = ", ".join(f"{f.feature} ({f.correlation:+.2f})" for f in found.followed(unit, BEST))
    console = plain_console()
    console.print(f"Unit {unit} follows best: {follows or 'nothing here'}")
    console.print(legend(console))
    console.print(painted(passage, activations.tolist()), soft_wrap=True)


def legend(console: Console) -> Text:
    """What the colours mean; where there are none, that is said."""
    from rich.text import Text

    if console.color_system is None:
        return Text("(the activation is shown in colours, on a terminal; --json gives the numbers)")
    steps = [i / 4 for i in range(-4, 5)]
    return Text(" ").join(Text(f"{step:+.2f}", colour(step)) for step in steps)


def painted(passage: str, activations: list[float]) -> Text:
    """A passage in which each character's background is the unit's activation after it was read."""
    from rich.text import Text

    from hornbook.cli.words import printable

    text = Text()
    for character, activation in zip(printable(passage), activations, strict=True):
        text.append("↵\n" if character == "\n" else character, colour(activation))
    return text


def colour(activation: float) -> str:
    """The style of an activation from -1 (blue) over 0 (white) to 1 (red)."""
    pale = 255 - round(175 * min(abs(activation), 1))
    red, blue = (255, pale) if activation > 0 else (pale, 255)
    return f"black on rgb({red},{pale},{blue})"
