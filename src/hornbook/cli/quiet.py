"""Output that nobody can read any more goes nowhere."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

UNREAD = 128 + signal.SIGPIPE  # the exit code that a shell gives to what that signal has ended


def hush(number: int) -> None:
    """Send what is printed to an open file from now on nowhere: whoever read it has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def silence(stream: TextIO | None = None) -> None:
    """Send what is printed to standard output, or another stream, from now on nowhere."""
    with suppress(OSError):  # where it is no file
        hush((stream or sys.stdout).fileno())


def is_unread(error: BaseException) -> bool:
    """Whether this tells that nobody reads what is printed. Rich turns that into an end of the command."""
    return isinstance(error, BrokenPipeError) or (
        isinstance(error, SystemExit) and isinstance(error.__context__, BrokenPipeError)
    )


@contextmanager
def perhaps_unread() -> Iterator[None]:
    """Print what need not be read: where nobody does any more, it goes nowhere."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        silence()
