"""Signals, while a training listens: the first one asks it to end, after the update in hand; a second ends it
at once, as each does before the first update and after the last one."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Self

from hornbook.cli.quiet import hush
from hornbook.cli.words import aside

LONG = 2.0  # seconds of an end after which it is told that the signal was heard
HEARD = (
    "ending after the update in hand, and saving; once more ends at once, without what came after the last "
    "checkpoint"
)
STANDARD = (1, 2)  # output and error
ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, an end of the system, a closed terminal


class Interrupts:
    """While it is entered, a first signal is only kept as `asked`; a second one raises KeyboardInterrupt. A
    call answers whether the training is to end; where its end takes long, it is said that it comes. In a
    thread other than the main one signals are left alone, and so are those that are ignored or that a program
    in another language has taken."""

    def __init__(self) -> None:
        self.asked = 0
        self.telling = threading.Timer(LONG, aside, (HEARD,))
        self.telling.daemon = True

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()
        self.before = {
            number: signal.signal(number, self.handle) for number in ASKING if main and heard(number)
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.telling.cancel()
        for number, before in self.before.items():
            signal.signal(number, before)

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Take a signal."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = number
        if number == signal.SIGHUP:
            hush_closed()
        self.telling.start()

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
