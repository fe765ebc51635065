"""`hornbook eval`: what a model needs for the held-out part of its text, or for another text, in a number."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hornbook.cli.options import Encoding, Newlines, reading

if TYPE_CHECKING:
    from hornbook.dynamic import Dynamic
    from hornbook.evaluation import Evaluation
    from hornbook.runs import Run
    from hornbook.vocabulary import Vocabulary

LARGE = 1e6  # a perplexity that is told in two digits


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
    dynamic: Annotated[
        bool, typer.Option("--dynamic", help="Measure too how it does while it learns from what is scored.")
    ] = False,
    dynamic_lr: Annotated[float | None, typer.Option(help="Rate of that learning (0.0004).")] = None,
    dynamic_decay: Annotated[
        float | None, typer.Option(help="Share by which it goes back to what was trained (0.001).")
    ] = None,
    dynamic_segment: Annotated[
        int | None, typer.Option(help="Characters that are scored, then learnt from (25).")
    ] = None,
    which: Annotated[str, typer.Option(help="The best model or the last one.")] = "best",
    newlines: Newlines = None,
    encoding: Encoding = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Evaluate a model: nats and bits per character and perplexity, on what its run held out or on a text.

    The text is read as one stream, from the state in which the model starts to write, and what was held out
    from the last 2,000 characters before it: each character is foretold after all before it. A character that
    the model has never seen costs ln(K + 1) nats for K known symbols, and is not read. With --window
    256 it is cut into windows of 256 characters too, for comparison with models that see no more: the state
    is zero before each, its first character is only read, and each of the other 255 is foretold after those
    before it.

    With --dynamic the text is read once more by a copy of the network that goes on learning: each 25
    characters are scored first and then learnt from. This is another figure, of a network that adapts itself
    to the text; the run keeps its weights as they are.
    """
    from hornbook.runs import Run
    from hornbook.values import integer

    if window is not None:
        integer("--window", window, 2, 10**9)
    how = learning_of(dynamic, lr=dynamic_lr, decay=dynamic_decay, segment=dynamic_segment)
    opened = Run(run)
    model = opened.model(which)
    name, text, before = text_of(opened, texts, encoding, newlines)
    if texts:
        tell_known(opened, text)
    found = [model.evaluate(text, before=before)] + ([model.evaluate(text, window)] if window else [])
    with dynamic_flags():
        learnt = model.evaluate_dynamic(text, before, **vars(how)) if how else None
    if as_json:
        print(json.dumps(record(found, how, learnt), indent=2))
    else:
        show(found, how, learnt, f"{name}, read by {run} ({which})", model.vocabulary)


def learning_of(wanted: bool, **typed: float | None) -> Dynamic | None:
    """How the network is to learn while it is evaluated; None where it is not."""
    from hornbook.dynamic import Dynamic
    from hornbook.errors import SettingError

    said: dict[str, Any] = {name: value for name, value in typed.items() if value is not None}
    if said and not wanted:
        raise SettingError(f"--dynamic-{next(iter(said))} says how --dynamic learns; give --dynamic too")
    with dynamic_flags():
        return Dynamic(**said) if wanted else None


@contextmanager
def dynamic_flags() -> Iterator[None]:
    """Tell the rate of dynamic evaluation by its flag: as a keyword it is called as that of a training."""
    from hornbook.errors import SettingError

    try:
        yield
    except SettingError as error:
        raise SettingError(str(error).replace("`lr`", "`dynamic_lr`")) from error


def text_of(
    run: Run, texts: list[str] | None, encoding: str | None, newlines: str | None
) -> tuple[str, str, str]:
    """The name of what is evaluated, itself, and what stands before it: the texts that are named, or what the
    run held out."""
    from hornbook.errors import SettingError
    from hornbook.reading import LEAD
    from hornbook.text import read_text

    if texts:
        text = read_text(*texts, **reading(encoding, newlines, run=run.config.text))
        return text.name, text[:], ""
    if encoding or newlines:
        raise SettingError("--encoding and --newlines are of a text that is named, but none is")
    return f"the part held out of {run.config.text['name']}", *run.held_out(LEAD)


def tell_known(run: Run, text: str) -> None:
    """Tell where a text was trained on; nothing where the training text cannot be read again, without which
    that is not known."""
    from hornbook.cli.known import warn_if_known
    from hornbook.errors import RunFolderError
    from hornbook.streams import trained_on

    try:
        training = run.text()
    except RunFolderError:
        return
    warn_if_known(text, training, trained_on(len(training), run.config.training))


def record(found: list[Evaluation], how: Dynamic | None, learnt: Evaluation | None) -> dict[str, object]:
    """The figures as JSON; those by windows and those of the network that learns under keys of their own."""
    from hornbook.dynamic import record as dynamic_record

    stream, *windows = found
    named: dict[str, object] = {**stream.record()}
    named |= {"windows": windows[0].record()} if windows else {}
    return named | ({"dynamic": dynamic_record(learnt, how)} if learnt and how else {})


def show(
    found: list[Evaluation],
    how: Dynamic | None,
    learnt: Evaluation | None,
    title: str,
    vocabulary: Vocabulary,
) -> None:
    """Print the table, and what was charged for the characters that are not known."""
    from rich import box
    from rich.table import Table

    from hornbook.cli.words import console_for_tables, printable, unseen_words

    print(printable(title))
    unit, stream = vocabulary.unit, found[0]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("")
    for heading in (f"{unit}s", "unknown", f"nats/{unit}", f"bits/{unit}", "perplexity"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found:
        table.add_row(how_read(one, stream.characters - stream.unknown_characters), *figures(one))
    if learnt and how:
        table.add_section()
        table.add_row(f"dynamic, at {how.lr:g} every {how.segment:,}", *figures(learnt))
    console_for_tables().print(table)
    if unseen := stream.unknown_characters:
        print(f"\n{unseen_words(unseen, stream.characters, len(vocabulary))}")


def how_read(one: Evaluation, characters: int) -> str:
    """How so many known characters were read."""
    if not one.window:
        return "one stream"
    return f"windows of {one.window:,}" if one.window < characters else "one window, the whole text"


def figures(one: Evaluation) -> tuple[str, ...]:
    """The figures of an evaluation, as they stand in the table."""
    return (
        f"{one.characters:,}",
        f"{one.unknown_characters:,}",
        f"{one.nats_per_character:.4f}",
        f"{one.bits_per_character:.4f}",
        f"{one.perplexity:.3f}" if one.perplexity < LARGE else f"{one.perplexity:.1e}",
    )
