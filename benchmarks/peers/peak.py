"""What the machine itself reaches: fused multiply-adds on registers, and reading from its caches."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks.sizes import Network, Sizes
from hornbook.engines.native import core

SECONDS = 0.1


def make_gauge(_sizes: Sizes) -> Callable[[int], float]:
    """Operations a second."""
    return lambda _units: float(core().fma_peak(SECONDS)) * 1e9


def make_gauge_of_all(_sizes: Network) -> Callable[[int], float]:
    """Operations a second of all cores together, each working at the same time."""
    cores = sorted(os.sched_getaffinity(0))

    def one(number: int) -> float:
        os.sched_setaffinity(0, {number})  # of this thread
        return float(core().fma_peak(SECONDS)) * 1e9

    def run(_units: int) -> float:
        with ThreadPoolExecutor(len(cores)) as pool:
            return sum(pool.map(one, cores))

    return run


def make_gauge_of_reading(sizes: Network) -> Callable[[int], float]:
    """Bytes a second that a core reads again and again from as much memory as the network's weights take: by
    a dot product or by the search for the largest number, whichever is faster."""
    array = np.ones(sizes.weights, dtype=np.float32)

    def speed(read: Callable[[], object]) -> float:
        times, begun = 0, time.perf_counter()
        while (took := time.perf_counter() - begun) < SECONDS:
            read()
            times += 1
        return times * array.nbytes / took

    return lambda _units: max(speed(lambda: np.dot(array, array)), speed(array.max))
