"""Numerical gradients: many perturbed networks side by side are what each of them alone is."""

from __future__ import annotations

import numpy as np
import pytest

from hornbook import perturbation
from hornbook.cells import CELLS
from hornbook.cells.cell import Array
from hornbook.config import settings
from hornbook.gradients import hard
from hornbook.parameters import count, name, shapes, views
from hornbook.perturbation import Case
from hornbook.streams import Streams
from hornbook.text import Text

every_cell = pytest.mark.parametrize("cell", CELLS)
every_place = pytest.mark.parametrize(
    ("layers", "key"),
    [(1, key) for key in "UWbVc"] + [(3, name(x, layer)) for x in "UWb" for layer in range(3)] + [(3, "V")],
)


def small_case(cell: str, layers: int) -> Case:
    """A network of four hidden units a layer that reads eight characters."""
    text = Text.from_string("abcabbacab")
    model, training = settings(3, hidden=4, seq_len=8, cell=cell, layers=layers)
    return hard(model, training, *Streams(len(text), 8).read(text.ids, 0))


def losses_one_by_one(case: Case, parameters: Array) -> Array:  # (T,)
    """The loss of each character, by the textbook."""
    named, cell = views(case.model, parameters), CELLS[case.model.cell]
    states, losses = [tuple(layer.astype(parameters.dtype)) for layer in case.state], []
    for x, y in zip(case.x[:, 0], case.y[:, 0], strict=True):
        below = np.eye(case.model.vocabulary)[[x]]
        for layer, state in enumerate(states):
            U, W, b = (named[name(letter, layer)] for letter in "UWb")
            states[layer], _ = cell.step(below @ U + b, state[0] @ W, state)
            below = states[layer][0]
        o = below @ named["V"] + named["c"]
        losses.append((np.log(np.exp(o).sum(axis=1)) - o[:, y])[0])
    return np.array(losses)


@every_cell
@pytest.mark.parametrize("step", [1e-3, -0.25, 1e-3j, 1e-20j], ids=str)
@every_place
def test_losses_of_many_perturbed_networks_are_those_of_each_one_recomputed(
    cell: str, step: complex, layers: int, key: str
) -> None:
    case = small_case(cell, layers)
    entries = np.arange(int(np.prod(shapes(case.model)[key])))
    together = perturbation.perturbed_losses(case, key, entries, step)
    place = views(case.model, np.arange(count(case.model)))[key].ravel()
    kind = type(step)
    expected = []
    for entry in entries:
        parameters = case.parameters.astype(kind)
        parameters[place[entry]] += step
        expected.append(losses_one_by_one(case, parameters))
    truth = np.array(expected).T
    assert together.shape == truth.shape
    np.testing.assert_allclose(together.real, truth.real, rtol=1e-12)
    np.testing.assert_allclose(together.imag, truth.imag, rtol=1e-11, atol=1e-14 * abs(step))
    assert (np.abs(truth - losses_one_by_one(case, case.parameters)[:, None]).max(axis=0) > 0).all()


@every_cell
@every_place
def test_differences_and_complex_step_agree_with_each_other(cell: str, layers: int, key: str) -> None:
    case = small_case(cell, layers)
    entries = np.arange(int(np.prod(shapes(case.model)[key])))
    differences = perturbation.by_differences(case, key, entries)
    steps = perturbation.by_complex_step(case, key, entries)
    np.testing.assert_allclose(differences, steps, rtol=0, atol=1e-11)
    assert np.abs(steps).max() > 1e-6


@pytest.mark.parametrize("key", ["U", "W1", "b2", "V", "c"])
def test_the_batches_cover_every_entry_once_whatever_their_size(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    case = small_case("lstm", 3)
    for numbers in (1, 50, 10**6):
        monkeypatch.setattr(perturbation, "BATCH_NUMBERS", numbers)
        parts = list(perturbation.batches(case, key, 37))
        assert np.concatenate([np.arange(37)[part] for part in parts]).tolist() == list(range(37))
