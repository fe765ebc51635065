"""hornbook's own engines, as `hornbook train` drives them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.sizes import Sizes
from hornbook.config import settings
from hornbook.distribution import Choice
from hornbook.engines import ENGINES, Start, TrainingState
from hornbook.engines.interface import zero_state
from hornbook.philox import WRITE, Source


def make(ids: np.ndarray, sizes: Sizes, engine: str = "native") -> Callable[[int], float]:
    """The training loop."""
    model, training = settings(sizes.vocabulary, hidden=sizes.hidden, seq_len=sizes.seq_len, engine=engine)
    state = TrainingState.initial(model, training)
    running = ENGINES[engine](model, training, state, ids)

    def run(updates: int) -> float:
        return float(running.advance(np.full(updates, 0.1), training.log_every).losses[-1])

    return run


def make_writer(sizes: Sizes, engine: str = "native") -> Callable[[int], float]:
    """The drawing of one stream of characters."""
    model, training = settings(sizes.vocabulary, hidden=sizes.hidden, engine=engine)
    state = TrainingState.initial(model, training)
    running = ENGINES[engine](model, training, state)
    start = Start(zero_state(model, 1, np.float32), np.array([0]))

    def run(characters: int) -> float:
        nonlocal start
        ids, start = running.sample(start, characters, Choice(), Source(0, WRITE))
        return float(ids[0, -1])

    return run
