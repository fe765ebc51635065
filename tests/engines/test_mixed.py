"""Mixed precision: the products of the native engine in bfloat16, at every level that has them, and what
happens where there are none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from test_family import every_size

import hornbook
from hornbook.calibration import arranged
from hornbook.cells import CELLS
from hornbook.cells.cell import Array
from hornbook.config import TrainingSettings, settings
from hornbook.distribution import Choice
from hornbook.engines import ENGINES, Engine, Start, TrainingState
from hornbook.engines.cores import PAIRS_VARIABLE, chosen_pairs
from hornbook.engines.native import ISA_VARIABLE, levels, load
from hornbook.errors import SettingError
from hornbook.parameters import views
from hornbook.philox import Source
from hornbook.text import Text
from problems import EACH, Problem, assert_near, assert_same, every_cell, problem, reference, steps

MIXED = [f"native {level} {way}" for level in levels() for way in load(level).pairs()]
every_mixed_build = pytest.mark.parametrize("engine", MIXED, indirect=True)
TILED = [level for level in levels() if "tiles" in load(level).pairs()]
every_tiled_level = pytest.mark.parametrize("level", TILED)
ROUNDING = 2.0**-8  # of two factors, each rounded to the nearest of 8 bits


def mixed(p: Problem) -> Engine:
    """The mixed engine of a problem. (The order of reading keeps the classic core away.)"""
    training = TrainingSettings(dtype="mixed", order="shuffled")
    state = TrainingState.of_parameters(p.parameters.astype(np.float32), p.model, training)
    return ENGINES["native"](p.model, training, state)


def rounded(x: Array) -> Array:
    """The nearest bfloat16 numbers, ties to even; exact arithmetic on the bits of float32."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).view(np.float32).astype(float)


@every_mixed_build
@every_cell
@pytest.mark.parametrize("B", [1, 2, 13, 17, 33, 53])
@pytest.mark.parametrize(("H", "K"), [(1, 2), (7, 200), (16, 17), (33, 80), (100, 2), (129, 65)])
def test_a_step_is_the_textbook_s_with_the_factors_of_its_products_rounded(
    engine: str, cell: str, B: int, H: int, K: int
) -> None:
    p = problem(cell, H, K, 3, B)
    named, x = views(p.model, p.parameters), p.x[0]
    logits, state = mixed(p).step(x, p.state.astype(np.float32))
    u, v = named["U"][x] + named["b"], rounded(p.state[0, 0]) @ rounded(named["W"])
    expected, _ = CELLS[cell].step(u, v, tuple(p.state[0]))
    assert_near(state[0], np.array(expected), EACH["float32"], "the state")
    o = rounded(state[0, 0]) @ rounded(named["V"]) + named["c"]
    assert_near(logits, o, EACH["float32"], "the logits")


@every_mixed_build
@every_cell
@every_size
def test_loss_states_and_gradients_are_the_reference_s_as_far_as_rounding_lets_them(
    engine: str, cell: str, H: int, K: int, T: int, B: int, L: int
) -> None:
    p, state = problem(cell, H, K, T, B, L), problem(cell, H, K, T, B, L).state.astype(np.float32)
    engine_ = mixed(p)
    got = engine_.loss_and_gradients(p.x, p.y, state, p.dstate.astype(np.float32))
    expected, states, logits = reference(cell, H, K, T, B, L)
    # There and back the longest chain has 2 (T + L) products, whose errors add up like a random walk.
    tolerance = ROUNDING * math.sqrt(2 * (T + L))
    assert got.loss == pytest.approx(expected.loss, rel=tolerance)
    assert_near(got.state, expected.state, tolerance, "the final state")
    assert_near(got.dstate, expected.dstate, tolerance, "the gradient of the first state")
    for key, gradient in got.gradients.items():
        assert_near(gradient, expected.gradients[key], tolerance, key)
    each_state, each_logits = steps(engine_, p.x, state)
    assert_near(each_state, states, tolerance, "the states")
    assert_near(each_logits, logits, tolerance, "the logits")


# What is summed in one step, and what over many: tiles are 16 rows, 32 numbers of a sum and 16 columns.
TAILS = [
    (1, 2, 1, 1, 1),
    (7, 65, 3, 3, 2),
    (100, 2, 1, 33, 1),
    (100, 200, 3, 17, 2),
    (129, 65, 25, 3, 1),
    (129, 200, 3, 33, 2),
    (129, 65, 1, 17, 1),
    (65, 33, 3, 50, 1),
]


