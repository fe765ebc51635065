"""Contenders: each in a process of its own, on the cores it is given, waiting for its turn.

Only one works at a time. A turn is long enough to be measured well and short enough that a drift of the
machine's speed meets all of them alike.
"""

from __future__ import annotations

import importlib
import importlib.util
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.sizes import symbols

TURN_SECONDS = 0.4
TEXT_FREE = ("make_writer", "make_gauge", "make_gauge_of_all", "make_gauge_of_reading")
NEEDED = {"pytorch": "torch", "pytorch_family": "torch", "jax_scan": "jax", "jax_family": "jax"}


@dataclass(frozen=True)
class Contender:
    """`module.function` of benchmarks.peers with keywords, on the cores named. A gauge answers with what
    it read instead of the seconds that it needed."""

    name: str
    module: str
    function: str = "make"
    options: dict[str, Any] = field(default_factory=dict)
    cores: tuple[int, ...] = field(default_factory=lambda: both_cores()[-1:])  # the first serves the system
    gauge: bool = False


def both_cores() -> tuple[int, ...]:
    """Two cores of this machine, or its only one."""
    return tuple(sorted(os.sched_getaffinity(0)))[:2]


def installed(contenders: Iterable[Contender]) -> list[Contender]:
    """Those that are there; the others are told."""
    found = []
    for contender in contenders:
        needed = NEEDED.get(contender.module)
        if needed is None or importlib.util.find_spec(needed) is not None:
            found.append(contender)
        else:
            print(f"{contender.name} is left out: pip install -e '.[bench]'")
    return found


def work(contender: Contender, sizes: Any, pipe: Connection) -> None:
    """A contender's process: answer each number of units with the seconds they took."""
    os.sched_setaffinity(0, contender.cores)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(len(contender.cores))
    module = importlib.import_module(f"benchmarks.peers.{contender.module}")
    make: Callable[..., Callable[[int], float]] = getattr(module, contender.function)
    text = () if contender.function in TEXT_FREE else (symbols(sizes.vocabulary),)
    run = make(*text, sizes, **contender.options)
    run(1)
    pipe.send(0.0)
    while (units := pipe.recv()) is not None:
        begun = time.perf_counter()
        read = run(units)
        pipe.send(read if contender.gauge else time.perf_counter() - begun)


class Race:
    """Contenders for the same work, measured in turns."""

    def __init__(self, contenders: Iterable[Contender], sizes: Any) -> None:
        self.contenders = list(contenders)
        self.pipes: dict[str, Connection] = {}
        self.processes = []
        context = multiprocessing.get_context("spawn")
        for contender in self.contenders:
            ours, theirs = context.Pipe()
            process = context.Process(target=work, args=(contender, sizes, theirs), daemon=True)
            process.start()
            theirs.close()
            ours.recv()
            self.pipes[contender.name] = ours
            self.processes.append(process)

    def turn(self, name: str, units: int) -> float:
        """Seconds that a contender needs for so many units, or what a gauge reads."""
        self.pipes[name].send(units)
        return float(self.pipes[name].recv())

    def run(self, rounds: int) -> dict[str, list[float]]:
        """Seconds a unit of each contender, one number a round, all of them in each round."""
        units = {c.name: 1 if c.gauge else self.fitting(c.name) for c in self.contenders}
        times: dict[str, list[float]] = {name: [] for name in units}
        for _ in range(rounds):
            for name, count in units.items():
                times[name].append(self.turn(name, count) / count)
        return times

    def fitting(self, name: str) -> int:
        """The units that a contender does in one turn. What the first one takes, which may still have to be
        compiled, says nothing."""
        self.turn(name, 1)
        units, took = 1, self.turn(name, 1)
        while took < TURN_SECONDS / 8:
            units *= 4
            took = self.turn(name, units)
        return max(1, round(units * TURN_SECONDS / took))

    def close(self) -> None:
        """End all processes."""
        for pipe in self.pipes.values():
            pipe.send(None)
        for process in self.processes:
            process.join()


def race(contenders: Iterable[Contender], sizes: Any, rounds: int) -> dict[str, list[float]]:
    """Measure contenders against each other; seconds a unit, one number a round."""
    running = Race(contenders, sizes)
    try:
        return running.run(rounds)
    finally:
        running.close()


def ratio(times: dict[str, list[float]], one: str, other: str) -> float:
    """How many times longer `other` takes than `one`: the median of the rounds' ratios."""
    return statistics.median(b / a for a, b in zip(times[one], times[other], strict=True))


def fastest(times: dict[str, list[float]], names: Sequence[str]) -> str | None:
    """Who of these was fastest, of those that are there."""
    there = [name for name in names if name in times]
    return min(there, key=lambda name: statistics.median(times[name]), default=None)
