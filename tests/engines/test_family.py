"""The family: cells × layers × streams × optimizers × dropout, on every engine, by one suite.

Whatever is in the registries is covered. One layer and the classic optimizers stand in `test_engine_*`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hornbook.cells.cell import Array
from hornbook.config import ModelSettings, TrainingSettings, settings
from hornbook.engines import ENGINES, Engine, TrainingState
from hornbook.engines.reference import ReferenceEngine
from hornbook.optimizers import OPTIMIZERS
from hornbook.parameters import initial, name, views
from hornbook.philox import DROPOUT, Source
from hornbook.streams import Streams
from hornbook.text import Text
from problems import (
    EPSILON,
    WHOLE,
    assert_agrees_with_the_reference,
    assert_agrees_with_the_textbook,
    assert_same,
    every_build,
    every_cell,
    every_dtype,
    every_precision,
    problem,
    reference,
    textbook,
)

# H, K, T, B, L: odd sizes, a padded row of each width, more rows than a block has, one of everything
SIZES = [
    (1, 2, 1, 2, 2),
    (7, 65, 3, 3, 2),
    (17, 5, 4, 1, 3),
    (33, 3, 9, 13, 2),
    (64, 80, 3, 7, 1),
    (100, 65, 25, 2, 3),
    (129, 300, 3, 5, 2),
]
every_size = pytest.mark.parametrize(("H", "K", "T", "B", "L"), SIZES)
every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)
Chosen = Callable[..., tuple[ModelSettings, TrainingSettings]]


def deep(small: Chosen, **changes: Any) -> tuple[ModelSettings, TrainingSettings]:
    """Two layers, three streams, and the rest as in `small`."""
    return small(**{"layers": 2, "streams": 3, "shards": 2, "init_scale": 0.3} | changes)


def pair(chosen: tuple[ModelSettings, TrainingSettings], engine: str, text: Text) -> tuple[Engine, Engine]:
    """An engine before its first update, and the reference in the same state."""
    state = TrainingState.initial(*chosen)
    return ENGINES[engine](*chosen, state, text.ids), ReferenceEngine(*chosen, state, text.ids)


# Loss and gradients


@every_cell
@every_size
def test_the_reference_agrees_with_the_textbook_through_all_layers(
    cell: str, H: int, K: int, T: int, B: int, L: int
) -> None:
    p = problem(cell, H, K, T, B, L)
    got, _, _ = reference(cell, H, K, T, B, L)
    assert_agrees_with_the_textbook(p, got, WHOLE["float64"])


@every_build
@every_cell
@every_dtype
@every_size
def test_loss_states_and_every_gradient_agree_with_the_reference(
    engine: str, cell: str, dtype: str, H: int, K: int, T: int, B: int, L: int
) -> None:
    assert_agrees_with_the_reference(engine, dtype, cell, H, K, T, B, L)


@every_build
@every_cell
@every_dtype
@pytest.mark.parametrize("B", [1, 5])
def test_reading_gives_the_nats_and_the_top_states_of_the_reference(
    engine: str, cell: str, dtype: str, B: int
) -> None:
    p = problem(cell, 33, 65, 300, B, 2)
    got = p.engine(engine, dtype).read(p.x, p.y, p.state.astype(dtype))
    expected = p.engine("reference", "float64").read(p.x, p.y, p.state)
    # A long reading of a network at this scale is chaotic in float32: what is compared is its beginning.
    near = slice(0, 300 if dtype == "float64" else 12)
    tolerance = {"float64": 1e-8, "float32": 1e-3}[dtype]
    np.testing.assert_allclose(got.nats[near], expected.nats[near], rtol=0, atol=tolerance)
    np.testing.assert_allclose(got.hidden[near], expected.hidden[near], rtol=0, atol=tolerance)
    assert got.state.shape == p.state.shape
    assert np.abs(got.state).max() > 0


# Training


@every_build
@every_cell
@every_optimizer
def test_three_updates_of_every_rule_are_those_of_the_reference(
    prose: Text, small: Chosen, engine: str, cell: str, optimizer: str
) -> None:
    chosen = deep(small, cell=cell, optimizer=optimizer, clip="norm:0.5", weight_decay=0.1, input_rate=3)
    trained, truth = pair(chosen, engine, prose)
    rates = np.array([0.01, 0.02, 0.005])
    got, expected = trained.advance(rates), truth.advance(rates)
    for column, truth_column in zip(got[:4], expected[:4], strict=True):
        np.testing.assert_allclose(column, truth_column, rtol=1e-9)
    after, wanted = trained.get_state(), truth.get_state()
    assert after.update == wanted.update == 3
    for key in ("parameters", "memory", "hidden", "best_parameters"):
        np.testing.assert_allclose(getattr(after, key), getattr(wanted, key), rtol=0, atol=1e-10, err_msg=key)


@pytest.mark.parametrize("engine", ENGINES)
@every_cell
def test_the_input_rate_is_that_of_the_rows_that_characters_choose_and_of_nothing_else(
    prose: Text, small: Chosen, engine: str, cell: str
) -> None:
    moved = {}
    for times in (1.0, 8.0):
        model, training = deep(small, cell=cell, optimizer="sgd", input_rate=times)
        trained = ENGINES[engine](model, training, TrainingState.initial(model, training), prose.ids)
        before = trained.get_state().parameters
        trained.advance(np.array([0.01]))
        moved[times] = views(model, trained.get_state().parameters - before)
    for key, step in moved[8.0].items():
        expected = moved[1.0][key] * (8 if key == "U" else 1)
        np.testing.assert_allclose(step, expected, rtol=0, atol=1e-15, err_msg=key)
    assert np.abs(moved[1.0]["U"]).max() > 1e-6


@every_build
@every_cell
@pytest.mark.parametrize("order", ["text", "shuffled"])
def test_two_hundred_updates_with_dropout_are_those_of_the_reference(
    prose: Text, small: Chosen, engine: str, cell: str, order: str
) -> None:
    chosen = deep(small, cell=cell, optimizer="sgd", dropout=0.3, order=order, chunk=4, clip="0.5")
    trained, truth = pair(chosen, engine, prose)
    rates = np.full(200, 0.01)
    got, expected = trained.advance(rates), truth.advance(rates)
    np.testing.assert_allclose(got.losses, expected.losses, rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        trained.get_state().parameters, truth.get_state().parameters, rtol=0, atol=1e-9
    )


@every_build
@every_cell
def test_dropout_leaves_out_its_share_of_each_layers_outputs_and_makes_up_for_it(
    prose: Text, small: Chosen, engine: str, cell: str
) -> None:
    model, training = deep(small, cell=cell, optimizer="sgd", dropout=0.25, clip="none")
    trained = ENGINES[engine](model, training, TrainingState.initial(model, training), prose.ids)
    before = trained.get_state()
    result = trained.advance(np.array([1.0]))
    T, B, H = training.seq_len, training.streams, model.hidden
    x, y = Streams.of(len(prose), training).read(prose.ids, 0)
    masks = masks_of(training, model.layers, T, B, H)
    p = replace(problem(cell, H, model.vocabulary, T, B, model.layers), x=x, y=y)
    named = views(model, before.parameters)
    loss, _ = textbook(p, named, before.hidden, masks)
    assert result.losses[0] == pytest.approx(loss, rel=1e-12)
    moved = before.parameters - trained.get_state().parameters  # the gradient
    along = np.random.default_rng(1).normal(size=moved.size)
    tilted = views(model, before.parameters + EPSILON * 1j * along)
    slope_along = float(textbook(p, tilted, before.hidden, masks)[0].imag) / EPSILON
    assert (moved * along).sum() == pytest.approx(slope_along, rel=1e-10)


def masks_of(training: TrainingSettings, layers: int, T: int, B: int, H: int) -> Array:  # (L, T, B, H)
    """The masks of the first update, one number at a time."""
    masks = np.zeros((layers, T, B, H))
    for layer in range(layers):
        for b in range(B):
            words = Source(training.seed, DROPOUT, 0).bits(b, 0, layer).random_raw(T * H)
            for j in range(T * H):
                piece = int(words[j // 4]) >> (16 * (j % 4)) & 0xFFFF
                kept = piece >= round(training.dropout * 65536)
                masks[layer, j // H, b, j % H] = kept / (1 - training.dropout)
    return masks


def test_masks_leave_out_the_share_asked_for_and_differ_in_every_update(prose: Text, small: Chosen) -> None:
    model, training = deep(small, hidden=100, seq_len=25, dropout=0.3, optimizer="sgd")
    engine = ReferenceEngine(model, training, TrainingState.initial(model, training), prose.ids)
    first = engine.masks(25, 3)
    assert first is not None
    assert set(np.unique(first)) == {0.0, 1 / 0.7}
    assert (first == 0).mean() == pytest.approx(0.3, abs=0.01)
    engine.advance(np.array([0.0]))
    second = engine.masks(25, 3)
    assert second is not None
    assert (first != second).mean() == pytest.approx(2 * 0.3 * 0.7, abs=0.02)


@every_build
@every_cell
@every_precision
def test_a_hundred_updates_in_parts_are_the_same_to_the_bit(
    prose: Text, small: Chosen, engine: str, cell: str, dtype: str
) -> None:
    chosen = deep(small, cell=cell, dtype=dtype, optimizer="adam", dropout=0.2, order="shuffled", chunk=3)
    whole, split = (ENGINES[engine](*chosen, TrainingState.initial(*chosen), prose.ids) for _ in range(2))
    rates = np.linspace(0.01, 0.001, 100)
    once = whole.advance(rates)
    parts = [split.advance(rates[a:b]) for a, b in ((0, 1), (1, 40), (40, 100))]
    assert np.concatenate([part.losses for part in parts]).tolist() == once.losses.tolist()
    assert_same(split.get_state(), whole.get_state())
    other = ENGINES[engine](*chosen, whole.get_state(), prose.ids)
    assert_same(other.get_state(), whole.get_state())
    assert other.advance(rates).losses.tolist() == whole.advance(rates).losses.tolist()


@every_build
@every_cell
@every_precision
def test_the_number_of_threads_changes_no_bit(
    prose: Text, small: Chosen, engine: str, cell: str, dtype: str
) -> None:
    ends = []
    for threads in (1, 2, 5):
        chosen = deep(small, cell=cell, dtype=dtype, optimizer="adam", streams=7, shards=4, threads=threads)
        trained = ENGINES[engine](*chosen, TrainingState.initial(*chosen), prose.ids)
        losses = trained.advance(np.full(30, 0.01)).losses
        ends.append((losses.tolist(), trained.get_state()))
    for losses, state in ends[1:]:
        assert losses == ends[0][0]
        assert_same(state, ends[0][1])


@every_build
@every_cell
@every_optimizer
def test_every_rule_learns(prose: Text, engine: str, cell: str, optimizer: str) -> None:
    chosen = settings(
        len(prose.vocabulary), cell=cell, optimizer=optimizer, layers=2, hidden=32, streams=4, seq_len=20,
        updates=150, preset="plain",
    )  # fmt: skip
    trained = ENGINES[engine](*chosen, TrainingState.initial(*chosen), prose.ids)
    losses = trained.advance(np.full(150, chosen[1].lr)).losses
    assert losses[-10:].mean() < 0.9 * losses[0]


@every_build
@every_cell
@pytest.mark.parametrize("where", ["U1", "W", "b1"])
def test_a_parameter_that_is_not_a_number_stops_training_before_the_update(
    prose: Text, small: Chosen, engine: str, cell: str, where: str
) -> None:
    model, training = deep(small, cell=cell)
    state = TrainingState.initial(model, training)
    views(model, state.parameters)[where].flat[0] = np.nan
    trained = ENGINES[engine](model, training, state, prose.ids)
    result = trained.advance(np.full(3, 0.1))
    assert (len(result.losses), result.stopped) == (0, "loss")
    assert_same(trained.get_state(), state)


def test_names_of_upper_layers_are_numbered() -> None:
    model = ModelSettings(5, 4, "gru", 3)
    flat = initial(model, TrainingSettings())
    assert [name("W", layer) in views(model, flat) for layer in range(4)] == [True, True, True, False]
