"""`hornbook sample`: text from a run, written out as it is made."""

from __future__ import annotations

import sys
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hornbook.errors import RunFolderError, SettingError

if TYPE_CHECKING:
    from hornbook.matching import CopyGuard
    from hornbook.model import Model
    from hornbook.runs import Run


def sample(
    run: Annotated[Path, typer.Argument(help="A run folder, such as runs/book.")],
    length: Annotated[int, typer.Option(help="Characters to write.")] = 1000,
    temperature: Annotated[float, typer.Option(help="Below 1 safer, above 1 wilder, 0 likeliest.")] = 1.0,
    top_k: Annotated[int, typer.Option(help="Draw from the k likeliest only (0: all).")] = 0,
    top_p: Annotated[float, typer.Option(help="Draw from the likeliest that make up this share.")] = 1.0,
    prompt: Annotated[str, typer.Option(help="What the text goes on from.")] = "",
    unknown: Annotated[
        str, typer.Option(help="error or skip: what becomes of characters in a prompt that are new.")
    ] = "error",
    stop: Annotated[str, typer.Option(help="End before this string.")] = "",
    seed: Annotated[int, typer.Option(help="Another seed, another text.")] = 0,
    count: Annotated[int, typer.Option(help="How many texts.")] = 1,
    no_copy: Annotated[
        int | None,
        typer.Option(help="Copy no more than this many characters in a row from the training text."),
    ] = None,
    which: Annotated[str, typer.Option(help="The best model or the last one.")] = "best",
) -> None:
    """Let a trained model write.

    A model of bytes writes just these to a file or a pipe; on a terminal they are shown as UTF-8.
    """
    from hornbook.cli.words import warn
    from hornbook.runs import Run
    from hornbook.sampling import read_prompt
    from hornbook.values import integer

    integer("--count", count, 1, 1_000_000)
    opened = Run(run)
    model = opened.model(which)
    guard = None if no_copy is None else guard_of(opened, model, no_copy)
    vocabulary = model.vocabulary
    read = read_prompt(vocabulary, vocabulary.typed(prompt), unknown)
    if prompt and not read:
        warn("the model knows no character of the prompt, so nothing of it is left")
    for number in range(count):
        pieces = model.stream(
            length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            prompt=read,
            stop=vocabulary.typed(stop),
            seed=seed,
            number=number,
            guard=guard,
        )
        if vocabulary.tokens == "bytes" and not terminal():
            write_bytes(chain([read], pieces))
            continue
        if count > 1:
            print(f"--- {number + 1} of {count} ---")
        show(chain([read], pieces), readable(vocabulary.tokens))


def guard_of(run: Run, model: Model, limit: int) -> CopyGuard:
    """What holds the texts back from copying. Raises SettingError where the training text cannot be read."""
    try:
        training = run.read_in_training()
    except RunFolderError as error:
        back = "put it back as it was, or " if run.config.sources else ""
        raise SettingError(
            f"--no-copy reads the training text, but {error}; {back}leave --no-copy out"
        ) from error
    return model.copy_guard(training, limit)


def terminal() -> bool:
    """Whether a person reads along."""
    return sys.stdout.isatty()


def readable(tokens: str) -> Callable[[str], str]:
    """What makes the pieces of a text readable, one after the other. A character of UTF-8 may lie across
    two pieces of bytes."""
    if tokens == "chars":
        return str
    decoder = getincrementaldecoder("utf-8")("surrogateescape")
    return lambda piece: decoder.decode(piece.encode("latin-1"))


def show(pieces: Iterator[str], read: Callable[[str], str]) -> None:
    """Print a text as it is made, and end its line, even where it cannot go on."""
    from hornbook.cli.words import printable

    try:
        for piece in pieces:
            sys.stdout.write(printable(read(piece)))
            sys.stdout.flush()
    except SettingError:
        sys.stdout.write("\n")
        raise
    sys.stdout.write("\n")


def write_bytes(pieces: Iterator[str]) -> None:
    """Write bytes to a file or a pipe as they are made, and nothing else."""
    sys.stdout.flush()
    for piece in pieces:
        sys.stdout.buffer.write(piece.encode("latin-1"))
        sys.stdout.buffer.flush()
