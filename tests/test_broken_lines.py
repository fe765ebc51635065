"""The gradient check turns red where a line of the code is broken.

A check that cannot fail proves nothing. So the code is broken here, a line at a time, in each of the
ways in which such code is usually wrong.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from gradient_rows import ALL, recurrent, red
from hornbook import gradients
from hornbook.cells import CELLS, Cell, gru, lstm, vanilla
from hornbook.cells.cell import Array
from hornbook.config import TrainingSettings, settings
from hornbook.engines import ENGINES, TrainingState, backpropagation, reference
from hornbook.gradients import check_gradients, hard
from hornbook.perturbation import Case
from hornbook.streams import Streams
from hornbook.text import Text
from hornbook.verdicts import CLOSE
from problems import every_cell

Mutation = tuple[ModuleType, str, str]


def mutant(module: ModuleType, line: str, broken: str) -> ModuleType:
    """A module with one line of its source, which must occur exactly once, replaced by a broken one."""
    lines = inspect.getsource(module).splitlines()
    places = [i for i, candidate in enumerate(lines) if candidate.strip() == line]
    assert len(places) == 1, f"{line!r} occurs {len(places)} times in {module.__name__}"
    (place,) = places
    indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
    lines[place] = indent + broken
    made = ModuleType(module.__name__)
    exec(compile("\n".join(lines), f"<{broken}>", "exec"), made.__dict__)
    return made


def put_in(patch: pytest.MonkeyPatch, mutation: Mutation) -> None:
    """Let the registries hand out the broken code. The check's own walk through time stays whole."""
    made = mutant(*mutation)
    cells = [value for value in vars(made).values() if isinstance(value, Cell)]
    if cells:
        patch.setitem(CELLS, cells[0].name, cells[0])
    else:
        patch.setattr(reference, "Network", made.Network)


NO_TANH = (vanilla, "da = dh - dh * h * h  # h' = tanh(a), whose derivative is 1 - h' h'", "da = dh")
NO_CARRY = (backpropagation, "through = dv_t.dot(W.T)  # v = h W", "through = 0 * dv_t.dot(W.T)")
TRANSPOSED_CARRY = (backpropagation, "through = dv_t.dot(W.T)  # v = h W", "through = dv_t.dot(W)")
OVERWRITTEN = (
    backpropagation,
    "before = hidden[:-1].reshape(-1, self.model.hidden)",
    "before = hidden[1:].reshape(-1, self.model.hidden)",
)
TRANSPOSED_W = (
    backpropagation,
    'np.matmul(before.T, flat(dv), out=self.dnamed[name("W", layer)])  # v = h W',
    'np.matmul(flat(dv).T, before, out=self.dnamed[name("W", layer)])',
)
WRONG_SIGN = (vanilla, "return da, da, (None,)  # a = u + v", "return da, -da, (None,)")
NO_TARGET = (backpropagation, "p[places] -= 1", "p[places] -= 0")
LAST_OF_EQUALS = (
    backpropagation,
    "dU[rows[starts]] = np.add.reduceat(du[order], starts, axis=0)",
    "dU[x] = du",
)
MEAN_OF_C = (
    backpropagation,
    'self.dnamed["c"][...] = do.sum(axis=0)',
    'self.dnamed["c"][...] = do.mean(axis=0)',
)
EARLIER_TOP = (
    backpropagation,
    'np.matmul(rows.T, do, out=self.dnamed["V"])  # o = h V + c',
    'np.matmul(np.roll(rows, y.shape[1], axis=0).T, do, out=self.dnamed["V"])',
)
BREAKS = {
    "tanh' is left out": (NO_TANH, set("UWb")),
    "the carry through time is dropped": (NO_CARRY, set("UWb")),
    "the carry is multiplied by W instead of its transpose": (TRANSPOSED_CARRY, set("UWb")),
    "the state is overwritten before the backward pass": (OVERWRITTEN, {"W"}),
    "the product for W is transposed": (TRANSPOSED_W, {"W"}),
    "the sign of v's gradient is wrong": (WRONG_SIGN, set("UWb")),
    "the target is not subtracted": (NO_TARGET, ALL),
    "of equal characters only the last counts": (LAST_OF_EQUALS, {"U"}),
    "the mean is taken for the sum": (MEAN_OF_C, {"c"}),
    "the output layer sees the state before": (EARLIER_TOP, {"V"}),
}


@pytest.mark.parametrize(("mutation", "expected"), BREAKS.values(), ids=BREAKS)
@pytest.mark.parametrize("hidden", [2, 9])
def test_a_broken_line_turns_the_rows_of_its_parameters_red_and_no_others(
    prose: Text, monkeypatch: pytest.MonkeyPatch, mutation: Mutation, expected: set[str], hidden: int
) -> None:
    chosen = settings(len(prose.vocabulary), hidden=hidden, engine="reference")
    assert check_gradients(prose, *chosen).passed
    put_in(monkeypatch, mutation)
    check = check_gradients(prose, *chosen)
    assert not check.passed
    assert red(check, "hard") == expected


