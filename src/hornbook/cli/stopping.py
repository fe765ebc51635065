"""What a signal does until a training listens to it. Loaded before all else, so it loads next to nothing."""

from __future__ import annotations

import os
from contextlib import suppress
from types import FrameType


def stopped(number: int, _frame: FrameType | None) -> None:
    """Say so, and end at once with 128 and the signal's number, as a training does that has listened. Whoever
    started the command sees an exit code, whenever the signal came: to die of it would show a supervisor two
    kinds of ends, and end a loop of bash by Ctrl-C in the first second and not later."""
    with suppress(OSError):  # of a terminal that was closed
        os.write(2, b"stopped\n")
    os._exit(128 + number)
