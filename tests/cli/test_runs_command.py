"""`hornbook runs`: a line for each run."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from hornbook import Run
from hornbook.cli import words


def test_the_table_tells_text_updates_loss_speed_time_and_state(hornbook, run):
    told = hornbook("runs")
    summary = Run(run).summary
    (line,) = (line for line in told.out.splitlines() if "runs/book" in line)
    assert told.code == 0
    best, last = summary["best_nats_per_character"], summary["last_smooth_loss"] / summary["seq_len"]
    for word in ("book", "240", f"*{best:.3f}", "training", f"*{last:.3f}"):
        assert word in line.split()
    assert f"{summary['characters_per_second']:,.0f}" in line
    assert line.split()[-1] == "finished"


def test_a_loss_of_what_is_held_out_is_told_where_it_is_known(hornbook, held_out):
    nats = Run(held_out).summary["validation"]["nats_per_character"]
    out = hornbook("runs", held_out.parent).out
    (row,) = json.loads(hornbook("runs", held_out.parent, "--json").out)[:1]
    assert f"{nats:.3f}   held out" in out
    assert (row["nats_per_character"], row["measured_on"]) == (nats, "held out")


def test_a_smooth_loss_that_is_in_part_its_first_value_has_a_star_and_a_note(hornbook, held_out, run):
    out = hornbook("runs", held_out.parent).out
    assert "* in part still its first value: it lags behind" in out
    (line,) = (line for line in out.splitlines() if " held out " in line)
    summary = Run(held_out).summary
    last = f"{summary['last_smooth_loss'] / summary['seq_len']:.3f}"
    assert f" {summary['validation']['nats_per_character']:.3f}   held out   *{last} " in line
    long = {**Run(run).summary, "updates": 100_000}
    (run / "summary.json").write_text(json.dumps(long))
    assert "*" not in hornbook("runs").out


def test_a_run_that_was_stopped_tells_the_loss_that_its_best_model_was_chosen_by(hornbook, held_out, folder):
    held_out = Path(shutil.copytree(held_out, folder / "kept" / "book"))
    stopped = {**Run(held_out).summary, "validation": None, "finished": False}
    (held_out / "summary.json").write_text(json.dumps(stopped))
    rows = {row["update"]: row for row in Run(held_out).metrics}
    nats = rows[stopped["best_update"]]["validation"]
    assert f"{nats:.3f}   part of held out" in hornbook("runs", held_out.parent).out
    (row,) = json.loads(hornbook("runs", held_out.parent, "--json").out)[:1]
    assert (row["nats_per_character"], row["measured_on"]) == (nats, "part of held out")
    (held_out / "metrics.jsonl").unlink()
    (row,) = json.loads(hornbook("runs", held_out.parent, "--json").out)[:1]
    smooth = stopped["best_smooth_loss"] / stopped["seq_len"]
    assert (row["nats_per_character"], row["measured_on"]) == (smooth, "training")


def test_a_folder_that_is_not_there_is_told_from_the_name_of_a_run(refused, run):
    assert "name one that holds runs" in refused("runs", "nope")
    assert "runs/book is a run: hornbook sample runs/book" in refused("runs", "book")
    shutil.rmtree("runs")
    assert "train something first" in refused("runs")


def test_another_folder_can_be_named(hornbook, trained):
    rows = json.loads(hornbook("runs", trained.parent, "--json").out)
    assert [row["run"] for row in rows] == [str(trained)]


def test_the_runs_as_json_are_records(hornbook, run):
    shutil.copytree(run, run.with_name("bad"))
    (run.with_name("bad") / "config.toml").unlink()
    rows = {row["run"]: row for row in json.loads(hornbook("runs", "--json").out)}
    good, bad = rows["runs/book"], rows["runs/bad"]
    assert (good["text"], good["updates"], good["finished"]) == ("book", 240, True)
    assert good["best_smooth_loss"] == Run(run).summary["best_smooth_loss"]
    assert "is not a run" in bad["problem"]


def test_a_run_before_its_first_checkpoint_has_dashes(hornbook, run):
    (run / "summary.json").unlink()
    told = hornbook("runs")
    (line,) = (line for line in told.out.splitlines() if "runs/book" in line)
    assert told.code == 0
    assert line.split()[2:7] == ["-"] * 5
    assert "no checkpoint" in line


def test_the_runs_stand_in_the_order_in_which_they_were_started(hornbook, run):
    for name, day in (("c", "01"), ("b", "03"), ("a", "02")):
        shutil.copytree(run, run.with_name(name))
        config = run.with_name(name) / "config.toml"
        head, tail = config.read_text().split('started = "')
        config.write_text(f'{head}started = "1999-01-{day}{tail[10:]}')
    rows = json.loads(hornbook("runs", "--json").out)
    assert [row["run"] for row in rows] == ["runs/c", "runs/a", "runs/b", "runs/book"]


def test_a_start_that_is_no_time_is_a_dash(hornbook, run):
    config = run / "config.toml"
    head, _ = config.read_text().split('started = "')
    config.write_text(f'{head}started = "once"\n')
    told = hornbook("runs")
    assert told.code == 0
    assert "finished" in told.out


def test_hidden_folders_and_files_are_left_out(hornbook, run):
    shutil.copytree(run, run.with_name(".other.new-1"))
    run.with_name("notes.txt").touch()
    assert [row["run"] for row in json.loads(hornbook("runs", "--json").out)] == ["runs/book"]


def test_a_folder_without_runs_says_how_to_make_one(hornbook, folder):
    (folder / "runs").mkdir()
    told = hornbook("runs")
    assert told.code == 0
    assert "no runs in runs" in told.out
    assert "hornbook train" in told.out
    assert json.loads(hornbook("runs", "--json").out) == []


def test_names_that_would_steer_a_terminal_are_shown_as_pictures(hornbook, run):
    run.rename(run.with_name("\x1b[31mrun"))
    out = hornbook("runs").out
    assert "␛[31mrun" in out
    assert "\x1b" not in out


def test_figures_are_whole_where_the_output_is_no_wide_terminal(hornbook, run, monkeypatch):
    monkeypatch.delenv("COLUMNS")
    out = hornbook("runs").out
    assert "finished" in out
    assert "characters/s" in out
    assert str(Path("runs/book")) in out


@pytest.mark.parametrize("width", [100, 80, 64, 48, 40, 34])
def test_figures_are_whole_on_a_narrow_terminal_and_columns_give_way(hornbook, run, monkeypatch, width):
    monkeypatch.setattr(words, "console_for_tables", lambda: words.plain_console(width=width))
    best = Run(run).summary["best_nats_per_character"]
    out = hornbook("runs").out
    (line,) = (line for line in out.splitlines() if "runs/book" in line)
    assert f"*{best:.3f}" in line.split()
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= width


def test_a_long_name_is_cut_before_any_figure(hornbook, run, monkeypatch):
    monkeypatch.setattr(words, "console_for_tables", lambda: words.plain_console(width=40))
    run.rename(run.with_name("a_run_with_a_very_long_name_of_book"))
    out = hornbook("runs").out
    (line,) = (line for line in out.splitlines() if "runs/a_run" in line)
    assert "…" in line
    assert len(line.split()[-1]) == len("*3.141")
    assert "best: nats a character" in out


TIMES = {
    "a time of TOML": "1999-01-01T00:00:00Z",
    "before the first year": '"0001-01-01T00:00:00+14:00"',
    "after the last year": '"9999-12-31T23:59:59-14:00"',
    "a number": "5",
    "a list": "[1]",
}


@pytest.mark.parametrize("started", TIMES.values(), ids=TIMES)
def test_a_strange_start_of_one_run_does_not_hide_the_others(hornbook, run, started):
    shutil.copytree(run, run.with_name("bad"))
    config = run.with_name("bad") / "config.toml"
    head, _ = config.read_text().split('started = "')
    config.write_text(f"{head}started = {started}\n")
    told = hornbook("runs")
    assert told.code == 0
    assert told.out.count("finished") == 2
    rows = json.loads(hornbook("runs", "--json").out)
    assert {row["run"] for row in rows} == {"runs/bad", "runs/book"}
    assert all(isinstance(row["started"], str) for row in rows)


def test_a_folder_that_may_not_be_looked_into_does_not_hide_the_others(hornbook, run, monkeypatch):
    shutil.copytree(run, run.with_name("shut"))

    def look(path):
        if path.parent.name == "shut":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return True

    monkeypatch.setattr("pathlib.Path.exists", look)
    told = hornbook("runs")
    assert told.code == 0
    assert "not a run" in next(line for line in told.out.splitlines() if "runs/shut" in line)
    assert "finished" in told.out
