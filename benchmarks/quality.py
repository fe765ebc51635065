"""`python -m benchmarks.quality TEXT ...`: what is learnt of a text in minutes, on its last tenth.

Preset fluent beside PyTorch's GRU in the same time, on each text, and on the first by other numbers of
minutes as well; and the classic network by its own recipe and by classic-best, with three seeds each. One
after the other, through the command that users type. Prints rows and saves them as JSON and as a Markdown
table. Without TEXT, the built-in one.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from hornbook import read_text
from hornbook.config import cores
from hornbook.engines.native import chosen_level
from hornbook.folders import processor

SHARE = 0.1  # of a text that is held out
SEEDS = (0, 1, 2)
CLASSIC = ("classic", "classic-best")


@dataclass(frozen=True)
class Learnt:
    """What was learnt of a text: nats a character on its last tenth, and for the classic recipes the lowest
    smooth loss, the sum over 25 characters; medians where there are several seeds."""

    text: str
    how: str
    nats: float
    seconds: float  # of the whole command
    millions: float  # of characters that were read
    smooth: float | None = None

    def row(self) -> str:
        """As a row of the table."""
        smooth = "" if self.smooth is None else f"{self.smooth:.2f}"
        return (
            f"| {self.text} | {self.how} | {self.nats:.3f} | {smooth} | {self.millions:.1f} M "
            f"| {self.seconds:.0f} s |"
        )


HEAD = (
    "| text | how | nats a character, held out | lowest smooth loss | read | whole command |\n"
    "| --- | --- | --- | --- | --- | --- |"
)


def trained(text: list[str], out: Path, *flags: str) -> Learnt:
    """Train by the command, and read what the run says."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "hornbook", "train", *text, "--validation", str(SHARE)]
    begun = time.perf_counter()
    subprocess.run([*command, "--out", str(out), "--quiet", *flags], check=True)
    seconds = time.perf_counter() - begun
    found = json.loads((out / "summary.json").read_text())
    size = f"{found['layers']} × {found['hidden']}" if found["layers"] > 1 else str(found["hidden"])
    return Learnt(
        found["text"],
        f"{found['preset']} ({found['cell'].upper()} {size})",
        found["validation"]["nats_per_character"],
        seconds,
        found["characters_read"] / 1e6,
        found["best_smooth_loss"] if found["preset"] in CLASSIC else None,
    )


def fluent(text: list[str], minutes: float, out: Path) -> Learnt:
    """Preset fluent."""
    return named(trained(text, out, "--preset", "fluent", "--minutes", str(minutes)), f", {minutes:g} min")


def named(learnt: Learnt, more: str) -> Learnt:
    """The same, with more in its name."""
    return Learnt(**{**asdict(learnt), "how": learnt.how + more})


def classic(text: list[str], preset: str, out: Path) -> Learnt:
    """The classic network by one of its recipes, medians of the seeds."""
    runs = [trained(text, out, "--preset", preset, "--seed", str(seed)) for seed in SEEDS]

    def median(what: Callable[[Learnt], float]) -> float:
        return statistics.median(map(what, runs))

    nats, seconds = median(lambda run: run.nats), median(lambda run: run.seconds)
    smooth = median(lambda run: run.smooth or 0.0)
    return Learnt(runs[0].text, f"{preset}, {len(SEEDS)} seeds", nats, seconds, runs[0].millions, smooth)


def pytorch(text: list[str], minutes: float) -> Learnt:
    """PyTorch's GRU, at as many threads as there are cores, in a process of its own."""
    read = read_text(*text)
    held_out = round(len(read) * SHARE)
    how = (read.ids, len(read.vocabulary), held_out, minutes, cores())
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(learn, how)
    millions = found["characters"] / 1e6
    return Learnt(read.name, f"PyTorch (GRU 256), {minutes:g} min", found["nats"], found["seconds"], millions)


def learn(*how: object) -> dict[str, float]:
    """Training by PyTorch; imported here, in its own process."""
    from benchmarks.peers import pytorch_text

    return pytorch_text.learn(*how)


def measured(options: argparse.Namespace) -> Iterator[Learnt]:
    """All that was asked for, as it is measured."""
    out = options.out / "run"
    for nth, text in enumerate(options.texts or [None]):
        source = [text] if text else []
        for minutes in sorted({*options.beside, *(options.minutes if nth == 0 else [])}):
            yield fluent(source, minutes, out)
        for minutes in options.beside if options.pytorch else []:
            yield pytorch(source, minutes)
    for preset in CLASSIC if options.classic else ():
        yield classic([options.classic] if options.classic != "-" else [], preset, out)


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(prog="benchmarks.quality", description=__doc__)
    parser.add_argument("texts", nargs="*", metavar="TEXT")
    parser.add_argument(
        "--beside", type=float, nargs="*", default=[3.0], help="minutes of fluent and PyTorch (3)"
    )
    parser.add_argument(
        "--minutes", type=float, nargs="*", default=[], help="more of fluent, on the first TEXT"
    )
    parser.add_argument("--classic", metavar="TEXT", help="a novel for the classic recipes; - is built in")
    parser.add_argument("--out", type=Path, default=Path("build/quality"))
    options = parser.parse_args()
    options.pytorch = importlib.util.find_spec("torch") is not None
    if options.beside and not options.pytorch:
        print("PyTorch is left out: pip install -e '.[bench]'")
    options.out.mkdir(parents=True, exist_ok=True)
    machine = f"{processor()}, {os.cpu_count()} cores, level {chosen_level()}"
    print(f"{machine}\n\n{HEAD}", flush=True)
    rows = []
    for learnt in measured(options):
        rows.append(learnt)
        print(learnt.row(), flush=True)
        save(rows, machine, options.out)
    print(f"\nsaved in {options.out}")


def save(rows: list[Learnt], machine: str, out: Path) -> None:
    """Keep what is measured so far."""
    found = {"machine": machine, "learnt": [asdict(row) for row in rows]}
    (out / "quality.json").write_text(json.dumps(found, indent=2))
    (out / "quality.md").write_text("\n".join([machine, "", HEAD, *(row.row() for row in rows), ""]))


if __name__ == "__main__":
    main()
