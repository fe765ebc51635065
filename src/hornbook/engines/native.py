"""The native engine: hornbook's C++ core, in float32, in float64, and mixed: float32 with products in
bfloat16 where the processor has them. The loop over updates runs inside it.

The same source is compiled once for each level of processor, and the best one that this processor has
is taken; the environment variable HORNBOOK_ISA names another, and HORNBOOK_PAIRS how a core of the level
mixes (vector: AVX512-BF16, tiles: AMX; tiles where there are any). What the core computes stands in the
reference engine; this file only hands arrays in and out.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from hornbook.cells.cell import Array
from hornbook.config import ModelSettings, TrainingSettings
from hornbook.distribution import Choice
from hornbook.engines.classic_core import ClassicCore
from hornbook.engines.cores import Core, contiguous, is_classic
from hornbook.engines.family_core import FamilyCore
from hornbook.engines.interface import Advance, Floats, Gradients, Integers, Reading, Start, TrainingState
from hornbook.errors import SettingError, known
from hornbook.parameters import views
from hornbook.philox import Source
from hornbook.text import Ids

ISA_VARIABLE = "HORNBOOK_ISA"
LEVELS = ("baseline", "avx2", "avx512", "neon")  # all that a core can be compiled for
BASES = ("baseline", "neon")  # of x86 and of Arm; the core of a base also tells the processor's levels


@cache
def levels() -> tuple[str, ...]:
    """The levels that this processor and this installation have, the plainest first; none where the
    core was not built."""
    for base in BASES:
        try:
            found = import_module(f"hornbook._core_{base}").levels()
        except ImportError:
            continue
        return tuple(level for level in found if importable(level))
    return ()


def importable(level: str) -> bool:
    """Whether the core of a level is installed."""
    try:
        load(level)
    except ImportError:
        return False
    return True


def load(level: str) -> ModuleType:
    """The core of a level."""
    return import_module(f"hornbook._core_{level}")


def chosen_level() -> str:
    """The level that HORNBOOK_ISA names, or the best one; empty where there is no core. Raises
    SettingError for a level that this machine does not have."""
    here = levels()
    wanted = os.environ.get(ISA_VARIABLE)
    if wanted and wanted not in here:
        if wanted in LEVELS:
            there = ", ".join(here) or "none"
            raise SettingError(
                f"{ISA_VARIABLE} is {wanted}, which is not to be had here; expected one of: {there}"
            )
        raise SettingError(known(f"level in {ISA_VARIABLE}", wanted, here))
    return wanted or (here[-1] if here else "")


def core() -> Any:
    """The core to use. Raises SettingError where there is none."""
    level = chosen_level()
    if not level:
        raise SettingError(
            "the native engine is not in this installation, because it could not be compiled when it was "
            "made; install a C++ compiler (Debian: apt install g++), then hornbook again with pip's options "
            "--force-reinstall and --no-cache-dir, or use `engine='reference'`"
        )
    return load(level)


def core_of(module: ModuleType, model: ModelSettings, training: TrainingSettings) -> Core:
    """The fastest core that can train this."""
    return (ClassicCore if is_classic(model, training) else FamilyCore)(module, model, training)


class NativeEngine:
    """The engine that trains by default. Raises SettingError where there is no core."""

    def __init__(
        self,
        model: ModelSettings,
        training: TrainingSettings,
        state: TrainingState,
        ids: Ids | None = None,
    ) -> None:
        self.model, self.training = model, training
        self.ids = None if ids is None else contiguous(ids, ids.dtype)
        self.core = core_of(core(), model, training)
        self.sampler: Any = None
        self.set_state(state)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of all arrays that go in and out."""
        return np.dtype(self.training.array_dtype)

    def set_state(self, state: TrainingState) -> None:
        """Take over a copy of all that is to be remembered."""
        self.parameters = contiguous(state.parameters, self.dtype)
        self.sampler = None
        self.core.set_state(state)

    def get_state(self) -> TrainingState:
        """A copy of all that the engine remembers."""
        return self.core.get_state()

    def current(self) -> Array:  # (P,)
        """The parameters as they are now; see `Engine`."""
        if not self.parameters.size:
            self.parameters = self.core.parameters()
        return self.parameters

    def loss_and_gradients(
        self, x: Integers, y: Integers, state: Array, dstate: Array | None = None
    ) -> Gradients:
        """Read x (T, B), predict y (T, B); see `Engine`."""
        end = np.zeros(state.shape) if dstate is None else dstate
        return self.core.loss_and_gradients(self.current(), x, y, state, end)

    def advance(self, rates: Floats, measure_every: int = 1) -> Advance:
        """Make one update for each learning rate; see `Engine`."""
        assert self.ids is not None, "an engine without a text cannot advance"
        self.parameters, self.sampler = np.empty(0), None  # asked for again when they are needed
        return self.core.advance(self.ids, rates, measure_every)

    def read(self, x: Integers, y: Integers, state: Array) -> Reading:
        """Read x (n, M), predict y (n, M); see `Engine`."""
        return self.core.read(self.current(), x, y, state)

    def step(self, ids: Integers | None, state: Array) -> tuple[Array, Array]:
        """Read one character in each stream, or none; see `Engine`."""
        if ids is None:
            named = views(self.model, self.current())
            return state[-1, 0] @ named["V"] + named["c"], state
        return self.core.step(self.current(), ids, state)

    def sample(self, start: Start, length: int, choice: Choice, source: Source) -> tuple[Integers, Start]:
        """Draw characters in each stream; see `Engine`."""
        if self.sampler is None:
            self.sampler = self.core.sampler(self.current())
        state = np.array(start.state, dtype=self.dtype, order="C")  # changed in place
        last = np.array(start.last, dtype=np.int64)
        drawn = self.sampler.sample(
            state,
            last,
            length,
            choice.temperature,
            choice.top_k,
            choice.top_p,
            seed=source.seed,
            position=start.position,
            purpose=source.purpose,
            update=source.update,
            threads=self.training.threads,
        )
        return drawn, Start(state, last, start.position + length)

    def with_parameters(self, parameters: Array) -> NativeEngine:
        """The same network with other parameters; see `Engine`."""
        state = TrainingState.of_parameters(parameters, self.model, self.training)
        return ReadingEngine(self.model, self.training, state)


class ReadingEngine(NativeEngine):
    """One that will not train. Its core is never given a state, so what that keeps for training, which is
    most of its memory, is never touched and takes no room."""

    def set_state(self, state: TrainingState) -> None:
        """Take over the parameters."""
        self.parameters, self.sampler = contiguous(state.parameters, self.dtype), None

    def get_state(self) -> TrainingState:
        """The state of a training that would start here."""
        return TrainingState.of_parameters(self.parameters, self.model, self.training)
