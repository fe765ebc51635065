"""Capacity: networks that are too large for the memory of this machine, or for a time, told before anything
of their size is made.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable

import numpy as np

from hornbook.cells import CELLS
from hornbook.config import ModelSettings, TrainingSettings
from hornbook.errors import SettingError
from hornbook.optimizers import OPTIMIZERS
from hornbook.parameters import count

COPIES = 4  # at least, of parameters, best ones and optimizer memory: state, engine, checkpoint, gradient
SAVING = 0.2  # seconds for the files of a checkpoint, and for each
BYTES_A_SECOND = 2e8  # of them
LARGE = 256  # units, up to which initial values take no time worth to be counted
SQUARE = 64  # rows of the matrix that is made orthogonal to see how long that takes: one core's work,
LARGER = 0.5  # of the time by that one's: larger matrices are worked on faster
DRAWN = 1 << 16  # numbers that are drawn to see how long that takes
TIMES = 10  # each is measured: other programs may disturb some


def check_memory(model: ModelSettings, training: TrainingSettings) -> None:
    """Raise SettingError where training needs more memory than the machine has. Without this, systems that
    promise more than they have would kill the process without a word."""
    arrays = COPIES * (2 + OPTIMIZERS[training.optimizer].slots)
    needed, there = count(model) * np.dtype(training.array_dtype).itemsize * arrays, memory()
    if needed > there:
        raise SettingError(
            f"a network of {count(model):,} weights needs at least {needed / 1e9:,.3g} GB of memory to be "
            f"trained, and this machine has {there / 1e9:,.3g} GB; give a smaller `hidden` or `layers`"
        )


def memory() -> float:
    """The bytes of memory of this machine; infinite where it does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return math.inf


def seconds_of_the_start(model: ModelSettings, training: TrainingSettings) -> float:
    """What the initial values of a large network will take, at least, by those of a small part: all are
    drawn, and where W is orthogonal the work grows with the third power of the units."""
    if model.hidden <= LARGE:
        return 0.0
    random = np.random.default_rng(0)
    taken = fastest(lambda: random.standard_normal(DRAWN)) * count(model) / DRAWN
    if training.init == "orthogonal":
        square = random.standard_normal((SQUARE, SQUARE))
        matrices = model.layers * CELLS[model.cell].gates
        taken += LARGER * matrices * fastest(lambda: np.linalg.qr(square)) * (model.hidden / SQUARE) ** 3
    return taken


def seconds_of_saving(model: ModelSettings, training: TrainingSettings) -> float:
    """What the last checkpoint will take: parameters, best ones, the best model and optimizer memory."""
    return SAVING + 5 * count(model) * np.dtype(training.array_dtype).itemsize / BYTES_A_SECOND


def fastest(work: Callable[[], object]) -> float:
    """The seconds of a work, done some times, where it was least disturbed."""
    taken = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return min(taken)
