"""`hornbook sample`: text from a run, written out as it is made."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


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
    which: Annotated[str, typer.Option(help="The best model or the last one.")] = "best",
) -> None:
    """Let a trained model write."""
    from hornbook.cli.words import printable
    from hornbook.config import integer
    from hornbook.runs import Run
    from hornbook.sampling import read_prompt

    integer("count", count, 1, 1_000_000)
    model = Run(run).model(which)
    read = read_prompt(model.vocabulary, prompt, unknown)
    for number in range(count):
        pieces = model.stream(
            length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            prompt=read,
            stop=stop,
            seed=seed,
            number=number,
        )
        if count > 1:
            print(f"--- {number + 1} of {count} ---")
        sys.stdout.write(printable(read))
        for piece in pieces:
            sys.stdout.write(printable(piece))
            sys.stdout.flush()
        sys.stdout.write("\n")
