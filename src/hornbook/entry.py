"""The way in to the command: a signal while everything is still being loaded ends it in a line, without a
traceback."""

from __future__ import annotations

import signal

from hornbook.cli.stopping import stopped

for asking, usual in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGTERM, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(asking) is usual:
        signal.signal(asking, stopped)  # until the command listens


def main() -> None:
    """Load the command and run it."""
    from hornbook.cli.main import main as command

    command()
