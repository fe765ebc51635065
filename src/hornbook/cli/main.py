"""The command `hornbook`, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TextIO

import typer
from typer.core import TyperGroup

from hornbook.cli.check import check
from hornbook.cli.compare import compare
from hornbook.cli.evaluate import evaluate
from hornbook.cli.inside import inside
from hornbook.cli.mistyped import mistake_words
from hornbook.cli.numbers import with_numbers
from hornbook.cli.quiet import UNREAD, is_unread, silence
from hornbook.cli.report import report
from hornbook.cli.resume import resume
from hornbook.cli.runs import runs
from hornbook.cli.sample import sample
from hornbook.cli.score import score
from hornbook.cli.stopping import stopped
from hornbook.cli.train import train
from hornbook.cli.words import aside
from hornbook.errors import HornbookError

INTERRUPTED = 130
COMMANDS: dict[str, Any] = {
    "train": train,
    "resume": resume,
    "check": check,
    "sample": sample,
    "report": report,
    "compare": compare,
    "score": score,
    "eval": evaluate,
    "inside": inside,
    "runs": runs,
}
USAGE_ERROR: Any = typer.BadParameter.__base__  # of all mistakes in what was typed


@contextmanager
def printing() -> Iterator[None]:
    """See that what was printed is written, however this ends; where it cannot be, that is told, unless it is
    because nobody reads it: that is the end, as it is of other programs."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except (OSError, SystemExit) as error:
        if is_unread(error):
            silence()
            raise typer.Exit(UNREAD) from error
        if isinstance(error, SystemExit):
            raise
        silence()
        aside(f"error: {error.filename or 'standard output cannot be written'}: {error.strerror or error}")
        raise typer.Exit(1) from error


class Commands(TyperGroup):
    """All commands; an error of any of them is told in a line or two, without a traceback."""

    def make_context(self, *words: Any, **how: Any) -> Any:
        """Read what was typed; what is told here already is the help and the version."""
        with printing():
            return super().make_context(*words, **how)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was typed."""
        with printing():
            return self.told(ctx)

    def told(self, ctx: Any) -> Any:
        """Run it; an error is told."""
        try:
            return super().invoke(ctx)
        except USAGE_ERROR as error:
            command = f" {ctx.invoked_subcommand}" if ctx.invoked_subcommand in COMMANDS else ""
            aside(f"error: {mistake_words(error)}; see hornbook{command} --help")
            raise typer.Exit(error.exit_code) from error
        except HornbookError as error:
            aside(f"error: {error}")
            raise typer.Exit(error.exit_code) from error
        except MemoryError as error:
            aside(
                "error: there is not enough memory for this; a smaller --hidden, --layers, --streams or "
                "--seq-len needs less"
            )
            raise typer.Exit(1) from error
        except KeyboardInterrupt as interrupt:
            aside(f"stopped at once: {interrupt}" if str(interrupt) else "stopped")
            raise typer.Exit(INTERRUPTED) from interrupt


def paragraphs(doc: str) -> str:
    """A docstring's paragraphs, each as one line, for the terminal to break."""
    return "\n\n".join(" ".join(part.split()) for part in doc.split("\n\n"))


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Teach a recurrent network to write like a book, one character at a time.",
)
for name, command in COMMANDS.items():
    app.command(name, help=paragraphs(command.__doc__ or ""))(with_numbers(command))


def tell_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        from importlib.metadata import version

        print(f"hornbook {version('hornbook')}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=tell_version, is_eager=True, help="Print the version and end."),
    ] = False,
) -> None:
    """Teach a recurrent network to write like a book, one character at a time."""


def main() -> None:
    """The entry point. What a terminal's encoding does not have is shown as a question mark, and Ctrl-C is
    an interrupt from here to the end of the command; what has listened for it until then is put back."""
    open_streams()
    prepare_drawing()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    before = signal.getsignal(signal.SIGINT)
    try:
        if before in (signal.SIG_DFL, stopped):
            signal.signal(signal.SIGINT, signal.default_int_handler)
        app()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(INTERRUPTED)
    finally:
        if before is not None:  # None is what a program in another language has put there
            signal.signal(signal.SIGINT, before)


def prepare_drawing() -> None:
    """Let matplotlib draw into files whatever MPLBACKEND says. A folder of XDG's that is not absolute counts
    for nothing, as that specification has it: matplotlib would make one here."""
    os.environ["MPLBACKEND"] = "agg"
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        if not os.path.isabs(os.environ.get(name, os.sep)):
            del os.environ[name]


def open_streams() -> None:
    """Send nowhere what goes to a standard stream that was closed, as by `>&-`, and let no file that is
    opened later take its number. Standard input stays missing, which is told when it is to be read."""
    if sys.stdin is None:
        os.open(os.devnull, os.O_RDONLY)
    sys.stdout, sys.stderr = (stream or nowhere() for stream in (sys.stdout, sys.stderr))


def nowhere() -> TextIO:
    """What is written here is lost."""
    return open(os.devnull, "w", encoding="utf-8")
