"""Output that nobody can read any more goes nowhere."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def hush(number: int) -> None:
    """Send what is printed to an open file from now on nowhere: whoever read it has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def silence() -> None:
    """Send what is printed to standard output from now on nowhere."""
    with suppress(OSError):  # where standard output is no file
        hush(sys.stdout.fileno())
