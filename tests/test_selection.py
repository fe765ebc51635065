"""Which parameters are the best by what is held out, also where a loss is not defined."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hornbook.engines import ENGINES, TrainingState
from hornbook.events import Validation
from hornbook.selection import Selection
from hornbook.validation import HeldOut


@pytest.fixture
def evaluated(prose, small, monkeypatch):
    """The updates of the best so far, and the evaluations since, where such losses are measured in turn."""

    def measure(losses, patience=0):
        model, training = small(validation=0.1, patience=patience)
        told = iter(losses)
        monkeypatch.setattr(HeldOut, "evaluate", lambda *_: Validation(next(told), 1))
        engine = ENGINES["reference"](model, training, TrainingState.initial(model, training), prose.ids)
        selection = Selection.of(prose.ids, training)
        found = []
        for _ in losses:
            engine.advance(np.full(1, 0.1))
            _, best = selection.evaluate(engine, engine.get_state())
            found.append((best.update, best.since))
            if selection.out_of_patience():
                break
        assert selection.chosen(engine.get_state()).best_update == best.update
        return found

    return measure


def test_the_lowest_loss_is_the_best(evaluated):
    assert evaluated([3.0, 2.0, 2.0, 4.0, 1.0]) == [(1, 0), (2, 0), (2, 1), (2, 2), (5, 0)]


def test_an_undefined_loss_is_never_better_than_one_that_is_defined(evaluated):
    assert evaluated([math.nan, 9.0, math.nan, math.inf]) == [(1, 0), (2, 0), (2, 1), (2, 2)]
    assert evaluated([math.nan, math.inf, 9.0]) == [(1, 0), (2, 0), (3, 0)]


def test_undefined_losses_do_not_keep_a_training_from_its_end(evaluated):
    assert evaluated([math.nan] * 9, patience=3) == [(1, 0), (1, 1), (1, 2), (1, 3)]


def test_where_nothing_is_held_out_there_is_no_selection(prose, small):
    assert Selection.of(prose.ids, small()[1]) is None
