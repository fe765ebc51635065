"""The mean of the parameters of a training as its model, where the last ones are restless.

With θ the parameters after every tenth update, its n-th time, and a = 2 / share,

    θ̄ ← θ̄ + c (θ - θ̄)      c = min(1, (a - 1) / (n + a - 2))

so that θ counts as n^(a-2) and is as old, on average, as in the plain mean over the last ones, that share of
the updates so far. Nothing here asks when the training ends: it may be longer than planned, or go on later.
(Polynomial-decay averaging: O. Shamir and T. Zhang, "Stochastic gradient descent for non-smooth
optimization", ICML 2013.)
"""

from __future__ import annotations

from dataclasses import dataclass

from hornbook.cells.cell import Array
from hornbook.config import TrainingSettings

EVERY = 10  # updates


@dataclass
class Average:
    """The mean so far: θ̄ as of the last tenth update, or as training began."""

    share: float
    parameters: Array  # (P,)

    @classmethod
    def of(cls, training: TrainingSettings, parameters: Array) -> Average | None:
        """The mean of a training that has come to this mean, or begins with these parameters (P,); None where
        it takes none."""
        return cls(training.average, parameters) if training.average else None

    def take(self, update: int, parameters: Array) -> None:
        """Take in the parameters (P,) after a tenth update."""
        self.parameters = self.with_another(update, parameters)

    def at(self, update: int, parameters: Array) -> Array:  # (P,)
        """The model after an update that led to these parameters (P,); between two that are taken in, they
        count as if they were."""
        return self.with_another(update, parameters) if update % EVERY else self.parameters

    def with_another(self, update: int, parameters: Array) -> Array:  # (P,)
        """θ̄ after the next step."""
        return self.parameters + weight(self.share, update) * (parameters - self.parameters)


def weight(share: float, update: int) -> float:
    """c after so many updates, more than none."""
    a = 2 / share
    return min(1.0, (a - 1) / (update / EVERY + a - 2))
