"""A run is given more updates, or other ones, than it was planned with."""

from __future__ import annotations

import json

import pytest
from small_runs import SMALL, TEXT, Ending, further, start, timeless

from hornbook import SettingError
from hornbook.calibration import arranged
from hornbook.cli.display import Display
from hornbook.events import Planned
from hornbook.facade import train_into
from hornbook.lengthening import Further
from hornbook.plan import Plan
from hornbook.resuming import finished
from hornbook.run_files import read_plan


def test_a_constant_rate_goes_on_as_if_the_run_had_been_longer(tmp_path):
    start(tmp_path / "a", updates=21)
    longer = further(tmp_path / "a", updates="+21")
    whole = start(tmp_path / "whole", updates=42)
    for name in ("best.safetensors", "samples.jsonl"):
        assert (longer.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    assert (longer.model("last").flat == whole.model("last").flat).all()
    assert timeless(longer)[0] == timeless(whole)[0]
    assert read_plan(longer.folder) == [Planned(0, 21), Planned(21, 21, 0.0, True)]
    assert finished(longer)


def test_a_falling_rate_is_that_of_the_longer_run_from_there_on(tmp_path):
    start(tmp_path / "a", Ending(7), schedule="linear", log_every=1)
    run = further(tmp_path / "a", updates=42)
    rates = [row["lr"] for row in run.metrics]
    assert rates[:7] == pytest.approx([0.1 * (33 - u) / 33 for u in range(7)])
    assert rates[7:] == pytest.approx([0.1 * (42 - u) / 42 for u in range(7, 42)])


def test_what_was_made_longer_is_stopped_and_repeated_to_the_bit(tmp_path):
    for name in ("whole", "parts"):
        start(tmp_path / name, updates=21, schedule="cosine")
    whole = further(tmp_path / "whole", updates="+14")
    further(tmp_path / "parts", Ending(5), updates="+14")
    assert timeless(further(tmp_path / "parts")) == timeless(whole)
    planned = (whole.config.model, whole.config.training, Plan.again(read_plan(whole.folder)))
    again = train_into(tmp_path / "again", TEXT, planned, Display(4))
    assert timeless(again) == timeless(whole)


@pytest.mark.parametrize("updates", ["+14", "+1"])
@pytest.mark.parametrize("changes", [{"evaluate_every": 100}, {"evaluate_every": 5, "patience": 50}], ids=str)
def test_its_repetition_evaluates_and_writes_where_it_had_ended_before(tmp_path, changes, updates):
    rare = {"validation": 0.2, "log_every": 13, "sample_every": 100, **changes}
    start(tmp_path / "a", updates=21, **rare)
    longer = further(tmp_path / "a", updates=updates)
    planned = (longer.config.model, longer.config.training, Plan.again(read_plan(longer.folder)))
    again = train_into(tmp_path / "again", TEXT, planned, Display(4))
    assert timeless(again) == timeless(longer)
    assert {21, longer.summary["updates"]} <= {row["update"] for row in again.metrics}


def test_so_does_that_of_one_that_the_clock_had_ended_before_its_plan(tmp_path):
    rare = {**SMALL, "validation": 0.2, "evaluate_every": 100}
    model, training, _ = arranged(TEXT, **{"preset": "classic", **rare})
    plan = Plan.again([Planned(0, 33), Planned(20, 0)])
    train_into(tmp_path / "a", TEXT, (model, training, plan), Display(4))
    longer = further(tmp_path / "a", updates="+14")
    assert read_plan(longer.folder) == [Planned(0, 33), Planned(20, 14, 0.0, True)]
    repeated = Plan.again(read_plan(longer.folder))
    again = train_into(tmp_path / "again", TEXT, (model, training, repeated), Display(4))
    assert timeless(again) == timeless(longer)
    assert [row["update"] for row in again.metrics if "validation" in row] == [20, 34]


def test_fewer_updates_than_planned_may_be_asked_for(tmp_path):
    start(tmp_path / "a", Ending(7))
    assert further(tmp_path / "a", updates=10).summary["updates"] == 10


@pytest.mark.parametrize("updates", [7, "7", "3", 32])
def test_no_more_updates_than_were_made_are_refused(tmp_path, updates):
    start(tmp_path / "a", Ending(7) if updates != 32 else lambda: False)
    with pytest.raises(SettingError, match=r"made .* updates already"):
        further(tmp_path / "a", updates=updates)


@pytest.mark.parametrize("updates", ["+0", "-5", "many", "", "1.5", "+", 0, "9" * 5000])
def test_what_is_no_number_of_updates_is_refused(updates):
    with pytest.raises(SettingError, match="`updates` is"):
        Further(updates)


def test_updates_and_minutes_are_not_both_given():
    with pytest.raises(SettingError, match="both say how long"):
        Further(5, 1.0)


def test_as_many_updates_as_were_made_may_be_asked_for_until_the_run_has_ended(tmp_path):
    start(tmp_path / "a")
    whole = timeless(further(tmp_path / "a", updates=40))
    summary = json.loads((tmp_path / "a" / "summary.json").read_text())
    (tmp_path / "a" / "summary.json").write_text(
        json.dumps({**summary, "finished": False})
    )  # killed before it
    assert timeless(further(tmp_path / "a", updates=40)) == whole
    assert timeless(further(tmp_path / "a", updates=40)) == whole


def test_a_run_out_of_patience_does_not_go_on(tmp_path):
    run = start(tmp_path / "a", validation=0.2, patience=2, lr=3.0, updates=200)
    assert run.summary["stopped_early"]
    assert finished(run)
    with pytest.raises(SettingError, match="ended after 2 evaluations without a new best"):
        further(tmp_path / "a", updates="+5")
