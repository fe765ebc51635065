"""`hornbook resume`: from a stop to the end, and what is told and refused."""

from __future__ import annotations

import errno
import json
import os
import pty
import shutil
import signal
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import pytest

from hornbook import Run

SMALL = ("--hidden", 8, "--seq-len", 5, "--sample-length", 20, "--updates", 240)
# Sends itself a signal after the first checkpoint, and has a checkpoint after each slice.
STOPPING = """
import signal, sys
from hornbook.cli import display
from hornbook.cli.main import main
from hornbook import Progress

number, show = int(sys.argv.pop(1)), display.Display.show

def show_and_stop(self, event):
    global number
    if isinstance(event, Progress) and event.update >= 20 and number:
        signal.raise_signal(number)
        number = 0

display.Display.show = show_and_stop
main()
"""


def rows(path: Path) -> list[dict]:
    """Records without what depends on the clock."""
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    times = ("seconds", "characters_per_second")
    return [{key: value for key, value in row.items() if key not in times} for row in found]


def assert_same(one: Path, other: Path) -> None:
    """Two runs hold the same, times aside."""
    for name in ("best.safetensors", "last.safetensors", "samples.jsonl"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert rows(one / "metrics.jsonl") == rows(other / "metrics.jsonl")


@pytest.fixture
def stopped(start, finish, book):
    """A run that was stopped by Ctrl-C."""
    child = start(int(signal.SIGINT), "train", book, *SMALL, "--quiet", "--out", "a", program=STOPPING)
    assert finish(child).code == 130
    return Path("a")


def test_a_stopped_run_goes_on_to_the_bit(stopped, trained, hornbook):
    assert not Run(stopped).summary["finished"]
    told = hornbook("resume", stopped)
    assert told.code == 0, told
    assert "going on in a" in told.out
    assert "240 updates in" in told.out
    assert_same(stopped, trained)


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_each_signal_that_asks_for_an_end_saves_and_has_its_exit_code(
    start, finish, book, trained, hornbook, number, code
):
    number = int(signal.Signals[number])
    child = start(number, "train", book, *SMALL, "--quiet", "--out", "a", program=STOPPING)
    ended = finish(child)
    assert ended.code == code
    assert "hornbook resume a" in ended.err
    assert "Traceback" not in ended.err
    assert not Run("a").summary["finished"]
    assert hornbook("resume", "a", "--quiet").code == 0
    assert_same(Path("a"), trained)


def test_a_resume_is_stopped_and_resumed_like_a_training(start, finish, stopped, trained, hornbook):
    child = start(int(signal.SIGTERM), "resume", stopped, "--quiet", program=STOPPING)
    assert finish(child).code == 143
    assert hornbook("resume", stopped, "--quiet").code == 0
    assert_same(stopped, trained)


def test_a_finished_run_says_so(run, hornbook):
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    told = hornbook("resume", run)
    assert told.code == 0
    assert "runs/book is finished, after 240 updates; give it more with --updates +N" in told.out
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    assert hornbook("resume", run, "--quiet").out == ""
    again = hornbook("resume", run, "--updates", 240)
    assert (again.code, again.out) == (0, told.out)


def test_a_finished_run_whose_rows_are_damaged_says_so(run, hornbook):
    with (run / "metrics.jsonl").open("a") as file:
        file.write("nothing\n")
    (run / "loss.svg").unlink(missing_ok=True)
    told = hornbook("resume", run)
    assert told.code == 0
    assert told.err.startswith(f"warning: {run}/metrics.jsonl is damaged or not hornbook's, in row ")
    assert f"{run} is finished" in told.out
    (run / "metrics.jsonl").unlink()
    os.mkfifo(run / "metrics.jsonl")
    told = hornbook("resume", run)
    assert (told.code, "metrics.jsonl cannot be read: it is no plain file" in told.err) == (0, True)


def test_a_finished_run_loses_the_lock_that_a_dead_process_left(run, hornbook):
    (run / "lock").write_text("process 1 on elsewhere\n")
    assert hornbook("resume", run).code == 0
    assert not (run / "lock").exists()


def test_more_updates_and_more_minutes(run, hornbook):
    assert hornbook("resume", run, "--updates", "+60", "--quiet").code == 0
    assert Run(run).summary["updates"] == 300
    assert hornbook("resume", run, "--updates", "360", "--quiet").code == 0
    assert Run(run).summary["updates"] == 360
    assert hornbook("resume", run, "--minutes", 0.02, "--quiet").code == 0
    assert Run(run).summary["updates"] > 360
    assert Run(run).samples[-1]["model"] == "best"
    assert [row["model"] for row in Run(run).samples].count("best") == 1
    assert hornbook("report", run, "--format", "md").code == 0
    told = hornbook("train", "--config", run, "--quiet", "--out", "again")
    assert told.code == 0
    assert (Path("again") / "best.safetensors").read_bytes() == (run / "best.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--updates 239", "has made 240 updates already"),
        ("--updates +0", "updates is"),
        ("--updates many", "expected a number in all"),
        ("--minutes 0", "minutes is 0"),
        ("--minutes 1 --updates 5", "both say how long"),
        ("--save-every 0", "save-every is 0"),
        ("--save-every nan", "save-every is nan"),
    ],
)
def test_what_cannot_be_is_refused(refused, run, line, told):
    assert told in refused("resume", run, *line.split(" "))


