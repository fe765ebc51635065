"""The figures of a run: real pictures with both curves."""

from __future__ import annotations

import math
import re
import struct
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from hornbook import Checkpoint, Logged, Run, Text
from hornbook.config import settings
from hornbook.engines import TrainingState
from hornbook.errors import StorageError
from hornbook.folders import create
from hornbook.recorder import Recorder
from hornbook.report.figures import FAINT, INK, LOWER, best_smooth, loss_figure
from hornbook.report.figures import drawn as pictures

TEXT = Text.from_string("the cat sat on the mat " * 20, name="cats")
SVG = "{http://www.w3.org/2000/svg}"


def run_of(folder, rows, best=(52.5, 40)):
    """A run with these rows of (update, loss, smooth loss), and a best smooth loss and its update."""
    model, training = settings(len(TEXT.vocabulary), hidden=4, seq_len=10)
    recorder = Recorder(create(folder, TEXT, model, training), TEXT, model, training)
    for update, loss, smooth in rows:
        list(recorder.record([Logged(update, 0.1, loss, smooth, 0.1, 1.0, 0, 1.0, 9.0)]))
    state = TrainingState.initial(model, training)
    state = replace(state, update=80, best_smooth_loss=best[0], best_update=best[1])
    recorder.summarise(Checkpoint(state, state.hidden, 60.0, 1.0), complete=False)
    return Run(folder)


ROWS = [(10 * i, 60.0 - i + (i % 3), 60.0 - i) for i in range(1, 9)]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    run = run_of(tmp_path_factory.mktemp("runs") / "a", ROWS)
    return run.folder, loss_figure(run)


def curves(path, colour):
    """The corners of each line of a colour in an SVG file, as (x, y)."""
    found = []
    for element in ET.parse(path).iter(f"{SVG}path"):
        if f"stroke: {colour}" in element.get("style", ""):
            corners = re.findall(r"[ML] ([\d.-]+) ([\d.-]+)", element.get("d"))
            found.append([(float(x), float(y)) for x, y in corners])
    return found


def test_both_figures_are_written_and_nothing_beside_them(drawn):
    folder, paths = drawn
    assert paths == [folder / "loss.svg", folder / "loss.png"]
    assert all(path.is_file() for path in paths)
    assert not list(folder.glob(".*"))


def test_the_png_is_a_picture_of_some_size(drawn):
    content = (drawn[0] / "loss.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert width > 2 * height > 600
    assert content.endswith(b"IEND\xaeB`\x82")


def test_the_svg_has_both_panels_with_their_units(drawn):
    words = " ".join(
        text for element in ET.parse(drawn[0] / "loss.svg").iter() for text in element.itertext()
    )
    for expected in ("Loss of each logged update", "Smooth loss", "nats over 10 characters", "update"):
        assert expected in words
    assert "best 52.50 at 40" in words


@pytest.mark.parametrize(("colour", "column"), [(FAINT, 1), (INK, 2)])
def test_a_curve_has_a_corner_for_each_row_and_falls_where_the_loss_falls(drawn, colour, column):
    (curve,) = (curve for curve in curves(drawn[0] / "loss.svg", colour) if len(curve) == len(ROWS))
    values = [row[column] for row in ROWS]
    xs, ys = zip(*curve, strict=True)
    assert list(xs) == sorted(xs)
    scale = (ys[-1] - ys[0]) / (values[-1] - values[0])
    assert scale < 0  # in SVG, down is up
    for y, value in zip(ys, values, strict=True):
        assert y == pytest.approx(ys[0] + scale * (value - values[0]), abs=1e-3)


def test_the_same_run_is_drawn_the_same_to_the_bit(drawn, tmp_path):
    loss_figure(run_of(tmp_path / "a", ROWS))
    for name in ("loss.svg", "loss.png"):
        assert (tmp_path / "a" / name).read_bytes() == (drawn[0] / name).read_bytes()


def test_one_row_is_drawn_as_a_point(tmp_path):
    assert len(loss_figure(run_of(tmp_path / "a", ROWS[:1]))) == 2
    assert "<use" in (tmp_path / "a" / "loss.svg").read_text()


def test_a_run_without_a_best_update_is_drawn_without_its_mark(tmp_path):
    loss_figure(run_of(tmp_path / "a", ROWS, best=(math.inf, 0)))
    assert "best" not in (tmp_path / "a" / "loss.svg").read_text()


# With validation


def evaluated(*losses):
    """Rows of which each has been evaluated, with such losses on what is held out."""
    return [
        {"update": 10 * i, "loss": 60.0, "smooth_loss": 60.0, "validation": loss}
        for i, loss in enumerate(losses, 1)
    ]


def words_of(rows, **summary):
    """All words of the figure of such rows."""
    svg = pictures(rows, {"best_smooth_loss": 55.0, "best_by": "validation", **summary}, 10)["loss.svg"]
    return " ".join(text for element in ET.fromstring(svg).iter() for text in element.itertext())


def test_the_best_model_is_marked_and_not_the_lowest_dot_which_read_less():
    rows = evaluated(3.0, 1.7, 1.75, 1.8)
    words = words_of(rows, best_update=30)
    assert "best 17.50 at 30" in words
    assert "17.00" not in words
    assert LOWER.strip() in words
    words = words_of(rows, best_update=20)
    assert "best 17.00 at 20" in words
    assert LOWER.strip() not in words


@pytest.mark.parametrize("rows", [evaluated(3.0, 2.0), [{"update": 9, "loss": 60.0, "smooth_loss": 60.0}]])
def test_a_best_model_by_validation_whose_row_is_missing_is_not_marked(rows):
    summary = {"best_update": 30, "best_by": "validation", "best_smooth_loss": 55.0}
    assert "best" not in words_of(rows, **summary)
    assert best_smooth(summary) is None


def test_the_figure_says_where_the_smooth_loss_of_few_updates_lags_behind():
    rows = evaluated(3.0, 1.7)
    assert "Smooth loss (it lags behind), and validation (dots)" in words_of(rows, best_update=20)
    rows[-1]["update"] = 100_000
    assert "Smooth loss, and validation (dots)" in words_of(rows, best_update=20)


def test_a_mean_is_not_marked_as_a_loss():
    assert "best" not in words_of(
        [{"update": 9, "loss": 6.0, "smooth_loss": 6.0}], best_update=9, best_by="average"
    )


def test_without_rows_nothing_is_drawn(tmp_path):
    run = run_of(tmp_path / "a", [])
    assert loss_figure(run) == []
    assert not list(run.folder.glob("loss.*"))


def test_nothing_is_drawn_into_a_folder_that_is_not_the_runs_any_more(tmp_path):
    def lost(name):
        raise StorageError(f"{name}: another folder")

    run = run_of(tmp_path / "a", ROWS)
    with pytest.raises(StorageError, match=r"loss\.svg: another folder"):
        loss_figure(run, lost)
    assert not list(run.folder.glob("*loss*"))


def test_drawing_leaves_the_settings_of_matplotlib_alone(tmp_path):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    loss_figure(run_of(tmp_path / "a", ROWS))
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_disk_that_fails_leaves_the_old_figures_and_nothing_beside_them(tmp_path, monkeypatch, error):
    run = run_of(tmp_path / "a", ROWS)
    loss_figure(run)
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}

    def fail(_):
        raise error

    monkeypatch.setattr("hornbook.storage.os.fsync", fail)
    with pytest.raises((StorageError, KeyboardInterrupt)):
        loss_figure(run)
    assert {path.name: path.read_bytes() for path in run.folder.iterdir()} == before
