"""What is said at the end of a training: what was reached, what the best model writes, what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from hornbook.cli.quiet import perhaps_unread
from hornbook.cli.words import aside, printable, warn
from hornbook.markup import a_second, counted, for_shell

if TYPE_CHECKING:
    from hornbook.runs import Run

SIGNALLED = 128  # and the signal's number, is the exit code


def conclude(run: Run, silent: bool, signal: int) -> None:
    """What was reached, what the best model writes, and what to do next. Where a signal has stopped the
    training, exits with 128 and its number: 130 after Ctrl-C."""
    from hornbook.hindsight import warning_of

    summary = run.summary
    warning = warning_of(summary)
    if warning:
        warn(warning)
    if not silent:
        with perhaps_unread():
            tell(run, summary)
    if not summary["finished"]:
        aside(
            f"stopped after update {summary['updates']:,}; what was learnt is kept in {run.folder}\n"
            f"see it with: hornbook sample {for_shell(run.folder)}   "
            f"go on with: hornbook resume {for_shell(run.folder)}"
        )
        raise typer.Exit(SIGNALLED + signal)


def tell(run: Run, summary: dict[str, Any]) -> None:
    """The figures and the passage of a run."""
    from hornbook.cli.words import loss_words
    from hornbook.lengthening import most_of
    from hornbook.smoothing import first_share

    if None in (summary["best_smooth_loss"], summary["last_smooth_loss"]):
        return
    seq_len = run.config.training.seq_len
    if summary["finished"]:
        print(f"\nThe best model, of update {summary['best_update']:,}, writes:\n")
        print(printable(run.samples[-1]["text"]))
    if summary["validation"]:
        print(f"\nvalidation        {validation_words(run, summary)}", end="")
        print(
            "".join(
                f"\n{line}" for line in yardstick_words(summary["validation"], run.config.training.minutes)
            ),
            end="",
        )
    print(f"\nbest smooth loss  {loss_words(summary['best_smooth_loss'], seq_len)}")
    print(f"last smooth loss  {loss_words(summary['last_smooth_loss'], seq_len)}")
    if share := first_share(summary["updates"]):
        print(f"{share:.0%} of the smooth loss is still its first value: it lags behind what was learnt")
    print(
        f"{counted(summary['updates'], 'update')} in {summary['seconds']:.1f} s, "
        f"{a_second(summary['updates_per_second'])} updates/s, engine {summary['engine']}"
    )
    if summary["stopped_early"]:
        patience = run.config.training.patience
        print(f"ended early: {counted(patience, 'evaluation')} without a new best (--patience {patience})")
    elif run.config.training.minutes and summary["updates"] == most_of(run):
        often = f"{run.config.training.most_epochs:,.4g}"
        print(
            f"ended early: the text was read {often} times, as often as a training by time may (most_epochs)"
        )
    more = f"hornbook sample {for_shell(run.folder)} --temperature 0.7"
    print(printable(f"kept in {run.folder}   more text: {more}"))


def validation_words(run: Run, summary: dict[str, Any]) -> str:
    """What the best model needs for the held-out part, and of how much of it that is known."""
    from hornbook.cli.words import cost_words
    from hornbook.streams import trained_on

    validation, characters = summary["validation"], summary["characters"]
    held_out = characters - trained_on(characters, run.config.training)
    read = validation["characters"]
    part = f"all {held_out:,}" if read == held_out else f"the first {read:,} of {held_out:,}"
    return f"{cost_words(validation['nats_per_character'])}, over {part} characters held out"


def yardstick_words(validation: dict[str, Any], minutes: float) -> list[str]:
    """What others need for the held-out part, a line each, or why that is not known in a training by time."""
    from hornbook.cli.words import cost_words
    from hornbook.yardsticks import NGRAM, XZ

    found = validation.get("baselines")
    if not found:
        return [f"{NGRAM} and {XZ}    not measured: that needs more --minutes"] if minutes else []
    before = f"after {found['trained_on']:,} characters"
    names = {NGRAM: f"with Kneser-Ney smoothing, {before}", XZ: before}
    return [
        f"{name:<16}  {cost_words(found[name]['nats_per_character'])}, {how}" for name, how in names.items()
    ]
