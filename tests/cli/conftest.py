"""A small book, a run trained on it, and the command `hornbook`: in this process, or in one of its own."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hornbook.cli.main import app

SMALL = ("--hidden", "8", "--seq-len", "5", "--updates", "240", "--sample-length", "20")
UNBUFFERED = (sys.executable, "-u", "-m", "hornbook")
LIMITED = """
import resource, sys
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from hornbook.cli.main import main
main()
"""


@dataclass(frozen=True)
class Told:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Told]


def run_here(*args: object, stdin: bytes | None = None) -> Told:
    """The command in this process; what it does not catch itself is raised."""
    result = CliRunner().invoke(app, [str(arg) for arg in args], input=stdin, catch_exceptions=False)
    return Told(result.exit_code, result.stdout, result.stderr)


def everything_below(folder: Path) -> set[Path]:
    """All files and folders in a folder."""
    return set(folder.rglob("*"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of its own for each test, and a terminal wide enough for every table."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No figures but those of `trained` and of other processes: they take longer than the training."""
    monkeypatch.setattr("hornbook.facade.loss_figure", lambda *_: [])
    monkeypatch.setattr("hornbook.report.figures.rehearsed", lambda: 0.0)


@pytest.fixture(scope="session")
def story() -> str:
    """Two thousand characters of words in no order."""
    chance = random.Random(1)
    words = ("the", "cat", "sat", "on", "a", "mat.", "And", "so", "did", "we,", "all\n")
    return " ".join(chance.choice(words) for _ in range(600))[:2000]


@pytest.fixture
def book(folder: Path, story: str) -> Path:
    """The story as a file."""
    path = folder / "book.txt"
    path.write_text(story, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, story: str) -> Path:
    """A run on the story, made once; not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    book, out = folder / "book.txt", folder / "book"
    book.write_text(story, encoding="utf-8")
    assert run_here("train", book, *SMALL, "--out", out, "--quiet").code == 0
    return out


@pytest.fixture(scope="session")
def held_out(tmp_path_factory: pytest.TempPathFactory, story: str) -> Path:
    """A run that held out the last tenth of the story, made once; not to be changed."""
    folder = tmp_path_factory.mktemp("held-out")
    book, out = folder / "book.txt", folder / "book"
    book.write_text(story, encoding="utf-8")
    flags = ("--updates", 400, "--validation", 0.1, "--out", out, "--quiet")
    assert run_here("train", book, *SMALL, *flags).code == 0
    return out


@pytest.fixture
def run(trained: Path, folder: Path) -> Path:
    """A copy of that run, in runs/book, to be damaged at will."""
    path = folder / "runs" / "book"
    shutil.copytree(trained, path)
    return path


@pytest.fixture
def hornbook() -> Command:
    """The command in this process."""
    return run_here


@pytest.fixture
def refused(folder: Path) -> Callable[..., str]:
    """A command that must be refused as bad input: exit code 2, one or two lines on standard error,
    nothing on standard output, nothing left on disk. Gives what it said."""

    def refuse(*args: object, stdin: bytes | None = None) -> str:
        before = everything_below(folder)
        told = run_here(*args, stdin=stdin)
        assert told.code == 2, told
        assert told.out == ""
        assert told.err.startswith("error: ")
        assert told.err.endswith("\n")
        assert 1 <= told.err.count("\n") <= 2
        assert "Traceback" not in told.err
        assert everything_below(folder) == before
        return told.err

    return refuse


@pytest.fixture
def process(trained: Path) -> Command:
    """The command in a process of its own; `largest` is the size in bytes that its files may have. A
    run has been made before, so that matplotlib has its list of fonts."""

    def go(*args: object, stdin: bytes = b"", largest: int | None = None, **how: Any) -> Told:
        start = UNBUFFERED if largest is None else (sys.executable, "-c", LIMITED, str(largest))
        done = subprocess.run([*start, *map(str, args)], input=stdin, capture_output=True, check=False, **how)
        return Told(done.returncode, done.stdout.decode(), done.stderr.decode())

    return go


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """The command in a process of its own that is still running, or a Python program."""
    children: list[subprocess.Popen[str]] = []

    def go(*args: object, program: str = "") -> subprocess.Popen[str]:
        command = (sys.executable, "-u", "-c", program) if program else UNBUFFERED
        pipe = subprocess.PIPE
        child = subprocess.Popen([*command, *map(str, args)], stdout=pipe, stderr=pipe, text=True)
        children.append(child)
        return child

    yield go
    for child in children:
        if child.poll() is None:
            child.kill()
        child.communicate()


@pytest.fixture
def finish() -> Callable[[subprocess.Popen[str]], Told]:
    """What a running command still says, and how it ends. (`communicate` would lose what the pipe's
    buffer holds already.)"""

    def end(child: subprocess.Popen[str]) -> Told:
        assert child.stdout
        assert child.stderr
        out = "" if child.stdout.closed else child.stdout.read()
        return Told(err=child.stderr.read(), out=out, code=child.wait())

    return end
