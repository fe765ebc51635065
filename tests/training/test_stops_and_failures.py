"""Trainings that end before their time: by a wish to stop, or by what goes wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from small_trainings import Asked, of, timeless

from hornbook import training as training_module
from hornbook.config import settings
from hornbook.engines import ENGINES, Engine, TrainingState
from hornbook.errors import NotFiniteError, TextError
from hornbook.events import Checkpoint, Event, Finished, Logged, Progress
from hornbook.excerpts import Excerpts
from hornbook.parameters import views
from hornbook.plan import Plan
from hornbook.text import Text
from hornbook.training import SAVE_SECONDS, SLICE_SECONDS, Training, never, next_size, training_events
from problems import Chosen, Settings, every_engine

# Stopping


@pytest.mark.parametrize("times", [0, 1, 4])
def test_a_wish_to_stop_ends_training_after_the_slice_in_hand_with_all_that_was_learnt(
    prose: Text, small: Chosen, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.setattr(training_module, "SLICE_SECONDS", 0.0)  # one update a slice
    model, training = small(updates=10**9)
    events = list(training_events(prose, model, training, Asked(times)))
    checkpoint, end = events[-2:]
    assert isinstance(checkpoint, Checkpoint)
    assert isinstance(end, Finished)
    assert not end.complete
    assert end.passage == ""
    assert end.state.update == checkpoint.state.update == times
    alone = ENGINES[training.engine](model, training, TrainingState.initial(model, training), prose.ids)
    alone.advance(np.full(times, training.lr))
    state = alone.get_state()
    kept = Checkpoint(state, checkpoint.reading, end.first_loss, 0.0, state.best_update, shown=0)
    assert timeless(checkpoint) == timeless(kept)
    assert math.isnan(end.first_loss) == (times == 0)


@every_engine
def test_the_first_slice_of_a_huge_network_is_one_update(prose: Text, small: Chosen, engine: str) -> None:
    chosen = small(hidden=2000, seq_len=3, dtype="float32", updates=10**6, sample_length=1, engine=engine)
    progress = of(Progress, list(training_events(prose, *chosen, Asked(1))))
    assert [event.update for event in progress] == [1]


@pytest.mark.parametrize("seconds_per_update", [1e-6, 1e-3, 0.02, 0.049, 0.051, 0.2, 60.0])
def test_a_slice_is_one_update_or_what_fits_into_fifty_milliseconds(seconds_per_update: float) -> None:
    size = 1
    for _ in range(12):
        size = next_size(size, size * seconds_per_update, size)
        assert size == 1 or size * seconds_per_update <= SLICE_SECONDS
    assert size > 1 or 2 * seconds_per_update > SLICE_SECONDS


def test_a_wish_to_stop_after_the_last_update_comes_too_late(
    prose: Text, small: Chosen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_module, "SLICE_SECONDS", 0.0)
    end = list(training_events(prose, *small(updates=4), Asked(4)))[-1]
    assert isinstance(end, Finished)
    assert end.complete
    assert len(end.passage) == 30


# What goes wrong


def test_a_text_that_is_too_short_is_refused_before_the_first_event(small: Chosen) -> None:
    model, training = small(seq_len=25)
    with pytest.raises(
        TextError, match="has 25 characters to train on, but an update of 25 characters needs at least 26"
    ):
        training_events(Text.from_string("a" * 25), model, training)


def until_it_fails(events: Iterator[Event]) -> tuple[list[Event], NotFiniteError]:
    """The events up to the error, and the error."""
    seen: list[Event] = []
    with pytest.raises(NotFiniteError) as error:
        seen.extend(events)  # what came before the error stays
    return seen, error.value


def begun(text: Text, chosen: Settings, state: TrainingState) -> Training:
    """A training that starts from a state of ours."""
    model, training = chosen
    built: Engine = ENGINES[training.engine](model, training, state, text.ids)
    start = replace(Checkpoint.initial(model, training), state=state)
    return Training(text, training, built, start, never, Plan(training.updates), SAVE_SECONDS)


@every_engine
def test_a_parameter_that_is_not_a_number_stops_training_at_the_update_that_meets_it(
    prose: Text, small: Chosen, engine: str
) -> None:
    chosen = small(engine=engine, updates=100, log_every=1, sample_every=1000)
    state = TrainingState.initial(*chosen)
    place = prose[:].index("h")  # first read in update 11, after a target of update 10
    assert place // 5 == 10
    symbol = prose.ids[place]
    views(chosen[0], state.parameters)["U"][symbol] = np.nan
    events, error = until_it_fails(begun(prose, chosen, state).events())
    last = events[-1]
    assert isinstance(last, Checkpoint)
    assert last.state.update == 10
    assert [row.update for row in of(Logged, events)] == list(range(1, 11))
    assert "the loss of update 11 is not finite" in str(error)
    assert "lower `lr` (it is 0.1)" in str(error)
    assert "a lower `lr` (it is 0.1)" in str(error)
    clean = views(chosen[0], last.state.best_parameters)
    assert np.isfinite(np.delete(clean["U"], symbol, axis=0)).all()
    assert math.isfinite(last.state.smooth_loss)


def test_a_training_that_fails_at_its_first_update_still_gives_a_checkpoint(
    prose: Text, small: Chosen
) -> None:
    chosen = small()
    state = TrainingState.initial(*chosen)
    state.parameters[:] = np.nan
    state.parameters[0] = 0
    events, error = until_it_fails(begun(prose, chosen, state).events())
    assert isinstance(events[-1], Checkpoint)
    assert events[-1].state.update == 0
    assert math.isnan(events[-1].first_loss)
    assert "update 1 " in str(error)


@every_engine
def test_a_rate_that_is_far_too_high_ends_with_a_checkpoint_whose_best_model_is_finite(
    prose: Text, small: Chosen, engine: str
) -> None:
    model, training = small(engine=engine, dtype="float32", hidden=50, clip="none", optimizer="sgd")
    object.__setattr__(training, "lr", 1e37)  # more than settings allow
    events, error = until_it_fails(training_events(prose, model, training))
    last = events[-1]
    assert isinstance(last, Checkpoint)
    assert f"of update {last.state.update + 1} is not finite" in str(error)
    assert "`lr` (it is 1e+37)" in str(error)
    assert last.state.best_update == 1
    assert np.isfinite(last.state.best_parameters).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_network_that_is_lost_in_the_zero_state_still_writes_what_it_has_learnt(engine: str) -> None:
    """One unit that keeps its sign for ever: set by the state before the text, not by the characters. In
    the one sign it knows the text, in the other it expects what never comes."""
    text = Text.from_string("ab" * 600)
    model, training = settings(2, hidden=2, seq_len=5, engine=engine, dtype="float64", updates=1)
    state = TrainingState.initial(model, training)
    named = views(model, state.parameters)
    named["U"][...] = [[0.0, 9.0], [0.0, -9.0]]  # the second unit: the character read
    named["W"][...] = [[9.0, 0.0], [0.0, 0.0]]  # the first unit: its own sign
    named["b"][...] = [-1e-3, 0.0]  # from zero it turns negative
    named["V"][...] = [[0.0, 0.0], [-9.0, 9.0]]  # after a comes b
    named["V"][0] = [-20.0, 20.0]
    named["c"][...] = [20.0, -20.0]  # with the first unit at -1: always a
    hidden = state.hidden + np.array([1.0, 1.0])
    state = replace(state, best_parameters=state.parameters, hidden=hidden, update=2, best_update=1)
    built = ENGINES[engine](model, training, state, text.ids)
    reading = Excerpts(text.vocabulary, text.ids, training, built).reading(state)
    assert reading[0, 0, 0, 0] > 0.9
