"""How figures are worded in a report."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hornbook.markup import NO_CHARACTERS, printable
from hornbook.smoothing import first_share

NOTHING = "–"


def visible(text: str) -> str:
    """A text, character for character, without those that a page may not hold or that would turn its
    direction; a picture stands for each."""
    return printable(text).translate(NO_CHARACTERS)


def percent(share: float, digits: int = 0) -> str:
    """A share as a percentage; a dash where there is nothing to count."""
    return f"{100 * share:.{digits}f} %" if math.isfinite(share) else NOTHING


def ratio(share: float) -> str:
    """A share as a number of two digits; a dash where there is nothing to count."""
    return f"{share:.2f}" if math.isfinite(share) else NOTHING


def error_of(size: float) -> str:
    """The size of an error."""
    return f"{size:.1e}" if size else "0"


def duration(seconds: float) -> str:
    """A time in the unit that a person would use."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def loss_words(loss: float, seq_len: int) -> str:
    """A loss summed over T characters, and a character's share of it."""
    nats = loss / seq_len
    each = f"{nats:.3f} nats, {nats / math.log(2):.3f} bits a character"
    return f"{loss:.2f} nats over {seq_len} characters ({each})"


def still_first(updates: int) -> str:
    """A sentence on how much of the smooth loss after so many updates is still its first value, and a space;
    empty where that is little."""
    share = first_share(updates)
    told = f"Of the smooth loss {percent(share)} is still its first value: it lags behind what was learnt. "
    return told if share else ""


def listed(words: Sequence[str]) -> str:
    """Words in a sentence: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
