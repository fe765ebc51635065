"""Texts and figures as they are shown: without what would steer a terminal, quoted for a shell, and as small
pieces of HTML.

Whatever goes into HTML here is escaped here. Nothing in this file knows networks, runs or texts.
"""

from __future__ import annotations

import html
import math
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

CONTROL_PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}
UNSEEN = {
    **CONTROL_PICTURES,
    0x7F: 0x2421,
    **dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000)], 0xFFFD),
    **dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], 0xFFFD),  # reversed writing
}
PLAIN = frozenset(map(chr, range(0x20, 0x7F))) - frozenset("'\\`")  # between the quotes of a shell's $'...'
NO_CHARACTERS = dict.fromkeys(  # HTML has none of them
    [
        *range(0xFDD0, 0xFDF0),
        *(plane + last for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)),
    ],
    0xFFFD,
)

BIT_LEVELS = 9  # colours of surprise: 0 to 1 bit, 1 to 2 …, 8 and more
SIGN_LEVELS = 6  # colours of an activation on each side of 0

# Black on light orange to orange, or white on dark orange: each pair keeps a contrast of 4.5 and more.
COLOURS = "\n".join(
    [
        ".hornbook-text{white-space:pre-wrap;overflow-wrap:anywhere;font-family:ui-monospace,monospace}",
        ".hornbook-text i{font-style:normal;color:#111}",
        *(f".hornbook-text .b{k}{{background:hsl(28 95% {98 - 4.5 * k:g}%)}}" for k in range(BIT_LEVELS)),
        *(f".hornbook-text .p{k}{{background:hsl(10 90% {98 - 6 * k:g}%)}}" for k in range(SIGN_LEVELS)),
        *(f".hornbook-text .n{k}{{background:hsl(215 90% {98 - 6 * k:g}%)}}" for k in range(SIGN_LEVELS)),
        ".hornbook-text .u{background:#e4d4f7;outline:1px dotted #6b21a8}",
        "@media(prefers-color-scheme:dark){",
        ".hornbook-text i{color:#f4f4f4}",
        *(f".hornbook-text .b{k}{{background:hsl(20 85% {9 + 3 * k}%)}}" for k in range(BIT_LEVELS)),
        *(f".hornbook-text .p{k}{{background:hsl(5 70% {9 + 6 * k}%)}}" for k in range(SIGN_LEVELS)),
        *(f".hornbook-text .n{k}{{background:hsl(215 70% {9 + 7 * k}%)}}" for k in range(SIGN_LEVELS)),
        ".hornbook-text .u{background:#4c1d75;outline:1px dotted #d8b4fe}",
        "}",
    ]
)


def printable(text: str) -> str:
    """A text without the characters that would steer a terminal; a picture stands for each."""
    return text.translate(UNSEEN)


def counted(number: int, one: str) -> str:
    """A number of things: `1 epoch`, `3 epochs`."""
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def a_second(speed: float) -> str:
    """So many a second: a whole number, or two digits below 10, where a whole number may be 0."""
    return f"{speed:,.0f}" if speed >= 10 else f"{speed:.2g}"


def for_shell(path: str | Path) -> str:
    """A path as it can be pasted into a command line: quoted where a shell would take it apart, with `./`
    before a dash, which would begin an option. Where it has characters that cannot be printed, or backquotes,
    which mark keywords in messages, these and what is not ASCII stand there as numbers of bytes, which bash,
    zsh and ksh read."""
    text = f"./{path}" if str(path).startswith("-") else str(path)
    if text.isprintable() and "`" not in text:
        return shlex.quote(text)
    plain = (chr(byte) if chr(byte) in PLAIN else f"\\{byte:03o}" for byte in os.fsencode(text))
    return f"$'{''.join(plain)}'"


def escaped(value: object) -> str:
    """Something as it can stand in HTML, also between the quotes of an attribute."""
    return html.escape(printable(str(value)).translate(NO_CHARACTERS))


def table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """An HTML table whose first column names its rows."""
    head = "".join(f'<th scope="col">{escaped(heading)}</th>' for heading in headings)
    body = "\n".join(f"<tr>{row_cells(row)}</tr>" for row in rows)
    return (
        f"<table><caption>{escaped(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody></table>"
    )


def row_cells(row: Sequence[object]) -> str:
    """The cells of a row of an HTML table."""
    name, *values = row
    return f'<th scope="row">{escaped(name)}</th>' + "".join(f"<td>{escaped(value)}</td>" for value in values)


def facts(caption: str, named: Mapping[str, object]) -> str:
    """An HTML table of two columns: what, and how much; what is None is left out."""
    rows = "\n".join(f"<tr>{row_cells(item)}</tr>" for item in named.items() if item[1] is not None)
    return f"<table><caption>{escaped(caption)}</caption>\n<tbody>\n{rows}\n</tbody></table>"


def coloured(text: str, classes: Iterable[str]) -> str:
    """A text in HTML, each character in the colour of its class; for use with COLOURS."""
    runs = groupby(zip(text, classes, strict=True), key=lambda pair: pair[1])
    spans = ((kind, escaped("".join(c for c, _ in run))) for kind, run in runs)
    return '<div class="hornbook-text">' + "".join(f"<i class={k}>{part}</i>" for k, part in spans) + "</div>"


def surprise_class(bits: float, known: bool = True) -> str:
    """The colour class of a character's cost: `b0` for less than a bit, to `b8`; `u` if it is unknown."""
    if not known:
        return "u"
    return f"b{int(min(max(bits, 0), BIT_LEVELS - 1)) if math.isfinite(bits) else BIT_LEVELS - 1}"


def activation_class(activation: float) -> str:
    """The colour class of an activation from -1 to 1: `n5` (near -1) to `n0`, `p0` to `p5` (near 1)."""
    side = "n" if activation < 0 else "p"
    return f"{side}{min(int(abs(activation) * SIGN_LEVELS), SIGN_LEVELS - 1)}"
