"""Training by all engines, held to the loop of the textbook."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hornbook.cells.cell import Array
from hornbook.config import ModelSettings, settings
from hornbook.engines import ENGINES, TrainingState
from hornbook.parameters import views
from hornbook.text import Text
from problems import (
    Build,
    Chosen,
    every_build,
    every_engine,
)


class MinCharRnn:
    """The textbook loop: column vectors, one-hot inputs, one character at a time, AdaGrad or SGD."""

    def __init__(self, model: ModelSettings, flat: Array, optimizer: str, clip: float) -> None:
        named = views(model, flat.astype(float))
        self.U, self.W, self.V = (named[key].T.copy() for key in ("U", "W", "V"))
        self.b, self.c = (named[key][:, None].copy() for key in ("b", "c"))
        self.memory = [np.zeros_like(p) for p in (self.U, self.W, self.b, self.V, self.c)]
        self.optimizer, self.clip = optimizer, clip
        self.H, self.K = model.hidden, model.vocabulary

    def train(self, ids: list[int], T: int, updates: int, rate: float) -> list[float]:
        """The loss of each update."""
        losses, at, h = [], 0, np.zeros((self.H, 1))
        for _ in range(updates):
            if at + T + 1 > len(ids):
                at, h = 0, np.zeros((self.H, 1))
            loss, gradients, h = self.backpropagate(ids[at : at + T], ids[at + 1 : at + T + 1], h)
            losses.append(loss)
            parameters = (self.U, self.W, self.b, self.V, self.c)
            for p, g, m in zip(parameters, gradients, self.memory, strict=True):
                g = np.clip(g, -self.clip, self.clip)
                m += g * g
                p -= rate * g / np.sqrt(m + 1e-8) if self.optimizer == "adagrad" else rate * g
            at += T
        return losses

    def backpropagate(
        self, inputs: list[int], targets: list[int], h: Array
    ) -> tuple[float, list[Array], Array]:
        """Loss, gradients of U W b V c, and the last state."""
        xs, hs, ps, loss = [], [h], [], 0.0
        for i, target in zip(inputs, targets, strict=True):
            x = np.zeros((self.K, 1))
            x[i] = 1
            xs.append(x)
            hs.append(np.tanh(self.U @ x + self.W @ hs[-1] + self.b))
            o = self.V @ hs[-1] + self.c
            ps.append(np.exp(o) / np.sum(np.exp(o)))
            loss -= math.log(ps[-1][target, 0])
        dU, dW, db, dV, dc = (np.zeros_like(p) for p in (self.U, self.W, self.b, self.V, self.c))
        carried = np.zeros_like(h)
        for t in reversed(range(len(inputs))):
            do = ps[t].copy()
            do[targets[t]] -= 1
            dV += do @ hs[t + 1].T
            dc += do
            da = (1 - hs[t + 1] ** 2) * (self.V.T @ do + carried)
            dU += da @ xs[t].T
            dW += da @ hs[t].T
            db += da
            carried = self.W.T @ da
        return loss, [dU, dW, db, dV, dc], hs[-1]

    def flat(self) -> Array:
        """The parameters in the order of the buffer."""
        return np.concatenate([p.T.ravel() for p in (self.U, self.W, self.b, self.V, self.c)])


@every_build
@pytest.mark.parametrize(
    ("optimizer", "rate", "updates", "hidden", "seq_len", "tolerance"),
    [
        ("adagrad", 0.1, 3, 100, 25, 1e-10),
        ("adagrad", 0.01, 200, 40, 25, 1e-9),
        ("sgd", 0.01, 200, 40, 25, 1e-9),
        ("sgd", 0.01, 200, 7, 3, 1e-9),
    ],
)
def test_training_is_the_textbook_loop(
    prose: Text,
    engine: str,
    optimizer: str,
    rate: float,
    updates: int,
    hidden: int,
    seq_len: int,
    tolerance: float,
) -> None:
    model, training = settings(
        len(prose.vocabulary),
        "classic",
        hidden=hidden,
        seq_len=seq_len,
        optimizer=optimizer,
        dtype="float64",
        clip="5",
    )
    state = TrainingState.initial(model, training)
    truth = MinCharRnn(model, state.parameters, optimizer, 5.0)
    losses = truth.train(prose.ids.tolist(), seq_len, updates, rate)
    trained = ENGINES[engine](model, training, state, prose.ids)
    result = trained.advance(np.full(updates, rate))
    np.testing.assert_allclose(result.losses, losses, rtol=0, atol=tolerance)
    np.testing.assert_allclose(trained.get_state().parameters, truth.flat(), rtol=0, atol=tolerance)


@every_engine
def test_the_first_loss_is_about_25_ln_k(prose: Text, engine: str) -> None:
    model, training = settings(len(prose.vocabulary))
    first = ENGINES[engine](model, training, TrainingState.initial(model, training), prose.ids)
    expected = 25 * math.log(len(prose.vocabulary))
    assert first.advance(np.full(1, 0.1)).losses[0] == pytest.approx(expected, rel=1e-3)


@every_engine
def test_training_learns(prose: Text, start: Build, small: Chosen, engine: str) -> None:
    trained = start(small(hidden=40, seq_len=25, dtype="float32"), engine)
    losses = trained.advance(np.full(600, 0.1)).losses
    assert losses[-20:].mean() < 0.8 * losses[:20].mean()
