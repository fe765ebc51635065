"""How many updates a training makes: a number, the plan of a run that is repeated, or what a time allows.

The learning rate is a function of the updates done and the updates in all. So a time is turned into updates
by the speed that was measured, and each correction is kept: a training that goes by the kept plan makes the
same updates to the bit, however fast it is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from hornbook.config import MOST_UPDATES
from hornbook.events import Planned

CLOSER = 0.9  # a correction is due when the time left has shrunk so far since the last look at the clock,
FIRST = 0.1  # seconds, or when so long a time, then twice that, then four times, … has gone by
SLACK = 0.01  # of the updates that are left: smaller corrections are not worth one


class Plan:
    """Updates that are planned beforehand: `total` in all, corrected by each of the steps at its update."""

    def __init__(self, total: int, steps: Sequence[Planned] = ()) -> None:
        self.total = total
        self.steps = {step.update: step for step in steps}
        self.former_ends = {step.update for step in steps if step.ended}

    @classmethod
    def again(cls, steps: Sequence[Planned], update: int = 0) -> Plan:
        """The plan of another run, or of the same one when it goes on after so many updates; its first step
        is at update 0."""
        return cls(total_after(steps, update), steps)

    def correction(self, update: int) -> Planned | None:
        """The step that holds from this update on, where one begins; it is taken."""
        step = self.steps.get(update)
        if step:
            self.total = update + step.remaining
        return step

    def ends(self, update: int) -> bool:
        """Whether the training ends after this update, or had ended there before it was made longer."""
        return update == self.total or update in self.former_ends

    def next_step(self, update: int) -> int:
        """The update at which the plan is to be asked again: its next step, or the end."""
        return min((at for at in self.steps if at > update), default=self.total)

    def in_time(self) -> bool:
        """Whether there is time to read on in the held-out part when all updates are made."""
        return True

    def seconds_left(self) -> float:
        """The seconds that are left for updates; infinite where no clock ends them."""
        return math.inf


def total_after(steps: Sequence[Planned], update: int) -> int:
    """The updates in all, as the last step of a plan has them that is not after this update."""
    step = max((step for step in steps if step.update <= update), key=lambda step: step.update)
    return step.update + step.remaining


class Budget(Plan):
    """Updates until a moment, but no more than `most`. `planned` of them are expected at first; `end` is the
    moment at which the last is to be made, `close` the one at which all reading ends. Where a training goes
    on that was planned, its `steps` hold before the clock does."""

    def __init__(
        self,
        planned: int,
        end: float,
        close: float,
        clock: Callable[[], float] = time.perf_counter,
        steps: Sequence[Planned] = (),
        most: int = MOST_UPDATES,
    ) -> None:
        super().__init__(min(planned, most), steps)
        self.end, self.close, self.clock, self.most = end, close, clock, most
        self.marks: list[tuple[float, int]] = []  # (moment, updates made by then)
        self.due = 0.0  # the moment of the next look at the clock

    def correction(self, update: int) -> Planned | None:
        """What the speed of the last half of the time so far makes of the time left, where it is time to look
        and the plan has to change by more than a hundredth; the end of the plan when the time is over."""
        step = super().correction(update)
        if step or update < max(self.steps, default=0):
            return step
        now = self.clock()
        if not self.marks:
            self.look(now, update)
            return None if self.steps else Planned(update, self.total - update)
        before = self.total - update
        if before and now < min(self.due, self.end):
            return None
        remaining = max(0, min(int((self.end - now) * self.speed(now, update)), self.most - update))
        self.look(now, update)
        slack = SLACK * (before or update) if remaining else 0
        if abs(remaining - before) <= slack:
            return None
        self.total = update + remaining
        return Planned(update, remaining)

    def look(self, now: float, update: int) -> None:
        """Remember this look at the clock, and when the next one is due."""
        self.marks.append((now, update))
        gone, left = now - self.marks[0][0], self.end - now
        self.due = now + min(max(gone, FIRST), (1 - CLOSER) * max(left, 0.0))

    def speed(self, now: float, update: int) -> float:
        """Updates a second, with all that lies between them, over the last half of the time so far."""
        half = (self.marks[0][0] + now) / 2
        moment, made = max((mark for mark in self.marks if mark[0] <= half), default=self.marks[0])
        return (update - made) / max(now - moment, 1e-9)

    def in_time(self) -> bool:
        """Whether there is time to read on in the held-out part."""
        return self.clock() < self.close

    def seconds_left(self) -> float:
        """The seconds until the moment at which the last update is to be made."""
        return max(0.0, self.end - self.clock())