# Of the way from layer to layer: what is broken, the cell, and what turns red in three layers.
HANDED_DOWN = 'return (rows @ self.named[name("U", layer)].T).reshape(below.shape)'
U_ABOVE = "dU[...] = below.reshape(len(rows), -1).T @ rows"
DEEP_BREAKS = {
    "the gradient is not handed down": (
        (backpropagation, HANDED_DOWN, "return np.zeros_like(below)"),
        recurrent(2),
    ),
    "the gradient is handed down through the U of the first upper layer": (
        (backpropagation, HANDED_DOWN, 'return (rows @ self.named["U1"].T).reshape(below.shape)'),
        recurrent(2),
    ),
    "an upper layer's U sees the input of the step before": (
        (backpropagation, U_ABOVE, "dU[...] = np.roll(below, 1, axis=0).reshape(len(rows), -1).T @ rows"),
        {"U1", "U2"},
    ),
    "an upper layer's U forgets the first character": (
        (backpropagation, U_ABOVE, "dU[...] = below[1:].reshape(len(rows) - 1, -1).T @ rows[1:]"),
        {"U1", "U2"},
    ),
    "the carry through time is dropped": (NO_CARRY, recurrent(3)),
    "the state is overwritten before the backward pass": (OVERWRITTEN, {"W", "W1", "W2"}),
}


@every_cell
@pytest.mark.parametrize(("mutation", "expected"), DEEP_BREAKS.values(), ids=DEEP_BREAKS)
def test_a_line_broken_between_layers_turns_the_rows_of_its_parameters_red_and_no_others(
    prose: Text, monkeypatch: pytest.MonkeyPatch, cell: str, mutation: Mutation, expected: set[str]
) -> None:
    put_in(monkeypatch, mutation)
    shape = {"cell": cell, "layers": 3, "hidden": 5, "seq_len": 8}
    assert red(
        check_gradients(prose, *settings(len(prose.vocabulary), engine="reference", **shape)), "hard"
    ) == (expected)


# Of the carry of the cells' own states.
C_CARRY = "return da, da, (None, dc * f)  # a = u + v     c' = f∘c + i∘g"
H_OF_C = "dc = dc + dh * o * (1 - t * t)  # h' = o∘tanh(c')"
PAST_V = "return du, dv, (dh * z,)  # h' = (1 - z)∘n + z∘h"
TO_V = "dv = np.concatenate([dr, dz, dn * r], axis=-1)  # n = tanh(u_n + r∘v_n)"
CARRIES = {
    "the carry of c is dropped": ("lstm", (lstm, C_CARRY, "return da, da, (None, 0 * dc)")),
    "c is carried as if nothing were forgotten": ("lstm", (lstm, C_CARRY, "return da, da, (None, dc)")),
    "tanh' of c is left out": ("lstm", (lstm, H_OF_C, "dc = dc + dh * o")),
    "what comes through h' does not reach c": ("lstm", (lstm, H_OF_C, "dc = dc + 0 * dh")),
    "what flows past v is dropped": ("gru", (gru, PAST_V, "return du, dv, (0 * dh,)")),
    "what flows past v is weighed by 1 - z": ("gru", (gru, PAST_V, "return du, dv, (dh * (1 - z),)")),
    "v_n is taken without its reset gate": (
        "gru",
        (gru, TO_V, "dv = np.concatenate([dr, dz, dn], axis=-1)"),
    ),
}


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(("cell", "mutation"), CARRIES.values(), ids=CARRIES)
def test_a_carry_that_is_wrong_turns_the_rows_of_what_leads_to_it_red(
    prose: Text, monkeypatch: pytest.MonkeyPatch, cell: str, mutation: Mutation, layers: int
) -> None:
    put_in(monkeypatch, mutation)
    shape = {"cell": cell, "layers": layers, "hidden": 6, "seq_len": 8}
    check = check_gradients(prose, *settings(len(prose.vocabulary), engine="reference", **shape))
    assert red(check, "hard") == recurrent(layers)


@pytest.fixture
def of_w(prose: Text) -> Callable[[Case], Array]:
    """The gradient of W in a case, by the code as it is at that moment."""

    def gradient(case: Case) -> Array:
        training = TrainingSettings(dtype="float64")
        state = TrainingState.of_parameters(case.parameters, case.model, training)
        engine = ENGINES["reference"](case.model, training, state)
        return engine.loss_and_gradients(case.x, case.y, case.state).gradients["W"]

    return gradient


def test_at_the_classic_scale_a_missing_tanh_hides_and_in_the_hard_case_it_does_not(
    prose: Text, monkeypatch: pytest.MonkeyPatch, of_w: Callable[[Case], Array]
) -> None:
    model, training = settings(len(prose.vocabulary))
    x, y = Streams(len(prose), 25).read(prose.ids, 0)
    cases = [make(model, training, x, y) for make in (gradients.recipe, hard)]
    right = [of_w(case) for case in cases]
    put_in(monkeypatch, NO_TANH)
    recipe_error, hard_error = (
        np.abs(of_w(case) - truth).max() for case, truth in zip(cases, right, strict=True)
    )
    assert 1e-9 < recipe_error < CLOSE == 1e-6
    assert hard_error > 0.1
