"""Reading a text and drawing characters, by all engines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hornbook.config import ModelSettings
from hornbook.distribution import Choice, probabilities
from hornbook.engines import Start
from hornbook.parameters import count, views
from hornbook.philox import SAMPLE, Source
from hornbook.streams import Streams
from hornbook.text import Text
from problems import (
    WHOLE,
    Build,
    Chosen,
    assert_same,
    every_build,
    every_cell,
    every_dtype,
    every_engine,
    problem,
)


@every_build
@every_cell
@every_dtype
def test_one_step_at_a_time_gives_the_losses_of_reading_at_once(engine: str, cell: str, dtype: str) -> None:
    p = problem(cell, 7, 5, 6, 3)
    reader = p.engine(engine, dtype)
    state, loss = p.state.astype(dtype), 0.0
    for x, y in zip(p.x, p.y, strict=True):
        logits, state = reader.step(x, state)
        assert logits.shape == (3, 5)
        loss -= np.log(probabilities(logits, Choice())[np.arange(3), y]).sum() / 3
    at_once = reader.loss_and_gradients(p.x, p.y, p.state.astype(dtype))
    assert loss == pytest.approx(at_once.loss, rel=WHOLE[dtype])
    np.testing.assert_allclose(state, at_once.state, rtol=0, atol=WHOLE[dtype])


@every_engine
@every_cell
@every_dtype
@pytest.mark.parametrize("n", [1, 6, 300])
def test_reading_gives_each_step_its_nats_and_its_hidden_state(
    engine: str, cell: str, dtype: str, n: int
) -> None:
    p = problem(cell, 7, 5, n, 3)
    reader = p.engine(engine, dtype)
    nats, hidden, final = reader.read(p.x, p.y, p.state.astype(dtype))
    assert (nats.shape, hidden.shape, final.shape) == ((n, 3), (n, 3, 7), p.state.shape)
    assert (nats.dtype, hidden.dtype, final.dtype) == (np.float64, dtype, dtype)
    state = p.state.astype(dtype)
    for t, (x, y) in enumerate(zip(p.x, p.y, strict=True)):
        logits, state = reader.step(x, state)
        chances = probabilities(logits, Choice())[np.arange(3), y]
        np.testing.assert_allclose(nats[t], -np.log(chances), rtol=0, atol=WHOLE[dtype])
        np.testing.assert_allclose(hidden[t], state[-1, 0], rtol=0, atol=WHOLE[dtype])
    np.testing.assert_allclose(final, state, rtol=0, atol=WHOLE[dtype])


@every_engine
@every_cell
def test_reading_on_from_the_state_that_came_out_is_reading_at_once(engine: str, cell: str) -> None:
    p = problem(cell, 7, 5, 700, 2)
    reader = p.engine(engine, "float64")
    whole, parts, state = reader.read(p.x, p.y, p.state), [], p.state
    for start, end in ((0, 1), (1, 300), (300, 300), (300, 700)):
        parts.append(reader.read(p.x[start:end], p.y[start:end], state))
        state = parts[-1].state
    np.testing.assert_allclose(np.concatenate([part.nats for part in parts]), whole.nats, atol=1e-12)
    np.testing.assert_allclose(np.concatenate([part.hidden for part in parts]), whole.hidden, atol=1e-12)
    np.testing.assert_allclose(state, whole.state, atol=1e-12)


@every_engine
@every_dtype
def test_what_reading_gives_for_an_update_is_the_loss_that_training_logs_for_it(
    small: Chosen, start: Build, prose: Text, engine: str, dtype: str
) -> None:
    chosen = small(dtype=dtype, seq_len=25, hidden=33)
    trained, plan = start(chosen, engine), Streams(len(prose), 25)
    for update in range(2 * plan.updates_per_epoch):
        before = trained.get_state()
        state = np.zeros_like(before.hidden) if plan.starts_afresh(update) else before.hidden
        x, y = plan.read(prose.ids, update)
        nats = trained.with_parameters(before.parameters).read(x, y, state).nats
        logged = trained.advance(np.array([0.1])).losses[0]
        assert abs(nats.sum() - logged) / 25 < {"float32": 1e-6, "float64": 1e-12}[dtype]


@every_engine
@every_cell
def test_a_step_without_a_character_predicts_from_the_state_and_leaves_it(engine: str, cell: str) -> None:
    p = problem(cell, 7, 5, 1, 3)
    logits, state = p.engine(engine, "float64").step(None, p.state)
    named = views(p.model, p.parameters)
    np.testing.assert_allclose(logits, p.state[-1, 0] @ named["V"] + named["c"], rtol=1e-13)
    np.testing.assert_array_equal(state, p.state)


@every_build
@every_cell
@every_dtype
def test_drawing_in_parts_gives_the_characters_of_drawing_at_once(engine: str, cell: str, dtype: str) -> None:
    p = problem(cell, 7, 5, 1, 3)
    writer, source = p.engine(engine, dtype), Source(2, SAMPLE, 9)
    first = Start(p.state.astype(dtype), np.array([1, 0, 4]))
    ids, end = writer.sample(first, 50, Choice(0.9), source)
    pieces, now = [], first
    for length in (1, 20, 0, 29):
        piece, now = writer.sample(now, length, Choice(0.9), source)
        pieces.append(piece)
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), ids)
    assert ids.shape == (3, 50)
    assert now.position == end.position == 50
    np.testing.assert_array_equal(now.last, end.last)
    np.testing.assert_array_equal(now.state, end.state)
    assert end.last.tolist() == ids[:, -1].tolist()


@every_build
@every_cell
def test_each_character_is_drawn_by_the_uniform_of_its_stream_and_position(engine: str, cell: str) -> None:
    p = problem(cell, 7, 5, 1, 2)
    writer, source = p.engine(engine, "float64"), Source(2, SAMPLE, 9)
    ids, _ = writer.sample(Start(p.state, np.array([-1, -1]), 3), 12, Choice(), source)
    state = p.state
    for i in range(12):
        logits, state = writer.step(None if i == 0 else ids[:, i - 1], state)
        for stream in (0, 1):
            u = source.uniforms(stream, 3 + i, 1)[0]
            chances = np.cumsum(probabilities(logits[stream], Choice()))
            assert ids[stream, i] == int((chances <= u).sum())


@every_engine
def test_temperature_zero_writes_the_likeliest_each_time(engine: str) -> None:
    p = problem("vanilla", 7, 5, 1)
    writer = p.engine(engine, "float64")
    ids, _ = writer.sample(Start(p.state, np.array([2])), 20, Choice(0), Source(0, SAMPLE))
    last, state = np.array([2]), p.state
    for i in ids[0]:
        logits, state = writer.step(last, state)
        last = logits.argmax(axis=1)
        assert i == last[0]


@every_engine
def test_written_frequencies_follow_the_probabilities(engine: str) -> None:
    chances = np.array([0.45, 0.3, 0.15, 0.1])
    model = ModelSettings(4, 2)
    p = replace(problem("vanilla", 2, 4, 1), parameters=np.zeros(count(model)))
    views(model, p.parameters)["c"][:] = np.log(chances)
    writer = p.engine(engine, "float32")
    start = Start(np.zeros((1, 1, 50, 2), np.float32), np.zeros(50, int))
    ids, _ = writer.sample(start, 200, Choice(), Source(6, SAMPLE))
    counts = np.bincount(ids.ravel(), minlength=4)
    assert (
        (counts - 10_000 * chances) ** 2 / (10_000 * chances)
    ).sum() < 16.3  # chi-square, 3 degrees, 0.1 %
    follows = np.bincount((4 * ids[:, :-1] + ids[:, 1:]).ravel(), minlength=16)
    expected = 9950 * np.outer(chances, chances).ravel()  # each character by chances of its own
    assert ((follows - expected) ** 2 / expected).sum() < 37.7  # 15 degrees


@every_engine
def test_other_parameters_make_another_engine_and_leave_this_one(
    small: Chosen, start: Build, engine: str
) -> None:
    trained = start(small(), engine)
    trained.advance(np.full(5, 0.1))
    before = trained.get_state()
    other = trained.with_parameters(np.zeros_like(before.parameters))
    assert not other.get_state().parameters.any()
    assert other.model == trained.model
    assert_same(trained.get_state(), before)
    logits, _ = other.step(np.array([1]), before.hidden)
    assert not logits.any()
