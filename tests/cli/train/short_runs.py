"""The flags of short runs, and all that two runs of one seed have in common."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SMALL = ("--hidden", "8", "--seq-len", "5", "--updates", "240", "--sample-length", "20", "--quiet")


def lines(path: Path) -> list[dict[str, Any]]:
    """The records of a file of one JSON record a line; a number that is not finite is an error."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} in {path}")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text("utf-8").splitlines()]


def timeless(path: Path) -> list[dict[str, Any]]:
    """Metrics without what depends on the clock."""
    clock = ("seconds", "characters_per_second")
    return [{k: v for k, v in row.items() if k not in clock} for row in lines(path)]


def assert_same_run(one: Path, other: Path) -> None:
    """Two runs are the same to the bit, times aside."""
    for name in ("best.safetensors", "last.safetensors", "samples.jsonl", "vocabulary.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert timeless(one / "metrics.jsonl") == timeless(other / "metrics.jsonl")
