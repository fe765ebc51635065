"""Ctrl-C: the first one asks the training to end, the second ends it at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Self


class Interrupts:
    """While it is entered, a first SIGINT only sets `asked`; a second raises KeyboardInterrupt. In a
    thread other than the main one signals are left alone."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> Self:
        self.main = threading.current_thread() is threading.main_thread()
        if self.main:
            self.before = signal.signal(signal.SIGINT, self.handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.main:
            signal.signal(signal.SIGINT, self.before)

    def handle(self, _number: int, _frame: FrameType | None) -> None:
        """Take a SIGINT."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def stop(self) -> bool:
        """Whether the training is to end."""
        return self.asked
