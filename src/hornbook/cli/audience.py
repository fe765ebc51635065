"""Whoever watches a training: a display, as long as it can be written to."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from hornbook.cli.display import Display
from hornbook.cli.quiet import silence
from hornbook.events import Event

GONE = (errno.EPIPE, errno.EIO)  # a reader, a terminal


class Audience:
    """Shows events on a display. A reader that has gone, as in `hornbook train | head`, or a terminal that
    was closed, does not end the training, which goes on unseen; nor does what the terminal's encoding does
    not have. At any other `failure` of the output, such as a full disk, it is to stop, as `stop` tells, which
    else answers what `asked` does."""

    def __init__(self, display: Display, asked: Callable[[], bool]) -> None:
        self.display, self.asked = display, asked
        self.failure: OSError | None = None

    def __enter__(self) -> Self:
        self.attempt(self.display.__enter__)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.attempt(lambda: self.display.__exit__(kind, error, trace))

    def show(self, event: Event) -> None:
        """Show an event."""
        self.attempt(lambda: self.display.show(event))

    def stop(self) -> bool:
        """Whether the training is to end."""
        return self.failure is not None or self.asked()

    def attempt(self, work: Callable[[], object]) -> None:
        """Do what writes to standard output; where that cannot be, nothing more is written there."""
        try:
            with suppress(UnicodeEncodeError):  # this event is not seen, the next one may be
                work()
        except OSError as error:
            if error.errno not in GONE:
                self.failure = self.failure or error
            silence()
