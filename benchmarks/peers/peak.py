"""What the machine itself reaches: fused multiply-adds on registers, and reading from its caches."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks.contenders import TURN_SECONDS
from benchmarks.sizes import Network, Sizes
from hornbook.engines.native import core

AT_ONCE = 20_000_000  # numbers that a call reads


def make_gauge(_sizes: Sizes) -> Callable[[int], float]:
    """Operations a second."""
    return lambda _units: float(core().fma_peak(TURN_SECONDS)) * 1e9


def make_gauge_of_all(_sizes: Network) -> Callable[[int], float]:
    """Operations a second of all cores together, each working at the same time."""
    return of_all(lambda: float(core().fma_peak(TURN_SECONDS)) * 1e9)


def make_gauge_of_reading(sizes: Network) -> Callable[[int], float]:
    """Bytes a second that all cores together read again and again, each from its share of as much memory as
    the network's weights take, in search of the largest number. A call searches the same memory many times,
    so that the threads seldom wait for Python."""
    share = sizes.weights // len(os.sched_getaffinity(0))

    def one() -> float:
        again = np.broadcast_to(np.ones(share, dtype=np.float32), (1 + AT_ONCE // share, share))
        times, begun = 0, time.perf_counter()
        while (took := time.perf_counter() - begun) < TURN_SECONDS:
            again.max(axis=1)
            times += 1
        return times * 4 * again.size / took

    return of_all(one)


def of_all(one: Callable[[], float]) -> Callable[[int], float]:
    """The sum of what each core gives, all working at the same time."""
    cores = sorted(os.sched_getaffinity(0))

    def bound(number: int) -> float:
        os.sched_setaffinity(0, {number})  # of this thread
        return one()

    def run(_units: int) -> float:
        with ThreadPoolExecutor(len(cores)) as pool:
            return sum(pool.map(bound, cores))

    return run
