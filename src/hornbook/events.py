"""What a training tells: the values that it yields, for a terminal, a run folder or a page to use.

Losses are nats summed over the T characters of an update, averaged over streams. With validation the best
parameters of a state are those of the evaluation with the lowest loss, as is its best update; without it, and
where a training takes the mean of its parameters, they are that mean, and the best update is the last one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from hornbook.cells.cell import Array
from hornbook.config import ModelSettings, TrainingSettings
from hornbook.engines import TrainingState
from hornbook.engines.interface import zero_state
from hornbook.text import Ids

VALIDATION_LOSS, SMOOTH_LOSS = "validation", "smooth loss"  # by which the best parameters are chosen,
AVERAGE = "average"  # or that they are the mean of the last


@dataclass(frozen=True)
class Planned:
    """How many updates are to come after so many of them, as the speed measured until then has it; told in a
    training of so many minutes, before the updates that it governs. Where a training was given more of them,
    `until` says when they end, in seconds since the first update, 0 where it goes by no clock any more, and
    `ended` that it had come to its end before."""

    update: int
    remaining: int
    until: float | None = None
    ended: bool | None = None


@dataclass(frozen=True)
class Progress:
    """How far the training is; many times a second."""

    update: int
    updates: int  # of the whole training, as planned now
    epoch: float
    smooth_loss: float
    best_smooth_loss: float
    best_update: int
    seconds: float  # since the first update
    characters_per_second: float
    seconds_left: float = math.inf  # at most: what a training by time has for its updates


@dataclass(frozen=True)
class Logged:
    """One row of metrics; `gradient_norm` is taken before clipping, `clipped` counts the entries that
    clipping changed, `validation` is in nats per character, where it was measured."""

    update: int
    epoch: float
    loss: float
    smooth_loss: float
    lr: float
    gradient_norm: float
    clipped: int
    seconds: float
    characters_per_second: float
    validation: float | None = None


class Lanes(NamedTuple):
    """So many stretches of the held-out part, evenly spread, with so many characters that count in each."""

    number: int
    length: int


@dataclass(frozen=True)
class Best:
    """The parameters with the lowest validation loss and the state that training was in then, where the loss
    was measured, and how many evaluations have passed since."""

    parameters: Array  # (P,)
    hidden: Array  # (L, S, 1, H)
    update: int
    nats: float
    lanes: Lanes
    since: int = 0


class Validation(NamedTuple):
    """What a network needs for a character of the held-out part in nats, on average over so many."""

    nats_per_character: float
    characters: int


@dataclass(frozen=True)
class Evaluated:
    """What the network needs for a character of the held-out part after `update` updates, read in so many
    characters of it, and the least so far, read in the same ones."""

    update: int
    nats_per_character: float
    characters: int
    best_nats_per_character: float
    best_update: int
    seconds: float


@dataclass(frozen=True)
class Sampled:
    """A text written from the current state after `update` updates, as a person reads it."""

    update: int
    text: str


@dataclass(frozen=True)
class Checkpoint:
    """All that is needed to go on from here. `best` is there once there was an evaluation; `lowest_update`
    is that of the lowest smooth loss, and `shown` the one after which the last sample was written (-1: none);
    `pending` is the row of the last update where its evaluation was broken off, and is still to be made;
    `average` is the mean of the parameters so far, as `averaging` has it, where the training takes one.
    """

    state: TrainingState
    reading: Array  # (L, S, 1, H) the best model's state in the midst of the text
    first_loss: float  # NaN before the first update
    seconds: float  # since the first update
    lowest_update: int = 0
    shown: int = -1
    best: Best | None = None
    pending: Logged | None = None
    average: Array | None = None  # (P,)

    @classmethod
    def initial(cls, model: ModelSettings, training: TrainingSettings, ids: Ids | None = None) -> Checkpoint:
        """Before the first update on a text (N,)."""
        reading = zero_state(model, 1, training.array_dtype)
        return cls(TrainingState.initial(model, training, ids), reading, math.nan, 0.0)

    @property
    def best_by(self) -> str:
        """Whose lowest value the best update of the state is, or that its parameters are a mean."""
        if self.best:
            return VALIDATION_LOSS
        return SMOOTH_LOSS if self.average is None else AVERAGE


@dataclass(frozen=True)
class Finished:
    """The end: of all updates, or of those made before a stop was asked for. `passage` is written from
    the best model, and `validation` is what that one needs for all that is held out; after a stop neither is
    there. `early` tells that the training ended by its patience, and `best_by` whose lowest value the best
    update of the state is, or that its best parameters are a mean."""

    state: TrainingState
    first_loss: float
    passage: str
    seconds: float
    complete: bool
    validation: Validation | None = None
    early: bool = False
    best_by: str = SMOOTH_LOSS


Event = Planned | Progress | Logged | Evaluated | Sampled | Checkpoint | Finished
