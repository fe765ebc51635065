"""A document as Markdown with SVG files beside it.

Passages stand in HTML's `blockquote`, which Markdown passes on: in it nothing is markup but HTML, so each
text shows as it is. Coloured text is drawn, since Markdown knows no colours.
"""

from __future__ import annotations

import re
from functools import singledispatch
from html import escape

from hornbook.report.charts import in_a_file
from hornbook.report.document import (
    Beside,
    Block,
    Code,
    Document,
    Equations,
    Facts,
    Figure,
    Note,
    Panel,
    Paragraph,
    Passage,
    Span,
    Spans,
    Table,
)
from hornbook.report.toned import toned_svg
from hornbook.report.wording import visible

MARKUP = re.compile(r"([\\`*_\[\]|$~])")
AT_THE_START = re.compile(r"^(\s*)([#+\-=>])|^(\s*\d+)([.)])(?=\s|$)")
TAGS = {"": "{}", "strong": "**{}**", "word": "**{}**", "faint": "{}", "variable": "*{}*"}
PREFIX = "report-"  # of the files beside


def markdown(document: Document) -> dict[str, bytes]:
    """The document as files by name: `report.md`, and its drawings."""
    parts = [f"# {plain(document.title)}", plain(document.subtitle)]
    drawings: list[Panel] = []
    for number, section in enumerate(document.sections, 1):
        parts.append(f"## {number} {plain(section.title)}")
        for block in section.blocks:
            drawn = drawings_of(block)
            drawings += drawn
            parts.append(pictures(block, drawn) if drawn else shown(block, document.fixed))
    files = {file_of(drawing): in_a_file(drawing.svg).encode() for drawing in drawings}
    assert len(files) == len(drawings)
    return {"report.md": ("\n\n".join(parts) + "\n").encode(), **files}


def drawings_of(block: Block) -> tuple[Panel, ...]:
    """What of a block is drawn: its figures, or its coloured text."""
    if isinstance(block, Figure):
        return block.panels
    if isinstance(block, Passage) and any(span.tone is not None for span in block.spans):
        whole = "".join(span.text for span in block.spans).replace("\n", " ")
        return (Panel(block.name, toned_svg(block.spans), whole),)
    return ()


def pictures(block: Block, drawn: tuple[Panel, ...]) -> str:
    """The drawings of a block and its words."""
    if isinstance(block, Figure):
        width = f' width="{49 if len(drawn) > 1 else 60}%"'
        images = "\n".join(image(one, width) for one in drawn)
        return f"{images}\n\n**Figure {block.number}.** {plain(block.caption)}"
    assert isinstance(block, Passage)
    return f"**{plain(block.title)}**\n\n{image(drawn[0])}"


def image(drawing: Panel, width: str = "") -> str:
    """A drawing as an element of HTML that names its file."""
    return f'<img src="{file_of(drawing)}"{width} alt="{html(drawing.alt)}">'


def file_of(drawing: Panel) -> str:
    """The name of a drawing's file."""
    return f"{PREFIX}{drawing.name}.svg"


def plain(text: str) -> str:
    """Text in which nothing is markup, in one line."""
    escaped = MARKUP.sub(r"\\\1", visible(text).replace("\n", " "))
    return AT_THE_START.sub(r"\1\3\\\2\4", escaped).replace("&", "&amp;").replace("<", "&lt;")


def html(text: str) -> str:
    """Text as HTML shows it."""
    return escape(visible(text))


def inline(spans: Spans) -> str:
    """Pieces of text in a row."""
    return "".join(piece(span) for span in spans)


def piece(span: Span) -> str:
    """A piece of text in its kind."""
    if span.kind == "code":
        ticks = "`" * (1 + max((len(run) for run in re.findall("`+", span.text)), default=0))
        pad = " " if span.text[:1] == "`" or span.text[-1:] == "`" else ""
        return f"{ticks}{pad}{visible(span.text)}{pad}{ticks}"
    if span.kind in ("sub", "sup"):
        return f"<{span.kind}>{plain(span.text)}</{span.kind}>"
    return TAGS[span.kind].format(plain(span.text)) if span.text.strip() else span.text


@singledispatch
def shown(block: Block, fixed: bool = False) -> str:
    """A block as Markdown."""
    raise AssertionError(f"no Markdown for {type(block).__name__}")


@shown.register
def _(block: Paragraph, fixed: bool = False) -> str:
    return inline(block.spans)


@shown.register
def _(block: Note, fixed: bool = False) -> str:
    return f"> {inline(block.spans)}"


@shown.register
def _(block: Facts, fixed: bool = False) -> str:
    return "\n".join(f"- {plain(name)}: {inline(spans)}" for name, spans in block.rows)


@shown.register
def _(block: Equations, fixed: bool = False) -> str:
    return "\n".join(f"    {line}" for line in block.source)


@shown.register
def _(block: Code, fixed: bool = False) -> str:
    return "\n".join(f"    {line}" for line in visible(block.text).split("\n"))


@shown.register
def _(block: Table, fixed: bool = False) -> str:
    rule = [":--", *(":--" if block.words else "--:" for _ in block.heads[1:])]
    rows = [block.heads, *((*row, *[""] * (len(block.heads) - len(row))) for row in block.rows)]
    lines = ["| " + " | ".join(plain(cell) for cell in row) + " |" for row in rows]
    lines.insert(1, "| " + " | ".join(rule) + " |")
    return f"**Table {block.number}.** {plain(block.caption)}\n\n" + "\n".join(lines)


@shown.register
def _(block: Passage, fixed: bool = False) -> str:
    text = "".join(f"<b>{quoted(s.text)}</b>" if s.kind == "word" else quoted(s.text) for s in block.spans)
    under = f"\n\n{plain(block.under)}" if block.under else ""
    text = f"<samp>{text}</samp>" if fixed else text
    return f"**{plain(block.title)}**\n\n<blockquote>{text}</blockquote>{under}"


def quoted(text: str) -> str:
    """Text in a blockquote: each line break and each space counts, and no line is empty."""
    spaced = html(text).replace("  ", " &nbsp;").replace("\n ", "\n&nbsp;")
    return spaced.replace("\t", " &nbsp; &nbsp;").replace("\n", "<br>")


@shown.register
def _(block: Beside, fixed: bool = False) -> str:
    return "\n\n".join(shown(passage, fixed) for passage in block.passages)
