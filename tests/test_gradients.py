"""The gradient check: it passes where the code is right, and turns red where it is broken.

A check that cannot fail proves nothing. So the code is broken here, a line at a time, in each of the
ways in which such code is usually wrong.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from hornbook import gradients
from hornbook.cells import CELLS, Cell, gru, lstm, vanilla
from hornbook.cells.cell import Array, State
from hornbook.config import ModelSettings, TrainingSettings, settings
from hornbook.engines import ENGINES, TrainingState, backpropagation, reference
from hornbook.errors import TextError
from hornbook.gradients import ALL_UP_TO, CLOSE, SAMPLED, GradientCheck, check_gradients, hard
from hornbook.parameters import count, name, shapes, views
from hornbook.perturbation import Case
from hornbook.streams import Streams
from hornbook.text import Text

Settings = tuple[ModelSettings, TrainingSettings]
Mutation = tuple[ModuleType, str, str]
ALL = set("UWbVc")

every_engine = pytest.mark.parametrize("engine", ENGINES)
every_cell = pytest.mark.parametrize("cell", CELLS)
every_depth = pytest.mark.parametrize("layers", [1, 2, 3, 4])


def recurrent(layers: int) -> set[str]:
    """The names of the parameters of so many layers, but not those of the output layer."""
    return {name(letter, layer) for letter in "UWb" for layer in range(layers)}


def red(check: GradientCheck, case: str) -> set[str]:
    """The parameters whose rows did not pass in a case."""
    return {row.parameter for row in check.rows if row.case == case and not row.passed}


# It passes


@every_engine
@every_cell
@every_depth
@pytest.mark.parametrize(
    ("characters", "hidden", "seq_len"),
    [
        ("ab", 1, 1),
        ("abbabaab", 7, 1),
        ("abbabaab", 1, 7),
        ("to be or not to be", 5, 17),
        ("aaaa", 3, 3),
    ],
)
def test_every_row_passes_where_the_code_is_right(
    engine: str, cell: str, layers: int, characters: str, hidden: int, seq_len: int
) -> None:
    text = Text.from_string(characters)
    shape = {"cell": cell, "layers": layers, "hidden": hidden, "seq_len": seq_len}
    chosen = settings(len(text.vocabulary), engine=engine, **shape)
    check = check_gradients(text, *chosen)
    assert check.passed
    assert [(row.case, row.parameter) for row in check.rows] == [
        (case, key) for case in ("recipe", "hard") for key in shapes(chosen[0])
    ]
    for row in check.rows:
        assert row.entries == np.prod(shapes(chosen[0])[row.parameter])
        assert row.share_within == 1
        assert row.max_abs_difference <= row.limit == 1e-9
        assert row.max_rel_complex <= 1e-13 or row.max_abs_complex <= 1e-15


@every_engine
@pytest.mark.parametrize("changes", [{"objective": "mean"}, {"dtype": "float32"}, {"clip": "0.001"}], ids=str)
def test_the_check_is_of_the_summed_loss_in_float64_and_unclipped_whatever_the_settings(
    prose: Text, engine: str, changes: dict[str, str]
) -> None:
    K = len(prose.vocabulary)
    plain = check_gradients(prose, *settings(K, hidden=4, seq_len=3, engine=engine))
    assert (
        check_gradients(prose, *settings(K, hidden=4, seq_len=3, engine=engine, **changes)).rows == plain.rows
    )


def test_for_a_loss_above_100_nats_the_limit_of_differences_grows_with_it(prose: Text) -> None:
    check = check_gradients(prose, *settings(len(prose.vocabulary), hidden=3, seq_len=100))
    assert check.passed
    for row in check.rows:
        assert row.limit == pytest.approx(1e-9 * np.log(len(prose.vocabulary)), rel=0.1)


def test_the_same_seed_gives_the_same_table_and_another_seed_another(prose: Text) -> None:
    tables = [
        check_gradients(prose, *settings(len(prose.vocabulary), hidden=5, seq_len=4, seed=seed)).rows
        for seed in (1, 1, 2)
    ]
    assert tables[0] == tables[1] != tables[2]


def test_a_row_stands_in_json_with_the_names_that_were_promised(prose: Text) -> None:
    check = check_gradients(prose, *settings(len(prose.vocabulary), hidden=3, seq_len=3))
    promised = {"parameter", "entries", "share_within_1e-6", "passed"}
    promised |= {f"max_{kind}_{way}" for kind in ("abs", "rel") for way in ("difference", "complex")}
    assert promised <= set(check.rows[0].record())
    assert "share_within" not in check.rows[0].record()


def test_the_entries_done_are_told_up_to_their_total(prose: Text) -> None:
    told: list[tuple[str, int, int]] = []
    model, training = settings(len(prose.vocabulary), hidden=6, seq_len=3)
    check_gradients(prose, model, training, told=lambda *heard: told.append(heard))
    assert {total for *_, total in told} == {2 * count(model)}
    assert all(a <= b for (_, a, _), (_, b, _) in pairwise(told))
    assert told[-1][1] == 2 * count(model)


def test_each_gradient_is_told_before_any_of_its_entries_is_done(prose: Text) -> None:
    first: dict[str, int] = {}
    model, training = settings(len(prose.vocabulary), hidden=6, seq_len=3)
    check_gradients(prose, model, training, told=lambda what, done, _: first.setdefault(what, done))
    sizes = [int(np.prod(shape)) for shape in shapes(model).values()] * 2
    assert list(first) == [
        f"gradient of {key}, {case} case" for case in ("recipe", "hard") for key in "UWbVc"
    ]
    assert list(first.values()) == [sum(sizes[:place]) for place in range(len(sizes))]


def test_a_text_that_is_too_short_is_refused() -> None:
    with pytest.raises(TextError, match="needs at least 6"):
        check_gradients(Text.from_string("abbab"), *settings(2, hidden=3, seq_len=5))


# Samples of large networks


def wide() -> Text:
    """A text of 4,437 symbols."""
    return Text.from_string("".join(map(chr, range(0x4E00, 0x4E00 + 4437))))


@every_engine
def test_a_network_of_more_than_50_000_parameters_is_checked_on_2_000_entries_of_each(
    prose: Text, engine: str
) -> None:
    model, training = settings(len(prose.vocabulary), hidden=200, seq_len=2, engine=engine)
    assert count(model) > ALL_UP_TO == 50_000
    check = check_gradients(prose, model, training)
    assert check.passed
    entries = {row.parameter: row.entries for row in check.rows}
    # In two characters no more than 400 entries of U are read, and 1,000 of those that are not.
    assert entries == {"U": 400 + 1000, "W": 2000, "b": 200, "V": 2000, "c": len(prose.vocabulary)}


@every_engine
@pytest.mark.parametrize("everything", [False, True])
def test_a_vocabulary_of_thousands_passes_by_sample_and_by_everything(engine: str, everything: bool) -> None:
    text = wide()
    model, training = settings(4437, hidden=6, seq_len=3, engine=engine)
    assert count(model) > ALL_UP_TO
    check = check_gradients(text, model, training, everything=everything)
    assert check.passed
    sampled = {"U": 18 + 1000, "W": 36, "b": 6, "V": 2000, "c": 2000}
    whole = {key: int(np.prod(shape)) for key, shape in shapes(model).items()}
    for case in ("recipe", "hard"):
        entries = {row.parameter: row.entries for row in check.rows if row.case == case}
        assert entries == (whole if everything else sampled)


def test_a_quick_check_takes_fewer_entries_where_the_work_is_long(prose: Text, monkeypatch) -> None:
    model, training = settings(len(prose.vocabulary), hidden=20, seq_len=8)
    whole = check_gradients(prose, model, training)
    assert check_gradients(prose, model, training, quick=True).rows == whole.rows
    x = Streams(len(prose), 8).read(prose.ids, 0)[0]
    everything = gradients.choose(model, 0, x, count(model))
    read = len(np.unique(x)) * 20
    networks = read + 20 * 20 + 20
    assert gradients.work(model, x, everything) == networks * 8 * (20 * 20 + 20 + 21 * len(prose.vocabulary))
    monkeypatch.setattr(gradients, "QUICK", gradients.work(model, x, everything) / 8)
    some = check_gradients(prose, model, training, quick=True)
    assert some.passed
    assert [row.entries < before.entries for row, before in zip(some.rows, whole.rows, strict=True)] == [
        row.parameter in "UWV" for row in whole.rows
    ]
    monkeypatch.setattr(gradients, "QUICK", 1)
    few = check_gradients(prose, model, training, quick=True)
    assert {row.entries for row in few.rows} == {gradients.FEWEST}


def test_a_sample_has_each_entry_once_in_order_and_follows_the_seed() -> None:
    model = ModelSettings(300, 200)
    x = np.arange(25)[:, None]
    one, same, other = (gradients.choose(model, seed, x, SAMPLED) for seed in (5, 5, 6))
    for key, entries in one.items():
        assert (np.diff(entries) > 0).all()
        assert len(entries) == min(SAMPLED, np.prod(shapes(model)[key]))
        np.testing.assert_array_equal(entries, same[key])
    assert (one["W"] != other["W"]).any()
    read = one["U"] // 200 < 25
    assert read.sum() == 1000
    assert not np.array_equal(one["W"], one["V"])


# The cases


def test_the_hard_case_is_far_from_linear_and_starts_from_a_state_that_is_not_zero() -> None:
    model, training = settings(80)
    case = hard(model, training, np.zeros((25, 1), int), np.zeros((25, 1), int))
    assert case.parameters.std() == pytest.approx(0.1, rel=0.02)
    assert 0.2 < np.abs(case.state).mean() < 0.3
    assert all(view.any() for view in views(model, case.parameters).values())
    plain = gradients.recipe(model, training, case.x, case.y)
    np.testing.assert_array_equal(
        plain.parameters, TrainingState.initial(*settings(80, dtype="float64")).parameters
    )
    assert not plain.state.any()


# It fails


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

    def wrong(case: Case, key: str, entries: Array) -> Array:
        return np.asarray(whole(case, key, entries) + (error if key == "V" else 0))

    monkeypatch.setattr(gradients, way, wrong)
    check = check_gradients(prose, *settings(len(prose.vocabulary), hidden=4, seq_len=5, engine="reference"))
    assert red(check, "hard") == red(check, "recipe") == {"V"}


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


def test_in_a_notebook_a_check_is_a_table_a_case(prose: Text) -> None:
    check = check_gradients(prose, *settings(len(prose.vocabulary), hidden=3, seq_len=4))
    shown = check._repr_html_()
    assert shown.count("<table>") == 2
    assert shown.count("<td>yes</td>") == len(check.rows)
    for row in check.rows:
        assert f"<td>{row.max_abs_difference:.1e}</td>" in shown
