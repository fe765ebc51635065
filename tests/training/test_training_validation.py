"""Trainings that hold out a part of the text: what is evaluated when, the best model, and patience."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_trainings import Asked, held_out, lasting, of

from hornbook import selection
from hornbook.config import settings
from hornbook.engines import ENGINES, TrainingState
from hornbook.errors import TextError
from hornbook.events import Checkpoint, Evaluated, Finished, Logged, Sampled
from hornbook.streams import trained_on
from hornbook.text import Text
from hornbook.training import training_events
from hornbook.validation import HeldOut, Lanes
from problems import Chosen, every_engine


def test_evaluations_come_at_every_interval_and_at_the_end_and_their_rows_tell_them(
    prose: Text, small: Chosen
) -> None:
    events = list(training_events(prose, *held_out(small, updates=25, log_every=4, evaluate_every=10)))
    evaluated = of(Evaluated, events)
    assert [event.update for event in evaluated] == [10, 20, 25]
    rows = {row.update: row.validation for row in of(Logged, events)}
    assert list(rows) == [4, 8, 10, 12, 16, 20, 24, 25]
    measured = {update: nats for update, nats in rows.items() if nats is not None}
    assert measured == {event.update: event.nats_per_character for event in evaluated}


@every_engine
def test_the_best_model_is_that_of_the_evaluation_with_the_lowest_loss(
    prose: Text, small: Chosen, engine: str
) -> None:
    model, training = held_out(small, updates=700, engine=engine, hidden=20, lr=0.1)
    events = list(training_events(prose, model, training))
    lowest = min(of(Evaluated, events), key=lambda event: event.nats_per_character)
    end = of(Finished, events)[0]
    assert end.state.best_update == lowest.update == of(Evaluated, events)[-1].best_update
    assert 10 <= lowest.update < 700
    alone = ENGINES[engine](
        model, training, TrainingState.initial(model, training), prose.ids[: trained_on(len(prose), training)]
    )
    alone.advance(np.full(lowest.update, training.lr))
    np.testing.assert_array_equal(end.state.best_parameters, alone.get_state().parameters)
    best = HeldOut.of(prose.ids, training)
    assert best
    hidden = alone.get_state().hidden
    assert best.evaluate(alone, hidden, best.lanes(0)).nats_per_character == lowest.nats_per_character
    assert end.validation == best.whole(alone, of(Checkpoint, events)[-1].reading, lambda: True)
    assert of(Checkpoint, events)[-1].state.best_update == lowest.update


def test_a_text_that_repeats_itself_costs_the_same_on_the_way_and_at_the_end() -> None:
    text = Text.from_string("How many cherries have you picked?\nNot one, said she, not one.\n\n" * 60)
    shape = {"preset": "plain", "cell": "gru", "hidden": 20, "streams": 4, "seq_len": 25}
    model, training = settings(
        len(text.vocabulary), **shape, updates=600, sample_every=600, validation=0.1, lr=0.01
    )
    events = list(training_events(text, model, training))
    best, end = of(Evaluated, events)[-1].best_nats_per_character, of(Finished, events)[0].validation
    assert end
    assert best < 0.05
    assert end.nats_per_character == pytest.approx(best, rel=0.05)


def test_where_more_is_read_than_for_the_best_so_far_that_one_reads_it_again(
    prose: Text, small: Chosen, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = {10: 9, 20: 9, 30: 50, 40: 50}
    monkeypatch.setattr(selection, "amount_allowed", lambda update, _: update)
    monkeypatch.setattr(HeldOut, "lanes", lambda _, amount: Lanes(1, lengths[amount]))
    model, training = held_out(small, updates=40, lr=3.0, log_every=100)
    evaluated = of(Evaluated, list(training_events(prose, model, training)))
    assert [event.characters for event in evaluated] == [9, 9, 50, 50]
    tail, least = HeldOut.of(prose.ids, training), (math.inf, 0)
    assert tail
    ids = prose.ids[: tail.start]
    alone = ENGINES[training.engine](model, training, TrainingState.initial(model, training), ids)
    seen = {}
    for event in evaluated:
        alone.advance(np.full(10, training.lr))
        state, lanes = alone.get_state(), Lanes(1, event.characters)
        seen[event.update] = alone.with_parameters(state.parameters), state.hidden
        costs = {at: tail.evaluate(*one, lanes).nats_per_character for at, one in seen.items()}
        assert event.nats_per_character == costs[event.update]
        least = min((costs[at], at) for at in {least[1], event.update} - {0})
        assert (event.best_nats_per_character, event.best_update) == least


def test_what_is_held_out_is_not_trained_on(prose: Text, small: Chosen) -> None:
    model, training = held_out(small, updates=300, validation=0.2)
    cut = trained_on(len(prose), training)
    other = replace(prose, ids=np.concatenate([prose.ids[:cut], prose.ids[cut:][::-1]]))
    one, same = (of(Finished, list(training_events(text, model, training)))[0] for text in (prose, other))
    np.testing.assert_array_equal(one.state.parameters, same.state.parameters)
    assert one.validation != same.validation


def test_training_ends_after_so_many_evaluations_without_a_new_best(prose: Text, small: Chosen) -> None:
    model, training = held_out(small, updates=100_000, lr=2.0, evaluate_every=5, patience=4)
    events = list(training_events(prose, model, training))
    updates = [event.update for event in of(Evaluated, events)]
    end = of(Finished, events)[0]
    assert end.complete
    assert end.early
    assert updates[-1] == end.state.update == end.state.best_update + 4 * 5 < 100_000
    assert of(Sampled, events)[-1].update == updates[-1]
    assert of(Checkpoint, events)[-1].state.update == updates[-1]
    assert end.passage
    assert end.validation


def test_a_tail_too_short_is_refused_before_the_first_event(prose: Text, small: Chosen) -> None:
    with pytest.raises(TextError, match="needs at least 6"):
        training_events(prose, *held_out(small, validation=0.005))


def test_a_stop_leaves_no_validation_of_the_whole(prose: Text, small: Chosen) -> None:
    end = list(training_events(prose, *held_out(small, updates=10**9), Asked(3)))[-1]
    assert isinstance(end, Finished)
    assert (end.complete, end.validation) == (False, None)


@every_engine
@pytest.mark.parametrize("changes", [{}, {"order": "shuffled", "chunk": 3}, {"dropout": 0.2}], ids=str)
def test_with_validation_the_same_seed_gives_the_same_events_to_the_bit(
    prose: Text, small: Chosen, engine: str, changes: dict[str, Any]
) -> None:
    chosen = held_out(small, engine=engine, updates=60, **changes)
    one, same = (lasting(list(training_events(prose, *chosen))) for _ in range(2))
    assert one == same
