"""Flags of `train` that do nothing beside the others: each is told, so that nobody waits for its effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hornbook.compound import Schedule
from hornbook.config import TrainingSettings
from hornbook.markup import counted


def idle(typed: Mapping[str, Any], training: TrainingSettings) -> Iterator[str]:
    """A sentence for each flag that was typed and changes nothing."""
    schedule = Schedule.parse(training.schedule)
    if "chunk" in typed and training.order == "text":
        yield "--chunk does nothing where the text is read in order; add --order shuffled"
    if "evaluate_every" in typed and not training.validation:
        yield "--evaluate-every does nothing where nothing is held out; add --validation 0.1"
    if "init_scale" in typed and training.init != "normal":
        yield f"--init-scale does nothing with initial values that are {training.init}; add --init normal"
    if "threads" in typed and training.engine != "native":
        yield f"--threads does nothing with the {training.engine} engine"
    if "schedule" in typed and schedule.kind == "step" and schedule.every >= training.updates:
        yield f"--schedule {training.schedule} makes no step in {counted(training.updates, 'update')}"
