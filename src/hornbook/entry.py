"""The way in to the command: Ctrl-C while everything is still being loaded ends it without a traceback."""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as the system has it, until the command listens


def main() -> None:
    """Load the command and run it."""
    from hornbook.cli.main import main as command

    command()
