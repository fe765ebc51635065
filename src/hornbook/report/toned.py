"""Coloured text as a drawing: a cell for each character, for where there is no colour in text."""

from __future__ import annotations

from html import escape
from unicodedata import combining, east_asian_width

from hornbook.report.charts import BLUE, INK, RUST
from hornbook.report.document import TONES, Spans, runs_of
from hornbook.report.wording import visible

COLUMNS, ACROSS, DOWN, SIZE = 80, 6.6, 15.0, 11
DEEPEST = 0.56  # opacity of the strongest tone
TAB = 4
Cell = tuple[str, int, int]  # a character, its columns, its tone


def toned_svg(spans: Spans) -> str:
    """A text in its tones as SVG, in lines of at most 80 columns."""
    rows = lines(spans)
    height = DOWN * len(rows) + 6
    body = "\n".join(row_of(row, 4 + DOWN * place) for place, row in enumerate(rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * ACROSS + 4:g} {height:g}" '
        f'font-family="\'DejaVu Sans Mono\', Menlo, Consolas, monospace" font-size="{SIZE}">\n{body}\n</svg>'
    )


def lines(spans: Spans) -> list[list[Cell]]:
    """The characters in lines, each line broken where it is full."""
    rows: list[list[Cell]] = [[]]
    for span in spans:
        for character in visible(span.text):
            width = columns(character)
            if character == "\n" or sum(cell[1] for cell in rows[-1]) + width > COLUMNS:
                rows.append([])
            if character == "\t":
                rows[-1] += [(" ", 1, span.tone or 0)] * TAB
            elif character != "\n":
                rows[-1].append((character, width, span.tone or 0))
    return rows


def columns(character: str) -> int:
    """The columns that a character takes."""
    if character == "\t":
        return TAB
    return 0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1


def row_of(row: list[Cell], top: float) -> str:
    """A line: a band for each run of one tone, and its characters above them."""
    at, done, bands = 0.0, 0, []
    for piece, tone in runs_of("".join(cell[0] for cell in row), [cell[2] for cell in row]):
        width = ACROSS * sum(cell[1] for cell in row[done : done + len(piece)])
        bands.append(band(at, top, width, tone))
        at, done = at + width, done + len(piece)
    return "".join(bands) + letters("".join(cell[0] for cell in row), top, at)


def band(at: float, top: float, width: float, tone: int) -> str:
    """The ground of a run in its tone."""
    colour, depth = RUST if tone > 0 else BLUE, DEEPEST * abs(tone) / TONES
    place = f'x="{at + 2:.1f}" y="{top:g}" width="{width:.1f}" height="{DOWN - 1:g}"'
    return f'<rect {place} style="fill: {colour}; fill-opacity: {depth:.2f}"/>' if tone else ""


def letters(text: str, top: float, width: float) -> str:
    """The characters of a line, none where they are blank."""
    if not text.strip() or width == 0:
        return ""
    place = f'x="2" y="{top + SIZE:g}" textLength="{width:.1f}" lengthAdjust="spacingAndGlyphs"'
    return f'<text {place} xml:space="preserve" style="fill: {INK}; white-space: pre">{escape(text)}</text>'
