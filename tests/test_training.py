"""Training: a generator of events. It prints nothing and writes nothing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from hornbook import selection
from hornbook import training as training_module
from hornbook.cells import CELLS
from hornbook.config import ModelSettings, TrainingSettings, settings
from hornbook.distribution import Choice
from hornbook.engines import ENGINES, Engine, Start, TrainingState
from hornbook.errors import NotFiniteError, TextError
from hornbook.events import Checkpoint, Evaluated, Event, Finished, Logged, Planned, Progress, Sampled
from hornbook.excerpts import Excerpts
from hornbook.parameters import views
from hornbook.philox import PASSAGE, SAMPLE, Source
from hornbook.plan import Plan
from hornbook.sampling import start_after, write
from hornbook.streams import trained_on
from hornbook.text import Text
from hornbook.training import SAVE_SECONDS, SLICE_SECONDS, Training, never, next_size, training_events
from hornbook.validation import HeldOut, Lanes

Settings = tuple[ModelSettings, TrainingSettings]
Chosen = Callable[..., Settings]
E = TypeVar("E", bound=Event)
TIMES = ("seconds", "characters_per_second")

every_engine = pytest.mark.parametrize("engine", ENGINES)


def of(kind: type[E], events: list[Event]) -> list[E]:
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def timeless(event: Event) -> tuple[Any, ...]:
    """All of an event that does not depend on the clock, so that it can be compared."""
    values: list[Any] = [type(event)]
    for field in fields(event):
        value = getattr(event, field.name)
        if isinstance(value, TrainingState):
            parts = [getattr(value, part.name) for part in fields(value)]
            values += [p.tobytes() if isinstance(p, np.ndarray) else repr(p) for p in parts]
        elif field.name not in TIMES:
            values.append(repr(value))
    return tuple(values)


def update_of(event: Any) -> int:
    """The update that an event tells of."""
    return int(event.state.update if isinstance(event, Checkpoint | Finished) else event.update)


def lasting(events: list[Event]) -> list[tuple[Any, ...]]:
    """All events that do not depend on the clock."""
    return [timeless(event) for event in events if not isinstance(event, Progress)]


# The order of events


def test_samples_are_written_at_0_at_every_interval_and_at_the_end(prose: Text, small: Chosen) -> None:
    events = list(training_events(prose, *small(updates=25, sample_every=10)))
    assert [event.update for event in of(Sampled, events)] == [0, 10, 20, 25]
    assert {len(event.text) for event in of(Sampled, events)} == {20}


def test_a_run_that_ends_at_an_interval_has_one_sample_there(prose: Text, small: Chosen) -> None:
    events = list(training_events(prose, *small(updates=20, sample_every=10)))
    assert [event.update for event in of(Sampled, events)] == [0, 10, 20]


def test_the_classic_recipe_has_11_samples_of_200_and_a_passage_of_1000_characters(
    prose: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, training = settings(len(prose.vocabulary))
    assert training.updates // training.sample_every + 1 == 11
    short = replace(training, updates=11, sample_every=1)
    events = list(training_events(prose, model, short))
    assert len(of(Sampled, events)) == 12
    assert {len(event.text) for event in of(Sampled, events)} == {200}
    assert len(of(Finished, events)[0].passage) == 1000


def test_rows_are_kept_at_every_multiple_of_the_log_interval_and_at_the_end(
    prose: Text, small: Chosen
) -> None:
    events = list(training_events(prose, *small(updates=23, log_every=5)))
    assert [row.update for row in of(Logged, events)] == [5, 10, 15, 20, 23]


def test_a_checkpoint_follows_the_last_sample_and_the_end_comes_last(prose: Text, small: Chosen) -> None:
    events = [e for e in training_events(prose, *small()) if not isinstance(e, Progress | Logged)]
    kinds = [type(event) for event in events]
    assert kinds == [Sampled, Sampled, Sampled, Sampled, Checkpoint, Finished]
    assert [event.state.update for event in of(Checkpoint, events)] == [25]


def test_checkpoints_follow_each_other_in_so_many_seconds_after_all_else_of_their_update(
    prose: Text, small: Chosen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_module, "SLICE_SECONDS", 0.0)  # one update a slice
    chosen = small(log_every=1, validation=0.2, evaluate_every=5)
    events = list(training_events(prose, *chosen, save_every=1e-9))
    assert [event.state.update for event in of(Checkpoint, events)] == list(range(1, 26))
    told = [(update_of(e), isinstance(e, Checkpoint)) for e in events[:-1] if not isinstance(e, Progress)]
    assert told == sorted(told)


def test_rows_come_before_the_sample_of_the_same_update(prose: Text, small: Chosen) -> None:
    events = list(training_events(prose, *small(log_every=1, sample_every=7)))
    updates = [e.update for e in events if isinstance(e, Logged | Sampled)]
    assert updates == sorted(updates)


def test_progress_counts_up_to_the_last_update_with_the_losses_of_the_state(
    prose: Text, small: Chosen
) -> None:
    events = list(training_events(prose, *small()))
    progress, end = of(Progress, events), of(Finished, events)[0].state
    updates = [event.update for event in progress]
    assert updates == sorted(set(updates))
    last = progress[-1]
    assert (last.update, last.updates, last.epoch) == (25, 25, 25 / ((len(prose) - 1) // 5))
    assert (last.smooth_loss, last.best_smooth_loss) == (end.smooth_loss, end.best_smooth_loss)
    assert last.best_update == end.best_update


def test_every_row_has_a_time_of_its_own_and_times_do_not_run_backwards(
    prose: Text, small: Chosen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_module, "SLICE_SECONDS", 1e9)  # several rows a slice
    events = list(training_events(prose, *small(log_every=1)))
    seconds = [e.seconds for e in events if not isinstance(e, Sampled)]
    rows = [row.seconds for row in of(Logged, events)]
    assert rows == sorted(set(rows))
    assert min(seconds) >= 0
    assert max(seconds) == seconds[-1]
    assert all(e.characters_per_second > 0 for e in events if isinstance(e, Logged | Progress))


# What the events say


@every_engine
def test_rows_hold_what_the_engine_gave(prose: Text, small: Chosen, engine: str) -> None:
    model, training = small(engine=engine, log_every=1, updates=150, clip="0.5", lr=0.05)
    rows = of(Logged, list(training_events(prose, model, training)))
    alone = ENGINES[engine](model, training, TrainingState.initial(model, training), prose.ids)
    result = alone.advance(np.full(150, 0.05))
    assert [row.loss for row in rows] == result.losses.tolist()
    assert [row.smooth_loss for row in rows] == result.smooth_losses.tolist()
    assert [row.gradient_norm for row in rows] == result.norms.tolist()
    assert [row.clipped for row in rows] == result.clipped.tolist()
    assert {row.lr for row in rows} == {0.05}
    an_epoch = (len(prose) - 1) // 5
    assert [row.epoch for row in rows] == [row.update / an_epoch for row in rows]
    assert rows[-1].epoch > 1


def test_the_smooth_loss_of_rows_starts_at_the_first_loss_and_moves_a_thousandth_of_the_way(
    prose: Text, small: Chosen
) -> None:
    rows = of(Logged, list(training_events(prose, *small(log_every=1))))
    assert rows[0].smooth_loss == rows[0].loss
    for before, row in itertools.pairwise(rows):
        assert row.smooth_loss == pytest.approx(0.999 * before.smooth_loss + 0.001 * row.loss, rel=1e-14)


def test_the_first_loss_is_about_25_ln_k(prose: Text) -> None:
    model, training = settings(len(prose.vocabulary), updates=3)
    events = list(training_events(prose, model, training))
    first = of(Logged, events)[0].loss
    assert first == pytest.approx(25 * math.log(len(prose.vocabulary)), rel=1e-3)
    assert {e.first_loss for e in events if isinstance(e, Checkpoint | Finished)} == {first}


@every_engine
@pytest.mark.parametrize("cell", CELLS)
def test_a_sample_is_written_from_the_current_state_and_input_character(
    prose: Text, small: Chosen, engine: str, cell: str
) -> None:
    model, training = small(engine=engine, cell=cell, updates=240, sample_every=60, init_scale=0.5)
    an_epoch = (len(prose) - 1) // 5
    assert 60 < an_epoch < 180
    alone = ENGINES[engine](model, training, TrainingState.initial(model, training), prose.ids)
    done = 0
    for sample in of(Sampled, list(training_events(prose, model, training))):
        alone.advance(np.full(sample.update - done, training.lr))
        done = sample.update
        state, place = alone.get_state().hidden, done % an_epoch * 5
        start = Start(state if place else np.zeros_like(state), prose.ids[place : place + 1].astype(int))
        ids, _ = alone.sample(start, 20, Choice(), Source(training.seed, SAMPLE, done))
        assert sample.text == prose.vocabulary.decode(ids[0])


def test_where_an_epoch_starts_a_sample_is_written_from_the_zero_state(small: Chosen) -> None:
    text = Text.from_string("abcabcbacacbbac")  # 4 updates of 3 an epoch
    model, training = settings(
        3, hidden=5, seq_len=3, updates=8, sample_every=4, sample_length=40, init_scale=1.0, lr=0.5
    )
    sample = of(Sampled, list(training_events(text, model, training)))[1]
    alone = ENGINES[training.engine](model, training, TrainingState.initial(model, training), text.ids)
    alone.advance(np.full(4, 0.5))
    zero = np.zeros_like(alone.get_state().hidden)
    ids, _ = alone.sample(Start(zero, np.array([0])), 40, Choice(), Source(0, SAMPLE, 4))
    assert sample.text == text.vocabulary.decode(ids[0])


@every_engine
def test_the_passage_is_written_from_the_best_model_and_the_zero_state(
    prose: Text, small: Chosen, engine: str
) -> None:
    model, training = small(engine=engine, updates=120, lr=20.0, passage_length=70)
    events = list(training_events(prose, model, training))
    end = events[-1]
    assert isinstance(end, Finished)
    assert end.complete
    assert 1 <= end.state.best_update < 120
    best = TrainingState.of_parameters(end.state.best_parameters, model, training)
    writer = ENGINES[engine](model, training, best)
    start = start_after(writer, prose.vocabulary, "", of(Checkpoint, events)[-1].reading)
    source = Source(training.seed, PASSAGE, end.state.best_update)
    assert end.passage == "".join(write(writer, prose.vocabulary, start, 70, Choice(), source))


def test_the_checkpoint_and_the_end_hold_the_state_of_the_engine(prose: Text, small: Chosen) -> None:
    model, training = small()
    events = list(training_events(prose, model, training))
    alone = ENGINES[training.engine](model, training, TrainingState.initial(model, training), prose.ids)
    alone.advance(np.full(25, training.lr))
    state, first_loss = alone.get_state(), of(Finished, events)[0].first_loss
    reading = of(Checkpoint, events)[-1].reading
    expected = timeless(Checkpoint(state, reading, first_loss, 0.0, state.best_update, shown=25))
    assert timeless(of(Checkpoint, events)[-1]) == expected
    assert timeless(replace(of(Checkpoint, events)[-1], state=of(Finished, events)[0].state)) == expected


def test_training_prints_nothing_and_writes_nothing(
    prose: Text,
    small: Chosen,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    list(training_events(prose, *small()))
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


# Repeatable


@every_engine
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_seed_gives_the_same_events_to_the_bit(
    prose: Text, small: Chosen, engine: str, dtype: str
) -> None:
    one, same, other = (
        lasting(list(training_events(prose, *small(engine=engine, dtype=dtype, seed=seed))))
        for seed in (3, 3, 4)
    )
    assert one == same
    assert all(a != b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_how_long_a_slice_is_changes_no_bit(
    prose: Text, small: Chosen, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    chosen = small(updates=200, log_every=3, sample_every=64)
    expected = lasting(list(training_events(prose, *chosen)))
    monkeypatch.setattr(training_module, "SLICE_SECONDS", seconds)
    events = list(training_events(prose, *chosen))
    assert lasting(events) == expected
    steps = np.diff([0, *(event.update for event in of(Progress, events))])
    assert steps.max() == (1 if seconds == 0 else 64)


# Validation


def held_out(small: Chosen, **changes: Any) -> Settings:
    """A small training that holds out the last tenth."""
    return small(**{"validation": 0.1, "evaluate_every": 10, "lr": 0.3} | changes)


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


# Plans


def test_a_plan_that_is_cut_short_ends_as_a_shorter_training_does_but_for_its_rates(
    prose: Text, small: Chosen
) -> None:
    model, training = held_out(small, updates=40, minutes=1.0, evaluate_every=7, sample_every=9, log_every=6)
    steps = [Planned(0, 40), Planned(12, 30), Planned(25, 0)]
    events = list(training_events(prose, model, training, plan=Plan.again(steps)))
    assert of(Planned, events) == steps
    assert [event.update for event in of(Evaluated, events)] == [7, 14, 21, 25]
    assert [row.update for row in of(Logged, events)] == [6, 7, 12, 14, 18, 21, 24, 25]
    assert [event.update for event in of(Sampled, events)] == [0, 9, 18, 25]
    assert of(Progress, events)[-1].updates == 25
    end = of(Finished, events)[0]
    assert (end.complete, end.early, end.state.update) == (True, False, 25)


def test_a_step_is_told_before_the_updates_that_it_governs(prose: Text, small: Chosen) -> None:
    model, training = small(updates=30, minutes=1.0, log_every=1, schedule="linear", lr=0.5)
    steps = [Planned(0, 30), Planned(10, 10)]
    events = list(training_events(prose, model, training, plan=Plan.again(steps)))
    told = [event for event in events if isinstance(event, Planned | Logged)]
    assert told.index(steps[0]) == 0
    assert told[told.index(steps[1]) - 1] == of(Logged, events)[8]
    rates = {row.update: row.lr for row in of(Logged, events)}
    assert rates[10] == pytest.approx(0.5 * 21 / 30)
    assert rates[11] == pytest.approx(0.5 * 10 / 20)
    assert rates[20] == pytest.approx(0.5 / 20)


# Stopping


class Asked:
    """A wish to stop, at the n-th time of being asked."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


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
