"""How figures and texts are put on a terminal."""

from __future__ import annotations

import math
import re
import sys
from typing import TYPE_CHECKING, Any

from hornbook.cli.quiet import silence
from hornbook.markup import printable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "as_typed",
    "aside",
    "console_for_tables",
    "cost_words",
    "duration",
    "encodable",
    "loss_words",
    "plain_console",
    "printable",
    "say",
    "unseen_words",
    "visible",
    "warn",
]

WIDE = 500  # columns
OTHERWISE = {"start": "from", "limit": "no-copy", "decay": "dynamic-decay", "segment": "dynamic-segment"}
KEYWORD = re.compile(r"`([a-z_]+)(?:=([^`]*))?`")
AS_IT_IS: Any = {"markup": False, "emoji": False, "highlight": False}  # no text is taken for rich's markup


def say(text: str) -> None:
    """Print a text at once; nothing in it can steer the terminal, and what the encoding of standard output
    does not have is shown as a question mark."""
    print(encodable(printable(text)), flush=True)


def encodable(text: str) -> str:
    """A text without what the encoding of standard output does not have."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def as_typed(sentence: str) -> str:
    """A sentence of an error or a warning with flags in place of the keywords of Python: `--seq-len 25` for
    `seq_len=25` in backquotes."""
    return KEYWORD.sub(lambda found: flag(*found.groups()), sentence)


def flag(name: str, value: str | None) -> str:
    """The flag of a keyword, with its value."""
    word = f"--{OTHERWISE.get(name, name.replace('_', '-'))}"
    return word if value is None or value == "True" else f"{word} {value}".replace("'", "")


def aside(sentence: str) -> None:
    """Tell what is wrong or strange, in words of the command line; a name in it cannot steer the terminal.
    Where nobody reads that, it changes nothing else."""
    try:
        print(printable(as_typed(sentence)), file=sys.stderr)
    except BrokenPipeError:
        silence(sys.stderr)


def warn(sentence: str) -> None:
    """Tell what is strange."""
    aside(f"warning: {sentence}")


def unseen_words(unseen: int, characters: int, symbols: int) -> str:
    """How many of a text's characters a model of so many symbols does not know, and what each is charged."""
    return (
        f"{unseen:,} of the {characters:,} characters ({unseen / characters:.2%}) the model has never seen; "
        f"each costs ln({symbols:,} + 1) = {math.log(symbols + 1):.2f} nats"
    )


def console_for_tables() -> Console:
    """As wide as the terminal; wide enough for any table where the output goes to a file or a pipe."""
    return plain_console(width=None if sys.stdout.isatty() else WIDE)


def plain_console(**how: Any) -> Console:
    """A console of rich's that shows each text as it is, whatever brackets and colons are in it."""
    from rich.console import Console

    return Console(**AS_IT_IS, **how)


def loss_words(loss: float, seq_len: int) -> str:
    """A loss summed over T characters, and a character's share of it in nats and bits."""
    return f"{loss:.2f} ({cost_words(loss / seq_len)})"


def cost_words(nats: float) -> str:
    """A cost per character in nats and bits."""
    return f"{nats:.3f} nats, {nats / math.log(2):.3f} bits a character"


def visible(character: str) -> str:
    """A character, or a picture or the code of one that would not be seen."""
    if character <= " ":
        return chr(0x2400 + ord(character))
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def duration(seconds: float) -> str:
    """A time as h:mm:ss or m:ss; no more than a day is told exactly."""
    if not math.isfinite(seconds) or seconds > 86_400:
        return "over a day"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
