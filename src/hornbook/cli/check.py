"""`hornbook check`: the gradient check as a table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hornbook.cli.options import Encoding, Newlines, Texts, Tokens, reading
from hornbook.errors import CheckFailed

if TYPE_CHECKING:
    from rich.table import Table

    from hornbook.gradients import GradientCheck
    from hornbook.verdicts import Row

CASES = {
    "recipe": "initial values as the recipe has them, zero state",
    "hard": "all parameters at scale 0.1, a state that is not zero",
}


def check(
    texts: Texts = None,
    engine: Annotated[str | None, typer.Option(help="Whose gradients: native or reference.")] = None,
    cell: Annotated[str | None, typer.Option(help="vanilla, gru or lstm.")] = None,
    layers: Annotated[int | None, typer.Option(help="Layers, 1 to 4 (1).")] = None,
    hidden: Annotated[int, typer.Option(help="Hidden units of a layer.")] = 100,
    seq_len: Annotated[int, typer.Option(help="Characters read.")] = 25,
    init_scale: Annotated[float | None, typer.Option(help="Deviation of the initial matrices.")] = None,
    seed: Annotated[int | None, typer.Option(help="Where all random numbers start (0).")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every entry, however many parameters there are.")
    ] = False,
    tokens: Tokens = None,
    newlines: Newlines = None,
    encoding: Encoding = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Prove the gradients: every entry against central differences and the complex step.

    Float64, nothing clipped, on the first characters of the text. Exits 0 only if every row passes.
    """
    from hornbook.cli.bar import Bar
    from hornbook.config import settings
    from hornbook.engines import default_engine
    from hornbook.gradients import check_gradients
    from hornbook.text import read_text

    text = read_text(*texts or [], **reading(encoding, newlines, tokens))
    flags: dict[str, Any] = {
        "engine": engine or default_engine(),
        "cell": cell,
        "layers": layers,
        "hidden": hidden,
        "seq_len": seq_len,
        "init_scale": init_scale,
        "seed": seed,
    }
    model, training = settings(len(text.vocabulary), **flags)
    with Bar(lines=not as_json) as bar:
        result = check_gradients(text, model, training, everything, bar.told)
    if as_json:
        print(json.dumps([row.record() for row in result.rows], indent=2))
    else:
        show(result)
    if result.wrong:
        raise CheckFailed("at least one gradient is out of its limits: the rows that say no above")
    if not result.passed:
        raise CheckFailed(
            "this network is too chaotic to be checked: in the rows above that say ? (judged by none), "
            "rounding alone changes a gradient as much as a fault could; choose a smaller `init_scale` or "
            "`seq_len`"
        )


def show(result: GradientCheck) -> None:
    """Print the tables."""
    from hornbook.cli.words import console_for_tables
    from hornbook.verdicts import CLOSE, COMPLEX_LIMIT, ROUNDING

    console = console_for_tables()
    model = result.model
    console.print(
        f"Gradients of the {result.engine} engine: {model.cell}, L {model.layers}, H {model.hidden}, "
        f"K {model.vocabulary:,}, T {result.seq_len}\n"
    )
    limits = {row.case: f"{row.limit:.2g}" for row in result.rows}
    for case, meaning in CASES.items():
        rows = [row for row in result.rows if row.case == case]
        console.print(table_of(rows, meaning, console.is_terminal))
    console.print(
        f"≤ 1e-6      share of entries whose error by differences is at most {CLOSE:g}\n"
        "differences largest error against central differences\n"
        "complex     largest error against the complex step\n"
        "rel.        the same over the parameter's largest gradient\n"
        f"A row passes with differences ≤ {', below ≤ '.join(dict.fromkeys(limits.values()))} "
        f"and complex, relative, ≤ {COMPLEX_LIMIT:g}\n"
        f"(or ≤ {ROUNDING:g} of the largest gradient of all, T at most, or what roundings of the\n"
        "parameters change in it, which is rounding)."
    )
    for verdict, note in result.notes.items():
        console.print(f"{verdict:12}{note}")


def table_of(rows: list[Row], title: str, coloured: bool) -> Table:
    """One case as a table."""
    from rich import box
    from rich.table import Table

    from hornbook.verdicts import ROW_HEADINGS

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    first, *headings, last = ROW_HEADINGS
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(last)
    for row in rows:
        style = "" if not coloured else "green" if row.passed else "bold red" if row.wrong else "yellow"
        table.add_row(*row.words(), style=style)
    return table
