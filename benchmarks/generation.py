"""Writing: one stream and 64 at once, beside PyTorch, the peak of the cores and what their caches give.

One stream multiplies each weight once a character, so it is as fast as the weights can be read. Weights that
fit a core's L2 are to be 20 times as fast as PyTorch; larger ones are to be read at 70 % of what the cores
can read again and again when each has its share of as much memory. 64 streams share what they read, and are
to reach 60 % of the cores' peak.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.contenders import Contender, both_cores, fastest, installed, race, ratio
from benchmarks.sizes import Network

OURS, PEAK, READING = "hornbook", "peak of all cores", "reading of all cores"
TORCH = ("PyTorch, 1 thread", "PyTorch, 2 threads")
NETWORKS = (
    Network("vanilla", 128),
    Network("gru", 256),
    Network("lstm", 128, layers=2),
    Network("lstm", 512),
    Network("lstm", 512, layers=2),
)
MANY = 64
L2 = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")
USUAL_L2 = 1 << 20  # bytes, where the system does not tell
RATIO, BANDWIDTH, SHARE = 20.0, 0.70, 0.60


@dataclass(frozen=True)
class Written:
    """What was measured of a network that writes in `streams`. The share is of the cores' peak where there
    are many, and where there is one, of the bytes a second that they read from as large a memory."""

    name: str
    streams: int
    characters_per_second: float
    share: float
    pytorch: float | None
    ratio: float | None
    aim: str
    reached: bool


def l2_bytes() -> int:
    """The size of a core's L2."""
    try:
        return 1024 * int(L2.read_text().strip().removesuffix("K"))
    except (OSError, ValueError):
        return USUAL_L2


def contenders(many: bool) -> list[Contender]:
    """Who writes, on two cores, and PyTorch on one besides."""
    two = both_cores()
    ours = Contender(OURS, "hornbook_family", "make_writer", {"threads": len(two)}, two)
    theirs = [
        Contender(name, "pytorch_family", "make_writer", {"threads": threads}, two[:threads])
        for threads, name in enumerate(TORCH, start=1)
    ]
    name, gauge = (PEAK, "make_gauge_of_all") if many else (READING, "make_gauge_of_reading")
    return installed([ours, *theirs, Contender(name, "peak", gauge, cores=two, gauge=True)])


def written(network: Network, times: dict[str, list[float]]) -> Written:
    """The row of a race."""
    many = network.streams > 1
    work = 2.0 * network.streams * network.weights if many else 4.0 * network.weights  # operations or bytes
    shares = [work / s / p for s, p in zip(times[OURS], times[PEAK if many else READING], strict=True)]
    share = statistics.median(shares)
    torch = fastest(times, TORCH)
    slower = ratio(times, OURS, torch) if torch else None
    if many:
        aim, reached = f"{SHARE:.0%} of peak", share >= SHARE
    elif 4 * network.weights <= l2_bytes():
        aim, reached = f"{RATIO:.0f} × PyTorch", slower is None or slower >= RATIO
    else:
        aim, reached = f"{BANDWIDTH:.0%} of the reading", share >= BANDWIDTH
    return Written(
        network.name,
        network.streams,
        network.streams / statistics.median(times[OURS]),
        share,
        network.streams / statistics.median(times[torch]) if torch else None,
        slower,
        aim,
        reached,
    )


def line(row: Written) -> str:
    """A row as it is printed; a star stands where the aim is missed."""
    torch = f"{row.pytorch:,.0f}" if row.pytorch else "-"
    ratio = f"{row.ratio:.1f}" if row.ratio else "-"
    return (
        f"{row.name:12}{row.streams:8}{row.characters_per_second:13,.0f}{row.share:9.1%}{torch:>11}{ratio:>8}"
        f"   {row.aim}{'' if row.reached else ' *'}"
    )


def measure(rounds: int, only: str = "") -> list[Written]:
    """Measure and print."""
    print(
        f"{'writing':12}{'streams':>8}{'characters/s':>13}{'share':>9}{'PyTorch':>11}{'×':>8}   to be reached"
    )
    rows = []
    for many in (False, True):
        for network in NETWORKS:
            if only.lower() not in network.name.lower():
                continue
            network = replace(network, streams=MANY if many else 1)
            rows.append(written(network, race(contenders(many), network, rounds)))
            print(line(rows[-1]), flush=True)
    return rows
