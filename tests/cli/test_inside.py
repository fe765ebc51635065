"""`hornbook inside`: what hidden units follow, and one of them over a passage."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hornbook import load
from hornbook.cli.inside import colour
from hornbook.units import FEATURES, Inside


def told(hornbook, *args):
    """What the command prints."""
    answer = hornbook("inside", *args)
    assert (answer.code, answer.err) == (0, "")
    return answer.out


def test_without_a_unit_the_best_ones_of_each_feature_are_told(hornbook, run, book, story):
    out = told(hornbook, run, book)
    found = Inside.look(story, load(run).hidden(story))
    for feature in FEATURES:
        line = next(line for line in out.split("\n") if line.startswith(feature + " "))
        for finding in found.units(feature, 3):
            assert f"{finding.unit} ({finding.correlation:+.2f})" in line


def test_as_json_too(hornbook, run, book, story):
    rows = json.loads(told(hornbook, run, book, "--json"))
    found = Inside.look(story, load(run).hidden(story)).best(3)
    assert [(r["unit"], r["feature"], r["correlation"]) for r in rows] == [
        (f.unit, f.feature, f.correlation) for f in found
    ]


def test_a_unit_is_told_with_what_it_follows_and_its_passage(hornbook, run, book, story):
    out = told(hornbook, run, book, "--unit", 5, "--length", 100)
    found = Inside.look(story, load(run).hidden(story)).followed(5, 3)
    for finding in found:
        assert f"{finding.feature} ({finding.correlation:+.2f})" in out.replace("\n", " ")
    assert out.endswith(story[:100].replace("\n", "↵\n") + "\n")


def test_another_passage_can_be_shown(hornbook, run, book, story):
    out = told(hornbook, run, book, "--unit", 5, "--start", 300, "--length", 50)
    assert out.endswith(story[300:350].replace("\n", "↵\n") + "\n")


def test_a_unit_as_json_has_its_activations(hornbook, run, book, story):
    found = json.loads(told(hornbook, run, book, "--unit", 3, "--start", 10, "--length", 40, "--json"))
    assert found["unit"] == 3
    assert found["text"] == story[10:50]
    np.testing.assert_allclose(found["activations"], load(run).hidden(story)[10:50, 3], atol=1e-6)
    assert {row["unit"] for row in found["follows"]} == {3}


def test_activations_go_from_blue_over_white_to_red():
    assert colour(-1) == "black on rgb(80,80,255)"
    assert colour(0) == "black on rgb(255,255,255)"
    assert colour(1) == "black on rgb(255,80,80)"


def test_without_colours_it_is_said_that_there_are_some(hornbook, run, book):
    assert "shown in colours, on a terminal" in told(hornbook, run, book, "--unit", 0)


@pytest.mark.parametrize("unit", [8, -1, 10**9])
def test_a_unit_that_does_not_exist_is_refused(refused, run, book, unit):
    assert f"unit is {unit}; expected a whole number from 0 to 7" in refused(
        "inside", run, book, "--unit", unit
    )


def test_bad_input_is_refused(refused, run, book, folder):
    (folder / "greek.txt").write_text("Ελλάς", encoding="utf-8")
    assert "knows no character of this text" in refused("inside", run, "greek.txt")
    assert "nowhere" in refused("inside", "nowhere", book)
    assert "nowhere.txt" in refused("inside", run, "nowhere.txt")
    assert "start is 2000" in refused("inside", run, book, "--unit", 1, "--start", 2000)
    assert "length is 0" in refused("inside", run, book, "--unit", 1, "--length", 0)


def test_a_long_text_is_read_as_far_as_memory_allows(hornbook, run, book, monkeypatch):
    monkeypatch.setattr("hornbook.cli.inside.MOST_NUMBERS", 8 * 1000)
    assert "over the first 1,000 of 2,000 characters" in told(hornbook, run, book)
