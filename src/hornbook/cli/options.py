"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

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


def reading(encoding: str | None, newlines: str | None) -> dict[str, str]:
    """The keywords of `read_text` that were typed."""
    typed = {"encoding": encoding, "newlines": newlines}
    return {key: value for key, value in typed.items() if value is not None}
