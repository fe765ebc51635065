"""`hornbook score`: what a model needs for a text, beside n-grams and compressors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hornbook.cli.known import warn_if_known
from hornbook.cli.options import Encoding, Newlines, reading
from hornbook.cli.words import printable, unseen_words, warn
from hornbook.errors import RunFolderError
from hornbook.markup import counted

if TYPE_CHECKING:
    from rich.table import Table

    from hornbook.model import Model
    from hornbook.runs import Run
    from hornbook.scoring import Passage, Score

BY_HEART = "; n-grams and compressors know it by heart, so it costs them less still"


def score(
    run: Annotated[Path, typer.Argument(help="A run folder, such as runs/book.")],
    texts: Annotated[
        list[str],
        typer.Argument(metavar="TEXT", help="Text files, joined in this order; '-' is standard input."),
    ],
    page: Annotated[
        Path | None, typer.Option("--html", help="Write a page that colours each character by its surprise.")
    ] = None,
    baselines: Annotated[
        bool, typer.Option(help="Measure n-grams and compressors beside the model, or leave them out.")
    ] = True,
    which: Annotated[str, typer.Option(help="The best model or the last one.")] = "best",
    newlines: Newlines = None,
    encoding: Encoding = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Score a text: nats and bits per character, perplexity, and what surprises the model most.

    The model reads as if in the midst of its training text: from the state in which it starts to write. A
    character that it has never seen costs ln(K + 1) nats for K known symbols, and is not read.

    Beside the model stand n-grams of orders 1 to 8 (Kneser-Ney), made from the run's training text, and
    compressors, on the text alone and after the training text: all in bits per character.
    """
    from hornbook.cli.bar import Bar
    from hornbook.cli.places import check_place
    from hornbook.runs import Run
    from hornbook.text import read_text

    place = None if page is None else check_place("--html", page, texts)
    opened = Run(run)
    model = opened.model(which)
    text = read_text(*texts, **reading(encoding, newlines, run=opened.config.text))
    result = model.score(text[:])
    if baselines:
        training = training_text(opened)
        with Bar() as bar:
            bar.told("measuring n-grams and compressors")
            result = result.beside(training)
        if training is not None:
            warn_if_known(result.text, training, len(training), BY_HEART)
    if place is not None:
        write_page(place, model, result, text.name, f"{run} ({which})")
    if as_json:
        print(json.dumps(result.record(), indent=2))
    else:
        show(result, text.name, str(run))
        if page is not None:
            print(printable(f"\nthe page is {page}"))


def training_text(run: Run) -> str | None:
    """The text that a run was trained on; where it cannot be read again, that is told."""
    try:
        return run.read_in_training()
    except RunFolderError as error:
        warn(f"no n-grams: {error}")
        return None


def write_page(page: Path, model: Model, result: Score, text_name: str, model_name: str) -> None:
    """Write the page, whole."""
    from hornbook.reading import guesses
    from hornbook.report.surprise import GUESSES, SHOWN, surprise_page
    from hornbook.storage import write_whole

    found = guesses(model.engine, result.ids[:SHOWN], model.start().state, GUESSES)
    html = surprise_page(result, found, model.vocabulary.symbols, text_name, model_name)
    write_whole(page, html.encode())


def show(result: Score, text_name: str, run: str) -> None:
    """Print the tables."""
    from hornbook.cli.words import console_for_tables

    console = console_for_tables()
    print(printable(f"{text_name}, read by {run}: {counted(result.characters, result.unit)}"))
    if result.unknown_characters:
        print(unseen_words(result.unknown_characters, result.characters, result.symbols))
    console.print(costs(result))
    for title, passages in result.extremes().items():
        console.print(passages_table(title, passages, result.unit))


def costs(result: Score) -> Table:
    """The model and its baselines in one table."""
    from math import log

    from rich import box
    from rich.table import Table

    from hornbook.scoring import perplexity_words

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("", no_wrap=True)
    unit = result.unit
    for heading in (f"bits/{unit}", f"nats/{unit}", "perplexity"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, bits in {"this model": result.bits_per_character, **result.baselines}.items():
        style = "bold" if name == "this model" else ""
        table.add_row(
            name, f"{bits:.3f}", f"{bits * log(2):.3f}", perplexity_words(bits * log(2)), style=style
        )
    return table


def passages_table(title: str, passages: tuple[Passage, ...], unit: str) -> Table:
    """Passages, each with its place and its cost; line ends are shown by a sign."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=f"\n{title}", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False
    )
    table.add_column("from", justify="right", no_wrap=True)
    table.add_column(f"bits/{unit}", justify="right", no_wrap=True)
    table.add_column("passage", overflow="fold")
    for passage in passages:
        words = printable(passage.text).replace("\n", "↵").replace("\t", " ")
        table.add_row(f"{passage.start:,}", f"{passage.bits_per_character:.2f}", Text(words))
    return table
