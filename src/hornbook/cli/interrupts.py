"""Signals, while a training listens: the first one asks it to end, after the update in hand; a second ends it
at once, as each does before the first update and after the last one."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Self

from hornbook.cli.quiet import hush

STANDARD = (1, 2)  # output and error
ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, an end of the system, a closed terminal


class Interrupts:
    """While it is entered, a first signal is only kept as `asked`; a second one raises KeyboardInterrupt. A
    call answers whether the training is to end. In a thread other than the main one signals are left alone,
    and so are those that are ignored or that a program in another language has taken."""

    def __init__(self) -> None:
        self.asked = 0

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()
        self.before = {
            number: signal.signal(number, self.handle) for number in ASKING if main and heard(number)
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self.before.items():
            signal.signal(number, before)

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = number
        if number == signal.SIGHUP:
            hush_closed()

    def __call__(self) -> bool:
        """Whether the training is to end."""
        return self.asked > 0


def hush_closed() -> None:
    """Send what would go to a terminal that was closed nowhere, since all that is printed there fails."""
    for number in STANDARD:
        try:
            os.write(number, b"")
        except OSError:
            hush(number)


def heard(number: signal.Signals) -> bool:
    """Whether a signal may be taken: it is not ignored, as `nohup` has it for a closed terminal, and its
    handler, which is None where it was not set from Python, can be put back."""
    return signal.getsignal(number) not in (signal.SIG_IGN, None)
