"""What all tests of runs that go on share."""

from __future__ import annotations

import pytest
from small_runs import Ending, start

from hornbook import training as training_module


@pytest.fixture(autouse=True)
def one_update_a_slice(monkeypatch):
    """So that a run can be stopped after any update; and no figures."""
    monkeypatch.setattr(training_module, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr("hornbook.facade.loss_figure", lambda *_: [])
    monkeypatch.setattr("hornbook.facade.rehearsed", lambda: 0.0)


@pytest.fixture
def stopped(tmp_path):
    start(tmp_path / "a", Ending(12), validation=0.2)
    return tmp_path / "a"