@every_tiled_level
@every_cell
@pytest.mark.parametrize(("H", "K", "T", "B", "L"), TAILS)
def test_tiles_and_vectors_differ_in_last_digits_only(
    monkeypatch: pytest.MonkeyPatch, level: str, cell: str, H: int, K: int, T: int, B: int, L: int
) -> None:
    monkeypatch.setenv(ISA_VARIABLE, level)
    p, got = problem(cell, H, K, T, B, L), []
    for way in ("vector", "tiles"):
        monkeypatch.setenv(PAIRS_VARIABLE, way)
        got.append(
            mixed(p).loss_and_gradients(p.x, p.y, p.state.astype(np.float32), p.dstate.astype(np.float32))
        )
    one, other = got
    # A last digit may turn the rounding of a later factor.
    tolerance = ROUNDING if T == 1 else 2 * ROUNDING
    assert one.loss == pytest.approx(other.loss, rel=tolerance)
    assert_near(one.state, other.state, tolerance, "the final state")
    assert_near(one.dstate, other.dstate, tolerance, "the gradient of the first state")
    for key, gradient in one.gradients.items():
        assert_near(gradient, other.gradients[key], tolerance, key)


@every_mixed_build
@every_cell
def test_a_stream_is_the_same_alone_and_among_others(engine: str, cell: str) -> None:
    p = problem(cell, 65, 33, 4, 53, 2)
    state, engine_ = p.state.astype(np.float32), mixed(p)
    all_, (o, _) = engine_.read(p.x, p.y, state), engine_.step(p.x[0], state)
    for m in (0, 15, 16, 31, 40, 52):
        own = np.ascontiguousarray(state[:, :, m : m + 1])
        alone = engine_.read(p.x[:, m : m + 1], p.y[:, m : m + 1], own)
        np.testing.assert_array_equal(alone.nats[:, 0], all_.nats[:, m])
        np.testing.assert_array_equal(alone.state[:, :, 0], all_.state[:, :, m])
        np.testing.assert_array_equal(engine_.step(p.x[0, m : m + 1], own)[0][0], o[m])


@every_mixed_build
@every_cell
@pytest.mark.parametrize("shards", [1, 2, 3])
def test_threads_change_nothing(engine: str, cell: str, shards: int) -> None:
    text = Text.from_string("To be, or not to be, that is the question. " * 40)
    ends = []
    for threads in (1, 2, 3):
        chosen = settings(
            len(text.vocabulary), cell=cell, hidden=33, layers=2, streams=21, seq_len=7, updates=5,
            dtype="mixed", shards=shards, threads=threads,
        )  # fmt: skip
        trained = ENGINES["native"](*chosen, TrainingState.initial(*chosen), text.ids)
        trained.advance(np.full(5, 2e-3))
        ends.append(trained.get_state())
    assert_same(ends[0], ends[1])
    assert_same(ends[0], ends[2])


