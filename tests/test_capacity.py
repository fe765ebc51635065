"""Capacity: networks that are too large for the memory or the time are told before they are made."""

from __future__ import annotations

import math
from typing import Any

import pytest

from hornbook import capacity, trial
from hornbook.calibration import arranged, possible
from hornbook.capacity import memory, seconds_of_saving, seconds_of_the_start
from hornbook.errors import SettingError
from hornbook.fluent import advise
from hornbook.reach import MEASURABLE
from hornbook.text import Text
from hornbook.trial import Trial


@pytest.fixture
def unmade(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network of more units than are measured may be made."""
    make = trial.noise

    def small(model: Any, training: Any) -> Any:
        assert model.hidden <= MEASURABLE, "made"
        return make(model, training)

    monkeypatch.setattr(trial, "noise", small)


@pytest.mark.parametrize(
    ("length", "shape"),
    [
        ({"updates": 10}, {"cell": "lstm", "layers": 4}),
        ({"epochs": 1}, {"cell": "gru", "layers": 2}),
        ({"minutes": 10_000}, {"cell": "gru", "layers": 2}),
    ],
)
def test_a_network_that_has_no_room_in_memory_is_refused(
    prose: Text, monkeypatch: pytest.MonkeyPatch, unmade: None, length: Any, shape: Any
) -> None:
    monkeypatch.setattr(capacity, "memory", lambda: 8e9)
    with pytest.raises(SettingError, match=r"weights needs at least .* GB .* has 8 GB; give a smaller"):
        arranged(prose, "plain", hidden=8192, streams=1, seq_len=8, **shape, **length)


def test_memory_is_told_or_is_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1e8 < memory() < math.inf
    monkeypatch.delattr(capacity.os, "sysconf")
    assert memory() == math.inf


@pytest.mark.parametrize("preset", ["fluent", "plain"])
def test_a_network_too_large_for_a_time_is_refused_before_it_is_made(
    prose: Text, monkeypatch: pytest.MonkeyPatch, unmade: None, preset: str
) -> None:
    monkeypatch.setattr(capacity, "memory", lambda: math.inf)
    monkeypatch.setattr(capacity, "fastest", lambda work: 0.01)
    monkeypatch.setattr(Trial, "seconds_of_an_update", lambda trial, left: 1.0)
    how = {
        "preset": preset,
        "hidden": 8192,
        "minutes": 0.1,
        "streams": 1,
        "seq_len": 8,
        "engine": "reference",
    }
    told = (
        r"`minutes=0.1` .* to make and to save the network takes about .* or a smaller `hidden` or `layers`$"
    )
    with pytest.raises(SettingError, match=told):
        arranged(prose, **how)
    if preset == "fluent":
        with pytest.raises(SettingError, match=told):
            advise(prose, how)


def test_the_start_of_a_large_network_takes_longer_and_of_a_small_one_no_time(
    prose: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "fastest", lambda work: 0.01)

    def seconds(hidden: int, **changes: Any) -> float:
        return seconds_of_the_start(*possible(prose, preset="plain", hidden=hidden, **changes))

    assert seconds(256) == seconds(256, init="scaled") == 0
    assert seconds(2048, init="orthogonal") > 0.5 * 0.01 * 32**3  # the third power
    assert 0 < seconds(2048, init="scaled") < seconds(2048)
    assert seconds(2048, layers=2) > 2 * seconds(2048)


def test_a_checkpoint_takes_longer_the_more_weights_there_are(prose: Text) -> None:
    small, large = (seconds_of_saving(*possible(prose, hidden=hidden)) for hidden in (9, 4096))
    assert capacity.SAVING < small < large
