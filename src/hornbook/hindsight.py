"""Hindsight: what to warn of when a run has ended, by where in it the best model is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hornbook.events import VALIDATION_LOSS

EARLY = 100  # updates
PART = 5  # a best model of the first fifth of a run was left behind by the rest
DIVERGED = 1.5  # times the first loss


def warning_of(summary: Mapping[str, Any]) -> str:
    """What to warn of after a run: it ended worse than it began, its best update is among its first hundred,
    or in the first fifth of it; empty where there is nothing to warn of, or the run was ended before that
    could be known."""
    best, updates = summary["best_update"], summary.get("updates", 0)
    if not best:
        return ""
    if diverged(summary):
        return "the loss ended above where it began: the training diverged; give it a lower `lr`"
    if updates > EARLY and updates >= PART * best:
        return left_behind(summary)
    if best > EARLY or summary.get("stopped_early"):
        return ""
    return soon_over(summary)


def diverged(summary: Mapping[str, Any]) -> bool:
    """Whether a run ended worse than it began. One that goes on from another began with a loss that is no
    measure."""
    first, last = summary.get("first_loss"), summary.get("last_smooth_loss")
    return not summary.get("from") and first is not None and last is not None and last > DIVERGED * first


def left_behind(summary: Mapping[str, Any]) -> str:
    """What to say of a run to its planned end that went on for long after its best model."""
    best, updates = summary["best_update"], summary["updates"]
    if not summary.get("finished") or summary.get("stopped_early"):
        return ""
    if summary.get("validation") and summary.get("best_by") == VALIDATION_LOSS:
        return (
            f"the best model is of update {best:,} of {updates:,}: after that the loss on what is held out "
            "did not fall any more; the last model, which has read more, writes with "
            "hornbook sample --which last"
        )
    if best > EARLY:
        return ""
    fell = "going on has not lowered the smooth loss" if summary.get("from") else "the smooth loss soon rose"
    return f"{fell}: it was lowest at update {best:,} of {updates:,}; give it a lower `lr`"


def soon_over(summary: Mapping[str, Any]) -> str:
    """What to say of a run that ended soon after a best model of its first updates; of one that goes on from
    another, where its loss was not still falling."""
    best = summary["best_update"]
    if not summary.get("from"):
        return (
            f"the best update is {best}, among the first {EARLY}: the run is too short for its best model to "
            "mean much; give it more `updates` or `minutes`"
        )
    if 2 * best > summary.get("updates", 0):
        return ""
    return (
        f"the best update is {best}, among the first {EARLY}: going on has not lowered the loss so far; give "
        "it more `updates` or `minutes`, or a lower `lr`"
    )