def test_a_text_that_has_changed_or_is_gone_is_refused_by_name(refused, stopped, book):
    book.write_text(book.read_text(encoding="utf-8").replace("cat", "rat"), encoding="utf-8")
    assert "book.txt has changed since a was trained on it" in refused("resume", stopped)
    book.unlink()
    told = refused("resume", stopped)
    assert "the text that a was trained on is gone" in told
    assert "put it back, or write the whole path of its new place under path in a/config.toml" in told


def test_a_text_that_was_moved_is_found_where_the_settings_say(stopped, book, hornbook, trained):
    book.rename(book.with_name("moved.txt"))
    config = stopped / "config.toml"
    config.write_text(config.read_text().replace("/book.txt", "/moved.txt"))
    assert hornbook("resume", stopped, "--quiet").code == 0
    assert_same(stopped, trained)


def test_what_is_no_run_is_refused(refused, folder):
    assert "is not a folder" in refused("resume", "nowhere")
    (folder / "thing").mkdir()
    assert "has no config.toml" in refused("resume", "thing")


def test_standard_input_is_kept_and_resumed(start, finish, hornbook, story, folder, trained):
    (folder / "piped").write_text(story, encoding="utf-8")
    program = f"import sys; sys.stdin = open({str(folder / 'piped')!r})\n" + STOPPING
    child = start(int(signal.SIGINT), "train", "-", *SMALL, "--quiet", "--out", "a", program=program)
    assert finish(child).code == 130
    (folder / "piped").unlink()
    assert hornbook("resume", "a", "--quiet").code == 0
    assert_same(Path("a"), trained)


# A run that is under way

# Rows are rare, so that a signal hardly ever meets one that is being written.
ENDLESS = ("--hidden", 8, "--seq-len", 5, "--updates", 10**9, "--log-every", 50_000, "--json")


@pytest.fixture
def under_way(start, book):
    """A training that goes on until the test ends."""
    child = start("train", book, *ENDLESS, "--out", "runs/a")
    for line in child.stdout:
        if json.loads(line)["event"] == "progress":
            return child
    raise AssertionError(child.stderr.read())


def test_a_second_writer_is_refused_and_the_first_is_named(under_way, hornbook):
    told = hornbook("resume", "runs/a")
    assert told.code == 2
    assert f"runs/a is being trained by process {under_way.pid} on " in told.err
    assert hornbook("train", "book.txt", *SMALL, "--quiet", "--out", "runs/a").code == 2
    state = hornbook("runs").out
    assert "running" in state
    assert json.loads(hornbook("runs", "--json").out)[0]["running"] is True


def test_a_killed_run_is_stopped_and_goes_on(under_way, hornbook):
    under_way.kill()
    under_way.wait()
    assert Path("runs/a/lock").exists()
    assert "running" not in hornbook("runs").out
    told = hornbook("resume", "runs/a", "--updates", 60, "--quiet")
    assert told.code == 0, told
    assert not Path("runs/a/lock").exists()


