"""A fuzzer of what reads a run's file or a text: `fuzz.py RUN FILE [options of libFuzzer] CORPUS`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hornbook", "json", "tomllib"]):
    from readers import read_any_text, read_run

MANNERS = [("utf-8", "lf", "chars"), ("utf-16", "keep", "chars"), ("cp932", "lf", "chars"), ("", "", "bytes")]


def fuzz(whole: Path, target: str, words: list[str]) -> None:
    """Read a copy of the run with other bytes in one of its files, again and again."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "run"
        shutil.copytree(whole, copy)

        def read_text_of(content: bytes) -> None:
            (copy / "text").write_bytes(content[1:])
            read_any_text(copy / "text", *MANNERS[content[0] % len(MANNERS)]) if content else None

        def read_run_with(content: bytes) -> None:
            (copy / target).write_bytes(content)
            read_run(copy)

        atheris.Setup([sys.argv[0], *words], read_text_of if target == "text" else read_run_with)
        atheris.Fuzz()


fuzz(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
