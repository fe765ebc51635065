"""`python -m benchmarks`: the classic update and the writing of text, hornbook and its peers in one run.

Prints a table and saves the figures as JSON and as charts. Peers are installed by the extra `bench`;
those that are missing are left out, and it says so.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
from pathlib import Path

from benchmarks import charts, growth, startup
from benchmarks.contenders import Contender, race, ratio
from benchmarks.sizes import Sizes
from hornbook.engines.native import chosen_level
from hornbook.recorder import processor

SIZES = Sizes()
OURS = "hornbook, native"
NEEDED = {"pytorch": "torch", "jax_scan": "jax"}
PEAK, RULER = "peak of the core", "C program"


def training(c_program: str | None) -> list[Contender]:
    """Who makes classic updates."""
    cores = tuple(sorted(os.sched_getaffinity(0)))[:2]
    contenders = [
        Contender(OURS, "hornbook_engines"),
        Contender("hornbook, reference", "hornbook_engines", options={"engine": "reference"}),
        Contender("textbook NumPy", "textbook"),
        Contender("PyTorch, 1 thread", "pytorch"),
        Contender("PyTorch, 2 threads", "pytorch", options={"threads": 2}, cores=cores),
        Contender("JAX jit", "jax_scan"),
        Contender("JAX jit, hoisted", "jax_scan", options={"hoisted": True}),
        Contender(PEAK, "peak", "make_gauge", gauge=True),
    ]
    if c_program:
        contenders.append(
            Contender(RULER, "c_program", "make_gauge", options={"source": c_program}, gauge=True)
        )
    return [c for c in contenders if installed(c)]


def writing() -> list[Contender]:
    """Who writes one stream of characters."""
    contenders = [
        Contender(OURS, "hornbook_engines", "make_writer"),
        Contender("PyTorch loop", "pytorch", "make_writer"),
    ]
    return [c for c in contenders if installed(c)]


def installed(contender: Contender) -> bool:
    """Whether a peer is there."""
    needed = NEEDED.get(contender.module)
    there = needed is None or importlib.util.find_spec(needed) is not None
    if not there:
        print(f"{contender.name} is left out: pip install -e '.[bench]'")
    return there


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


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--c-program", help="a C file to compile and run beside, as a measuring stick")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    machine = f"{processor()}, {os.cpu_count()} cores, level {chosen_level()}"
    print(f"{machine}\nclassic update: H {SIZES.hidden}, K {SIZES.vocabulary}, T {SIZES.seq_len}, float32\n")

    update = figures(race(training(options.c_program), SIZES, options.rounds))
    show(update)
    write = race(writing(), SIZES, options.rounds)
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
    (options.out / "classic.json").write_text(json.dumps(saved, indent=2))
    charts.bars(update, options.out / "classic.svg", machine)
    charts.growth(points, options.out / "growth.svg")
    print(f"\nsaved in {options.out}")


if __name__ == "__main__":
    main()
