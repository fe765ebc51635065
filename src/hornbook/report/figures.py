"""Figures of a run, drawn from its metrics."""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.errors import FigureError
from hornbook.events import AVERAGE, VALIDATION_LOSS
from hornbook.report.drawing import drawing
from hornbook.run_files import FIGURE, PICTURE
from hornbook.runs import Run
from hornbook.smoothing import first_share
from hornbook.storage import Spot, write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Rows = list[dict[str, Any]]
LOWER = "\n(lower dots: on less or more text)"
INK, ACCENT, FAINT = "#1f2937", "#b45309", "#94a3b8"
STYLE: Any = {
    "svg.hashsalt": "hornbook",  # the same run draws the same bytes
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def loss_figure(run: Run, to_write: Callable[[str], Path | Spot] | None = None) -> list[Path]:
    """Write `loss.svg` and `loss.png` into a run's folder: the loss of each logged update, and beside
    it the smooth loss and the validation, with the best model's, over updates. Without a metrics row nothing
    is written. `to_write` tells where a file of a name is to be written, as `Lock.to_write` does. Raises
    FigureError where matplotlib cannot draw it, StorageError where it cannot be written."""
    rows = run.metrics
    pictures = drawn(rows, run.summary, run.config.training.seq_len) if rows else {}
    for name, picture in pictures.items():
        write_whole((to_write or run.folder.joinpath)(name), picture)
    return [run.folder / name for name in pictures]


def rehearsed() -> float:
    """Draw a figure that nobody sees: the seconds that it takes, once all that it needs is loaded; 0 where it
    cannot be drawn, which is told after the training."""
    rows = [{"update": update, "loss": 1.0, "smooth_loss": 1.0} for update in range(300)]
    try:
        with drawing(STYLE):  # loads it
            begun = time.perf_counter()
        drawn(rows, {}, 1)
    except FigureError:
        return 0.0
    return time.perf_counter() - begun


def drawn(rows: Rows, summary: dict[str, Any], seq_len: int) -> dict[str, bytes]:
    """The figure in its forms, by the name of their files. Raises FigureError."""
    with drawing(STYLE):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        updates = [row["update"] for row in rows]
        unit = f"nats over {seq_len} characters"
        draw(left, updates, [row["loss"] for row in rows], "Loss of each logged update", unit, FAINT)
        draw(right, updates, [row["smooth_loss"] for row in rows], "Smooth loss", unit, INK)
        draw_validation(right, rows, seq_len)
        if best := best_validation(rows, summary, seq_len):
            mark_best(right, *best, LOWER * is_undercut(rows, summary))
        elif best := best_smooth(summary):
            mark_best(right, *best)
        return {name: saved(figure, name) for name in (FIGURE, PICTURE)}


def saved(figure: Figure, name: str) -> bytes:
    """A figure as its file holds it."""
    picture, kind = BytesIO(), name.rpartition(".")[2]
    figure.savefig(picture, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    return picture.getvalue()


def draw_validation(axes: Axes, rows: Rows, seq_len: int) -> None:
    """The losses on the held-out part, in the unit of the others, where there are some."""
    points = [(row["update"], row["validation"] * seq_len) for row in rows if "validation" in row]
    if points:
        axes.plot(*zip(*points, strict=True), color=ACCENT, linewidth=1.0, marker=".", markersize=3)
        smooth = "Smooth loss (it lags behind)" if first_share(rows[-1]["update"]) else "Smooth loss"
        axes.set_title(f"{smooth}, and validation (dots)", loc="left", color=INK)


def draw(axes: Axes, updates: list[int], losses: list[float], title: str, unit: str, colour: str) -> None:
    """One panel."""
    from matplotlib.ticker import MaxNLocator

    marker = "." if len(updates) == 1 else ""
    axes.plot(updates, losses, color=colour, linewidth=1.0, marker=marker)
    axes.set_title(title, loc="left", color=INK)
    axes.set_xlabel("update")
    axes.set_ylabel(unit)
    axes.grid(axis="y", color=FAINT, alpha=0.25, linewidth=0.6)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.margins(x=0.02)


def by_validation(summary: dict[str, Any]) -> bool:
    """Whether the best model was chosen by what was held out; runs of earlier versions tell it by what that
    one needs for all of it."""
    return summary.get("best_by") == VALIDATION_LOSS or bool(summary.get("validation"))


def best_validation(rows: Rows, summary: dict[str, Any], seq_len: int = 1) -> tuple[int, float] | None:
    """The update of the best model, where validation chose it, and its loss over so many characters, as it
    was found then."""
    if not by_validation(summary):
        return None
    found = (row for row in rows if "validation" in row and row["update"] == summary["best_update"])
    return next(((row["update"], row["validation"] * seq_len) for row in found), None)


def is_undercut(rows: Rows, summary: dict[str, Any]) -> bool:
    """Whether a row has a lower loss than the best model had. Later evaluations read more of what is held
    out, and the best model's is then found again on the same part, which no row tells."""
    best = best_validation(rows, summary)
    return best is not None and any(row.get("validation", best[1]) < best[1] for row in rows)


def best_smooth(summary: dict[str, Any]) -> tuple[int, float] | None:
    """The update with the lowest smooth loss, and this, where the best model is of that update."""
    if summary.get("best_by") == AVERAGE or by_validation(summary):
        return None
    best, update = summary.get("best_smooth_loss"), summary.get("best_update")
    return (update, best) if best is not None and update else None


def mark_best(axes: Axes, update: int, best: float, remark: str = "") -> None:
    """The best model's loss and its update, and a remark under them."""
    axes.plot([update], [best], "o", color=ACCENT, markersize=4)
    axes.annotate(
        f"best {best:.2f} at {update:,}{remark}",
        (update, best),
        xycoords="data",
        textcoords="axes fraction",
        xytext=(0.98, 0.92),
        ha="right",
        va="top",
        color=ACCENT,
        arrowprops={"arrowstyle": "-", "color": ACCENT, "linewidth": 0.5, "alpha": 0.5},
    )
