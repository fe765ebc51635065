"""hornbook's native engine on a network of the family, as `hornbook train` and `sample` drive it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.sizes import Network
from hornbook.config import settings
from hornbook.distribution import Choice
from hornbook.engines import ENGINES, Start, TrainingState
from hornbook.engines.interface import zero_state
from hornbook.philox import WRITE, Source

RATE = 2e-3


def engine_of(sizes: Network, threads: int, ids: np.ndarray | None = None, dtype: str = "float32") -> Any:
    """The engine before its first update."""
    shape = {"cell": sizes.cell, "hidden": sizes.hidden, "layers": sizes.layers}
    how = {"streams": sizes.streams, "seq_len": sizes.seq_len, "threads": threads, "dtype": dtype}
    model, training = settings(sizes.vocabulary, "plain", engine="native", **shape, **how)
    return ENGINES["native"](model, training, TrainingState.initial(model, training), ids)


def make(ids: np.ndarray, sizes: Network, threads: int = 1, dtype: str = "float32") -> Callable[[int], float]:
    """The training loop."""
    engine = engine_of(sizes, threads, ids, dtype)
    return lambda updates: float(engine.advance(np.full(updates, RATE)).losses[-1])


def make_writer(sizes: Network, threads: int = 1) -> Callable[[int], float]:
    """The drawing of characters in each stream."""
    engine = engine_of(sizes, threads)
    start = Start(zero_state(engine.model, sizes.streams, np.float32), np.zeros(sizes.streams, np.int64))

    def run(characters: int) -> float:
        nonlocal start
        ids, start = engine.sample(start, characters, Choice(), Source(0, WRITE))
        return float(ids[0, -1])

    return run
