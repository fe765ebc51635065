"""Charts as SVG that one text of it serves a page, a file and paper.

They are drawn in the colours of paper, on nothing. `DARK` says what each becomes in the dark: rules that pick
elements by the colour that matplotlib wrote on them. Identifiers bear the chart's name, so that several stand
in one page. No address of anything outside is left in them but the name of SVG itself.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

from hornbook.report.document import Panel
from hornbook.report.drawing import drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

INK, MUTED, RULE = "#2b2a27", "#6b6962", "#c9c6bd"
BLUE, RUST, GREEN, PLUM, OCHRE = "#2f5d8a", "#a3451f", "#3f7048", "#7a4a7d", "#8a6d1d"
COLOURS = (BLUE, RUST, GREEN, PLUM, OCHRE)
IN_THE_DARK = {
    INK: "#e6e2d8", MUTED: "#a5a196", RULE: "#4a4843", BLUE: "#86b3df", RUST: "#e8966f",
    GREEN: "#8cc598", PLUM: "#c99bcc", OCHRE: "#d9b95f",
}  # fmt: skip
DARK = "\n".join(
    f'svg [style*="{property}: {light}"]{{{property}:{dark} !important}}'
    for light, dark in IN_THE_DARK.items()
    for property in ("stroke", "fill")
)
STYLE: Any = {
    "svg.hashsalt": "hornbook",  # the same run draws the same bytes
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
    "path.simplify": True,
    "path.simplify_threshold": 0.4,
}
NOTHING = dict.fromkeys(("Creator", "Date", "Format", "Type"))
IDENTIFIER = re.compile(r' id="([^"]+)"')
REFERENCE = re.compile(r'(?:url\(#|href="#)([^")]+)')
NAMESPACE = ' xmlns="http://www.w3.org/2000/svg"'
MOST_POINTS = 1500


def chart(
    name: str,
    title: str,
    across: str,
    up: str,
    draw: Callable[[Axes], object],
    alt: str,
    size: tuple[float, float] = (3.7, 2.35),
) -> Panel:
    """One panel: `draw` draws on its axes. Panels stay apart so that they can stand below each other where
    there is no room beside. Raises FigureError."""
    with drawing(STYLE):
        from matplotlib.figure import Figure
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        axes.set_title(title, loc="left")
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.grid(axis="y", color=RULE, alpha=0.5, linewidth=0.5)
        axes.margins(x=0.02)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10], integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        draw(axes)
        return Panel(name, tidy(name, svg_of(figure)), alt)


def svg_of(figure: Drawing) -> str:
    """A drawing as matplotlib writes it. Letters that its font lacks are left to the reader's fonts: text
    stays text here."""
    file = StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(file, format="svg", transparent=True, metadata=NOTHING)
    return file.getvalue()


def tidy(name: str, svg: str) -> str:
    """An SVG that can stand in a page beside others: from its first element on, with the identifiers that
    something refers to, made its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\n?", "", svg, flags=re.DOTALL)
    used = set(REFERENCE.findall(svg))
    svg = IDENTIFIER.sub(lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", svg)
    svg = svg.replace("url(#", f"url(#{name}-").replace('xlink:href="#', f'href="#{name}-')
    svg = svg.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>\s*", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;]+;", "font-family: 'DejaVu Sans', sans-serif;", svg)
    return svg.strip()


def in_a_page(svg: str) -> str:
    """An SVG as it stands in HTML, which knows its names and is told elsewhere what it shows."""
    return svg.replace("<svg ", '<svg aria-hidden="true" ', 1).replace(NAMESPACE, "", 1)


def in_a_file(svg: str) -> str:
    """An SVG as a file of its own that knows the dark."""
    dark = (
        f"<style>* {{ stroke-linejoin: round; }} @media (prefers-color-scheme: dark) {{\n{DARK}\n}}</style>"
    )
    head, rest = svg.split(">", 1)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{head}>\n{dark}{rest}\n'


def thinned(rows: Sequence[Any], most: int = MOST_POINTS) -> list[Any]:
    """At most so many of the rows, evenly, with the last: more than a chart has room to show."""
    step = max(1, -(-len(rows) // most))
    kept = list(rows[::step])
    return kept if not rows or kept[-1] is rows[-1] else [*kept, rows[-1]]
