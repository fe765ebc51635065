"""Makes the README's picture of a training from the program itself: `python docs/pictures.py`."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

import hornbook
from hornbook.cli.display import LiveDisplay
from hornbook.events import Progress, Sampled

SEEN_AT = 60_000  # updates
# The page of rich, without its web fonts.
PAGE = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
 font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g></svg>
"""


def main() -> None:
    """Train on the built-in text and keep the terminal as it is seen on the way."""
    text = hornbook.read_text()
    console = Console(record=True, width=96, file=io.StringIO(), force_terminal=True)
    display = LiveDisplay(25, console=console)
    for event in hornbook.train_events(text):
        if isinstance(event, Progress):
            display.progress = event
        if isinstance(event, Sampled):
            display.sample = event
            if event.update >= SEEN_AT:
                break
    console.print("$ hornbook train", style="bold")
    console.print(display.picture())
    picture = console.export_svg(title="hornbook", theme=MONOKAI, code_format=PAGE, unique_id="hornbook")
    Path(__file__).with_name("training.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
