"""The learning rate of each update, as a function of the updates done and the updates in all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hornbook.compound import Schedule
from hornbook.config import TrainingSettings

Floats = npt.NDArray[np.float64]


def rates(training: TrainingSettings, first: int, count: int, total: int) -> Floats:  # (count,)
    """The rates of `count` updates from the one after `first` on, in a training of `total` updates: rising
    evenly to `lr` over the first `warmup`, then as the schedule has it. Those that fall reach their
    end with that of the last update; none is zero."""
    done = np.arange(first, first + count, dtype=np.float64)
    warm = min(training.warmup, total - 1)
    rising = np.minimum(1.0, (done + 1) / max(warm, 1))
    left = np.clip((total - done) / (total - warm), 0.0, 1.0)
    return training.lr * rising * shape(Schedule.parse(training.schedule), done, left)


def shape(schedule: Schedule, done: Floats, left: Floats) -> Floats:  # (n,)
    """What the rate is multiplied by after `done` updates, with a share of `left` to come."""
    if schedule.kind in ("linear", "cosine"):
        high = left if schedule.kind == "linear" else 0.5 - 0.5 * np.cos(np.pi * left)
        return schedule.share + (1 - schedule.share) * high
    return schedule.factor ** (done // schedule.every)  # constant: 1
