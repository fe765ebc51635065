"""The family: GRU, LSTM, layers, many streams and Adam, in training, in writing, and in memory.

Each row is a race of its own: hornbook on two cores, in float32 and mixed, and on one, PyTorch with one
thread and with two, JAX, and the peak of all cores together, which is measured in the same rounds.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import charts, generation, memory, tables
from benchmarks.contenders import Contender, both_cores, fastest, installed, race, ratio
from benchmarks.sizes import Network
from hornbook.engines.native import core

TWO, ONE, PEAK = "hornbook, 2 cores", "hornbook, 1 core", "peak of all cores"
MIXED = "hornbook mixed, 2 cores"
TORCH = ("PyTorch, 1 thread", "PyTorch, 2 threads")
JAX = "JAX jit"
SPEEDUP = 1.85  # of two cores over one, to be reached from 32 streams on
GAIN = 1.5  # of mixed over float32, to be reached by GRU and LSTM from 256 units on


@dataclass(frozen=True)
class Target:
    """A network, and what is to be reached: a share of the cores' peak, and so many times PyTorch."""

    network: Network
    share: float
    ratio: float


TARGETS = (
    Target(Network("vanilla", 128, 50, 50), 0.55, 3),
    Target(Network("vanilla", 256, 32, 50), 0.70, 2.2),
    Target(Network("gru", 256, 32, 64), 0.70, 2.2),
    Target(Network("lstm", 128, 50, 50, layers=2), 0.65, 1.25),
    Target(Network("lstm", 256, 32, 64), 0.70, 1.25),
    Target(Network("lstm", 512, 64, 64), 0.75, 1.2),
    Target(Network("lstm", 512, 100, 100, layers=2), 0.75, 1.05),
)


@dataclass(frozen=True)
class Row:
    """What was measured of a network: characters/s, medians of the rounds; ratios and the share are medians
    round by round. None is a peer that is not installed."""

    name: str
    characters_per_second: float
    gflops: float
    peak_gflops: float
    share: float
    share_aim: float
    pytorch: float | None
    pytorch_threads: int | None  # at which it is best
    ratio: float | None
    ratio_aim: float
    jax: float | None
    ratio_to_jax: float | None
    one_core: float
    speedup: float
    mixed: float | None  # None where this processor has no products in bfloat16
    gain: float | None
    gain_aim: float | None


def contenders() -> list[Contender]:
    """Who trains, and in which order: the peak right after what is held against it, and who keeps no threads
    waiting right before."""
    two, options = both_cores(), {"threads": 2}
    mixed = [Contender(MIXED, "hornbook_family", options={**options, "dtype": "mixed"}, cores=two)]
    if not core().pairs():
        mixed = []
    return installed(
        [
            Contender(TWO, "hornbook_family", options=options, cores=two),
            Contender(PEAK, "peak", "make_gauge_of_all", cores=two, gauge=True),
            *mixed,
            Contender(ONE, "hornbook_family", options={"threads": 1}, cores=two[:1]),
            Contender(JAX, "jax_family", cores=two),
            Contender(TORCH[1], "pytorch_family", options={"threads": 2}, cores=two),
            Contender(TORCH[0], "pytorch_family", options={"threads": 1}, cores=two[:1]),
        ]
    )


def row_of(target: Target, times: dict[str, list[float]]) -> Row:
    """The row of a race."""
    network = target.network

    def speed(name: str) -> float | None:
        return network.characters / statistics.median(times[name]) if name in times else None

    torch = fastest(times, TORCH)
    shares = [network.operations / s / p for s, p in zip(times[TWO], times[PEAK], strict=True)]
    return Row(
        network.name,
        network.characters / statistics.median(times[TWO]),
        network.operations / statistics.median(times[TWO]) / 1e9,
        statistics.median(times[PEAK]) / 1e9,
        statistics.median(shares),
        target.share,
        speed(torch) if torch else None,
        TORCH.index(torch) + 1 if torch else None,
        ratio(times, TWO, torch) if torch else None,
        target.ratio,
        speed(JAX),
        ratio(times, TWO, JAX) if JAX in times else None,
        network.characters / statistics.median(times[ONE]),
        ratio(times, TWO, ONE),
        speed(MIXED),
        ratio(times, MIXED, TWO) if MIXED in times else None,
        GAIN if network.cell != "vanilla" and network.hidden >= 256 else None,
    )


HEADINGS = (
    f"{'training, characters/s':24}{'hornbook':>10}{'GFLOP/s':>9}{'of peak':>9}{'aim':>6}"
    f"{'PyTorch':>10}{'×':>7} {'aim':>6}{'JAX':>10} {'×':>6} {'1 core':>10}{'2 / 1':>7}"
    f"{'mixed':>11}{'×':>6}"
)


def told(value: float | None, form: str, aim: float | None = None) -> str:
    """A number, or a dash where there is none; a star follows one that misses its aim."""
    if value is None:
        return "- "
    return format(value, form) + ("*" if aim is not None and value < aim else " ")


def line(row: Row) -> str:
    """A row as it is printed."""
    return (
        f"{row.name:24}{row.characters_per_second:10,.0f}{row.gflops:9.1f}"
        f"{told(row.share, '.1%', row.share_aim):>9}{row.share_aim:6.0%}"
        f"{told(row.pytorch, ',.0f'):>11}{told(row.ratio, '.2f', row.ratio_aim):>7}{row.ratio_aim:6.2f}"
        f"{told(row.jax, ',.0f'):>11}{told(row.ratio_to_jax, '.2f'):>7}"
        f"{row.one_core:10,.0f}{told(row.speedup, '.2f', SPEEDUP):>7}"
        f"{told(row.mixed, ',.0f'):>12}{told(row.gain, '.2f', row.gain_aim):>6}"
    )


def chosen(only: str) -> Sequence[Target]:
    """The networks whose names hold a word."""
    return [target for target in TARGETS if only.lower() in target.network.name.lower()]


def measure(out: Path, machine: str, rounds: int, only: str = "") -> None:
    """Measure, print, save."""
    print(HEADINGS)
    runners, rows = contenders(), []
    for target in chosen(only):
        rows.append(row_of(target, race(runners, target.network, rounds)))
        print(line(rows[-1]), flush=True)
    print(
        f"two cores over one: at least {SPEEDUP}; mixed over float32, from 256 units on: at least {GAIN}; "
        "* short of what is to be reached\n"
    )
    written = generation.measure(rounds, only)
    resident = None if only else memory.resident()
    if resident is not None:
        limit = f"to stay under {memory.LIMIT / 1e6:,.0f}"
        print(f"\ntraining {memory.NETWORK.name}: {resident / 1e6:,.0f} MB resident, {limit}")
    saved = {
        "machine": machine,
        "training": [asdict(row) for row in rows],
        "writing": [asdict(row) for row in written],
        "resident_bytes": resident,
    }
    (out / "family.json").write_text(json.dumps(saved, indent=2))
    (out / "family.md").write_text(tables.family(rows, written), encoding="utf-8")
    if rows:
        charts.family(rows, out / "family.svg", machine)
