"""What is seen of a training: a live bar on a terminal, plain lines elsewhere, JSON, or nothing."""

from __future__ import annotations

import fcntl
import io
import json
import math
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from hornbook import Checkpoint, Evaluated, Finished, Logged, Progress, Run, Sampled
from hornbook.cli.display import (
    Display,
    JsonDisplay,
    LiveDisplay,
    PlainDisplay,
    choose_display,
    evaluation_line,
    progress_line,
    record_of,
)
from hornbook.config import settings
from hornbook.engines import TrainingState

SMALL = ("--hidden", "8", "--seq-len", "5", "--updates", "240", "--sample-length", "20")
STATE = TrainingState.initial(*settings(3, hidden=2))
PROGRESS = Progress(2_000, 10_000, 0.25, 70.0, 69.5, 1_990, 4.0, 12_345.6)
EVENTS = [
    Sampled(0, "ab\x1bc"),
    Logged(1, 0.5, 80.0, 80.0, 0.1, 3.0, 0, 0.1, 250.0),
    PROGRESS,
    Checkpoint(STATE, STATE.hidden, math.nan, 4.0),
    Finished(STATE, math.nan, "abc", 4.0, complete=False),
]


def refuse(word: str) -> None:
    """A number that is not finite is no JSON."""
    raise AssertionError(f"{word} is no JSON")


# JSON


def test_json_is_one_event_a_line_and_tells_every_kind(hornbook, book):
    told = hornbook("train", book, *SMALL, "--json")
    events = [json.loads(line, parse_constant=refuse) for line in told.out.splitlines()]
    kinds = [event["event"] for event in events]
    assert told.code == 0
    assert set(kinds) == {"sampled", "logged", "progress", "checkpoint", "finished"}
    assert (kinds[0], kinds[-1]) == ("sampled", "finished")
    assert [event["update"] for event in events if event["event"] == "logged"] == list(range(12, 241, 12))
    assert events[-1]["complete"] is True
    assert len(events[-1]["passage"]) == 1000


def test_json_of_a_process_parses_line_by_line(process, book):
    told = process("train", book, *SMALL, "--json")
    assert told.code == 0
    assert all(json.loads(line, parse_constant=refuse)["event"] for line in told.out.splitlines())


def test_json_of_a_failed_training_parses_too(hornbook, book):
    wild = ("--hidden", 30, "--seq-len", 400, "--lr", 1, "--clip", "none", "--init-scale", 0.6)
    told = hornbook("train", book, *wild, "--json")
    assert told.code == 1
    assert told.err.startswith("error: ")
    events = [json.loads(line, parse_constant=refuse) for line in told.out.splitlines()]
    assert events[-1]["event"] == "checkpoint"


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_is_a_json_record_without_arrays_or_what_is_not_finite(event):
    record = json.loads(json.dumps(record_of(event)), parse_constant=refuse)
    assert record["event"] == type(event).__name__.lower()
    assert isinstance(record["update"], int)


def test_an_undefined_loss_is_null():
    record = record_of(EVENTS[-1])
    assert (record["first_loss"], record["last_smooth_loss"], record["best_smooth_loss"]) == (None,) * 3


# Quiet


def test_quiet_prints_nothing(hornbook, trained):
    told = hornbook("train", trained.with_name("book.txt"), *SMALL, "--quiet")
    assert (told.code, told.out, told.err) == (0, "", "")


def test_quiet_still_warns(hornbook, book):
    told = hornbook("train", book, *SMALL, "--updates", 5, "--quiet")
    assert told.out == ""
    assert "warning" in told.err


# Plain lines


def test_without_a_terminal_plain_lines_tell_figures_and_samples(hornbook, book):
    told = hornbook("train", book, *SMALL, "--sample-every", 100, "--out", "a")
    assert told.code == 0
    assert "\x1b" not in told.out
    last = next(line for line in told.out.splitlines() if line.startswith("update 240 of 240"))
    assert re.search(r"epoch 0\.\d\d  smooth loss \d+\.\d\d \(\d\.\d{3} nats, \d\.\d{3} bits a char", last)
    assert re.search(r"[\d,]+ characters/s  0:00 left$", last)
    samples = re.findall(r"^sample after update (\d+):$", told.out, re.MULTILINE)
    assert samples == ["0", "100", "200", "240"]


