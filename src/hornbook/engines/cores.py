"""The two compiled cores behind the native engine, as one interface: arrays in and out, no state of their own
beside that of the training.

`ClassicCore` has the vanilla cell, one layer, one stream, SGD and AdaGrad, and is the fastest at that;
`FamilyCore` has every cell, any layers and streams, all optimizers, and several threads.
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
from hornbook.parameters import count, views
from hornbook.streams import Streams
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

    def advance(self, ids: Ids, rates: Floats) -> Advance:
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


def core_of(module: ModuleType, model: ModelSettings, training: TrainingSettings) -> Core:
    """The fastest core that can train this."""
    return (ClassicCore if is_classic(model, training) else FamilyCore)(module, model, training)


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


class ClassicCore(Trained):
    """Stream after stream, and one of them only in training."""

    def __init__(self, module: ModuleType, model: ModelSettings, training: TrainingSettings) -> None:
        super().__init__(module, model, training)
        self.core = self.reading(training.seq_len, training.streams)

    def reading(self, T: int, B: int) -> Any:
        """A compiled half that reads T characters at a time and differentiates one of B streams' share of
        the objective."""
        model, training = self.model, self.training
        how = Clip.parse(training.clip)
        share = 1 / (B * T) if training.objective == "mean" else 1 / B
        make = getattr(self.module, f"Core{self.suffix}")
        return make(model.vocabulary, model.hidden, T, training.optimizer, how.kind, how.limit, share)

    def hidden(self, state: Array) -> Array:
        """That of the only stream."""
        return self.real(state).ravel()

    def advance(self, ids: Ids, rates: Floats) -> Advance:
        """Make one update for each learning rate."""
        return self.advanced(self.core.advance(ids, contiguous(rates, np.float64)))

    def loss_and_gradients(
        self, parameters: Array, x: Integers, y: Integers, state: Array, dstate: Array
    ) -> Gradients:
        """Read x (T, B), predict y (T, B)."""
        T, B = x.shape
        core = self.reading(T, B)
        total, flat = 0.0, np.zeros_like(parameters)
        final, first = (np.empty(state.shape, self.dtype) for _ in range(2))
        for b in range(B):
            end = self.real(state[0, 0, b]), self.real(dstate[0, 0, b])
            loss, gradient, _, final[0, 0, b], first[0, 0, b] = core.loss_and_gradients(
                parameters, characters(x[:, b]), characters(y[:, b]), *end
            )
            total += loss / B
            flat += gradient
        return Gradients(total, views(self.model, flat), final, first)

    def read(self, parameters: Array, x: Integers, y: Integers, state: Array) -> Reading:
        """Read x (n, M), predict y (n, M)."""
        nats, final = np.empty(x.shape), np.array(state, self.dtype)
        hidden = np.empty((*x.shape, self.model.hidden), self.dtype)
        for m in range(x.shape[1] if len(x) else 0):
            nats[:, m], hidden[:, m], final[0, 0, m] = self.core.read(
                parameters, characters(x[:, m]), characters(y[:, m]), self.real(state[0, 0, m])
            )
        return Reading(nats, hidden, final)

    def step(self, parameters: Array, ids: Integers, state: Array) -> tuple[Array, Array]:
        """Read one character in each stream."""
        logits, after = self.core.step(parameters, characters(ids), self.real(state[0, 0]))
        return logits, after[None, None]

    def sampler(self, parameters: Array) -> Any:
        """What draws characters."""
        make = getattr(self.module, f"Sampler{self.suffix}")
        return OneLayer(make(self.model.vocabulary, self.model.hidden, parameters))


class OneLayer:
    """A sampler of the classic core, which knows states (M, H)."""

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler

    def sample(self, state: Array, *arguments: Any, **named: Any) -> Integers:
        """Draw characters; the state (1, 1, M, H) changes in place."""
        drawn: Integers = self.sampler.sample(state[0, 0], *arguments, **named)
        return drawn


class FamilyCore(Trained):
    """Every network, all streams side by side, the shards of them on several threads."""

    def __init__(self, module: ModuleType, model: ModelSettings, training: TrainingSettings) -> None:
        super().__init__(module, model, training)
        how = Clip.parse(training.clip)
        self.core = getattr(module, f"Network{self.suffix}")(
            model.cell,
            model.vocabulary,
            model.hidden,
            model.layers,
            seq_len=training.seq_len,
            streams=training.streams,
            shards=training.shards,
            threads=training.threads,
            optimizer=training.optimizer,
            clip=how.kind,
            clip_limit=how.limit,
            objective=training.objective,
            weight_decay=training.weight_decay,
            input_rate=training.input_rate,
            dropout=training.dropout,
            seed=training.seed,
            pairs=self.pairs,
        )
        self.update = 0  # updates done: the core is told what to read

    def set_state(self, state: TrainingState) -> None:
        """Take over a copy of all that is to be remembered."""
        super().set_state(state)
        self.update = state.update

    def advance(self, ids: Ids, rates: Floats) -> Advance:
        """Make one update for each learning rate."""
        streams, B = Streams.of(len(ids), self.training), self.training.streams
        updates = range(self.update, self.update + len(rates))
        places = np.array([streams.places(update) for update in updates], np.int64).reshape(-1, B)
        afresh = np.array([streams.starts_afresh(update) for update in updates], np.uint8)
        result = self.advanced(self.core.advance(ids, places, afresh, contiguous(rates, np.float64)))
        self.update += len(result.losses)
        return result

    def loss_and_gradients(
        self, parameters: Array, x: Integers, y: Integers, state: Array, dstate: Array
    ) -> Gradients:
        """Read x (T, B), predict y (T, B)."""
        loss, flat, final, first = self.core.loss_and_gradients(
            parameters, characters(x), characters(y), self.real(state), self.real(dstate)
        )
        return Gradients(loss, views(self.model, flat), final, first)

    def read(self, parameters: Array, x: Integers, y: Integers, state: Array) -> Reading:
        """Read x (n, M), predict y (n, M)."""
        return Reading(*self.core.read(parameters, characters(x), characters(y), self.real(state)))

    def step(self, parameters: Array, ids: Integers, state: Array) -> tuple[Array, Array]:
        """Read one character in each stream."""
        logits, after = self.core.step(parameters, characters(ids), self.real(state))
        return logits, after

    def sampler(self, parameters: Array) -> Any:
        """What draws characters."""
        model = self.model
        make = getattr(self.module, f"NetworkSampler{self.suffix}")
        return make(model.cell, model.vocabulary, model.hidden, model.layers, parameters, self.pairs)