def test_a_folder_that_is_deleted_under_its_training_is_told(under_way, finish):
    shutil.rmtree("runs/a", ignore_errors=True)
    while Path("runs/a").exists():  # a file may have been renamed into it meanwhile
        shutil.rmtree("runs/a", ignore_errors=True)
    ended = finish(under_way)
    assert ended.code == 1
    assert "the folder runs/a is gone: it was deleted or moved away" in ended.err
    assert "if it was moved, its training goes on with: hornbook resume NEWPLACE" in ended.err
    assert "what was learnt before is kept" not in ended.err
    assert "Traceback" not in ended.err


def test_a_folder_that_is_moved_under_its_training_goes_on_in_its_new_place(under_way, finish, hornbook):
    Path("runs/a").rename("moved")
    ended = finish(under_way)
    assert ended.code == 1
    assert "hornbook resume NEWPLACE" in ended.err
    assert hornbook("resume", "moved", "--updates", 60, "--quiet").code == 0


def test_another_run_in_the_place_of_one_under_way_is_not_written(under_way, finish, hornbook, run):
    under_way.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, under_way.pid, os.WSTOPPED | os.WNOWAIT)
    Path("runs/a").rename("moved")
    shutil.copytree(run, "runs/a")
    under_way.send_signal(signal.SIGCONT)
    ended = finish(under_way)
    assert ended.code == 1
    assert "error: runs/a is not this run's folder any more: it was moved away or deleted" in ended.err
    assert "if it was moved, its training goes on with: hornbook resume NEWPLACE" in ended.err
    assert "Traceback" not in ended.err
    contents = [{path.name: path.read_bytes() for path in place.iterdir()} for place in (run, Path("runs/a"))]
    assert contents[0] == contents[1]
    assert hornbook("resume", "moved", "--updates", 60, "--quiet").code == 0


def test_a_run_that_went_on_without_its_lock_is_not_written_by_the_training_before(
    under_way, finish, hornbook
):
    under_way.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, under_way.pid, os.WSTOPPED | os.WNOWAIT)
    Path("runs/a/lock").unlink()
    assert hornbook("resume", "runs/a", "--updates", 60, "--quiet").code == 0
    contents = {path.name: path.read_bytes() for path in Path("runs/a").iterdir()}
    under_way.send_signal(signal.SIGCONT)
    ended = finish(under_way)
    assert ended.code == 1
    assert "jsonl was changed or deleted by another program while this training wrote it" in ended.err
    assert (
        "or --force goes on without what is lost of it\nwhat was learnt before is kept in runs/a" in ended.err
    )
    assert {path.name: path.read_bytes() for path in Path("runs/a").iterdir()} == contents
    assert "runs/a is finished, after 60 updates" in hornbook("resume", "runs/a").out


@pytest.mark.parametrize("command", ["train", "resume"])
def test_a_place_that_may_not_be_written_is_the_users_fault(hornbook, stopped, book, monkeypatch, command):
    denied = Mock(side_effect=PermissionError(errno.EACCES, "Permission denied"))
    monkeypatch.setattr("hornbook.locks.taken", denied)
    told = hornbook(command, *((book, *SMALL, "--out", "b") if command == "train" else (stopped,)), "--quiet")
    assert told.code == 2
    assert "cannot be written: Permission denied; change who may write there" in told.err


def test_trainings_that_start_at_once_get_folders_of_their_own(start, finish, book):
    children = [start("train", book, *SMALL, "--updates", 3, "--quiet") for _ in range(4)]
    assert [finish(child).code for child in children] == [0] * 4
    assert sorted(path.name for path in Path("runs").iterdir()) == ["book", "book-2", "book-3", "book-4"]


# The terminal is gone


def test_a_terminal_that_is_closed_ends_a_training_with_129_and_all_is_kept(book, folder):
    command = [sys.executable, "-m", "hornbook", "train", book, *ENDLESS[:-1], "--out", "a"]
    process, terminal = pty.fork()
    if not process:
        os.execv(sys.executable, [*map(str, command)])
    while b"updates" not in os.read(terminal, 10_000):
        time.sleep(0.01)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 129
    assert Run("a").summary["updates"] > 0
    assert not Path("a/lock").exists()
