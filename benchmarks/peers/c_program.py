"""A C program given on the command line that takes a number of updates and prints `us/iter` figures."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from benchmarks.sizes import Sizes

FLAGS = ("-O3", "-march=native", "-ffast-math", "-w")
UPDATES = 4000


def compiled(source: str, folder: str) -> str:
    """The path of the program, in a folder. Raises ValueError where it cannot be compiled here."""
    program = str(Path(folder) / "program")
    try:
        done = subprocess.run(
            ["cc", *FLAGS, source, "-o", program, "-lm"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise ValueError(f"{source} needs a C compiler by the name of cc, and there is none") from None
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if "error:" in line), done.stderr)
        raise ValueError(f"{source} does not compile for this processor: {first.strip()}")
    return program


def make_gauge(_sizes: Sizes, program: str) -> Callable[[int], float]:
    """Seconds an update: the median of what the program prints."""

    def run(_units: int) -> float:
        out = subprocess.run([program, str(UPDATES)], check=True, capture_output=True, text=True).stdout
        figures = sorted(float(figure) for figure in re.findall(r"us/iter ([0-9.]+)", out))
        return figures[len(figures) // 2] * 1e-6

    return run
