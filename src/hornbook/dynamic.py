"""Dynamic evaluation: what a character of a text costs a network that goes on learning from those before it.

The text is read in segments of T characters, from the state that a static evaluation starts in. Each of them
is scored first, by the parameters θ as the segments before it have left them, and only then learnt from: with
g, the gradient of its mean loss,

    s ← 0.99 s + 0.01 g²     ŝ = s / (1 - 0.99ⁿ)     θ ← θ - η g / (√ŝ + ε) + λ (θ₀ - θ)

θ₀ are the trained parameters, n the segments learnt from. So no character is foretold by parameters that have
seen it, and the figure may stand beside other models that learn while they are tested; it is no figure of the
trained network, and never stands in place of one (Krause, Kahembwe, Murray and Renals, "Dynamic Evaluation of
Neural Sequence Models", ICML 2018; they take the mean of g² from the training text, which is not needed
here). The defaults were chosen on held-out parts of three books, for a vanilla network and two GRUs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hornbook.cells.cell import Array
from hornbook.config import TrainingSettings
from hornbook.engines import Engine
from hornbook.errors import SettingError
from hornbook.evaluation import Evaluation
from hornbook.optimizers import DECAY, EPSILON
from hornbook.parameters import flattened
from hornbook.reading import LEAD, Numbers, check_known, costs, led
from hornbook.values import integer, make_plain, real, share
from hornbook.vocabulary import Vocabulary


@dataclass(frozen=True)
class Dynamic:
    """How a network learns while it is evaluated: by steps of rate `lr` (η) after each `segment` of so many
    characters (T), and back to the trained parameters by a share of `decay` (λ). Raises SettingError."""

    lr: float = 4e-4
    decay: float = 1e-3
    segment: int = 25

    def __post_init__(self) -> None:
        make_plain(self)
        real("`lr`", self.lr, 0, 1)
        share("`decay`", self.decay)
        integer("`segment`", self.segment, 1, 1_000_000)


def learning(training: TrainingSettings) -> TrainingSettings:
    """The settings of an engine whose gradients are those of one stream's mean loss, with all its units."""
    return replace(
        training,
        objective="mean",
        streams=1,
        shards=1,
        dropout=0.0,
        optimizer="sgd",
        weight_decay=0.0,
        input_rate=1.0,
        dtype=training.array_dtype,
    )


def evaluate_dynamic(
    engine: Engine, vocabulary: Vocabulary, text: str, state: Array, how: Dynamic, before: str = ""
) -> Evaluation:
    """Evaluate a text from a state (L, S, 1, H) and what stands `before` it, which is read and not learnt
    from; the engine, made with `learning` settings, stays as it is.
    An unknown character costs ln(K + 1) nats and is not read. Raises TextError where the text is empty or has
    no character that the model knows, SettingError where the loss ceases to be finite."""
    ids = check_known(vocabulary, text)
    known = ids[ids >= 0]
    unknown = len(ids) - len(known)
    read = vocabulary.find(before[-LEAD:])
    state = led(engine, read[read >= 0], state)
    total = costs(engine, known[:1], state).sum() + learnt(engine, known, state, how)
    total += unknown * math.log(len(vocabulary) + 1)
    return Evaluation(len(ids), unknown, float(total) / len(ids))


def learnt(engine: Engine, ids: Numbers, state: Array, how: Dynamic) -> float:  # (N,)
    """The nats of all characters but the first, each segment scored and then learnt from."""
    first = engine.get_state().parameters  # θ₀
    parameters, squares = first.copy(), np.zeros_like(first)
    total = 0.0
    with np.errstate(all="ignore"):  # what is not finite is found by its value
        for n, start in enumerate(range(0, len(ids) - 1, how.segment), 1):
            window = ids[start : start + how.segment + 1, None]
            loss, gradients, state, _ = engine.with_parameters(parameters).loss_and_gradients(
                window[:-1], window[1:], state
            )
            if not math.isfinite(loss):
                raise SettingError(came_apart(how, start))
            total += loss
            step(parameters, first, squares, flattened(gradients), how, n)
    return total


def step(parameters: Array, first: Array, squares: Array, g: Array, how: Dynamic, n: int) -> None:  # (P,)
    """θ ← θ - η g / (√ŝ + ε) + λ (θ₀ - θ), in place, after segment n (from 1)."""
    squares += (1 - DECAY) * (g * g - squares)
    back = how.decay * (first - parameters)
    parameters -= how.lr * g / (np.sqrt(squares / (1 - DECAY**n)) + EPSILON)
    parameters += back


def came_apart(how: Dynamic, characters: int) -> str:
    """What is wrong with a rate at which the loss ceases to be finite."""
    return (
        f"`lr` is {how.lr:g}, at which the loss is not finite any more after {characters:,} "
        "characters; give a lower one"
    )


def record(evaluation: Evaluation, how: Dynamic) -> dict[str, Any]:
    """The evaluation and how it was made, as a JSON record."""
    return {**evaluation.record(), "lr": how.lr, "decay": how.decay, "segment": how.segment}
