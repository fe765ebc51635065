"""matplotlib as hornbook draws with it: from its own defaults, with one error for all that it raises."""

from __future__ import annotations

import logging

import matplotlib as mpl
import pytest

from hornbook.errors import FigureError, StorageError
from hornbook.report import drawing as module
from hornbook.report.compare import comparison
from hornbook.report.drawing import drawing
from hornbook.report.figures import drawn, rehearsed
from hornbook.report.writer import write_report
from hornbook.runs import Run

ROWS = [{"update": update, "loss": 60.0 - update, "smooth_loss": 60.0 - update} for update in range(1, 9)]


def broken():
    raise ValueError("\x1b[31mred\nand more")


def test_what_a_program_has_set_changes_no_figure_and_stays():
    usual = drawn(ROWS, {}, 10)
    with mpl.rc_context({"text.usetex": True, "font.size": 40, "savefig.dpi": 9, "lines.marker": "o"}):
        assert drawn(ROWS, {}, 10) == usual
        assert (mpl.rcParams["font.size"], mpl.rcParams["text.usetex"]) == (40, True)


def test_a_style_is_kept_while_it_is_drawn():
    with drawing({"font.size": 21}):
        assert mpl.rcParams["font.size"] == 21


@pytest.mark.parametrize(
    "error", [ValueError("a\x1bb\nc"), RuntimeError("a\x1bb"), KeyError("a\x1bb"), OSError()]
)
def test_whatever_is_raised_while_something_is_drawn_is_one_line(error):
    with (
        pytest.raises(FigureError, match=r"^no figure can be drawn: matplotlib says: .*matplotlibrc") as told,
        drawing({}),
    ):
        raise error
    assert not {"\n", "\x1b"} & set(str(told.value))
    assert "says: ;" not in str(told.value)
    assert told.value.__cause__ is error


@pytest.mark.parametrize("error", [StorageError("full"), KeyboardInterrupt(), FigureError("a")])
def test_errors_of_hornbook_and_interrupts_stay_what_they_are(error):
    with pytest.raises(type(error)) as raised, drawing({}):
        raise error
    assert raised.value is error


def test_what_cannot_be_drawn_takes_no_time(monkeypatch):
    assert 0 < rehearsed() < 60
    monkeypatch.setattr(module, "loaded", broken)
    assert rehearsed() == 0


def test_a_report_is_refused_before_the_work_and_so_is_a_comparison(trained, monkeypatch):
    told = []
    monkeypatch.setattr(module, "loaded", broken)
    with pytest.raises(FigureError, match=r"matplotlib says: ␛\[31mred; put right"):
        write_report(Run(trained), "md", lambda *words: told.append(words))
    assert told == []
    with pytest.raises(FigureError):
        comparison([Run(trained)])


def test_nothing_is_left_of_what_silences_matplotlib():
    log = logging.getLogger("matplotlib")
    before = log.handlers[:]
    with drawing({}):
        assert len(log.handlers) == len(before) + 1
    assert log.handlers == before
