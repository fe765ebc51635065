"""`python -m benchmarks [classic|family|all]`: hornbook and the tools people use, side by side in one run.

Prints tables and saves the figures as JSON and as charts. Peers are installed by the extra `bench`; those
that are missing are left out, and it says so.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from benchmarks import classic, family
from benchmarks.peers.c_program import compiled
from hornbook.engines.native import chosen_level
from hornbook.folders import processor


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("part", nargs="?", choices=("classic", "family", "all"), default="all")
    parser.add_argument("--rounds", type=int, help="9 of the classic recipe, 3 of the family")
    parser.add_argument("--only", default="", help="of the family, only rows whose name holds this")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--c-program", help="a C file to compile and run beside, as a measuring stick")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hornbook-") as folder:
        try:
            program = compiled(options.c_program, folder) if options.c_program else None
        except ValueError as error:
            parser.error(str(error))
        measure(options, program)


def measure(options: argparse.Namespace, program: str | None) -> None:
    """Measure, with a compiled program beside hornbook where there is one."""
    options.out.mkdir(parents=True, exist_ok=True)
    machine = f"{processor()}, {os.cpu_count()} cores, level {chosen_level()}"
    print(f"{machine}\n")
    if options.part != "family":
        classic.measure(options.out, machine, options.rounds or 9, program)
    if options.part != "classic":
        family.measure(options.out, machine, options.rounds or 3, options.only)
    print(f"\nsaved in {options.out}")


if __name__ == "__main__":
    main()
