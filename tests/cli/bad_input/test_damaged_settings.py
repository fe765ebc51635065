"""Damaged settings are refused by name; beside good runs, a damaged run is listed as one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from damage import replace_by_a_folder, shorten, written

DAMAGED_CONFIG: dict[str, Callable[[Path], object]] = {
    "empty": shorten(0),
    "cut in a word": shorten(33),
    "cut to half": shorten(0.5),
    "not TOML": lambda path: path.write_text("{ this: is no TOML }"),
    "not text": lambda path: path.write_bytes(bytes(range(128, 256))),
    "somebody else's": lambda path: path.write_text('[tool.ruff]\nselect = ["E"]\n'),
    "a folder": replace_by_a_folder,
    "a foreign key": written("[model]\n", "[model]\nheads = 8\n"),
    "a missing key": written("hidden = 8\n", ""),
    "a missing table": written("[made]\n", "[maid]\n"),
    "no table": written("[model]\n", "[[model]]\n"),
    "a word for a number": written("hidden = 8", 'hidden = "8"'),
    "a truth for a number": written("hidden = 8", "hidden = true"),
    "a number out of range": written("hidden = 8", "hidden = -8"),
    "an unknown cell": written('"vanilla"', '"chocolate"'),
    "an unknown optimizer": written('"adagrad"', '"newton"'),
    "a number for a word": written('dtype = "float32"', "dtype = 32"),
    "a number for the name": written('name = "book"', "name = 5"),
    "a number for a clip": written('clip = "5"', "clip = 5"),
    "a number for a path": written('path = "', 'path = 5 # "'),
    "a path that leads up": written('path = "', 'path = "/tmp/../'),
    "a path from where one is": written('path = "/', 'path = "'),
    "a path out of the folder": written('path = "', 'path = "../..'),
    "a path with a hole": written('path = "', 'path = "\\u0000'),
    "a word for a size": written("bytes = ", 'bytes = "many" # '),
    "a word for the characters": written("characters = ", 'characters = "many" # '),
    "no characters": written("characters = 2000\n", "characters = 0\n"),
    "a line without end": lambda path: path.write_text("a" + ".a" * 500_000 + " = 1"),
    "brackets without end": lambda path: path.write_text("a = " + "[" * 4000),
    "a number without end": written("hidden = 8", f"hidden = {10**4000}"),
    "a huge number": written("hidden = 8", f"hidden = {2**60}"),
    "a number that is none": written("lr = 0.1", "lr = nan"),
    "a link out of the folder": lambda path: (
        path.rename("/tmp" / Path(path.parent.parent.name)),
        path.symlink_to("/tmp" / Path(path.parent.parent.name)),
    ),
    "a foreign key of a source": written("[[text.files]]\n", '[[text.files]]\nowner = "me"\n'),
    "a number for the sources": written("[[text.files]]", "[text]\nfiles = 5\n[other]"),
}


@pytest.mark.parametrize("damage", DAMAGED_CONFIG.values(), ids=DAMAGED_CONFIG)
def test_damaged_or_foreign_settings_are_refused(refused, run, damage):
    damage(run / "config.toml")
    assert "config.toml" in refused("sample", run)


@pytest.mark.parametrize("damage", DAMAGED_CONFIG.values(), ids=DAMAGED_CONFIG)
def test_a_run_is_not_repeated_from_damaged_settings(refused, run, damage):
    damage(run / "config.toml")
    assert "config.toml" in refused("train", "--config", run / "config.toml")


def test_a_recipe_beside_the_settings_of_a_run_is_refused(refused, run):
    assert "--config and --preset" in refused("train", "--config", run / "config.toml", "--preset", "plain")


def test_settings_that_do_not_fit_the_weights_are_refused(refused, run):
    written("hidden = 8", "hidden = 9")(run / "config.toml")
    message = refused("sample", run)
    assert "best.safetensors" in message
    assert "config.toml" in message


def test_settings_without_a_text_file_are_not_repeated_on_another_text(refused, run):
    config = (run / "config.toml").read_text(encoding="utf-8")
    source = config[config.index("[[text.files]]") : config.index("[model]")]
    written(source, "")(run / "config.toml")
    written("[text]\n", "[text]\nfiles = []\n")(run / "config.toml")
    refused("train", "--config", run / "config.toml")


def test_a_config_that_is_not_there_is_refused(refused):
    assert "nowhere.toml" in refused("train", "--config", "nowhere.toml")


# Damaged runs among good ones


@pytest.mark.parametrize("damage", DAMAGED_CONFIG.values(), ids=DAMAGED_CONFIG)
def test_a_run_with_damaged_settings_is_listed_as_not_a_run_beside_the_good_ones(hornbook, run, damage):
    shutil.copytree(run, run.with_name("bad"))
    damage(run.with_name("bad") / "config.toml")
    told = hornbook("runs")
    assert told.code == 0
    good, bad = listed(told, "book"), listed(told, "bad")
    assert "240" in good
    assert "finished" in good
    assert "not a run" in bad


UNREADABLE_SUMMARY: dict[str, Callable[[Path], object]] = {
    "empty": shorten(0),
    "cut to half": shorten(0.5),
    "not text": lambda path: path.write_bytes(bytes(range(128, 256))),
    "a list": lambda path: path.write_text("[1, 2]"),
    "a folder": replace_by_a_folder,
}
STRANGE_SUMMARY: dict[str, Callable[[Path], object]] = {
    "a word for a number": written('"updates": 240', '"updates": "many"'),
    "a number for the end": written('"finished": true', '"finished": 7'),
    "a list for the end": written('"finished": true', '"finished": []'),
    "a list for a number": written('"best_smooth_loss": ', '"best_smooth_loss": [1], "other": '),
    "nothing in it": lambda path: path.write_text("{}"),
}


def listed(told: Any, name: str) -> str:
    """The line of a run."""
    return next(line for line in told.out.split("\n") if f"runs/{name} " in line)


@pytest.mark.parametrize("damage", UNREADABLE_SUMMARY.values(), ids=UNREADABLE_SUMMARY)
def test_a_run_with_a_summary_that_cannot_be_read_is_damaged_beside_the_good_ones(hornbook, run, damage):
    shutil.copytree(run, run.with_name("bad"))
    damage(run.with_name("bad") / "summary.json")
    told = hornbook("runs")
    assert told.code == 0
    assert "damaged" in listed(told, "bad")
    assert "finished" in listed(told, "book")


@pytest.mark.parametrize("damage", STRANGE_SUMMARY.values(), ids=STRANGE_SUMMARY)
def test_strange_figures_in_a_summary_do_not_hide_the_good_runs(hornbook, run, damage):
    shutil.copytree(run, run.with_name("bad"))
    damage(run.with_name("bad") / "summary.json")
    told = hornbook("runs")
    assert told.code == 0
    assert "many" not in listed(told, "bad")
    assert "finished" in listed(told, "book")
    assert hornbook("runs", "--json").code == 0
