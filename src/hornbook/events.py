"""What a training tells: the values that it yields, for a terminal, a run folder or a page to use.

Losses are nats summed over the T characters of an update, averaged over streams.
"""

from __future__ import annotations

from dataclasses import dataclass

from hornbook.cells.cell import Array
from hornbook.engines import TrainingState


@dataclass(frozen=True)
class Progress:
    """How far the training is; many times a second."""

    update: int
    updates: int  # of the whole training
    epoch: float
    smooth_loss: float
    best_smooth_loss: float
    best_update: int
    seconds: float  # since the first update
    characters_per_second: float


@dataclass(frozen=True)
class Logged:
    """One row of metrics; `gradient_norm` is taken before clipping, `clipped` counts the entries that
    clipping changed."""

    update: int
    epoch: float
    loss: float
    smooth_loss: float
    lr: float
    gradient_norm: float
    clipped: int
    seconds: float
    characters_per_second: float


@dataclass(frozen=True)
class Sampled:
    """A text written from the current state after `update` updates, as a person reads it."""

    update: int
    text: str


@dataclass(frozen=True)
class Checkpoint:
    """All that is needed to go on from here."""

    state: TrainingState
    reading: Array  # (L, S, 1, H) the best model's state in the midst of the text
    first_loss: float  # NaN before the first update
    seconds: float


@dataclass(frozen=True)
class Finished:
    """The end: of all updates, or of those made before a stop was asked for. `passage` is written from
    the best model, and empty after a stop."""

    state: TrainingState
    first_loss: float
    passage: str
    seconds: float
    complete: bool


Event = Progress | Logged | Sampled | Checkpoint | Finished
