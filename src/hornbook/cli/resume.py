"""`hornbook resume`: a training goes on from its last checkpoint."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hornbook.cli.options import SaveEvery
from hornbook.cli.words import printable, warn
from hornbook.config import SAVE_SECONDS
from hornbook.markup import counted

if TYPE_CHECKING:
    from hornbook.runs import Run

Flag = typer.Option


def resume(
    run: Annotated[Path, typer.Argument(help="A run folder, such as runs/book.")],
    updates: Annotated[
        str | None, Flag(help="Go on to so many updates in all, or +N for N more than it has made.")
    ] = None,
    minutes: Annotated[float | None, Flag(help="Go on for so many minutes from now.")] = None,
    force: Annotated[
        bool,
        Flag(
            "--force",
            help="Go on with another version of hornbook, on another processor, or without what is lost.",
        ),
    ] = False,
    save_every: SaveEvery = SAVE_SECONDS,
    quiet: Annotated[
        bool, Flag("--quiet", help="Print nothing but warnings and errors, and what --json prints.")
    ] = False,
    as_json: Annotated[bool, Flag("--json", help="Print one JSON event a line.")] = False,
) -> None:
    """Go on with a training that was stopped, by whatever: to the bit as if it had never ended.

    A run by time goes on for the minutes it has left. A finished run says so, unless it is given more updates
    or minutes; its learning rate then follows the schedule of the longer training from there on. One that
    ended by its --patience gets no more: hornbook train --config RUN --patience N trains it anew.
    """
    from hornbook.cli.conclusion import conclude
    from hornbook.cli.display import choose_display
    from hornbook.cli.interrupts import Interrupts
    from hornbook.facade import resume_into
    from hornbook.lengthening import Further
    from hornbook.resuming import finished
    from hornbook.runs import Run

    begun = time.perf_counter()
    found, further = Run(run), Further(updates, minutes)
    done = finished(found, further, force)
    display = choose_display(found.config.training.seq_len, quiet, as_json, printable(f"going on in {run}"))
    interrupts = Interrupts()
    found = resume_into(found, further, display, warn, begun, interrupts, save_every, force=force)
    if not done:
        conclude(found, silent=quiet or as_json, signal=interrupts.asked)
    elif not quiet and not as_json:
        after = counted(found.summary["updates"], "update")
        print(printable(f"{run} is finished, after {after}{more_words(found)}"))


def more_words(run: Run) -> str:
    """How a finished run gets more, as the end of a sentence."""
    from hornbook.lengthening import anew, ended_by_patience, most_of

    if ended_by_patience(run):
        return f", by its --patience {run.config.training.patience}; {anew(run)}"
    by_time = " or --minutes M" if run.summary["updates"] < most_of(run) else ""
    return f"; give it more with --updates +N{by_time}"
