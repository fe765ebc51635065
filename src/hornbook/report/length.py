"""How long a training was, as far as its folder tells it: its settings, and the plan that it went by."""

from __future__ import annotations

import math

from hornbook.errors import HornbookError
from hornbook.markup import counted
from hornbook.report.subject import Subject
from hornbook.run_files import read_plan


def length(subject: Subject) -> str:
    """How many updates were made, and what was asked for."""
    training, made = subject.run.config.training, counted(subject.updates, "update")
    ended = f", ended by {counted(training.patience, 'evaluation')} without a new best"
    early = ended if subject.summary.get("stopped_early") else ""
    if training.minutes:
        return f"{made}{early}, {by_time(subject)}"
    if longer(subject):
        return f"{made}, longer than the {training.updates:,} that were asked for at first{early}"
    return f"{subject.updates:,} of {counted(training.updates, 'update')}{early}"


def by_time(subject: Subject) -> str:
    """Why a training by time made no more updates than it did; how long it was to be, where another reason is
    told or none is known."""
    minutes = subject.run.config.training.minutes
    time = f"{minutes:g} minute{'s' * (minutes != 1)}"
    if subject.summary.get("stopped_early") or subject.why_no_summary:
        return f"in a training of {time}"
    if not subject.summary.get("finished"):
        return f"of a training of {time} that is not finished"
    if longer(subject):
        return f"as many as were asked for when it went on; at first it was given {time}"
    if not math.isclose(deadline(subject), 60 * minutes, abs_tol=0.1):
        return f"in {time}, and in those that it was given when it went on"
    if read_enough(subject):
        return f"in which it had read the text as often as a training by time is to; {time} would allow more"
    return f"as many as {time} allowed"


def read_enough(subject: Subject) -> bool:
    """Whether a text was read as often as by time it may be, so that not the clock has ended the training."""
    most = subject.run.config.training.most_epochs
    return bool(most) and subject.updates >= round(most * subject.updates_per_epoch)


def longer(subject: Subject) -> bool:
    """Whether a run went on for so many updates, and made more of them than its settings say or their time
    allowed."""
    training = subject.run.config.training
    return not deadline(subject) if training.minutes else subject.updates > training.updates


def deadline(subject: Subject) -> float:
    """The seconds since the first update at which a training by time was to end, as far as that is known; 0
    where it went on by a number of updates."""
    try:
        steps = read_plan(subject.run.folder)
    except HornbookError:  # it is gone, or damaged
        steps = []
    changes = [step.until for step in steps if step.until is not None]
    return changes[-1] if changes else 60 * subject.run.config.training.minutes
