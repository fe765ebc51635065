"""Engines: what computes. They know arrays, never files, text or terminals."""

from __future__ import annotations

from zlib import crc32

import numpy as np

from hornbook.config import ModelSettings, TrainingSettings
from hornbook.engines.cores import chosen_pairs, why_unmixed
from hornbook.engines.interface import Advance, Engine, Gradients, Reading, Start, TrainingState
from hornbook.engines.native import NativeEngine, core, levels
from hornbook.engines.reference import ReferenceEngine

ENGINES: dict[str, type[Engine]] = {"native": NativeEngine, "reference": ReferenceEngine}

__all__ = [
    "ENGINES",
    "Advance",
    "Engine",
    "Gradients",
    "Reading",
    "Start",
    "TrainingState",
    "default_engine",
    "pairs_of",
    "roots_of",
    "why_not_mixed",
]


def default_engine() -> str:
    """The engine that trains where none is named: the native one, or the reference where an
    installation has no core."""
    return "native" if levels() else "reference"


def pairs_of(training: TrainingSettings) -> dict[str, str]:
    """How the products of a mixed training are made here, as it is recorded, for their last digits differ:
    its pairs are vector, tiles or none. Empty where it is not mixed. Raises SettingError for a way that is
    not to be had."""
    if training.dtype != "mixed":
        return {}
    return {"pairs": (chosen_pairs(core()) if levels() else "") or "none"}


def roots_of(training: TrainingSettings) -> dict[str, str]:
    """Whose last digits 1 / √v has here, as it is recorded, where a training's own hang on them: AdaGrad's
    in float32, by a core that begins with the processor's guess. Empty elsewhere."""
    if not levels() or (training.engine, training.dtype, training.optimizer) != (
        "native",
        "float32",
        "adagrad",
    ):
        return {}
    return {"roots": f"{crc32(core().over_root(np.linspace(1, 4, 4096, dtype=np.float32)).tobytes()):08x}"}


def why_not_mixed(model: ModelSettings, training: TrainingSettings) -> str:
    """Why a training cannot be mixed here; empty where it can. Raises SettingError where there is no core."""
    if training.engine != "native":
        return f"the {training.engine} engine has no products in bfloat16"
    return why_unmixed(core(), model, training)


NO_CORE = (
    "this installation has no native core, so the reference engine trains, about ten times slower; "
    "install a C++ compiler (Debian: apt install g++), then hornbook again with pip's options "
    "--force-reinstall and --no-cache-dir"  # pip keeps the package that it built without a core
)
