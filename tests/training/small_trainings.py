"""Small trainings, a wish to stop them, and their events: by kind, and without their times."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

from hornbook.engines import TrainingState
from hornbook.events import Event, Progress
from problems import Chosen, Settings

E = TypeVar("E", bound=Event)
TIMES = ("seconds", "characters_per_second")


def of(kind: type[E], events: list[Event]) -> list[E]:
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def timeless(event: Event) -> tuple[Any, ...]:
    """All of an event that does not depend on the clock, so that it can be compared."""
    values: list[Any] = [type(event)]
    for field in fields(event):
        value = getattr(event, field.name)
        if isinstance(value, TrainingState):
            parts = [getattr(value, part.name) for part in fields(value)]
            values += [p.tobytes() if isinstance(p, np.ndarray) else repr(p) for p in parts]
        elif field.name not in TIMES:
            values.append(repr(value))
    return tuple(values)


def lasting(events: list[Event]) -> list[tuple[Any, ...]]:
    """All events that do not depend on the clock."""
    return [timeless(event) for event in events if not isinstance(event, Progress)]


def held_out(small: Chosen, **changes: Any) -> Settings:
    """A small training that holds out the last tenth."""
    return small(**{"validation": 0.1, "evaluate_every": 10, "lr": 0.3} | changes)


class Asked:
    """A wish to stop, at the n-th time of being asked."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0