@every_tiled_level
def test_tiles_are_taken_unless_vectors_are_asked_for(monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    monkeypatch.setenv(ISA_VARIABLE, level)
    core = load(level)
    assert chosen_pairs(core) == "tiles"
    monkeypatch.setenv(PAIRS_VARIABLE, "vector")
    assert chosen_pairs(core) == "vector"
    monkeypatch.setenv(PAIRS_VARIABLE, "abacus")
    with pytest.raises(SettingError, match=r"HORNBOOK_PAIRS 'abacus'; the known ones are: tiles, vector"):
        chosen_pairs(core)


@every_tiled_level
def test_no_tile_is_held_after_a_call(monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    monkeypatch.setenv(ISA_VARIABLE, level)
    monkeypatch.setenv(PAIRS_VARIABLE, "tiles")
    p = problem("gru", 33, 65, 4, 3, 2)
    core, engine_, state = load(level), mixed(p), p.state.astype(np.float32)
    for call in (
        lambda: engine_.loss_and_gradients(p.x, p.y, state),
        lambda: engine_.read(p.x, p.y, state),
        lambda: engine_.step(p.x[0], state),
        lambda: engine_.sample(Start(state, p.x[0], 0), 9, Choice(), Source(1, 0)),
    ):
        call()
        assert not core.holds_tiles()


@every_mixed_build
@every_cell
def test_rounding_is_not_left_out(engine: str, cell: str) -> None:
    p = problem(cell, 33, 65, 9, 3, 2)
    got = mixed(p).loss_and_gradients(p.x, p.y, p.state.astype(np.float32))
    exact = p.engine("native", "float32").loss_and_gradients(p.x, p.y, p.state.astype(np.float32))
    for key, gradient in exact.gradients.items():
        assert np.abs(got.gradients[key] - gradient).max() > 1e-5 * np.abs(gradient).max(), key


@every_mixed_build
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_loss_after_the_same_updates_is_that_of_float32(engine: str, cell: str) -> None:
    random = np.random.default_rng(3)
    words = ["the", "cat", "sat", "on", "a", "mat.", "And", "so", "did", "we,", "all\n"]
    text = Text.from_string(" ".join(random.choice(words, 8000)))
    costs = []
    for dtype in ("float32", "mixed"):
        chosen = settings(len(text.vocabulary), cell=cell, hidden=64, layers=2, updates=400, dtype=dtype)
        trained = ENGINES["native"](*chosen, TrainingState.initial(*chosen), text.ids)
        losses = trained.advance(np.linspace(2e-3, 0, 400)).losses / chosen[1].seq_len
        costs.append(losses[-50:].mean())
    assert costs[0] < 1.2  # something was learnt: chance is 2.9
    assert costs[1] == pytest.approx(costs[0], abs=0.01)


@every_mixed_build
def test_a_run_says_mixed_and_keeps_float32(engine: str, prose: Text, tmp_path: Any) -> None:
    chosen = {"cell": "gru", "hidden": 9, "streams": 3, "seq_len": 5, "updates": 30, "passage_length": 30}
    run = hornbook.train(prose, out=tmp_path / "run", quiet=True, dtype="mixed", **chosen)
    assert run.config.training.dtype == "mixed"
    model = run.model()
    assert model.flat.dtype == np.float32
    assert model.sample(20) == run.model().sample(20)
    assert model.score(prose[:100]).nats.shape == (100,)


# Where there are no such products


@pytest.mark.parametrize("level", levels())
def test_the_core_mixes_float32_only_and_only_where_it_can(level: str) -> None:
    core = load(level)
    with pytest.raises(ValueError, match="pairs: expected"):
        core.Network64("gru", 5, 4, 1, pairs="vector")
    for way in {"", "vector", "tiles", "abacus"} - {"", *core.pairs()}:
        with pytest.raises(ValueError, match="pairs: expected"):
            core.Network32("gru", 5, 4, 1, pairs=way)


def asked(prose: Text, **changes: Any) -> Any:
    """What becomes of a training that is asked to be mixed, and the warnings."""
    chosen = {"cell": "gru", "hidden": 9, "streams": 3, "seq_len": 5, "updates": 3, "dtype": "mixed"}
    return hornbook.train_events(prose, **{"engine": "native", **chosen, **changes})


def last(events: Any) -> TrainingState:
    """The state that a training ends in."""
    return list(events)[-1].state


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "this processor does not multiply bfloat16"),
        ({"engine": "reference"}, "the reference engine has no products in bfloat16"),
        ({"cell": "vanilla", "streams": 1}, None),
    ],
)
def test_it_is_float32_and_says_so_in_one_line(
    prose: Text, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], why: str | None
) -> None:
    monkeypatch.setenv(ISA_VARIABLE, levels()[0])
    with pytest.warns(UserWarning, match=rf"^`dtype='mixed'`: {why or '.*'}.*; float32 is used$") as told:
        state = last(asked(prose, **changes))
    assert len(told) == 1
    assert told[0].filename == __file__
    assert_same(state, last(asked(prose, **changes, **{"dtype": "float32"})))


@pytest.mark.parametrize("level", levels())
def test_a_classic_network_is_trained_in_float32_at_every_level(
    prose: Text, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    monkeypatch.setenv(ISA_VARIABLE, level)
    _, training, _ = arranged(prose, dtype="mixed", engine="native", updates=3)
    assert training.dtype == "float32"


def test_a_mixed_run_from_another_machine_is_read_in_float32(
    prose: Text, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ISA_VARIABLE, levels()[0])
    p = problem("lstm", 17, 65, 4, 3, 2)
    state = p.state.astype(np.float32)
    there, here = mixed(p).read(p.x, p.y, state), p.engine("native", "float32").read(p.x, p.y, state)
    np.testing.assert_array_equal(there.nats, here.nats)