def test_at_the_end_the_best_model_writes_and_the_figures_and_the_next_step_are_told(hornbook, book):
    out = hornbook("train", book, *SMALL, "--out", "a").out
    passage = Run("a").samples[-1]["text"]
    assert passage in out
    for words in ("best model", "best smooth loss", "last smooth loss", "240 updates in"):
        assert words in out
    assert "hornbook sample a" in out
    assert "79% of the smooth loss is still its first value: it lags behind what was learnt" in out


def test_the_end_of_a_long_training_says_nothing_of_the_first_loss(hornbook, book):
    small = ("--hidden", 2, "--seq-len", 2, "--sample-length", 1, "--updates", 5000)
    assert "first value" not in hornbook("train", book, *small, "--out", "a").out


def test_plain_lines_come_every_few_seconds_and_at_the_last_update(capsys, monkeypatch):
    clock = iter([100.0, 100.0, 101.0, 104.0, 104.0, 104.5, 104.5])
    monkeypatch.setattr("hornbook.cli.display.time.monotonic", lambda: next(clock))
    display = PlainDisplay(25)
    for update in (10, 20, 30, 10_000):
        display.show(Progress(update, 10_000, 0.25, 70.0, 69.5, 10, 4.0, 12_345.6))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" ")[1] for line in lines] == ["10", "30", "10,000"]


def test_a_plain_sample_cannot_steer_the_terminal(capsys):
    PlainDisplay(25).show(EVENTS[0])
    assert "ab␛c" in capsys.readouterr().out


def test_the_line_of_a_progress_tells_the_time_left():
    assert progress_line(PROGRESS, 25) == (
        "update 2,000 of 10,000  epoch 0.25  smooth loss 70.00 (2.800 nats, 4.040 bits a character)  "
        "12,346 characters/s  0:16 left"
    )


def test_no_more_time_is_left_than_a_training_by_time_has():
    first = replace(PROGRESS, update=1, updates=196_106, seconds=0.002)
    assert progress_line(first, 25).endswith(" 6:32 left")
    assert progress_line(replace(first, seconds_left=11.4), 25).endswith(" 0:11 left")
    assert progress_line(replace(PROGRESS, seconds_left=60.0), 25).endswith(" 0:16 left")


def test_the_line_of_an_evaluation_says_on_how_much_the_loss_is_and_the_least_with_it():
    first = Evaluated(615, 1.697, 2_000, 1.697, 615, 3.0)
    more = Evaluated(656, 1.767, 4_000, 1.767, 656, 4.0)
    worse = Evaluated(697, 1.79, 4_000, 1.767, 656, 5.0)
    assert [evaluation_line(event) for event in (first, more, worse)] == [
        "validation at 615  1.697 nats, 2.448 bits a character on 2,000 characters, the least on these",
        "validation at 656  1.767 nats, 2.549 bits a character on 4,000 characters, the least on these",
        "validation at 697  1.790 nats, 2.582 bits a character on 4,000 characters, least on these 1.767 "
        "at 656",
    ]


# The live bar


def drawn(display: LiveDisplay) -> str:
    """What a live display shows, as plain text."""
    console = Console(file=io.StringIO(), width=120)
    console.print(display.picture())
    return console.file.getvalue()


def test_the_bar_tells_figures_and_the_newest_sample():
    display = LiveDisplay(25)
    for event in (*EVENTS, Sampled(2_000, "newest\x1b text")):
        display.show(event)
    shown = drawn(display)
    for words in (
        "2,000 of 10,000 updates",
        "epoch 0.25",
        "smooth loss 70.00 (2.800 nats, 4.040 bits a character)",
        "best 69.50 at 1,990",
        "12,346 characters/s",
        "0:16 left",
        "written after update 2,000",
        "newest␛ text",
    ):
        assert words in shown
    assert "━" in shown


def test_the_bar_says_on_how_much_the_evaluation_and_the_best_one_are():
    display = LiveDisplay(25)
    for event in (PROGRESS, Evaluated(697, 1.79, 4_000, 1.767, 656, 5.0)):
        display.show(event)
    shown = drawn(display)
    assert "at 697   best 1.767 at 656   both on 4,000 characters" in shown


def test_the_bar_of_a_short_training_says_how_much_of_the_smooth_loss_is_its_first_value():
    display = LiveDisplay(25)
    display.show(Progress(1_100, 2_000, 0.25, 70.0, 69.5, 1_099, 4.0, 12_345.6))
    assert "bits a character)   33% is its first value" in drawn(display)
    assert "best" not in drawn(display)


