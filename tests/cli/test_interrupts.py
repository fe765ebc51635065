"""Ctrl-C: the first ends the training after the update in hand and keeps all; the second ends at once."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from hornbook import Run
from hornbook.cli.interrupts import Interrupts

ENDLESS = ("--hidden", "8", "--seq-len", "5", "--updates", "1000000000", "--json")
# Presses Ctrl-C, as often as the first argument says, after the first progress is told.
PRESSING = """
import signal, sys
from hornbook.cli import display
from hornbook.cli.main import main
from hornbook import Progress

times, show = int(sys.argv.pop(1)), display.JsonDisplay.show

def show_and_press(self, event):
    global times
    show(self, event)
    while isinstance(event, Progress) and times:
        times -= 1
        signal.raise_signal(signal.SIGINT)

display.JsonDisplay.show = show_and_press
main()
"""


def until_progress(child: subprocess.Popen[str]) -> int:
    """Read events up to the first progress; gives its update."""
    for line in child.stdout:
        event = json.loads(line)
        if event["event"] == "progress":
            return event["update"]
    raise AssertionError(child.stderr.read())


@pytest.fixture
def interrupted(start, finish, book):
    """A training that got one SIGINT from outside: the rest of its output, and what it said."""
    child = start("train", book, *ENDLESS, "--out", "a")
    seen = until_progress(child)
    child.send_signal(signal.SIGINT)
    ended = finish(child)
    return ended.code, seen, [json.loads(line) for line in ended.out.splitlines()], ended.err


def test_ctrl_c_ends_a_training_with_130_and_keeps_what_was_learnt(interrupted, hornbook):
    code, seen, events, err = interrupted
    summary = Run("a").summary
    assert code == 130
    assert [event["event"] for event in events[-2:]] == ["checkpoint", "finished"]
    assert events[-1]["complete"] is False
    assert summary["finished"] is False
    assert summary["updates"] == events[-1]["update"] >= seen
    assert f"stopped after update {summary['updates']:,}" in err
    assert "hornbook sample a" in err
    assert "Traceback" not in err
    told = hornbook("sample", "a", "--length", 30)
    assert (told.code, len(told.out)) == (0, 31)
    assert "stopped" in hornbook("runs", ".").out
    assert Path("a/last.safetensors").is_file()
    assert not list(Path("a").glob(".*"))


def test_two_ctrl_c_end_a_training_at_once_and_leave_a_folder_that_can_be_read(start, finish, hornbook, book):
    child = start(2, "train", book, *ENDLESS, "--out", "a", program=PRESSING)
    ended = finish(child)
    assert ended.code == 130
    assert ended.err == (
        "stopped at once: there was no checkpoint yet; begin again with: hornbook resume a\n"
    )
    run = Run("a")
    assert run.vocabulary.symbols
    assert run.metrics is not None
    assert run.summary == {}
    assert "no checkpoint" in hornbook("runs", ".").out
    told = hornbook("sample", "a")
    assert told.code == 2
    assert "no weights yet" in told.err
    assert not list(Path("a").glob(".*"))


def test_a_second_ctrl_c_after_a_checkpoint_says_what_is_lost_and_how_to_go_on(start, finish, book):
    program = PRESSING.replace("isinstance(event, Progress)", "isinstance(event, Checkpoint)")
    program = program.replace("import Progress", "import Checkpoint")
    ended = finish(start(2, "train", book, *ENDLESS, "--save-every", 0.01, "--out", "a", program=program))
    assert ended.code == 130
    assert ended.err == (
        "stopped at once: what came after the last checkpoint is lost; go on with: hornbook resume a\n"
    )


def test_many_ctrl_c_from_outside_leave_a_folder_that_can_be_read(start, finish, book):
    child = start("train", book, *ENDLESS, "--out", "a")
    until_progress(child)
    child.send_signal(signal.SIGINT)
    child.send_signal(signal.SIGINT)
    ended = finish(child)
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert Run("a").metrics is not None


def test_ctrl_c_before_the_first_update_keeps_the_untrained_model(start, finish, hornbook, book):
    program = PRESSING.replace("isinstance(event, Progress)", "True")
    child = start(1, "train", book, *ENDLESS, "--out", "a", program=program)
    ended = finish(child)
    assert ended.code == 130
    assert "stopped after update 0" in ended.err
    assert Run("a").summary["best_smooth_loss"] is None
    assert hornbook("sample", "a", "--length", 10).code == 0
    assert hornbook("runs", ".").code == 0


def test_ctrl_c_while_standard_input_is_awaited_ends_the_command(start, finish, folder):
    program = """
import io, signal, sys
from hornbook.cli.main import main

class Terminal(io.RawIOBase):
    def read(self, size=-1):
        signal.raise_signal(signal.SIGINT)
        return b""

sys.stdin = type("Stdin", (), {"buffer": Terminal()})
main()
"""
    child = start("train", "-", *ENDLESS, "--out", "a", program=program)
    ended = finish(child)
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert list(folder.iterdir()) == []


# Presses Ctrl-C when the module of the first argument is about to be loaded.
LOADING = """
import signal, sys
from importlib.abc import MetaPathFinder

