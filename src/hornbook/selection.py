"""Selection: which parameters of a training are the best by what is held out, and when to stop looking."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from hornbook.cells.cell import Array
from hornbook.config import TrainingSettings
from hornbook.engines import Engine, TrainingState
from hornbook.events import Validation
from hornbook.text import Ids
from hornbook.validation import HeldOut, Lanes, amount_allowed


@dataclass
class Best:
    """The parameters with the lowest loss and the state that training was in then, where the loss was
    measured, and how many evaluations have passed since."""

    parameters: Array  # (P,)
    hidden: Array  # (L, S, 1, H)
    update: int
    nats: float
    lanes: Lanes
    since: int = 0


@dataclass
class Selection:
    """The evaluations of one training."""

    held_out: HeldOut
    training: TrainingSettings
    best: Best | None = None

    @classmethod
    def of(cls, ids: Ids, training: TrainingSettings) -> Selection | None:
        """The selection by what a training holds out of a text; None where it holds out nothing."""
        held_out = HeldOut.of(ids, training)
        return cls(held_out, training) if held_out else None

    def evaluate(self, engine: Engine) -> tuple[Validation, Best]:
        """What the network needs for the held-out part now, and the best so far. Where more of it is read
        than for that one, it reads it again, so that both have read the same."""
        state, best = engine.get_state(), self.best
        hidden, lanes = state.hidden[:, :, :1], self.lanes(state.update)
        found = self.held_out.evaluate(engine, hidden, lanes)
        if best and best.lanes != lanes:
            again = self.held_out.evaluate(engine.with_parameters(best.parameters), best.hidden, lanes)
            best.nats, best.lanes = again.nats_per_character, lanes
        if best is None or lower(found.nats_per_character, best.nats):
            best = Best(state.parameters, hidden, state.update, found.nats_per_character, lanes)
        else:
            best.since += 1
        self.best = best
        return found, best

    def lanes(self, update: int) -> Lanes:
        """What is read in an evaluation after so many updates."""
        return self.held_out.lanes(amount_allowed(update, self.training))

    def out_of_patience(self) -> bool:
        """Whether too many evaluations have passed without a new best."""
        return 0 < self.training.patience <= (self.best.since if self.best else 0)

    def chosen(self, state: TrainingState) -> TrainingState:
        """A state of the engine with the best parameters by what is held out, once there are some."""
        if self.best is None:
            return state
        return replace(state, best_parameters=self.best.parameters, best_update=self.best.update)


def lower(nats: float, than: float) -> bool:
    """Whether a loss is lower than another; any that is a number is lower than one that is none."""
    return nats < than or (math.isnan(than) and not math.isnan(nats))
