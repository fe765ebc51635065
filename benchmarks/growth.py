"""How the time of an update grows: H at T 25, and T at H 100, against a·operations + b·parameters."""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass

import numpy as np

from benchmarks.peers.hornbook_engines import make
from benchmarks.sizes import Sizes, symbols

HIDDEN = (50, 75, 100, 150, 200, 300, 400, 600, 800)
SEQ_LENS = (10, 25, 50, 100, 200, 400)
ROUNDS = 9
TURN_SECONDS = 0.15


@dataclass(frozen=True)
class Point:
    """One size, its measured seconds an update, and those of the fit."""

    hidden: int
    seq_len: int
    seconds: float
    fitted: float = 0.0

    @property
    def sizes(self) -> Sizes:
        return Sizes(hidden=self.hidden, seq_len=self.seq_len)


def measure() -> list[Point]:
    """All sizes, each measured in turns, on one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})  # as the other contenders on one core
    try:
        return measured()
    finally:
        os.sched_setaffinity(0, cores)


def measured() -> list[Point]:
    """All sizes, each measured in turns."""
    ids = symbols(80)
    chosen = sorted({(H, 25) for H in HIDDEN} | {(100, T) for T in SEQ_LENS})
    runs = {size: make(ids, Sizes(hidden=size[0], seq_len=size[1])) for size in chosen}
    times: dict[tuple[int, int], list[float]] = {size: [] for size in chosen}
    for turn in range(ROUNDS + 1):
        for size, run in runs.items():
            units = max(5, int(TURN_SECONDS / (1e-11 * Sizes(hidden=size[0], seq_len=size[1]).operations)))
            begun = time.perf_counter()
            run(units)
            if turn:
                times[size].append((time.perf_counter() - begun) / units)
    return fit([Point(*size, statistics.median(seconds)) for size, seconds in times.items()])


def fit(points: list[Point]) -> list[Point]:
    """The a and b whose worst ratio to a measured time, either way, is least."""
    sizes = np.array([(p.sizes.operations, p.sizes.parameters) for p in points], dtype=float)
    seconds = np.array([p.seconds for p in points])
    best: tuple[float, np.ndarray] = (np.inf, seconds)
    for share in np.linspace(0, 1, 1001):
        shape = (1 - share) * sizes[:, 0] / sizes[:, 0].mean() + share * sizes[:, 1] / sizes[:, 1].mean()
        ratios = seconds / shape
        worst = float(np.sqrt(ratios.max() / ratios.min()))
        if worst < best[0]:
            best = worst, shape * np.sqrt(ratios.max() * ratios.min())
    return [Point(p.hidden, p.seq_len, p.seconds, float(f)) for p, f in zip(points, best[1], strict=True)]


def worst_ratio(points: list[Point]) -> float:
    """The largest factor, either way, between a measured and a fitted time."""
    return max(max(p.seconds / p.fitted, p.fitted / p.seconds) for p in points)
