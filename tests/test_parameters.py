"""Parameters: one flat buffer, named views into it, initial values."""

from __future__ import annotations

import numpy as np
import pytest

from hornbook import parameters
from hornbook.cells import CELLS
from hornbook.config import INIT_NAMES, ModelSettings, TrainingSettings
from hornbook.parameters import STARTS, count, initial, name, shapes, sizes, views


def start(scale: float, seed: int, init: str = "normal") -> TrainingSettings:
    """How matrices start."""
    return TrainingSettings(init=init, init_scale=scale, seed=seed, dtype="float64")


def test_the_classic_network_has_five_parameters_with_the_classic_names() -> None:
    assert shapes(ModelSettings(80)) == {
        "U": (80, 100),
        "W": (100, 100),
        "b": (100,),
        "V": (100, 80),
        "c": (80,),
    }
    assert count(ModelSettings(80)) == 8000 + 10_000 + 100 + 8000 + 80


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_with_g_gates_has_g_blocks_of_columns(cell: str) -> None:
    G, H, K = CELLS[cell].gates, 7, 3
    assert shapes(ModelSettings(K, H, cell)) == {
        "U": (K, G * H),
        "W": (H, G * H),
        "b": (G * H,),
        "V": (H, K),
        "c": (K,),
    }


def test_names_are_numbered_from_the_second_layer_up() -> None:
    assert [name("U", layer) for layer in range(3)] == ["U", "U1", "U2"]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("K", "H"), [(1, 1), (2, 1), (3, 7), (65, 129)])
def test_the_views_fill_the_buffer_in_order_without_a_gap(cell: str, K: int, H: int) -> None:
    model = ModelSettings(K, H, cell)
    flat = np.arange(count(model))
    named = views(model, flat)
    assert list(named) == list(shapes(model))
    assert {key: view.shape for key, view in named.items()} == shapes(model)
    assert np.concatenate([view.ravel() for view in named.values()]).tolist() == flat.tolist()


def test_a_view_shares_the_memory_of_the_buffer() -> None:
    model = ModelSettings(3, 2)
    flat = np.zeros(count(model))
    for view in views(model, flat).values():
        view += 1
    assert flat.tolist() == [1] * count(model)


def test_views_keep_the_leading_dimensions_of_optimizer_memory() -> None:
    model = ModelSettings(3, 2)
    memory = np.arange(2 * count(model)).reshape(2, -1)
    named = views(model, memory)
    assert named["U"].shape == (2, 3, 2)
    for row in range(2):
        alone = views(model, memory[row])
        assert all(named[key][row].tolist() == alone[key].tolist() for key in named)


def test_matrices_start_normal_with_the_deviation_asked_for_and_biases_zero() -> None:
    model = ModelSettings(80)
    named = views(model, initial(model, start(0.01, 3)))
    for key in "UWV":
        spread = named[key].ravel() / 0.01
        assert abs(spread.mean()) < 4 / np.sqrt(spread.size)
        assert abs(spread.std() - 1) < 4 / np.sqrt(2 * spread.size)
        assert abs((np.abs(spread) < 1).mean() - 0.6827) < 0.02
    assert not named["b"].any()
    assert not named["c"].any()


def test_no_two_matrices_start_with_the_same_numbers() -> None:
    model = ModelSettings(7, 7)
    named = views(model, initial(model, start(1, 0)))
    assert np.unique(np.concatenate([named[key].ravel() for key in "UWV"])).size == 3 * 49


def test_the_scale_multiplies_and_the_seed_decides() -> None:
    model = ModelSettings(5, 4)
    one = initial(model, start(1, 9))
    np.testing.assert_array_equal(initial(model, start(0.5, 9)), 0.5 * one)
    np.testing.assert_array_equal(initial(model, start(1, 9)), one)
    assert (initial(model, start(1, 10)) != one).any()


def test_float32_starts_from_the_numbers_of_float64_rounded() -> None:
    model = ModelSettings(5, 4)
    single = initial(model, start(0.01, 2), "float32")
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, initial(model, start(0.01, 2)).astype(np.float32))


def test_one_matrix_does_not_depend_on_the_size_of_the_others() -> None:
    few, many = ModelSettings(5, 4), ModelSettings(50, 4)
    W = [views(model, initial(model, start(1, 2)))["W"] for model in (few, many)]
    np.testing.assert_array_equal(W[0], W[1])


def test_the_names_in_settings_are_the_names_in_the_registry() -> None:
    assert set(INIT_NAMES) == set(STARTS)


def test_scaled_matrices_have_deviations_by_their_rows() -> None:
    model = ModelSettings(80, 200, layers=2)
    named = views(model, initial(model, start(0.01, 3, "scaled")))
    for key, rows in {"U": 160, "W": 400, "U1": 400, "W1": 400, "V": 200}.items():
        assert named[key].std() * np.sqrt(rows) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("cell", CELLS)
def test_orthogonal_matrices_keep_lengths_in_each_gate_and_the_others_are_glorots(cell: str) -> None:
    model = ModelSettings(30, 20, cell, layers=2)
    named = views(model, initial(model, start(0.01, 3, "orthogonal")))
    for key in ("W", "W1"):
        for block in np.split(named[key], CELLS[cell].gates, axis=1):
            np.testing.assert_allclose(block @ block.T, np.eye(20), atol=1e-12)
    for key, limit in {"U": 0.5, "U1": np.sqrt(6 / 40), "V": np.sqrt(6 / 50)}.items():
        assert 0.95 * limit < np.abs(named[key]).max() <= limit


def test_where_w_is_orthogonal_c_starts_at_the_log_frequencies_of_the_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parameters, "BLOCK", 3)
    model, ids = ModelSettings(4, 2), np.array([0, 1, 1, 0, 1, 3, 1], dtype=np.uint8)
    named = views(model, initial(model, start(0.01, 3, "orthogonal"), ids=ids))
    np.testing.assert_allclose(np.exp(named["c"]), np.array([3, 5, 1, 2]) / 11)
    for init in ("normal", "scaled"):
        assert not views(model, initial(model, start(0.01, 3, init), ids=ids))["c"].any()


@pytest.mark.parametrize("init", STARTS)
@pytest.mark.parametrize("cell", CELLS)
def test_biases_start_at_zero_but_at_one_in_the_open_gate(cell: str, init: str) -> None:
    model = ModelSettings(5, 4, cell, layers=2)
    named = views(model, initial(model, start(0.01, 3, init)))
    for key in ("b", "b1"):
        blocks = named[key].reshape(-1, 4)
        for gate, block in enumerate(blocks):
            assert block.tolist() == [1.0 if gate == CELLS[cell].open_gate else 0.0] * 4
    assert not named["c"].any()


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_the_sizes_of_a_network_are_told_by_its_parameters(cell: str, layers: int) -> None:
    model = ModelSettings(7, 5, cell, layers)
    named = views(model, np.zeros(count(model)))
    assert sizes(named) == {"vocabulary": 7, "hidden": 5, "cell": cell, "layers": layers}
    for strange in ({}, {"W": named["V"], "V": named["V"]}, {"W": named["W"], "V": named["c"]}):
        assert sizes(strange) == {}
