"""What a training leaves: a folder with exactly its files, and where it lies."""

from __future__ import annotations

import json
import math
import os
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import safetensors.numpy
from short_runs import SMALL, lines

from hornbook import Run, read_text
from hornbook.engines import default_engine

FILES = {
    "config.toml",
    "vocabulary.json",
    "metrics.jsonl",
    "samples.jsonl",
    "best.safetensors",
    "last.safetensors",
    "summary.json",
    "loss.svg",
    "loss.png",
}
SUMMARY = """text characters vocabulary cell hidden parameters updates epochs seq_len streams
    characters_read seconds updates_per_second characters_per_second first_loss last_smooth_loss
    best_smooth_loss best_update best_by best_nats_per_character best_bits_per_character
    engine seed finished"""
METRICS = "update epoch loss smooth_loss lr gradient_norm clipped seconds characters_per_second"


# The run folder


def test_a_run_folder_holds_exactly_its_files(trained):
    assert {path.name for path in trained.iterdir()} == FILES


def test_the_summary_holds_what_a_script_asks(trained, story):
    summary = json.loads((trained / "summary.json").read_text())
    assert set(summary) >= set(SUMMARY.split())
    symbols = len(set(story))
    expected = {
        "text": "book",
        "characters": len(story),
        "vocabulary": symbols,
        "cell": "vanilla",
        "hidden": 8,
        "parameters": 8 * symbols + 8 * 8 + 8 + 8 * symbols + symbols,
        "updates": 240,
        "seq_len": 5,
        "streams": 1,
        "characters_read": 240 * 5,
        "engine": default_engine(),
        "seed": 0,
        "finished": True,
    }
    assert {key: summary[key] for key in expected} == expected
    assert summary["epochs"] == 240 / ((len(story) - 1) // 5)
    assert summary["updates_per_second"] == pytest.approx(240 / summary["seconds"])
    assert summary["characters_per_second"] == pytest.approx(1200 / summary["seconds"])


def test_the_losses_of_the_summary_are_those_of_the_metrics(trained):
    summary, rows = json.loads((trained / "summary.json").read_text()), lines(trained / "metrics.jsonl")
    assert summary["first_loss"] == pytest.approx(5 * math.log(summary["vocabulary"]), rel=0.01)
    assert summary["last_smooth_loss"] == rows[-1]["smooth_loss"]
    assert summary["best_smooth_loss"] <= min(row["smooth_loss"] for row in rows)
    assert 0 < summary["best_update"] <= 240
    assert summary["best_by"] == "smooth loss"
    assert summary["best_nats_per_character"] == summary["best_smooth_loss"] / 5
    nats = summary["best_nats_per_character"]
    assert summary["best_bits_per_character"] == pytest.approx(nats / math.log(2))


def test_a_short_run_logs_about_twenty_rows(trained):
    assert [row["update"] for row in lines(trained / "metrics.jsonl")] == list(range(12, 241, 12))


def test_each_row_of_metrics_has_all_its_fields_and_the_clock_never_runs_back(trained):
    rows = lines(trained / "metrics.jsonl")
    assert all(set(row) == set(METRICS.split()) for row in rows)
    seconds = [row["seconds"] for row in rows]
    assert seconds == sorted(seconds)


def test_rows_are_kept_every_log_every_updates_and_at_the_end(hornbook, book):
    hornbook("train", book, *SMALL, "--updates", 30, "--log-every", 7, "--out", "a")
    assert [row["update"] for row in lines(Path("a/metrics.jsonl"))] == [7, 14, 21, 28, 30]


def test_samples_are_kept_at_the_start_at_every_step_and_at_the_end_and_the_passage_last(hornbook, book):
    hornbook("train", book, *SMALL, "--updates", 25, "--sample-every", 10, "--out", "a")
    rows = lines(Path("a/samples.jsonl"))
    assert [row["update"] for row in rows[:-1]] == [0, 10, 20, 25]
    assert [row["model"] for row in rows] == ["current"] * 4 + ["best"]
    assert all(len(row["text"]) == 20 for row in rows[:-1])
    assert rows[-1]["update"] == json.loads(Path("a/summary.json").read_text())["best_update"]
    assert len(rows[-1]["text"]) == 1000


def test_the_vocabulary_is_the_distinct_characters_in_code_point_order(trained, story):
    assert json.loads((trained / "vocabulary.json").read_text("utf-8")) == sorted(set(story))


def test_the_config_names_the_text_by_path_size_and_digest(trained):
    table = tomllib.loads((trained / "config.toml").read_text("utf-8"))
    (source,) = table["text"]["files"]
    assert Path(source["path"]) == trained.with_name("book.txt")
    assert source["bytes"] == 2000
    assert source["sha256"] == read_text(source["path"]).sources[0].sha256
    assert {"hornbook", "numpy", "python", "processor", "started"} <= set(table["made"])


def test_the_weights_go_by_their_names_and_the_last_hold_all_that_going_on_needs(trained):
    best = safetensors.numpy.load_file(trained / "best.safetensors")
    last = safetensors.numpy.load_file(trained / "last.safetensors")
    names = {"U", "W", "b", "V", "c"}
    assert set(best) == names | {"hidden"}
    assert set(last) == names | {f"best.{n}" for n in names} | {f"memory0.{n}" for n in names} | {"hidden"}
    assert all((last[f"best.{name}"] == best[name]).all() for name in names)


def test_the_figures_are_real_pictures_of_the_loss(trained):
    assert (trained / "loss.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    root = ET.parse(trained / "loss.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"


# Where a run goes


def test_without_out_a_fresh_name_is_chosen_each_time(hornbook, book):
    for _ in range(3):
        assert hornbook("train", book, *SMALL, "--updates", 3).code == 0
    assert sorted(os.listdir("runs")) == ["book", "book-2", "book-3"]


def test_a_name_is_a_folder_in_runs(hornbook, book):
    hornbook("train", book, *SMALL, "--updates", 3, "--name", "try")
    assert Run("runs/try").summary["finished"]


def test_out_may_be_an_empty_folder_or_lie_deep(hornbook, book, folder):
    (folder / "empty").mkdir()
    assert hornbook("train", book, *SMALL, "--updates", 3, "--out", "empty").code == 0
    assert hornbook("train", book, *SMALL, "--updates", 3, "--out", "a/b/c/").code == 0
    assert Run("empty").summary["finished"]
    assert Run("a/b/c").summary["finished"]


def test_out_may_be_the_folder_that_one_is_in(hornbook, book, folder, monkeypatch):
    (folder / "here").mkdir()
    monkeypatch.chdir(folder / "here")
    assert hornbook("train", book, *SMALL, "--updates", 3, "--out", ".").code == 0
    assert Run(folder / "here").summary["finished"]


def test_nothing_is_left_beside_a_run(hornbook, book, folder):
    hornbook("train", book, *SMALL, "--updates", 3, "--out", "a")
    assert {path.name for path in folder.iterdir()} == {"book.txt", "a"}
    assert {path.name for path in (folder / "a").iterdir()} <= FILES
