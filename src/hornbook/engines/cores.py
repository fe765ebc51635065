"""What the two compiled cores behind the native engine have in common: arrays in and out, no state of their
own beside that of the training.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from hornbook.cells import CELLS
from hornbook.cells.cell import Array
from hornbook.compound import Clip
from hornbook.config import ModelSettings, TrainingSettings
from hornbook.engines.interface import Advance, Floats, Gradients, Integers, Reading, TrainingState
from hornbook.errors import SettingError, known
from hornbook.optimizers import OPTIMIZERS
from hornbook.parameters import count
from hornbook.text import Ids

PAIRS_VARIABLE = "HORNBOOK_PAIRS"  # vector: by AVX512-BF16; tiles: by AMX
SUFFIXES = {"float32": "32", "float64": "64"}  # of the compiled halves, by the type of arrays


class Core(Protocol):
    """What the native engine asks of a core; see `Engine`. Parameters are flat, (P,)."""

    def set_state(self, state: TrainingState) -> None:
        """Take over a copy of all that is to be remembered."""

    def get_state(self) -> TrainingState:
        """A copy of all that the core remembers."""

    def parameters(self) -> Array:  # (P,)
        """A copy of the parameters alone."""

    def advance(self, ids: Ids, rates: Floats, measure_every: int) -> Advance:
        """Make one update for each learning rate."""

    def loss_and_gradients(
        self, parameters: Array, x: Integers, y: Integers, state: Array, dstate: Array
    ) -> Gradients:
        """Read x (T, B), predict y (T, B)."""

    def read(self, parameters: Array, x: Integers, y: Integers, state: Array) -> Reading:
        """Read x (n, M), predict y (n, M)."""

    def step(self, parameters: Array, ids: Integers, state: Array) -> tuple[Array, Array]:
        """Read one character in each stream."""

    def sampler(self, parameters: Array) -> Any:
        """What draws characters; its `sample` changes the state (L, S, M, H) that it is given in place."""


def is_classic(model: ModelSettings, training: TrainingSettings) -> bool:
    """Whether the classic core can train this."""
    return (
        (model.cell, model.layers, training.streams, training.order) == ("vanilla", 1, 1, "text")
        and training.optimizer in ("sgd", "adagrad")
        and not training.dropout
        and not training.weight_decay
        and training.input_rate == 1
    )


def chosen_pairs(module: ModuleType) -> str:
    """How a core mixes products: as HORNBOOK_PAIRS says, or the best way that there is; empty where there is
    none. The ways differ in their last digits. Raises SettingError for a way that is not to be had here."""
    here = tuple(module.pairs())
    wanted = os.environ.get(PAIRS_VARIABLE)
    if here and wanted and wanted not in here:
        raise SettingError(known(f"way in {PAIRS_VARIABLE}", wanted, here))
    return (wanted or here[-1]) if here else ""


def why_unmixed(module: ModuleType, model: ModelSettings, training: TrainingSettings) -> str:
    """Why the products of a training stay in float32; empty where they can be in bfloat16."""
    if not module.pairs():
        return (
            "this processor does not multiply bfloat16 (AVX512-BF16, AMX), or its level here is a lower one"
        )
    if is_classic(model, training):
        return "a vanilla network of one layer that reads one stream is trained by a core of its own"
    return ""


def contiguous(array: npt.ArrayLike, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """An array as a core takes it."""
    return np.require(array, dtype, ("C_CONTIGUOUS", "ALIGNED"))


def characters(ids: Integers) -> Integers:
    """Ids as a core takes them."""
    return contiguous(ids, np.int64)


class Trained:
    """What the two cores have in common: the state of the training, as their compiled half keeps it."""

    core: Any  # the compiled half

    def __init__(self, module: ModuleType, model: ModelSettings, training: TrainingSettings) -> None:
        self.module, self.model, self.training = module, model, training
        self.suffix, self.dtype = SUFFIXES[training.array_dtype], np.dtype(training.array_dtype)
        mixed = training.dtype == "mixed" and not why_unmixed(module, model, training)
        self.pairs = chosen_pairs(module) if mixed else ""

    def shape(self, streams: int) -> tuple[int, int, int, int]:
        """That of a state (L, S, B, H)."""
        return self.model.layers, CELLS[self.model.cell].states, streams, self.model.hidden

    def real(self, array: npt.ArrayLike) -> Array:
        """Numbers as a core takes them."""
        return contiguous(array, self.dtype)

    def set_state(self, state: TrainingState) -> None:
        """Take over a copy of all that is to be remembered."""
        slots = OPTIMIZERS[self.training.optimizer].slots
        self.core.set_state(
            state.update,
            self.real(state.parameters),
            self.real(state.memory).reshape(slots, count(self.model)),
            self.hidden(state.hidden),
            state.smooth_loss,
            state.best_smooth_loss,
            state.best_update,
            self.real(state.best_parameters),
        )

    def get_state(self) -> TrainingState:
        """A copy of all that the core remembers."""
        state = self.core.get_state()
        return TrainingState(
            state["update"],
            state["parameters"],
            state["memory"],
            state["hidden"].reshape(self.shape(self.training.streams)),
            state["smooth"],
            state["best_smooth"],
            state["best_update"],
            state["best_parameters"],
        )

    def parameters(self) -> Array:  # (P,)
        """A copy of the parameters alone."""
        flat: Array = self.core.parameters()
        return flat

    def hidden(self, state: Array) -> Array:
        """The state (L, S, B, H) as the compiled half takes it."""
        return self.real(state)

    def advanced(self, result: tuple[Array, Array, Array, Array, str]) -> Advance:
        """What the compiled half gives; of a clipped norm it tells whether all entries change or none."""
        losses, smooth, norms, clipped, stopped = result
        entries = count(self.model) if Clip.parse(self.training.clip).kind == "norm" else 1
        return Advance(losses, smooth, norms, clipped * entries, stopped)
