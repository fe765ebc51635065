"""A document as one HTML page: nothing is fetched, nothing runs, and all that was read or written is "
"escaped."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch
from importlib.resources import files

from hornbook.markup import escaped as text
from hornbook.report.charts import DARK, in_a_page
from hornbook.report.document import (
    Beside,
    Block,
    Code,
    Document,
    Equations,
    Facts,
    Figure,
    Note,
    Paragraph,
    Passage,
    Section,
    Span,
    Spans,
    Table,
)

TAGS = {
    "": "{}",
    "code": "<code>{}</code>",
    "strong": "<strong>{}</strong>",
    "word": "<b>{}</b>",
    "faint": "{}",
    "variable": "<var>{}</var>",
    "sub": "<sub>{}</sub>",
    "sup": "<sup>{}</sup>",
}
MANNERS = {"toned": ' class="toned"', "word": ' class="marked"'}
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{style}@media screen and (prefers-color-scheme: dark) {{
{dark}
}}
</style>
</head>
<body class="{manner}">
<header>
<h1>{title}</h1>
<p class="subtitle">{subtitle}</p>
</header>
{contents}<main>
{body}
</main>
</body>
</html>
"""


def page(document: Document) -> str:
    """The document as a page."""
    return PAGE.format(
        title=text(document.title),
        subtitle=text(document.subtitle),
        style=files("hornbook.report").joinpath("templates/report.css").read_text(encoding="utf-8"),
        dark=DARK,
        manner="fixed" if document.fixed else "running",
        contents=contents(document),
        body=lines(section_of(section, i) for i, section in enumerate(document.sections, 1)),
    )


def lines(parts: Iterable[str]) -> str:
    """Parts below each other."""
    return "\n".join(parts)


def contents(document: Document) -> str:
    """The list of sections, where there are several."""
    if len(document.sections) < 2:
        return ""
    titles = (text(section.title) for section in document.sections)
    items = lines(f'<li><a href="#section-{i}">{title}</a></li>' for i, title in enumerate(titles, 1))
    return f'<nav aria-label="Contents">\n<ol>\n{items}\n</ol>\n</nav>\n'


def section_of(section: Section, number: int) -> str:
    """A section under its title."""
    blocks = lines(shown(block) for block in section.blocks)
    return f'<section id="section-{number}">\n<h2>{text(section.title)}</h2>\n{blocks}\n</section>'


def inline(spans: Spans) -> str:
    """Pieces of text in a row."""
    return "".join(piece(span) for span in spans)


def piece(span: Span) -> str:
    """A piece of text in its kind or its tone."""
    if span.tone is not None:
        return f'<span class="tone{span.tone:+d}">{text(span.text)}</span>'.replace("tone+0", "tone0")
    return TAGS[span.kind].format(text(span.text))


@singledispatch
def shown(block: Block) -> str:
    """A block as HTML."""
    raise AssertionError(f"no HTML for {type(block).__name__}")


@shown.register
def _(block: Paragraph) -> str:
    return f"<p>{inline(block.spans)}</p>"


@shown.register
def _(block: Note) -> str:
    return f'<p class="note">{inline(block.spans)}</p>'


@shown.register
def _(block: Facts) -> str:
    rows = lines(f"<dt>{text(name)}</dt><dd>{inline(spans)}</dd>" for name, spans in block.rows)
    return f"<dl>\n{rows}\n</dl>"


@shown.register
def _(block: Equations) -> str:
    rows = lines(f"<p>{inline(line)}</p>" for line in block.lines)
    return f'<div class="equations">\n{rows}\n</div>'


@shown.register
def _(block: Code) -> str:
    return f"<pre><code>{text(block.text)}</code></pre>"


@shown.register
def _(block: Table) -> str:
    kind = "words" if block.words else "figures"
    heads = "".join(f'<th scope="col">{text(head)}</th>' if head else "<td></td>" for head in block.heads)
    rows = lines(f"<tr>{row(cells)}</tr>" for cells in block.rows)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-labelledby="table-{block.number}">\n'
        f'<table class="{kind}">\n'
        f'<caption id="table-{block.number}"><div><span class="label">Table {block.number}.</span> '
        f"{text(block.caption)}</div></caption>\n"
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n</div>"
    )


def row(cells: tuple[str, ...]) -> str:
    """The cells of a row, headed by its first one."""
    return f'<th scope="row">{text(cells[0])}</th>' + "".join(f"<td>{text(cell)}</td>" for cell in cells[1:])


@shown.register
def _(block: Figure) -> str:
    drawings = lines(in_a_page(panel.svg) for panel in block.panels)
    alt = " ".join(panel.alt for panel in block.panels)
    return (
        f'<figure class="drawn">\n<div class="panels" role="img" aria-label="{text(alt)}">\n'
        f"{drawings}\n</div>\n"
        f'<figcaption><span class="label">Figure {block.number}.</span> {text(block.caption)}</figcaption>\n'
        "</figure>"
    )


@shown.register
def _(block: Passage) -> str:
    under = f'\n<p class="under">{text(block.under)}</p>' if block.under else ""
    kinds = {"toned" if span.tone is not None else span.kind for span in block.spans}
    manner = next((MANNERS[kind] for kind in MANNERS if kind in kinds), "")
    return (
        f'<figure class="passage">\n<figcaption>{text(block.title)}</figcaption>\n'
        f"<blockquote{manner}>{inline(block.spans)}</blockquote>{under}\n</figure>"
    )


@shown.register
def _(block: Beside) -> str:
    return f'<div class="beside">\n{lines(shown(passage) for passage in block.passages)}\n</div>'
