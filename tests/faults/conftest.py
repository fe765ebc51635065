"""What the tests of faults share: how long they go on, runs to compare with, the command in a process."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from command import command

SAID = Path(tempfile.mkdtemp(prefix="hornbook-faults-"))
LONG = os.environ.get("HORNBOOK_FAULTS") == "long"
TIMES = ("seconds", "characters_per_second", "updates_per_second")
SAME = ("best.safetensors", "last.safetensors", "samples.jsonl", "vocabulary.json")
LOADED = ["hornbook.facade", "hornbook.cli.main", "hornbook.cli.train", "hornbook.resuming", "command"]
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(LOADED)
NUMBERS = count()
COUNTED = (
    "kills tried", "kills survived", "writes failed", "writes recovered", "inputs fuzzed", "crashes",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here are of faults."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("faults")


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was counted in all processes, in a line."""
    counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, number in getattr(report, "user_properties", ()):
                counts[name] += number * (report.when == "teardown")  # which knows all that was counted
    told = (f"{name} {counts[name]:,}" for name in COUNTED)
    terminalreporter.write_line(f"faults: {', '.join(told)}")


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Adds to what is told at the end: `counted("kills tried")`, `counted("inputs fuzzed", 20)`."""

    def count(name: str, number: int = 1) -> None:
        assert name in COUNTED
        record_property(name, number)

    return count


class Command:
    """The command, started."""

    def __init__(self, *words: object) -> None:
        self.said = SAID / str(next(NUMBERS))
        self.process = FORKED.Process(target=command, args=([str(word) for word in words], self.said))
        self.process.start()

    def end(self) -> tuple[int, str]:
        """Its exit code, negative for the signal that has killed it, and what it said."""
        self.process.join()
        said = self.said.read_text() if self.said.exists() else ""
        assert "Traceback" not in said, said
        assert self.process.exitcode is not None
        return self.process.exitcode, said


def run(*words: object) -> tuple[int, str]:
    """The command: its exit code, and what it said."""
    return Command(*words).end()


def rows(path: Path) -> list[dict[str, object]]:
    """The rows of a file without what depends on the clock."""
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in row.items() if key not in TIMES} for row in found]


def assert_same(one: Path, other: Path) -> None:
    """Two runs hold the same to the bit, times aside."""
    for name in SAME:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert rows(one / "metrics.jsonl") == rows(other / "metrics.jsonl")
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in (one, other)]
    first, second = ({k: v for k, v in summary.items() if k not in TIMES} for summary in summaries)
    assert first == second
    assert first["finished"]
    assert not list(one.glob(".*"))
    assert not (one / "lock").exists()


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty thousand characters of words in no order."""
    chance = random.Random(1)
    words = ("the", "cat", "sat", "on", "a", "mat.", "And", "so", "did", "we,", "all\n", "ä")
    path = tmp_path_factory.mktemp("book") / "book.txt"
    path.write_text(" ".join(chance.choice(words) for _ in range(6000))[:20_000], encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, book: Path) -> Callable[[str], Path]:
    """A run with these flags that nothing happened to, made once."""
    made: dict[str, Path] = {}

    def make(flags: str) -> Path:
        if flags not in made:
            made[flags] = tmp_path_factory.mktemp("undisturbed") / "run"
            code, err = run("train", book, *flags.split(), "--quiet", "--out", made[flags])
            assert code == 0, err
        return made[flags]

    return make
