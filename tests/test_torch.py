"""Every engine against `torch.nn.RNN`, `GRU` and `LSTM` and autograd, in float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from hornbook.cells import CELLS
from hornbook.cells.cell import Array
from hornbook.config import ModelSettings, TrainingSettings
from hornbook.engines import ENGINES, Gradients, TrainingState
from hornbook.parameters import count, shapes, views

torch = pytest.importorskip("torch")

MODULES = {"vanilla": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
SIZES = [(1, 2, 1, 1), (7, 65, 3, 2), (100, 80, 25, 1), (33, 65, 9, 5)]  # H, K, T, B
CLOSE = 1e-12  # relative to the largest entry

every_engine = pytest.mark.parametrize("engine", ENGINES)
every_cell = pytest.mark.parametrize("cell", CELLS)
every_depth = pytest.mark.parametrize("layers", [1, 2, 3])
every_size = pytest.mark.parametrize(("H", "K", "T", "B"), SIZES)


def assert_close(ours: Array, theirs: Array) -> None:
    """The same to the last digits."""
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=CLOSE * np.abs(theirs).max())


@dataclass(frozen=True)
class Question:
    """A network, what it reads, and the gradient of its final state."""

    model: ModelSettings
    objective: str
    parameters: Array  # (P,)
    x: Array  # (T, B)
    y: Array  # (T, B)
    state: Array  # (L, S, B, H)
    dstate: Array  # (L, S, B, H)

    @classmethod
    def of_sizes(
        cls, cell: str, layers: int, H: int, K: int, T: int, B: int, objective: str = "sum"
    ) -> Question:
        """Drawn at random, as large as a gradient needs to show a fault."""
        random = np.random.default_rng([H, K, T, B, layers])
        model = ModelSettings(K, H, cell, layers)
        parameters = random.normal(0, 1 / np.sqrt(H), count(model))
        x, y = random.integers(0, K, (2, T, B))
        state, dstate = random.uniform(-0.9, 0.9, (2, layers, CELLS[cell].states, B, H))
        return cls(model, objective, parameters, x, y, state, dstate)

    @property
    def shares(self) -> int:
        """What the summed loss is divided by."""
        T, B = self.x.shape
        return B * T if self.objective == "mean" else B


def ours(question: Question, engine: str) -> Gradients:
    """What an engine gives."""
    training = TrainingSettings(
        engine=engine, dtype="float64", objective=question.objective, streams=question.x.shape[1]
    )
    state = TrainingState.of_parameters(question.parameters, question.model, training)
    built = ENGINES[engine](question.model, training, state)
    return built.loss_and_gradients(question.x, question.y, question.state, question.dstate)


def tensor(array: Array) -> Any:
    """An array as a leaf of torch's graph."""
    return torch.from_numpy(array.copy()).requires_grad_()


def theirs(question: Question) -> Gradients:
    """What torch gives, written from its documentation: `bias_hh` is zero, `bias_ih` is b."""
    model, (T, B) = question.model, question.x.shape
    K, H, layers = model.vocabulary, model.hidden, model.layers
    rnn = MODULES[model.cell](K, H, layers, dtype=torch.float64)
    linear = torch.nn.Linear(H, K, dtype=torch.float64)
    tensors = {"V": linear.weight, "c": linear.bias}
    for layer in range(layers):
        number = str(layer or "")
        tensors["U" + number] = getattr(rnn, f"weight_ih_l{layer}")
        tensors["W" + number] = getattr(rnn, f"weight_hh_l{layer}")
        tensors["b" + number] = getattr(rnn, f"bias_ih_l{layer}")
    named = views(model, question.parameters)
    with torch.no_grad():
        for layer in range(layers):
            getattr(rnn, f"bias_hh_l{layer}").zero_()
        for key, parameter in tensors.items():
            parameter.copy_(torch.from_numpy(named[key].T.copy()))
    start = [tensor(question.state[:, s]) for s in range(CELLS[model.cell].states)]  # S × (L, B, H)
    onehot = torch.nn.functional.one_hot(torch.from_numpy(question.x), K).double()
    hidden, last = rnn(onehot, tuple(start) if len(start) > 1 else start[0])
    last = last if isinstance(last, tuple) else (last,)
    logits = linear(hidden).reshape(T * B, K)
    targets = torch.from_numpy(question.y).reshape(-1)
    total = torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
    final = sum((torch.from_numpy(question.dstate[:, s].copy()) * end).sum() for s, end in enumerate(last))
    (total / question.shares + final).backward()
    return Gradients(
        total.item() / B,
        {key: parameter.grad.numpy().T for key, parameter in tensors.items()},
        np.stack([end.detach().numpy() for end in last], axis=1),
        np.stack([begin.grad.numpy() for begin in start], axis=1),
    )


@every_engine
@every_cell
@every_depth
@every_size
def test_loss_final_states_and_every_gradient_are_those_of_autograd(
    engine: str, cell: str, layers: int, H: int, K: int, T: int, B: int
) -> None:
    question = Question.of_sizes(cell, layers, H, K, T, B)
    found, expected = ours(question, engine), theirs(question)
    assert found.loss == pytest.approx(expected.loss, rel=1e-13)
    assert_close(found.state, expected.state)
    assert_close(found.dstate, expected.dstate)
    assert set(found.gradients) == set(expected.gradients) == set(shapes(question.model))
    for key, gradient in found.gradients.items():
        assert_close(gradient, expected.gradients[key])


@every_engine
@every_cell
def test_the_mean_objective_is_the_mean_cross_entropy_of_torch(engine: str, cell: str) -> None:
    question = Question.of_sizes(cell, 2, 7, 65, 5, 2, "mean")
    found, expected = ours(question, engine), theirs(question)
    assert found.loss == pytest.approx(expected.loss, rel=1e-13)
    for key, gradient in found.gradients.items():
        assert_close(gradient, expected.gradients[key])
