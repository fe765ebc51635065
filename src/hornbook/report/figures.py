"""Figures of a run, drawn from its metrics."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hornbook.runs import Run
from hornbook.storage import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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


def loss_figure(run: Run) -> list[Path]:
    """Write `loss.svg` and `loss.png` into a run's folder: the loss of each logged update, and beside
    it the smooth loss with its lowest point, over updates. Without a metrics row nothing is written.
    Raises StorageError."""
    rows, summary = run.metrics, run.summary
    if not rows:
        return []
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 3.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        updates = [row["update"] for row in rows]
        unit = f"nats over {run.config.training.seq_len} characters"
        draw(left, updates, [row["loss"] for row in rows], "Loss of each logged update", unit, FAINT)
        draw(right, updates, [row["smooth_loss"] for row in rows], "Smooth loss", unit, INK)
        mark_best(right, summary)
        paths = [run.folder / "loss.svg", run.folder / "loss.png"]
        for path in paths:
            picture, kind = BytesIO(), path.suffix[1:]
            figure.savefig(picture, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
            write_whole(path, picture.getvalue())
    return paths


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


def mark_best(axes: Axes, summary: dict[str, Any]) -> None:
    """The lowest smooth loss and its update."""
    best, update = summary.get("best_smooth_loss"), summary.get("best_update")
    if best is None or not update:
        return
    axes.plot([update], [best], "o", color=ACCENT, markersize=4)
    axes.annotate(
        f"best {best:.2f} at {update:,}",
        (update, best),
        xycoords="data",
        textcoords="axes fraction",
        xytext=(0.98, 0.92),
        ha="right",
        va="top",
        color=ACCENT,
        arrowprops={"arrowstyle": "-", "color": ACCENT, "linewidth": 0.5, "alpha": 0.5},
    )
