"""What the core itself reaches: fused multiply-adds on registers, nothing else."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.sizes import Sizes
from hornbook.engines.native import core

SECONDS = 0.1


def make_gauge(_sizes: Sizes) -> Callable[[int], float]:
    """Operations a second."""
    return lambda _units: float(core().fma_peak(SECONDS)) * 1e9
