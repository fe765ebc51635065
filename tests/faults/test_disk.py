"""A disk that fails or fills up at any call: the command says so, and what goes on after it loses nothing."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from conftest import LONG, Command, assert_same, run

HERE = Path(__file__).parent
FLAGS = (
    "--updates 5 --hidden 4 --seq-len 4 --log-every 2 --sample-every 3 --sample-length 9 --validation 0.01"
)
FILLING = "--updates 200 --hidden 20 --log-every 2 --sample-every 40"
SAVING = ("--save-every", "1e-9", "--quiet")
KILLS, WRITES = ("kills tried", "kills survived"), ("writes failed", "writes recovered")
STEP = 1 if LONG else 9
NOT_REACHED = 100
KILLED = 0  # in place of an error: the process is killed before the call
LIMITED = """
import resource, sys
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
import hornbook.facade, hornbook.training
from hornbook.entry import main
hornbook.facade.loss_figure = lambda *_: []
hornbook.training.SLICE_SECONDS = 0.002
main()
"""


@pytest.fixture(scope="session")
def failing(tmp_path_factory):
    """The calls that fail, compiled."""
    library = tmp_path_factory.mktemp("failing") / "failing.so"
    compiler = os.environ.get("CXX", "g++")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", library, HERE / "failing.cpp", "-ldl"], check=True
    )
    return library


@pytest.fixture
def memory(tmp_path):
    """A folder in memory, where there is one: on a real disk a thousand syncs take minutes."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else tmp_path))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def stopped(tmp_path_factory, book):
    """A run that was stopped after its first update."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    program = """
import hornbook.facade, hornbook.training, sys
hornbook.training.SLICE_SECONDS = 0.0
from hornbook.calibration import arranged
from hornbook.cli.display import Display
from hornbook import read_text
from pathlib import Path
hornbook.facade.loss_figure = lambda *_: []
asked = iter([False, True, True, True])
text = read_text(sys.argv[1])
changes = {"hidden": 4, "seq_len": 4, "log_every": 2, "sample_every": 3, "sample_length": 9}
planned = arranged(text, updates=5, validation=0.01, preset=None, **changes)
hornbook.facade.train_into(Path(sys.argv[2]), text, planned, Display(4), lambda: next(asked))
"""
    subprocess.run([sys.executable, "-c", program, book, folder], check=True)
    assert not json.loads((folder / "summary.json").read_text())["finished"]
    return folder


@pytest.mark.parametrize("begun", [False, True], ids=["train", "resume"])
@pytest.mark.parametrize(
    ("lasting", "error"), [("once", errno.EIO), ("lasting", errno.ENOSPC), ("killed", KILLED)]
)
def test_whichever_call_fails_the_run_goes_on_to_the_bit(
    memory, book, undisturbed, failing, stopped, begun, lasting, error, counted
):
    whole = undisturbed(FLAGS)
    before = stopped if begun else memory / "nothing"
    words = [sys.executable, HERE / "driver.py", f"{book} {FLAGS}", before, memory, error, lasting, STEP]
    environment = {**os.environ, "LD_PRELOAD": str(failing), "PYTHONDONTWRITEBYTECODE": "1"}
    told = subprocess.run([*map(str, words)], env=environment, capture_output=True, text=True, check=True)
    records = [json.loads(line) for line in told.stdout.splitlines()]
    assert records[-1]["code"] == NOT_REACHED
    assert len(records) > 40 / STEP
    tried, survived = KILLS if error == KILLED else WRITES
    counted(tried, len(records) - 1)
    for record in records:
        assert_told(record, killed=error == KILLED)
        assert_same(Path(record["run"]), whole)
    counted(survived, len(records) - 1)
    assert {record["code"] for record in records[:-1]} >= {-signal.SIGKILL if error == KILLED else 1}


def assert_told(record, killed: bool) -> None:
    """A failure has ended the command with a message, and the one after it has gone to its end."""
    assert record["code"] in ((-signal.SIGKILL, NOT_REACHED) if killed else (0, 1, NOT_REACHED)), record
    assert "Traceback" not in record["said"], record
    if record["code"] == 1:
        assert record["said"].startswith("error: "), record
    assert record["further"] == 0, record


@pytest.mark.parametrize("size", range(0, 16_000, 250 if LONG else 4_000))
def test_a_disk_that_is_full_at_any_size_of_a_file_loses_nothing(tmp_path, book, undisturbed, size, counted):
    whole, folder = undisturbed(FILLING), tmp_path / "run"
    assert train_limited(book, folder, size) == 1
    counted("writes failed")
    go_on(book, folder, whole)
    counted("writes recovered")


@pytest.fixture
def disk(tmp_path):
    """Makes a small disk in memory of so many kilobytes; makes it larger where it is called again."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def make(size: int) -> Path:
        how = f"size={size}k" + (",remount" if folder.is_mount() else "")
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", how, "tmpfs", folder], check=False)
        return folder if mounted.returncode == 0 else pytest.skip("no disk can be mounted here")

    yield make
    subprocess.run(["umount", "--lazy", folder], check=False, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("size", range(4, 260, 8 if LONG else 64))
def test_a_disk_that_fills_up_and_is_given_room_loses_nothing(disk, book, undisturbed, size, counted):
    whole, folder = undisturbed(FILLING), disk(size) / "run"
    code = train_limited(book, folder)
    assert code == (0 if folder.exists() and finished(folder) else 1)
    counted("writes failed", code)
    disk(4000)
    go_on(book, folder, whole)
    counted("writes recovered", code)


def train_limited(book: Path, folder: Path, size: int = -1) -> int:
    """The exit code of a training that may write no file of more bytes (-1: of any size)."""
    words = ("train", book, *FILLING.split(), *SAVING, "--out", folder)
    limited = [sys.executable, "-c", LIMITED, str(size), *map(str, words)]
    child = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert "Traceback" not in child.stderr
    return child.returncode


def go_on(book: Path, folder: Path, whole: Path) -> None:
    """Go on with what is there, to the bytes of a run that was not disturbed."""
    words = ("resume", folder) if folder.exists() else ("train", book, *FILLING.split(), "--out", folder)
    code, err = run(*words, *SAVING)
    assert code == 0, err
    assert_same(folder, whole)


def finished(folder: Path) -> bool:
    """Whether a run has come to its end."""
    summary = folder / "summary.json"
    return summary.exists() and json.loads(summary.read_text())["finished"]


def test_a_folder_that_is_deleted_at_once_is_told(tmp_path, book):
    for moment in range(4):
        folder = tmp_path / "run"
        child = Command("train", book, "--updates", 10**9, "--save-every", 0.01, "--quiet", "--out", folder)
        while not (folder / ("config.toml" if moment < 3 else "summary.json")).exists():
            assert child.process.is_alive(), child.end()
        while folder.exists():  # a file may be renamed into it meanwhile
            subprocess.run(["rm", "-rf", folder], check=False, stderr=subprocess.DEVNULL)
        code, err = child.end()
        assert code == 1
        assert f"the folder {folder} is gone" in err
