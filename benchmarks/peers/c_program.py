"""A C program given on the command line that takes a number of updates and prints `us/iter` figures."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.sizes import Sizes

FLAGS = ("-O3", "-march=native", "-ffast-math")
UPDATES = 4000


def make_gauge(_sizes: Sizes, source: str) -> Callable[[int], float]:
    """Seconds an update: the median of what the program prints."""
    folder = tempfile.mkdtemp(prefix="hornbook-")
    program = str(Path(folder) / "program")
    subprocess.run(["cc", *FLAGS, source, "-o", program, "-lm"], check=True)

    def run(_units: int) -> float:
        out = subprocess.run([program, str(UPDATES)], check=True, capture_output=True, text=True).stdout
        figures = sorted(float(figure) for figure in re.findall(r"us/iter ([0-9.]+)", out))
        return figures[len(figures) // 2] * 1e-6

    return run
