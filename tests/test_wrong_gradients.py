"""The gradient check turns red where a layer, a gate, or an entry is wrong, however it came to be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gradient_rows import ALL, recurrent, red
from hornbook import gradients
from hornbook.cells import CELLS
from hornbook.cells.cell import Array, State
from hornbook.config import settings
from hornbook.engines import ENGINES, backpropagation, reference
from hornbook.gradients import check_gradients
from hornbook.perturbation import Case
from hornbook.text import Text
from problems import every_cell, every_engine


@every_cell
@pytest.mark.parametrize("broken", [1, 2, 3])
def test_a_layer_that_hands_down_nothing_turns_all_below_it_red_and_nothing_above(
    prose: Text, monkeypatch: pytest.MonkeyPatch, cell: str, broken: int
) -> None:
    class Wrong(backpropagation.Network):
        def inputs_back(self, below: Array, rows: Array, layer: int) -> Array:
            return super().inputs_back(below, rows, layer) * (layer != broken)

    monkeypatch.setattr(reference, "Network", Wrong)
    shape = {"cell": cell, "layers": 4, "hidden": 5, "seq_len": 8}
    check = check_gradients(prose, *settings(len(prose.vocabulary), engine="reference", **shape))
    assert red(check, "hard") == recurrent(broken)


GATES = [(kind, gate) for kind, cell in CELLS.items() for gate in range(cell.gates)]


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(("cell", "gate"), GATES)
@pytest.mark.parametrize("factor", [0, -1, 1 + 1e-6], ids=["left out", "wrong sign", "a millionth too large"])
def test_a_gate_that_is_wrong_turns_the_rows_of_what_leads_to_it_red(
    prose: Text, monkeypatch: pytest.MonkeyPatch, cell: str, gate: int, factor: float, layers: int
) -> None:
    whole = CELLS[cell]

    def step_back(dstate: State, cache: Any) -> tuple[Array, Array, Any]:
        du, dv, direct = whole.step_back(dstate, cache)
        factors = np.ones((whole.gates, du.shape[1] // whole.gates))
        factors[gate] = factor
        return du * factors.ravel(), dv * factors.ravel(), direct

    monkeypatch.setitem(CELLS, cell, replace(whole, step_back=step_back))
    shape = {"cell": cell, "layers": layers, "hidden": 6, "seq_len": 8}
    check = check_gradients(prose, *settings(len(prose.vocabulary), engine="reference", **shape))
    assert red(check, "hard") == recurrent(layers)


@every_engine
@every_cell
@pytest.mark.parametrize("key", sorted(ALL | recurrent(3)))
def test_one_wrong_entry_is_found_whatever_the_engine(
    prose: Text, monkeypatch: pytest.MonkeyPatch, engine: str, cell: str, key: str
) -> None:
    whole: Any = ENGINES[engine]

    class Wrong(whole):
        def loss_and_gradients(self, *arguments: Any) -> Any:
            got = super().loss_and_gradients(*arguments)
            got.gradients[key].flat[-1] += 2e-9
            return got

    monkeypatch.setitem(ENGINES, engine, Wrong)
    shape = {"cell": cell, "layers": 3, "hidden": 4, "seq_len": 5}
    check = check_gradients(prose, *settings(len(prose.vocabulary), engine=engine, **shape))
    assert red(check, "hard") == red(check, "recipe") == {key}


@pytest.mark.parametrize(("way", "error"), [("by_differences", 2e-9), ("by_complex_step", 1e-11)])
def test_either_numerical_gradient_alone_can_turn_a_row_red(
    prose: Text, monkeypatch: pytest.MonkeyPatch, way: str, error: float
) -> None:
    whole = getattr(gradients, way)

    def wrong(case: Case, key: str, entries: Array, *h: float) -> Array:
        return np.asarray(whole(case, key, entries, *h) + (error if key == "V" else 0))

    monkeypatch.setattr(gradients, way, wrong)
    check = check_gradients(prose, *settings(len(prose.vocabulary), hidden=4, seq_len=5, engine="reference"))
    assert red(check, "hard") == red(check, "recipe") == {"V"}
