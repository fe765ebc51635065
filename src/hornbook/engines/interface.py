"""What every engine offers, and the values that go in and out of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from hornbook.cells import CELLS
from hornbook.cells.cell import Array
from hornbook.config import ModelSettings, TrainingSettings
from hornbook.distribution import Choice
from hornbook.optimizers import OPTIMIZERS
from hornbook.parameters import initial
from hornbook.philox import Source
from hornbook.text import Ids

KEPT, FRESH = 0.999, 0.001  # smooth ← 0.999 smooth + 0.001 loss
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TrainingState:
    """All that an engine remembers between two updates. `update` counts the updates done; a smooth
    loss of NaN means that there has been none yet. The best parameters are those after the update
    that set the lowest smooth loss."""

    update: int
    parameters: Array  # (P,)
    memory: Array  # (M, P)
    hidden: Array  # (L, S, B, H)
    smooth_loss: float
    best_smooth_loss: float
    best_update: int
    best_parameters: Array  # (P,)

    @classmethod
    def initial(
        cls, model: ModelSettings, training: TrainingSettings, ids: Ids | None = None
    ) -> TrainingState:
        """The state before the first update on a text (N,), as the seed has it."""
        return cls.of_parameters(initial(model, training, ids=ids), model, training)

    @classmethod
    def of_parameters(
        cls, parameters: Array, model: ModelSettings, training: TrainingSettings
    ) -> TrainingState:
        """The state of a training that would start from these parameters."""
        slots = OPTIMIZERS[training.optimizer].slots
        memory = np.zeros((slots, parameters.size), dtype=parameters.dtype)
        hidden = zero_state(model, training.streams, parameters.dtype)
        return cls(0, parameters, memory, hidden, math.nan, math.inf, 0, parameters.copy())


def zero_state(model: ModelSettings, streams: int, dtype: npt.DTypeLike) -> Array:  # (L, S, B, H)
    """The state in which reading starts."""
    return np.zeros(state_shape(model, streams), dtype=dtype)


def state_shape(model: ModelSettings, streams: int) -> tuple[int, int, int, int]:
    """The shape of a state (L, S, B, H)."""
    return model.layers, CELLS[model.cell].states, streams, model.hidden


class Gradients(NamedTuple):
    """What `loss_and_gradients` gives: the loss in nats (summed over T, averaged over streams), the
    gradient of the objective by parameter name, the state after the last character, and the gradient
    of the state before the first."""

    loss: float
    gradients: dict[str, Array]
    state: Array  # (L, S, B, H)
    dstate: Array  # (L, S, B, H)


class Reading(NamedTuple):
    """What `read` gives for n characters in each of M streams: the nats of each target, the hidden state
    of the top layer after each character, and the state after the last."""

    nats: Floats  # (n, M)
    hidden: Array  # (n, M, H)
    state: Array  # (L, S, M, H)


class Advance(NamedTuple):
    """What `advance` gives for the m updates it made: of each, loss and smooth loss in nats summed
    over T, the norm of the gradient before clipping, and the entries that clipping changed (which may be
    NaN, and less than 0, where nobody asked for them); `stopped` is empty, or names what was not finite
    (`loss` or `gradient`) in the update that was not made."""

    losses: Floats  # (m,)
    smooth_losses: Floats  # (m,)
    norms: Floats  # (m,)
    clipped: Integers  # (m,)
    stopped: str


class Start(NamedTuple):
    """Where sampling goes on: the state of M streams, the character of each that is to be read next
    (-1: none, the first one is drawn from the state alone), and how many have been drawn before."""

    state: Array  # (L, S, M, H)
    last: Integers  # (M,)
    position: int = 0


class Engine(Protocol):
    """One network of one dtype, with the training that changes it."""

    model: ModelSettings

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of all arrays that go in and out."""

    def __init__(
        self,
        model: ModelSettings,
        training: TrainingSettings,
        state: TrainingState,
        ids: Ids | None = None,  # (N,) the text, where `advance` will be asked for
    ) -> None: ...

    def loss_and_gradients(
        self, x: Integers, y: Integers, state: Array, dstate: Array | None = None
    ) -> Gradients:
        """Read x (T, B), predict y (T, B). `dstate` (L, S, B, H) is the gradient of the final state."""

    def advance(self, rates: Floats, measure_every: int = 1) -> Advance:
        """Make one update for each learning rate in `rates` (n,), or fewer where one is not finite;
        that one changes nothing. Asking for n in parts gives the same bits, but for which gradients
        are measured: that need be done only in updates whose number is a multiple of `measure_every`, and in
        the n-th."""

    def read(self, x: Integers, y: Integers, state: Array) -> Reading:
        """Read x (n, M), predict y (n, M), from a state (L, S, M, H). Reading on from the state that
        comes out is the same as reading at once."""

    def step(self, ids: Integers | None, state: Array) -> tuple[Array, Array]:
        """Read one character in each of M streams, ids (M,), or none; logits (M, K) of the next, and
        the state (L, S, M, H)."""

    def sample(self, start: Start, length: int, choice: Choice, source: Source) -> tuple[Integers, Start]:
        """Draw `length` characters in each of M streams, (M, length), and where they end, so that the
        next call goes on from there. Drawing them in parts gives the same characters."""

    def get_state(self) -> TrainingState:
        """A copy of all that the engine remembers."""

    def current(self) -> Array:  # (P,)
        """The parameters as they are now, not to be changed; no later update changes them."""

    def with_parameters(self, parameters: Array) -> Engine:
        """Another engine for the same network with other parameters, and no text to train on."""
