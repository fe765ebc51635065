"""The gradient check: it passes where the code is right, on a sample where the network is large."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from hornbook import gradients
from hornbook.config import ModelSettings, settings
from hornbook.engines import TrainingState
from hornbook.errors import TextError
from hornbook.gradients import ALL_UP_TO, SAMPLED, check_gradients, hard
from hornbook.parameters import count, shapes, views
from hornbook.streams import Streams
from hornbook.text import Text
from problems import every_cell, every_engine

every_depth = pytest.mark.parametrize("layers", [1, 2, 3, 4])


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


# In a notebook


def test_in_a_notebook_a_check_is_a_table_a_case(prose: Text) -> None:
    check = check_gradients(prose, *settings(len(prose.vocabulary), hidden=3, seq_len=4))
    shown = check._repr_html_()
    assert shown.count("<table>") == 2
    assert shown.count("<td>yes</td>") == len(check.rows)
    for row in check.rows:
        assert f"<td>{row.max_abs_difference:.1e}</td>" in shown
