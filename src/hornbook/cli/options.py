"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from hornbook.errors import SettingError

Texts = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TEXT",
        help="Text files, joined in this order; '-' is standard input. Without one, the built-in text.",
        show_default=False,
    ),
]
Newlines = Annotated[
    str | None, typer.Option(help="lf turns CRLF into LF (the default); keep leaves line ends alone.")
]
Encoding = Annotated[str | None, typer.Option(help="The text's encoding (utf-8).")]
Tokens = Annotated[
    str | None, typer.Option(help="chars, or bytes: any file at all, as it is, of the 256 bytes (chars).")
]
SaveEvery = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        help="Seconds between checkpoints, from which resume goes on; a run does not keep it.",
    ),
]


def reading(
    encoding: str | None,
    newlines: str | None,
    tokens: str | None = None,
    run: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """The keywords of `read_text`: what was typed, above what a run's `[text]` says. Raises SettingError
    where bytes are to be decoded."""
    kept = {} if run is None else {key: run[key] for key in ("newlines", "tokens")}
    typed = {"encoding": encoding, "newlines": newlines, "tokens": tokens}
    how = kept | {key: value for key, value in typed.items() if value is not None}
    if how.get("tokens") == "bytes" and (encoding or newlines):
        raise SettingError("bytes are read as they are, without --encoding and --newlines; leave these out")
    return how
