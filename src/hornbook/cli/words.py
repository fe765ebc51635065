"""How figures and texts are put on a terminal."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 500  # columns
CONTROL_PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}
UNSEEN = {
    **CONTROL_PICTURES,
    0x7F: 0x2421,
    **dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000)], 0xFFFD),
    **dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], 0xFFFD),  # reversed writing
}


def console_for_tables() -> Console:
    """As wide as the terminal; wide enough for any table where the output goes to a file or a pipe."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=WIDE)


def printable(text: str) -> str:
    """A text without the characters that would steer a terminal; a picture stands for each."""
    return text.translate(UNSEEN)


def loss_words(loss: float, seq_len: int) -> str:
    """A loss summed over T characters, and a character's share of it in nats and bits."""
    nats = loss / seq_len
    return f"{loss:.2f} ({nats:.3f} nats, {nats / math.log(2):.3f} bits a character)"


def duration(seconds: float) -> str:
    """A time as h:mm:ss or m:ss; no more than a day is told exactly."""
    if not math.isfinite(seconds) or seconds > 86_400:
        return "over a day"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
