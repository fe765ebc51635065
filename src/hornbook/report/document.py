"""A document: what a report says, as plain records, before anyone asks how it looks.

Built once from a run (`content`), shown by `html`, `typst` and `markdown`. A renderer shows every kind of
block and every kind of span below, and nothing else; it computes no text. Nothing here knows runs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count, pairwise
from typing import TypeVar

K = TypeVar("K")

TONES = 4  # of an activation in either direction: -4 … 4
SPAN_KINDS = ("", "code", "strong", "word", "faint", "variable", "sub", "sup")
EQUATION = re.compile(r"_\{([^}]*)\}|_(\w)|\^\{([^}]*)\}|\^(\w)|([^\W\d_Σ]+)")
FUNCTIONS = frozenset(("tanh", "softmax", "log", "clip", "min", "loss"))


@dataclass(frozen=True)
class Span:
    """A piece of text: of a kind, or coloured by a tone."""

    text: str
    kind: str = ""  # `word` is a real word in a text of real and other ones, `faint` what is between
    tone: int | None = None

    def __post_init__(self) -> None:
        assert self.kind in SPAN_KINDS
        assert self.tone is None or -TONES <= self.tone <= TONES


Spans = tuple[Span, ...]


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    spans: Spans


@dataclass(frozen=True)
class Note:
    """What a reader should know of what is missing, or how something was measured."""

    spans: Spans


@dataclass(frozen=True)
class Facts:
    """Names and what they are."""

    rows: tuple[tuple[str, Spans], ...]


@dataclass(frozen=True)
class Equations:
    """Lines of mathematics; `source` is the same in plain characters."""

    lines: tuple[Spans, ...]
    source: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """What is typed at a terminal."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows under heads; the first column names the row, columns after it hold figures unless `words`."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: bool = False
    number: int = 0


@dataclass(frozen=True)
class Panel:
    """A drawing as SVG; `alt` says what it shows to those who do not see it, `name` names its file."""

    name: str
    svg: str
    alt: str


@dataclass(frozen=True)
class Figure:
    """Drawings, beside each other where there is room."""

    panels: tuple[Panel, ...]
    caption: str
    number: int = 0


@dataclass(frozen=True)
class Passage:
    """A text that was written or read, character for character, with what is said above and under it. A
    coloured one has a `name`, for its file where it is drawn."""

    title: str
    spans: Spans
    under: str = ""
    name: str = ""


@dataclass(frozen=True)
class Beside:
    """Passages to compare, beside each other where there is room."""

    passages: tuple[Passage, ...]


Block = Paragraph | Note | Facts | Equations | Code | Table | Figure | Passage | Beside


@dataclass(frozen=True)
class Section:
    """A title and what stands under it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """All of it. `fixed` asks for passages in letters of one width, for texts that hold code or columns."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    fixed: bool = False

    def numbered(self) -> Document:
        """The same document with its tables and figures numbered in the order in which they stand."""
        counts = {Table: count(1), Figure: count(1)}

        def number(block: Block) -> Block:
            if isinstance(block, Table | Figure):
                return replace(block, number=next(counts[type(block)]))
            return block

        sections = (replace(s, blocks=tuple(number(block) for block in s.blocks)) for s in self.sections)
        return replace(self, sections=tuple(sections))


def spans(*parts: str | Span) -> Spans:
    """Parts of a sentence as spans; a plain string is plain text."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts)


def code(text: str) -> Span:
    """A piece of text as it would be typed."""
    return Span(text, "code")


def strong(text: str) -> Span:
    """A piece of text that matters."""
    return Span(text, "strong")


def say(*parts: str | Span) -> Paragraph:
    """A paragraph."""
    return Paragraph(spans(*parts))


def note(*parts: str | Span) -> Note:
    """A note."""
    return Note(spans(*parts))


def equations(*lines: str) -> Equations:
    """Lines of mathematics from plain ones: `h_t = tanh(x_t U + h_{t-1} W + b)`."""
    return Equations(tuple(equation(line) for line in lines), lines)


def equation(line: str) -> Spans:
    """One line: letters are variables, `_` and `^` lower and lift a letter or what stands in braces."""
    found: list[Span] = []
    last = 0
    for match in EQUATION.finditer(line):
        found.append(Span(line[last : match.start()]))
        lower, upper = match[1] or match[2], match[3] or match[4]
        if match[5]:
            found.append(Span(match[5], "" if match[5] in FUNCTIONS else "variable"))
        else:
            found.append(Span(lower, "sub") if lower else Span(upper or "", "sup"))
        last = match.end()
    return tuple(span for span in [*found, Span(line[last:])] if span.text)


def runs_of(text: str, keys: Sequence[K]) -> list[tuple[str, K]]:
    """A text cut where the key of its characters changes: (piece, key) each."""
    cuts = [0, *(i for i in range(1, len(text)) if keys[i] != keys[i - 1]), len(text)]
    return [(text[a:b], keys[a]) for a, b in pairwise(cuts) if a < b]
