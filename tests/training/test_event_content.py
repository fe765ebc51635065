"""What the events of a training say, the same for the same seed. It prints nothing and writes nothing."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_trainings import lasting, of, timeless

from hornbook import training as training_module
from hornbook.cells import CELLS
from hornbook.config import settings
from hornbook.distribution import Choice
from hornbook.engines import ENGINES, Start, TrainingState
from hornbook.events import Checkpoint, Finished, Logged, Progress, Sampled
from hornbook.philox import PASSAGE, SAMPLE, Source
from hornbook.sampling import start_after, write
from hornbook.text import Text
from hornbook.training import training_events
from problems import Chosen, every_engine

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
