"""`hornbook report`: a run as a document."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hornbook.cli.words import printable, warn


def report(
    run: Annotated[Path, typer.Argument(help="A run folder, such as runs/book.")],
    form: Annotated[str, typer.Option("--format", help="html, pdf, md or all.")] = "html",
) -> None:
    """Write a run's report into its folder: report.html, report.pdf or report.md with its figures.

    Setting, gradient checks, the course of the losses, the samples, the best model, its sampling at several
    temperatures, how much it copied, and what its hidden units follow. A run that is still training, or was
    stopped, is shown as far as it came; one whose text, summary or best model is gone or damaged without what
    hangs on that, which is told.
    """
    from hornbook.cli.bar import Bar
    from hornbook.report.writer import write_report
    from hornbook.runs import Run

    lacking: list[str] = []
    with Bar(lines=True) as bar:
        paths = write_report(Run(run), form, bar.told, lacking.append)
    for sentence in lacking:
        warn(sentence)
    for path in paths:
        if path.suffix != ".svg":
            print(printable(str(path)))
