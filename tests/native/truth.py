"""The reference engine in the plain terms of the core: what every level of it is held to."""

from __future__ import annotations

import math

import numpy as np

from hornbook.config import ModelSettings, TrainingSettings
from hornbook.engines import TrainingState
from hornbook.engines.backpropagation import nats
from hornbook.engines.reference import ReferenceEngine
from hornbook.parameters import count
from hornbook.parameters import views as named_views


def size(K, H):
    return count(ModelSettings(K, H))


def views(flat, K, H):
    return named_views(ModelSettings(K, H), flat)


def engine(flat, K, H, ids=None, **training):
    model, how = ModelSettings(K, H), TrainingSettings(engine="reference", dtype="float64", **training)
    return ReferenceEngine(model, how, TrainingState.of_parameters(flat, model, how), ids)


def loss_and_gradients(flat, x, y, state, dstate, K, H, scale=1.0):
    """loss, flat gradient of scale · loss, hidden states (T, H), the last, dstate0, nats (T,)"""
    reference = engine(flat, K, H)
    h = np.asarray(state).reshape(1, 1, 1, H)
    # The gradient of scale · loss + dstate · last is scale times that of loss + dstate / scale · last.
    end = np.asarray(dstate).reshape(h.shape) / scale
    loss, gradients, last, first = reference.loss_and_gradients(x[:, None], y[:, None], h, end)
    states, logits = [], []
    for symbol in x:
        o, h = reference.step(np.array([symbol]), h)
        states.append(h.ravel())
        logits.append(o)
    flat_gradient = scale * np.concatenate([g.ravel() for g in gradients.values()])
    each = nats(np.concatenate(logits), y)
    return loss, flat_gradient, np.array(states), last.ravel(), scale * first.ravel(), each


class Trainer:
    """The reference engine's training."""

    def __init__(self, K, H, T, optimizer="adagrad", clip="value", limit=5.0, scale=1.0):
        self.K, self.H = K, H
        how = {"value": f"{limit!r}", "norm": f"norm:{limit!r}", "none": "none"}[clip]
        objective = "sum" if scale == 1 else "mean"
        assert math.isclose(scale, 1 if objective == "sum" else 1 / T)
        self.training = {"optimizer": optimizer, "clip": how, "objective": objective, "seq_len": T}

    def set(self, flat):
        self.flat = flat
        return self

    def advance(self, ids, rates):
        running = engine(self.flat, self.K, self.H, ids, **self.training)
        result = running.advance(rates)
        state = running.get_state()
        self.update, self.best_update = state.update, state.best_update
        self.smooth, self.best_smooth = state.smooth_loss, state.best_smooth_loss
        self.flat, self.hidden = state.parameters, state.hidden.ravel()
        self.best, self.memory = state.best_parameters, state.memory[0] if len(state.memory) else None
        norm_clipped = result.clipped > 0 if "norm" in self.training["clip"] else result.clipped
        rows = zip(result.losses, result.smooth_losses, result.norms, norm_clipped, strict=True)
        return list(rows), result.stopped
