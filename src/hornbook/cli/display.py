"""What is seen of a training while it runs: a live bar on a terminal, plain lines elsewhere, JSON, or
nothing. Each form consumes the same events."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from hornbook.cli.words import (
    AS_IT_IS,
    cost_words,
    duration,
    encodable,
    loss_words,
    plain_console,
    printable,
    say,
)
from hornbook.events import Checkpoint, Evaluated, Event, Finished, Logged, Planned, Progress, Sampled
from hornbook.markup import counted
from hornbook.smoothing import first_share

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PLAIN_SECONDS = 3.0  # between two plain lines
LIVE_SECONDS = 0.1  # between two pictures of the bar


class Display:
    """Shows nothing; the forms below say what they show of an event. The heading comes first."""

    def __init__(self, seq_len: int, heading: str = "") -> None:
        self.seq_len, self.heading = seq_len, heading

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, event: Event) -> None:
        """Show an event."""


class JsonDisplay(Display):
    """One JSON record a line for each event; arrays are left out."""

    def show(self, event: Event) -> None:
        """Print an event as JSON."""
        print(json.dumps(record_of(event)), flush=True)


def record_of(event: Event) -> dict[str, Any]:
    """An event as a JSON record; what is not finite is null."""
    kind = type(event).__name__.lower()
    match event:
        case Checkpoint(state=state, seconds=seconds):
            return {"event": kind, "update": state.update, "seconds": seconds}
        case Finished(state, first_loss, passage, seconds, complete, validation, early, best_by):
            losses = {
                "first_loss": first_loss,
                "last_smooth_loss": state.smooth_loss,
                "best_smooth_loss": state.best_smooth_loss,
            }
            best = {"best_update": state.best_update, "best_by": best_by}
            fields: dict[str, Any] = {"update": state.update, **losses, **best}
            fields |= {"passage": passage, "seconds": seconds, "complete": complete}
            fields |= {"validation": validation and validation._asdict(), "early": early}
        case _:
            fields = asdict(event)
    finite = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in fields.items()}
    return {"event": kind, **finite}


class PlainDisplay(Display):
    """A line every few seconds and each sample as it comes, for files and pipes."""

    def __init__(self, seq_len: int, heading: str = "") -> None:
        super().__init__(seq_len, heading)
        self.last = -math.inf

    def __enter__(self) -> Self:
        if self.heading:
            say(self.heading)
        return self

    def show(self, event: Event) -> None:
        """Print what is due."""
        match event:
            case Progress():
                if time.monotonic() - self.last >= PLAIN_SECONDS or event.update == event.updates:
                    self.last = time.monotonic()
                    say(progress_line(event, self.seq_len))
            case Evaluated():
                say(evaluation_line(event))
            case Sampled():
                say(f"\nsample after update {event.update:,}:\n{event.text}\n")
            case Planned() | Logged() | Checkpoint() | Finished():
                pass


def progress_line(event: Progress, seq_len: int) -> str:
    """How far a training is, in a line."""
    first = first_words(event)
    return (
        f"update {event.update:,} of {event.updates:,}  epoch {event.epoch:.2f}  "
        f"smooth loss {loss_words(event.smooth_loss, seq_len)}{', ' * bool(first)}{first}  "
        f"{event.characters_per_second:,.0f} characters/s  {duration(time_left(event))} left"
    )


def first_words(event: Progress) -> str:
    """How much of the smooth loss is still its first value, in a training too short to leave that behind."""
    return f"{first_share(event.update):.0%} is its first value" if first_share(event.updates) else ""


def evaluation_line(event: Evaluated) -> str:
    """What the network needs for the held-out part, in a line. Later evaluations read more of it, and the
    best loss is that on the same characters: so their number is told, since only such losses compare."""
    least = f"least on these {event.best_nats_per_character:.3f} at {event.best_update:,}"
    return (
        f"validation at {event.update:,}  {cost_words(event.nats_per_character)} {read_words(event)}, "
        f"{'the least on these' if event.update == event.best_update else least}"
    )


def read_words(event: Evaluated) -> str:
    """How much of the held-out part an evaluation has read."""
    return f"on {counted(event.characters, 'character')}"


def time_left(event: Progress) -> float:
    """In seconds, at the mean speed so far; in a training by time no more than there is."""
    return min((event.updates - event.update) * event.seconds / event.update, event.seconds_left)


class LiveDisplay(Display):
    """A bar with figures, and the newest sample under it."""

    def __init__(self, seq_len: int, heading: str = "", console: Console | None = None) -> None:
        super().__init__(seq_len, heading)
        from rich.live import Live

        # Of its own: rich before 14.1 has one display at a time on the console that all share.
        self.live = Live(console=console or plain_console(), auto_refresh=False)
        self.progress: Progress | None = None
        self.evaluated: Evaluated | None = None
        self.sample: Sampled | None = None
        self.last = -math.inf

    def __enter__(self) -> Self:
        if self.heading:
            self.live.console.print(encodable(printable(self.heading)), **AS_IT_IS)
        self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refresh()
        self.live.stop()

    def show(self, event: Event) -> None:
        """Draw again when it is time."""
        match event:
            case Progress():
                self.progress = event
            case Evaluated():
                self.evaluated = event
            case Sampled():
                self.sample = event
            case Planned() | Logged() | Checkpoint() | Finished():
                return
        if time.monotonic() - self.last >= LIVE_SECONDS:
            self.refresh()

    def refresh(self) -> None:
        """Draw the bar as it is now."""
        self.last = time.monotonic()
        self.live.update(self.picture(), refresh=True)

    def picture(self) -> RenderableType:
        """The bar, its figures and the newest sample."""
        from rich.console import Group
        from rich.panel import Panel
        from rich.text import Text

        parts: list[RenderableType] = []
        if self.progress:
            parts += bar(self.progress, self.evaluated, self.seq_len)
        if self.sample:
            title = f"written after update {self.sample.update:,}"
            text = Text(encodable(printable(self.sample.text)))
            parts.append(Panel(text, title=title, title_align="left", border_style="dim"))
        return Group(*parts)


def bar(event: Progress, evaluated: Evaluated | None, seq_len: int) -> list[RenderableType]:
    """Three lines or four: how far, how good, how good on what is held out, how fast."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    top = Table.grid(expand=True, padding=(0, 1))
    top.add_column(ratio=1)
    top.add_column(justify="right", no_wrap=True)
    top.add_row(
        ProgressBar(total=event.updates, completed=event.update),
        Text(f"{event.update:,} of {counted(event.updates, 'update')}   epoch {event.epoch:.2f}", "bold"),
    )
    first, best = first_words(event), f"{event.best_smooth_loss:.2f} at {event.best_update:,}"
    loss = Text.assemble(
        ("smooth loss ", "dim"),
        (loss_words(event.smooth_loss, seq_len), "bold green"),
        *([(f"   {first}", "dim")] if first else [("   best ", "dim"), best]),
    )
    speed = f"{event.characters_per_second:,.0f} characters/s   {duration(time_left(event))} left"
    return [top, loss, *held_out_line(evaluated), Text(speed, "dim")]


def held_out_line(event: Evaluated | None) -> list[RenderableType]:
    """The last evaluation and the best one, where there is one."""
    from rich.text import Text

    if event is None:
        return []
    return [
        Text.assemble(
            ("validation ", "dim"),
            (cost_words(event.nats_per_character), "bold green"),
            (f" at {event.update:,}   best ", "dim"),
            f"{event.best_nats_per_character:.3f} at {event.best_update:,}",
            (f"   both {read_words(event)}", "dim"),
        )
    ]


def choose_display(seq_len: int, quiet: bool = False, as_json: bool = False, heading: str = "") -> Display:
    """The form that fits where the output goes."""
    if as_json:
        return JsonDisplay(seq_len)
    if quiet:
        return Display(seq_len)
    terminal = sys.stdout is not None and sys.stdout.isatty()
    capable = terminal and os.environ.get("TERM") not in ("dumb", "unknown")
    return LiveDisplay(seq_len, heading) if capable else PlainDisplay(seq_len, heading)
