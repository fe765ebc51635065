"""The reference engine against `torch.nn.RNN` and autograd, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hornbook.config import ModelSettings, TrainingSettings
from hornbook.engines import ENGINES, Gradients, TrainingState
from hornbook.parameters import count, views

torch = pytest.importorskip("torch")

SIZES = [(1, 2, 1, 1), (7, 65, 3, 2), (100, 80, 25, 1), (129, 65, 25, 3)]  # H, K, T, B
CLOSE = 1e-12  # relative to the largest entry

every_engine = pytest.mark.parametrize("engine", ENGINES)
every_size = pytest.mark.parametrize(("H", "K", "T", "B"), SIZES)


def assert_close(ours: np.ndarray, theirs: np.ndarray) -> None:
    """The same to the last digits."""
    theirs = theirs.reshape(ours.shape)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=CLOSE * np.abs(theirs).max())


def by_both(
    engine: str, H: int, K: int, T: int, B: int, objective: str = "sum"
) -> tuple[Gradients, Any, Any]:
    """What the engine gives; what torch gives: loss and final state, and the gradients by our names."""
    random = np.random.default_rng([H, K, T, B])
    model = ModelSettings(K, H)
    training = TrainingSettings(engine=engine, dtype="float64", objective=objective)
    parameters = random.normal(0, 1 / np.sqrt(H), count(model))
    x, y = random.integers(0, K, (2, T, B))
    state, dstate = random.uniform(-0.9, 0.9, (2, 1, 1, B, H))
    built = ENGINES[engine](model, training, TrainingState.of_parameters(parameters, model, training))
    ours = built.loss_and_gradients(x, y, state, dstate)

    named = views(model, parameters)
    rnn = torch.nn.RNN(K, H, dtype=torch.float64)
    linear = torch.nn.Linear(H, K, dtype=torch.float64)
    theirs = {
        "U": rnn.weight_ih_l0,
        "W": rnn.weight_hh_l0,
        "b": rnn.bias_ih_l0,
        "V": linear.weight,
        "c": linear.bias,
    }
    with torch.no_grad():
        rnn.bias_hh_l0.zero_()
        for key, parameter in theirs.items():
            parameter.copy_(torch.from_numpy(named[key].T.copy()))
    h0 = torch.from_numpy(state[0].copy()).requires_grad_()
    onehot = torch.nn.functional.one_hot(torch.from_numpy(x), K).double()
    hidden, last = rnn(onehot, h0)
    logits = linear(hidden).reshape(T * B, K)
    total = torch.nn.functional.cross_entropy(logits, torch.from_numpy(y).reshape(-1), reduction="sum")
    scale = B * T if objective == "mean" else B
    (total / scale + (torch.from_numpy(dstate[0].copy()) * last).sum()).backward()
    gradients = {key: parameter.grad.numpy().T for key, parameter in theirs.items()}
    return ours, (total.item() / B, last.detach().numpy()), gradients | {"h0": h0.grad.numpy()}


@every_engine
@every_size
def test_loss_and_final_state_are_those_of_torch(engine: str, H: int, K: int, T: int, B: int) -> None:
    ours, (loss, last), _ = by_both(engine, H, K, T, B)
    assert ours.loss == pytest.approx(loss, rel=1e-13)
    assert_close(ours.state[0], last)


@every_engine
@every_size
@pytest.mark.parametrize("key", ["U", "W", "b", "V", "c", "h0"])
def test_each_gradient_is_that_of_autograd(engine: str, H: int, K: int, T: int, B: int, key: str) -> None:
    ours, _, theirs = by_both(engine, H, K, T, B)
    gradient = ours.dstate[0, 0] if key == "h0" else ours.gradients[key]
    assert_close(gradient, theirs[key])


@every_engine
def test_the_mean_objective_is_the_mean_cross_entropy_of_torch(engine: str) -> None:
    ours, (loss, _), theirs = by_both(engine, 7, 65, 5, 2, "mean")
    assert ours.loss == pytest.approx(loss, rel=1e-13)
    for key, gradient in ours.gradients.items():
        assert_close(gradient, theirs[key])
