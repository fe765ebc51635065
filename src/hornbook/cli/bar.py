"""What a command is doing, on standard error: a bar that goes away again."""

from __future__ import annotations

import sys


class Bar:
    """A progress bar, where standard error is a terminal; else, if `lines`, a line for each thing done."""

    def __init__(self, lines: bool = False) -> None:
        from rich.console import Console
        from rich.progress import Progress

        shown = sys.stderr.isatty()
        self.lines, self.what = lines and not shown, ""
        self.progress = Progress(
            console=Console(stderr=True), disable=not shown, transient=True, auto_refresh=False
        )
        self.task = self.progress.add_task("", total=None)

    def __enter__(self) -> Bar:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def told(self, what: str, done: int = 0, total: int = 0) -> None:
        """Move the bar; one without a total tells no more than what is done."""
        if self.lines and what != self.what:
            print(what, file=sys.stderr, flush=True)
        self.what = what
        self.progress.update(self.task, description=what, completed=done, total=total or None, refresh=True)
