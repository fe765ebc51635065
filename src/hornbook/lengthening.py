"""How far a run goes on: as it was planned, or for more updates or minutes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from hornbook.calibration import budget, going_on, most_updates
from hornbook.checkpoints import last_checkpoint
from hornbook.config import LONGEST, MOST_UPDATES
from hornbook.errors import RunFolderError, SettingError
from hornbook.events import Checkpoint, Planned
from hornbook.markup import counted, for_shell
from hornbook.plan import Budget, Plan, total_after
from hornbook.run_files import most_bytes
from hornbook.runs import Run
from hornbook.text import Text
from hornbook.values import integer, make_plain, real

NO_CLOCK = 0.0  # where a plan goes by the number of updates from here on


@dataclass(frozen=True)
class Further:
    """How much longer a run is to go on than it was planned: to so many updates in all, `+500` more than it
    has made, or for so many minutes from now. Raises SettingError."""

    updates: int | str | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        make_plain(self)
        if self.updates is not None and self.minutes is not None:
            raise SettingError("`updates` and `minutes` both say how long to go on; give one of them")
        self.total(0)
        real("`minutes`", 1 if self.minutes is None else self.minutes, 0, LONGEST)

    def __bool__(self) -> bool:
        return self.updates is not None or self.minutes is not None

    def total(self, update: int) -> int:
        """The updates in all, of a run that has made so many; by time at least one more."""
        text = str("+1" if self.updates is None else self.updates)
        try:
            number = int(text)
        except ValueError as error:
            raise SettingError(
                f"`updates` is {text!r}; expected a number in all (60000), or of more of them (+50000)"
            ) from error
        integer("`updates`", number, 1, MOST_UPDATES)
        return update + number if text.startswith("+") else number


def in_all(run: Run, further: Further, made: int) -> Further:
    """How much longer, `+N` counted from the updates that a run has made, which may be more than those of the
    checkpoint that it goes on from. Raises SettingError for fewer than these."""
    if further.updates is None:
        return further
    if further.total(made) < made:
        raise SettingError(too_few(run, made))
    return replace(further, updates=further.total(made))


def plan_on(
    run: Run,
    text: Text,
    start: Checkpoint | None,
    steps: list[Planned],
    further: Further,
    begun: float,
    figures: Callable[[], float],
) -> tuple[list[Planned], Plan]:
    """The steps that are recorded when a run goes on, and its plan, from those so far. Raises SettingError
    where it is to go on for longer and cannot."""
    model, training = run.config.model, run.config.training
    update, seconds = (start.state.update, start.seconds) if start else (0, 0.0)
    planned = total_after(steps, update) if steps else training.updates
    if further.updates is not None and further.total(update) == update == planned:
        further = Further()  # all are made, but for the end
    if further:
        check_further(run, start, further)
    ended = update == planned or None
    if further.minutes is not None:
        asked = replace(training, minutes=further.minutes)
        clock = budget(text, model, asked, begun, figures(), update)
        steps = changed(
            run, steps, Planned(update, clock.total - update, seconds + 60 * further.minutes, ended)
        )
        return steps, Budget(clock.total, clock.end, clock.close, steps=steps, most=clock.most)
    if further.updates is not None:
        steps = changed(run, steps, Planned(update, further.total(update) - update, NO_CLOCK, ended))
    until = deadline(run, steps)
    if until and not steps:
        return steps, budget(text, model, training, begun, figures())
    if until:
        over = begun + until - seconds - figures()
        return steps, going_on(text, model, training, steps, update, over)
    return steps, Plan.again(steps, update) if steps else Plan(training.updates)


def check_further(run: Run, start: Checkpoint | None, further: Further) -> None:
    """Raise SettingError where a run has ended by its patience, has made as many updates already, or is to go
    on by the clock and has read its text as often as it may."""
    update = start.state.update if start else 0
    if start and out_of_patience(run, start):
        raise SettingError(
            f"{run.folder} ended after {counted(run.config.training.patience, 'evaluation')} without a new "
            f"best, as its `patience` says, and would again; {anew(run)}"
        )
    if further.total(update) <= update:
        raise SettingError(too_few(run, update))
    if further.minutes is not None and update >= most_of(run):
        raise SettingError(
            f"{run.folder} has read its text {run.config.training.most_epochs:,.4g} times, as often as a "
            "training by time is to; `updates='+N'` goes on all the same"
        )


def too_few(run: Run, made: int) -> str:
    """What is wrong with a number of updates that a run has made."""
    return f"{run.folder} has made {counted(made, 'update')} already; expected more than these"


def out_of_patience(run: Run, start: Checkpoint) -> bool:
    """Whether a run has ended by its patience, and would again."""
    return start.best is not None and 0 < run.config.training.patience <= start.best.since


def ended_by_patience(run: Run) -> bool:
    """The same of a run that has ended, by its last checkpoint; not where that cannot be read."""
    with suppress(RunFolderError):
        saved = last_checkpoint(run.folder, most_bytes(run.config))
        return saved is not None and out_of_patience(run, saved.start)
    return False


def anew(run: Run) -> str:
    """How a run that has ended by its patience gets more of it, as the end of a sentence."""
    return f"with more it is trained anew: hornbook train --config {for_shell(run.folder)} --patience N"


def most_of(run: Run) -> int:
    """The updates of a run in which it has read its text as often as it may by time."""
    return most_updates(run.config.text["characters"], run.config.training)


def time_left(run: Run, start: Checkpoint) -> Further:
    """What a run by time has left of its time, unless it has read its text as often as it may."""
    left = 60 * run.config.training.minutes - start.seconds
    return Further(minutes=left / 60) if left > 0 and start.state.update < most_of(run) else Further()


def changed(run: Run, steps: list[Planned], step: Planned) -> list[Planned]:
    """A plan with another step from its update on; one that was settled by the number of updates first."""
    if not steps and step.update:
        steps = [Planned(0, run.config.training.updates)]
    return [before for before in steps if before.update < step.update] + [step]


def deadline(run: Run, steps: list[Planned]) -> float:
    """The seconds since the first update at which a run by time ends; 0 for a run that goes by no clock."""
    changes = [step.until for step in steps if step.until is not None]
    return changes[-1] if changes else 60 * run.config.training.minutes