def test_the_bar_is_empty_before_the_first_event():
    assert drawn(LiveDisplay(25)).strip() == ""


def test_a_sample_with_brackets_is_shown_as_it_is():
    display = LiveDisplay(25)
    display.show(Sampled(0, "[bold]not markup[/bold] [/]"))
    assert "[bold]not markup[/bold] [/]" in drawn(display)


def on_a_terminal(*args: object, columns: int = 100) -> tuple[int, str]:
    """The command in a process of its own whose output is a terminal: exit code, and all it drew."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    surroundings = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR", "CI")}
    child = subprocess.Popen(
        [sys.executable, "-m", "hornbook", *map(str, args)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**surroundings, "TERM": "xterm-256color"},
    )
    os.close(theirs)
    output = b""
    try:
        while block := os.read(ours, 1 << 16):
            output += block
    except OSError:  # how Linux tells that the other end is closed
        pass
    os.close(ours)
    return child.wait(), output.decode()


def unsteered(output: str) -> str:
    """Without colours and movements of the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", output)


def test_on_a_terminal_a_bar_with_figures_and_the_sample_is_drawn(book):
    code, output = on_a_terminal("train", book, *SMALL, "--out", "a")
    assert code == 0
    assert "\x1b[" in output
    for words in ("━", "smooth loss", "bits a character", "characters/s", "left", "written after update 240"):
        assert words in output
    assert "240 of 240 updates" in unsteered(output)
    assert "kept in a" in output
    assert output.rindex("\x1b[?25h") > output.rindex("\x1b[?25l")  # the cursor is back


def test_on_a_terminal_quiet_prints_nothing(trained):
    code, output = on_a_terminal("train", trained.with_name("book.txt"), *SMALL, "--quiet", "--out", "a")
    assert (code, output) == (0, "")


def test_on_a_terminal_an_error_is_one_line_after_the_bar(book):
    wild = ("--hidden", 30, "--seq-len", 400, "--lr", 1, "--clip", "none", "--init-scale", 0.6)
    code, output = on_a_terminal("train", book, *wild, "--out", "a")
    assert code == 1
    assert "\nerror: the gradient of update 1" in unsteered(output)
    assert "Traceback" not in output


def test_on_a_terminal_the_check_shows_a_bar_and_a_table(book):
    code, output = on_a_terminal("check", book, "--hidden", 5, "--seq-len", 6)
    assert code == 0
    assert "gradient of U, recipe case" in output
    assert "yes" in output


# Which of them


@pytest.mark.parametrize(
    ("terminal", "quiet", "as_json", "kind"),
    [
        (True, False, False, LiveDisplay),
        (False, False, False, PlainDisplay),
        (True, True, False, Display),
        (False, True, False, Display),
        (True, False, True, JsonDisplay),
        (False, True, True, JsonDisplay),
    ],
)
def test_the_form_fits_where_the_output_goes(monkeypatch, terminal, quiet, as_json, kind):
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    assert type(choose_display(25, quiet, as_json)) is kind


# What a heading or a name holds


HEADING = "runs/book[v2] :smile: x[/y] \x1b]0;a\x07"


def test_a_heading_is_shown_as_it_is_and_steers_nothing(capsys):
    with PlainDisplay(25, HEADING):
        pass
    plain = capsys.readouterr().out
    console = Console(file=io.StringIO(), width=120)
    with LiveDisplay(25, HEADING, console):
        pass
    for shown in (plain, console.file.getvalue()):
        assert "runs/book[v2] :smile: x[/y] ␛]0;a␇" in shown
        assert "\x1b]" not in shown


@pytest.mark.parametrize("name", ["x[/y]", "book[v2]", ":smile:"])
def test_on_a_terminal_a_name_is_no_markup(run, name):
    place = Path("runs", name)
    place.parent.mkdir(exist_ok=True)
    run.rename(place)
    code, output = on_a_terminal("resume", place, "--updates", "+20")
    assert code == 0
    assert f"going on in {place}" in unsteered(output)
    code, output = on_a_terminal("runs", place.parent)
    assert str(place) in unsteered(output)


def test_two_bars_at_once_have_consoles_of_their_own():
    with LiveDisplay(25) as first, LiveDisplay(25) as second:
        assert first.live.console is not second.live.console
