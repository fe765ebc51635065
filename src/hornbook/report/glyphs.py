"""Which characters of a document no font here can draw: on paper they are boxes, and the reader is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

from hornbook.markup import counted
from hornbook.report.document import Document, note
from hornbook.report.drawing import drawing

SHOWN = 12
BLANK = frozenset(" \n\t\u00a0\u2002\u200b")


def with_note(document: Document, text: str) -> Document:
    """The document, with a note at its start where characters of its text cannot be drawn."""
    missing = undrawable(text)
    if not missing or not document.sections:
        return document
    first, *rest = document.sections
    some = " ".join(missing[:SHOWN]) + (" …" if len(missing) > SHOWN else "")
    told = note(
        f"No font on this machine has {counted(len(missing), 'character')} of this text; each shows as a box "
        f"here ({some}). Install a font that has them, such as Noto Sans CJK (Debian: fonts-noto-cjk), and "
        "make the report again; report.html and report.md show them wherever they are read."
    )
    return replace(document, sections=(replace(first, blocks=(told, *first.blocks)), *rest))


def undrawable(text: str) -> list[str]:
    """The characters of a text that no font here has, in order. System fonts are asked only where the ones
    that matplotlib brings are not enough. Raises FigureError."""
    left = set(text) - BLANK
    with drawing({}):
        for path in fonts():
            if not left:
                break
            left = {c for c in left if ord(c) not in covered(path)}
    return sorted(left)


def fonts() -> Iterable[str]:
    """The files of fonts: the two families that every installation has, then the system's."""
    from matplotlib import font_manager

    for family in ("DejaVu Sans", "DejaVu Sans Mono"):
        yield font_manager.findfont(family)
    yield from font_manager.findSystemFonts()


@cache
def covered(path: str) -> frozenset[int]:
    """The code points that a font has; none where it cannot be read."""
    from matplotlib import ft2font

    try:
        charmap: dict[int, Any] = ft2font.FT2Font(path).get_charmap()
    except (RuntimeError, OSError):
        return frozenset()
    return frozenset(charmap)
