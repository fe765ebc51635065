"""The figures as charts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from benchmarks.growth import Point
from hornbook.report.figures import ACCENT, FAINT, INK, STYLE

if TYPE_CHECKING:
    from benchmarks.family import Row

LIGHT, PALE = "#d5dbe3", "#e0b48a"


def bars(rows: list[dict[str, float | str]], path: Path, machine: str) -> None:
    """The microseconds of an update, a bar a contender, on a logarithmic scale."""
    timed = [row for row in rows if "microseconds" in row]
    names = [str(row["name"]) for row in timed]
    times = [float(row["microseconds"]) for row in timed]
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 0.42 * len(timed) + 0.9), layout="constrained")
        axes = figure.subplots()
        axes.barh(names, times, color=[ACCENT if name.startswith("hornbook") else FAINT for name in names])
        axes.set_xscale("log")
        axes.set_xlim(min(times) / 2, max(times) * 3)
        axes.invert_yaxis()
        for place, row in enumerate(timed):
            label = f" {float(row['microseconds']):,.0f} µs   {float(row['ratio']):.1f} ×"
            axes.text(float(row["microseconds"]), place, label, va="center", color=INK)
        axes.set_title(f"one classic update, microseconds ({machine})", loc="left", color=INK)
        figure.savefig(path, metadata={"Date": None})


def growth(points: list[Point], path: Path) -> None:
    """The time of an update over H and over T, beside the fit."""
    with rc_context(STYLE):
        figure = Figure(figsize=(8, 3.2), layout="constrained")
        for axes, key, chosen in zip(
            figure.subplots(1, 2),
            ("hidden", "seq_len"),
            ([p for p in points if p.seq_len == 25], [p for p in points if p.hidden == 100]),
            strict=True,
        ):
            chosen = sorted(chosen, key=lambda p, key=key: getattr(p, key))
            at = [getattr(p, key) for p in chosen]
            axes.loglog(at, [p.seconds * 1e6 for p in chosen], "o", color=ACCENT, label="measured")
            axes.loglog(
                at, [p.fitted * 1e6 for p in chosen], "-", color=INK, label="a·operations + b·parameters"
            )
            axes.set_xlabel("H, at T 25" if key == "hidden" else "T, at H 100")
            axes.set_ylabel("µs an update")
            axes.set_xticks(at, [str(x) for x in at])
            axes.minorticks_off()
            axes.legend(frameon=False)
        figure.savefig(path, metadata={"Date": None})


def family(rows: list[Row], path: Path, machine: str) -> None:
    """The share of the cores' peak in float32 that each network reaches in training, hornbook beside its
    peers, and beside itself with products in bfloat16; the numbers are characters a second."""
    kinds = {"hornbook": ACCENT, "hornbook, mixed": PALE, "PyTorch": FAINT, "JAX": LIGHT}
    with rc_context(STYLE):
        figure = Figure(figsize=(7.5, 0.86 * len(rows) + 0.9), layout="constrained")
        axes = figure.subplots()
        for at, row in enumerate(rows):
            speeds = (row.characters_per_second, row.mixed, row.pytorch, row.jax)
            for turn, (speed, colour) in enumerate(zip(speeds, kinds.values(), strict=True)):
                if speed is None:
                    continue
                share = 100 * row.share * speed / row.characters_per_second
                place = at + 0.2 * (turn - 1.5)
                axes.barh(place, share, height=0.18, color=colour)
                axes.text(share + 1, place, f"{speed:,.0f}", va="center", color=INK, fontsize=8)
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set_xlabel("per cent of the peak of all cores in float32; the numbers are characters/s")
        handles = [Patch(color=colour, label=name) for name, colour in kinds.items()]
        axes.legend(handles=handles, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
        axes.set_title(f"training with Adam ({machine})", loc="left", color=INK)
        figure.savefig(path, metadata={"Date": None})
