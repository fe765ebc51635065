"""`hornbook eval --dynamic`: the figure of a network that goes on learning, beside the trained one's."""

from __future__ import annotations

import json
import math

import pytest

from hornbook import load
from hornbook.cli.evaluate import figures
from hornbook.dynamic import Dynamic
from hornbook.evaluation import Evaluation


def test_it_stands_beside_the_static_figure_and_the_run_stays_as_it_is(hornbook, held_out, story):
    before = {path: path.read_bytes() for path in held_out.iterdir()}
    found = json.loads(hornbook("eval", held_out, "--dynamic", "--json").out)
    static = json.loads(hornbook("eval", held_out, "--json").out)
    told = load(held_out).evaluate_dynamic(story[1800:], story[:1800]).record()
    assert found.pop("dynamic") == {**told, **vars(Dynamic())}
    assert found == static
    assert told["nats_per_character"] != static["nats_per_character"]
    assert {path: path.read_bytes() for path in held_out.iterdir()} == before


def test_how_it_learns_may_be_said(hornbook, held_out, story):
    flags = ("--dynamic-lr", 0.01, "--dynamic-decay", 0, "--dynamic-segment", 50, "--window", 20)
    found = json.loads(hornbook("eval", held_out, "--dynamic", *flags, "--json").out)
    told = load(held_out).evaluate_dynamic(story[1800:], story[:1800], lr=0.01, decay=0.0, segment=50)
    assert found["dynamic"] == {**told.record(), "lr": 0.01, "decay": 0, "segment": 50}
    assert found["windows"]["window"] == 20


def test_the_table_has_a_row_for_it(hornbook, held_out):
    out = hornbook("eval", held_out, "--dynamic").out
    assert "one stream" in out
    assert "dynamic, at 0.0004 every 25" in out
    assert "dynamic" not in hornbook("eval", held_out).out


def test_a_perplexity_that_is_large_takes_no_more_room():
    assert figures(Evaluation(10, 0, math.log(2)))[-1] == "2.000"
    assert figures(Evaluation(10, 0, 120.0))[-1] == "1.3e+52"
    assert figures(Evaluation(10, 0, 1000.0))[-1] == "inf"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--dynamic-lr 0.1", "--dynamic-lr says how --dynamic learns; give --dynamic too"),
        ("--dynamic-segment 5", "give --dynamic too"),
        ("--dynamic --dynamic-lr 0", "dynamic-lr is 0.0; expected a number above 0, at most 1"),
        ("--dynamic --dynamic-lr nan", "dynamic-lr is nan"),
        ("--dynamic --dynamic-decay 1", "dynamic-decay is 1.0; expected a number from 0 to below 1"),
        ("--dynamic --dynamic-segment 0", "dynamic-segment is 0"),
    ],
)
def test_what_cannot_be_is_refused(refused, held_out, flags, told):
    assert told in refused("eval", held_out, *flags.split(" "))