class Pressing(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == module:
            signal.raise_signal(number)

number, module = int(sys.argv[1]), sys.argv[2]
sys.argv[1:] = ["train", "--help"]
sys.meta_path.insert(0, Pressing())
from hornbook.entry import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("module", ["hornbook.cli.main", "typer", "hornbook.cli.train", "rich.console"])
def test_a_signal_while_the_command_is_loaded_ends_it_in_a_line(start, finish, number, module):
    ended = finish(start(int(number), module, program=LOADING))
    assert ended.code == 128 + number
    assert ended.err == "stopped\n"


def test_little_is_loaded_before_the_command_listens_for_signals(start, finish):
    program = """
import sys
before = set(sys.modules)
import hornbook.cli.stopping
print(*set(sys.modules) - before)
"""
    loaded = finish(start(program=program)).out.split()
    assert "hornbook.cli.stopping" in loaded
    assert not {"typing", "numpy", "hornbook.cli.main"} & set(loaded)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_the_text_is_read_ends_it_in_a_line(start, finish, book, folder, number):
    program = """
import signal, sys
from hornbook.entry import main
from hornbook import text_files

number, codes = int(sys.argv.pop(1)), text_files.codes
def signalled(*words):
    signal.raise_signal(number)
    return codes(*words)

import hornbook.numbering
hornbook.numbering.codes = signalled
main()
"""
    ended = finish(start(int(number), "train", book, *ENDLESS, "--out", "a", program=program))
    assert ended.code == 128 + number
    assert ended.err == "stopped\n"
    assert list(folder.iterdir()) == [book]


# Presses Ctrl-C, or sends another signal, where a function that the second argument names is called.
CALLED = """
import signal, sys
from importlib import import_module
from hornbook.entry import main

number, (module, name) = int(sys.argv.pop(1)), sys.argv.pop(1).rsplit(".", 1)
usual = getattr(import_module(module), name)

def signalled(*words, **how):
    signal.raise_signal(number)
    return usual(*words, **how)

setattr(import_module(module), name, signalled)
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("name", ["hornbook.resuming.last_checkpoint", "hornbook.numbering.codes"])
def test_a_signal_while_a_run_is_taken_up_ends_it_at_once(start, finish, hornbook, book, number, name):
    assert hornbook("train", book, *ENDLESS[:4], "--updates", 40, "--quiet", "--out", "a").code == 0
    before = {path.name: path.read_bytes() for path in Path("a").iterdir()}
    ended = finish(start(int(number), name, "resume", "a", "--updates", "+40", program=CALLED))
    assert ended.code == 128 + number
    assert ended.err == "stopped\n"
    Path("a/lock").unlink(missing_ok=True)
    assert {path.name: path.read_bytes() for path in Path("a").iterdir()} == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_the_first_update_ends_a_training_at_once(start, finish, book, folder, number):
    ended = finish(start(int(number), "hornbook.facade.create", "train", book, *ENDLESS, program=CALLED))
    assert ended.code == 128 + number
    assert ended.err == "stopped\n"
    assert list(folder.iterdir()) == [book]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_yardsticks_are_measured_ends_it_at_once_and_nothing_is_lost(
    start, finish, hornbook, book, number, monkeypatch, folder
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    flags = (*ENDLESS[:4], "--updates", 40, "--validation", 0.1, "--quiet", "--out", "a")
    ended = finish(start(int(number), "hornbook.yardsticks.measure", "train", book, *flags, program=CALLED))
    assert ended.code == 128 + number
    assert ended.err == (
        "stopped at once: what was learnt is kept in a; the figures or the yardsticks are still to be made: "
        "hornbook resume a\n"
        if number == signal.SIGINT
        else "stopped\n"
    )
    assert Run("a").summary["finished"]
    assert hornbook("resume", "a", "--quiet").code == 0
    assert "5-gram" in Run("a").summary["validation"]["baselines"]


def test_ctrl_c_that_is_ignored_stays_ignored(start, finish, folder):
    program = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + LOADING
    assert finish(start(int(signal.SIGINT), "typer", program=program)).code == 0


def test_a_first_signal_only_asks_and_a_second_interrupts():
    before = signal.getsignal(signal.SIGINT)
    with Interrupts() as interrupts:
        assert not interrupts()
        signal.raise_signal(signal.SIGINT)
        assert interrupts()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_where_the_end_takes_long_it_is_told_once_that_it_comes(monkeypatch, capsys):
    monkeypatch.setattr("hornbook.cli.interrupts.LONG", 0.05)
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGINT)
        interrupts.telling.join()
    assert capsys.readouterr().err.startswith(
        "ending after the update in hand, and saving; once more ends at once"
    )


def test_where_it_comes_soon_nothing_is_told(capsys):
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGINT)
    interrupts.telling.join()
    assert capsys.readouterr().err == ""


def test_signals_are_given_back_after_an_error():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), Interrupts():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is before


def test_in_another_thread_signals_are_left_alone():
    seen = []

    def work():
        with Interrupts() as interrupts:
            seen.append((signal.getsignal(signal.SIGINT), interrupts()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(signal.getsignal(signal.SIGINT), False)]


def test_a_handler_that_is_not_pythons_is_left_alone(monkeypatch):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr("signal.getsignal", lambda number: None)  # as it is for one of a program in C
    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert not interrupts()
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


def test_the_command_leaves_such_a_handler_alone(start, finish):
    program = """
import signal, sys
from hornbook.cli.main import main
signal.getsignal = lambda number: None
sys.argv[1:] = ["--version"]
main()
"""
    ended = finish(start(program=program))
    assert (ended.code, ended.err) == (0, "")
