"""Selection: which parameters of a training are the best by what is held out, and when to stop looking."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from hornbook.config import TrainingSettings
from hornbook.engines import Engine, TrainingState
from hornbook.events import Best, Lanes, Validation
from hornbook.reading import always
from hornbook.text import Ids
from hornbook.validation import HeldOut, amount_allowed


@dataclass
class Selection:
    """The evaluations of one training."""

    held_out: HeldOut
    training: TrainingSettings
    best: Best | None = None

    @classmethod
    def of(cls, ids: Ids, training: TrainingSettings, best: Best | None = None) -> Selection | None:
        """The selection by what a training holds out of a text, and the best so far of one that goes on;
        None where it holds out nothing."""
        held_out = HeldOut.of(ids, training)
        return cls(held_out, training, best) if held_out else None

    def evaluate(
        self, engine: Engine, state: TrainingState, going_on: Callable[[], bool] = always
    ) -> tuple[Validation, Best]:
        """What the network of a state needs for the held-out part, and the best so far. Where more of it is
        read than for that one, it reads it again, so that both have read the same. Raises BrokenOff, and is
        as it was, where `going_on` says no."""
        best, hidden, lanes = self.best, state.hidden[:, :, :1], self.lanes(state.update)
        now = engine.with_parameters(state.parameters)
        found = self.held_out.evaluate(now, hidden, lanes, going_on)
        if best and best.lanes != lanes:
            then = engine.with_parameters(best.parameters)
            again = self.held_out.evaluate(then, best.hidden, lanes, going_on)
            best = replace(best, nats=again.nats_per_character, lanes=lanes)
        if best is None or lower(found.nats_per_character, best.nats):
            best = Best(state.parameters, hidden, state.update, found.nats_per_character, lanes)
        else:
            best = replace(best, since=best.since + 1)
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
