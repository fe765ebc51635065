"""The classic recipe: the update, the writing of text, the start of the command, and growth with size."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from benchmarks import charts, growth, startup
from benchmarks.contenders import Contender, both_cores, installed, race, ratio
from benchmarks.sizes import Sizes

SIZES = Sizes()
OURS = "hornbook, native"
PEAK, RULER = "peak of the core", "C program"


def training(program: str | None) -> list[Contender]:
    """Who makes classic updates, a compiled program among them."""
    contenders = [
        Contender(OURS, "hornbook_engines"),
        Contender("hornbook, reference", "hornbook_engines", options={"engine": "reference"}),
        Contender("textbook NumPy", "textbook"),
        Contender("PyTorch, 1 thread", "pytorch"),
        Contender("PyTorch, 2 threads", "pytorch", options={"threads": 2}, cores=both_cores()),
        Contender("JAX jit", "jax_scan"),
        Contender("JAX jit, hoisted", "jax_scan", options={"hoisted": True}),
        Contender(PEAK, "peak", "make_gauge", gauge=True),
    ]
    if program:
        contenders.append(
            Contender(RULER, "c_program", "make_gauge", options={"program": program}, gauge=True)
        )
    return installed(contenders)


def writing() -> list[Contender]:
    """Who writes one stream of characters."""
    contenders = [
        Contender(OURS, "hornbook_engines", "make_writer"),
        Contender("PyTorch loop", "pytorch", "make_writer"),
    ]
    return installed(contenders)


def figures(times: dict[str, list[float]]) -> list[dict[str, float | str]]:
    """A row a contender for the update: medians, ratios round by round, share of the peak."""
    peak = statistics.median(times[PEAK])
    rows: list[dict[str, float | str]] = []
    for name, seconds in times.items():
        if name == PEAK:
            continue
        shares = [SIZES.operations / s / p for s, p in zip(seconds, times[PEAK], strict=True)]
        rows.append(
            {
                "name": name,
                "microseconds": statistics.median(seconds) * 1e6,
                "characters_per_second": SIZES.seq_len / statistics.median(seconds),
                "ratio": ratio(times, OURS, name),
                "gflops": SIZES.operations / statistics.median(seconds) / 1e9,
                "share_of_peak": statistics.median(shares),
            }
        )
    rows.append({"name": PEAK, "gflops": peak / 1e9})
    return rows


def show(rows: list[dict[str, float | str]]) -> None:
    """Print the table of the update."""
    print(f"{'':22}{'µs':>9}{'characters/s':>14}{'ratio':>8}{'GFLOP/s':>9}{'of peak':>9}")
    for row in rows:
        if "microseconds" not in row:
            print(f"{row['name']:22}{'':31}{row['gflops']:9.1f}")
            continue
        print(
            f"{row['name']:22}{row['microseconds']:9.1f}{row['characters_per_second']:14,.0f}"
            f"{row['ratio']:8.2f}{row['gflops']:9.1f}{100 * float(row['share_of_peak']):8.1f}%"
        )


def measure(out: Path, machine: str, rounds: int, program: str | None) -> None:
    """Measure, print, save."""
    print(f"classic update: H {SIZES.hidden}, K {SIZES.vocabulary}, T {SIZES.seq_len}, float32\n")
    update = figures(race(training(program), SIZES, rounds))
    show(update)
    write = race(writing(), SIZES, rounds)
    speeds = {name: 1 / statistics.median(seconds) for name, seconds in write.items()}
    print("\nwriting one stream")
    for name, speed in speeds.items():
        print(f"{name:22}{speed:14,.0f} characters/s{ratio(write, OURS, name):8.1f}")
    starts = {"help": startup.help_seconds(), "first_update": startup.first_update_seconds()}
    print(f"\nhornbook --help {starts['help']:.2f} s   first update on 1 MB {starts['first_update']:.2f} s")
    points = growth.measure()
    print("\ngrowth: measured over fitted")
    for p in points:
        print(f"H {p.hidden:4}  T {p.seq_len:4}  {p.seconds * 1e6:9.1f} µs  {p.seconds / p.fitted:5.2f}")
    print(f"worst factor {growth.worst_ratio(points):.2f}")

    saved = {"machine": machine, "update": update, "writing": speeds, "start": starts}
    saved["growth"] = [vars(p) for p in points]
    (out / "classic.json").write_text(json.dumps(saved, indent=2))
    charts.bars(update, out / "classic.svg", machine)
    charts.growth(points, out / "growth.svg")
