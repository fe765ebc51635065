"""How long the command takes before it works: its help, and the first update on a text of a megabyte."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 5
MEGABYTE = 1_000_000
COMMAND = [sys.executable, "-m", "hornbook"]


def help_seconds() -> float:
    """`hornbook --help`, the median of several."""
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        subprocess.run([*COMMAND, "--help"], check=True, capture_output=True)
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def first_update_seconds() -> float:
    """From the start of `hornbook train` on a megabyte to its first progress, the median of several."""
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "megabyte.txt"
        lines = "".join(f"{i} the quick brown fox jumps over the lazy dog, {i * i}\n" for i in range(20_000))
        text.write_text(lines[:MEGABYTE])
        return statistics.median(first_update(text, Path(folder) / f"run{i}") for i in range(ROUNDS))


def first_update(text: Path, out: Path) -> float:
    """One start."""
    begun = time.perf_counter()
    command = [*COMMAND, "train", str(text), "--updates", "1", "--json", "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "progress":
                seconds = time.perf_counter() - begun
        process.wait()
    return seconds
