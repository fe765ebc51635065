"""A document as PDF, set by Typst. The template reads the document as data, so nothing in it is markup."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from hornbook.errors import InputError
from hornbook.report.document import Block, Document
from hornbook.report.drawing import drawing
from hornbook.report.glyphs import with_note
from hornbook.report.wording import visible

NO_TYPST = "a PDF needs typst, which is not installed; install it with: pip install typst"


def pdf(document: Document) -> bytes:
    """The document as PDF. Raises InputError where typst is not installed, FigureError where matplotlib,
    whose fonts it is set in, cannot be loaded."""
    typst = needed()
    template = files("hornbook.report").joinpath("templates/report.typ").read_bytes()
    whole = json.dumps(record(document), ensure_ascii=False)  # every character of it
    given = {"document": json.dumps(record(with_note(document, whole)))}
    return bytes(typst.compile(template, format="pdf", sys_inputs=given, font_paths=fonts()))


def needed() -> Any:
    """The module typst. Raises InputError where it is not installed."""
    try:
        import typst
    except ImportError as error:
        raise InputError(NO_TYPST) from error
    return typst


def fonts() -> list[str]:
    """Where the fonts lie that every installation has: matplotlib brings DejaVu, in which figures are set."""
    with drawing({}):
        import matplotlib

        return [str(Path(matplotlib.get_data_path(), "fonts", "ttf"))]


def record(document: Document) -> dict[str, Any]:
    """The document as JSON holds it, each block with the name of its kind."""
    sections = [
        {"title": section.title, "blocks": [named(block) for block in section.blocks]}
        for section in document.sections
    ]
    whole = {"title": document.title, "subtitle": document.subtitle, "fixed": document.fixed}
    shown: dict[str, Any] = seen({**whole, "sections": sections})
    return shown


def named(block: Block) -> dict[str, Any]:
    """A block with the name of its kind."""
    return {"block": type(block).__name__, **asdict(block)}


def seen(value: Any) -> Any:
    """A value with all text in it made visible."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {key: seen(item) for key, item in value.items()}
    return [seen(item) for item in value] if isinstance(value, list | tuple) else value
