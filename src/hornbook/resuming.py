"""Going on with a run: from its last checkpoint, to the bit as if it had never ended.

What the bits depend on is compared first: the text, the vocabulary, the settings, the versions and the level
of the processor. Then the rows that came after the checkpoint are cut off, and the plan is the one that
is recorded, unless more updates or minutes are asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hornbook.calibration import budget, going_on, most_updates
from hornbook.checkpoints import Saved, last_checkpoint, made_here, made_then, restore
from hornbook.config import LONGEST, MOST_UPDATES, Schedule, TrainingSettings, to_table
from hornbook.engines import why_not_mixed
from hornbook.errors import RunFolderError, SettingError
from hornbook.events import Checkpoint, Planned
from hornbook.folders import Place
from hornbook.locks import Lock, under_way
from hornbook.markup import for_shell
from hornbook.plan import Budget, Plan, total_after
from hornbook.remains import (
    begin_again,
    check_beginning,
    damaged_rows,
    kept_plan,
    last_row,
    recorded,
    row_count,
    set_aside,
    sound_summary,
)
from hornbook.run_files import (
    CONFIG,
    METRICS,
    PLAN,
    SAMPLES,
    SUMMARY,
    is_text_of,
    most_bytes,
    plan_bytes,
    read_beginning,
)
from hornbook.runs import Run
from hornbook.storage import storing, unlinked, write_json, write_whole
from hornbook.text import Text
from hornbook.values import integer, make_plain, real

ROWS = (METRICS, SAMPLES)
NO_CLOCK = 0.0  # where a plan goes by the number of updates from here on
FREE = {"threads"}  # settings that change no bit
BITS = {
    "native": ("hornbook", "level", "pairs"),
    "reference": ("hornbook", "numpy"),
}  # what those of an engine hang on


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


@dataclass(frozen=True)
class Resumed:
    """A run that goes on: where it is written, its text, where it starts and by which plan."""

    place: Place
    text: Text
    start: Checkpoint | None
    plan: Plan


def finished(run: Run, further: Further | None = None, force: bool = False) -> bool:
    """Whether a run has made all the updates of its plan, and its end, and no more are asked for; not where
    its best model is lost, or rows are lost or damaged that are to be gone without, which is forced: its end
    is then made anew."""
    summary = sound_summary(run)
    if not summary.get("finished") or under_way(run.folder) or (force and damaged_rows(run)):
        return False
    if not has_best(run):
        return False
    try:
        steps, updates = recorded(run.folder), summary["updates"]
    except RunFolderError:
        return False
    if further and (further.updates is None or further.total(updates) != updates):
        return False
    if not steps and run.config.training.minutes:  # its plan is gone
        return True
    total = total_after(steps, updates) if steps else run.config.training.updates
    return bool(updates == total or summary.get("stopped_early"))


def has_best(run: Run) -> bool:
    """Whether the best model of a run can be read."""
    try:
        run.model()
    except RunFolderError:
        return False
    return True


def resume(
    run: Run,
    text: Text | None,
    lock: Lock,
    further: Further,
    force: bool,
    told: Callable[[str], object],
    begun: float,
    figures: Callable[[], float],
) -> Resumed:
    """Put a run's folder back to its last checkpoint, for the process that has locked it; minutes count from
    `begun` and leave free the seconds that `figures` tells. Raises RunFolderError where the run does not fit
    its checkpoint or what is here, SettingError for fewer updates than it has made, StorageError where the
    folder is another one meanwhile or cannot be written."""
    saved = last_checkpoint(run.folder, most_bytes(run.config))
    summary = sound_summary(run, told)
    text = same_text(run, text)
    beginning = read_beginning(run.folder)
    check_same(run, saved, force)
    if not saved:
        check_beginning(run.folder, force)
    start = replace(saved.start, seconds=spent(run, saved, summary)) if saved else None
    update = saved.start.state.update if saved else 0
    kept, wrong = kept_plan(run, saved, force)
    steps = [Planned(0, update)] if kept is None else kept
    if start and kept is None:
        further = further or time_left(run, start)
    counted = {name: row_count(run.folder / name, saved, force) for name in ROWS}
    rows = {name: found for name, (found, _) in counted.items()}
    lost = {PLAN: wrong, **{name: what for name, (_, what) in counted.items()}}
    steps, plan = plan_on(run, text, start, steps, further, begun, figures)
    lock.check()
    go_without(run, lost, rows, plan, told)
    lock.check()  # copies of large files may have taken long
    if saved:
        restore(run.folder, saved, told)
    else:
        begin_again(run.folder, told)
    lock.written = cut_back(run, rows, steps, summary)
    if steps:
        beginning[PLAN] = plan_bytes(steps)
    ruled = max((step.update for step in steps if step.update <= update), default=-1)
    place = Place(run.folder, lock, beginning, rows, steps[-1].update if steps else -1, ruled)
    return Resumed(place, text, start, plan)


def go_without(
    run: Run, lost: Mapping[str, str], rows: Mapping[str, int], plan: Plan, told: Callable[[str], object]
) -> None:
    """Keep each file of which something is lost under a name of its own, and tell that and how it goes on.
    Raises StorageError."""
    for name, wrong in lost.items():
        if not wrong:
            continue
        aside = set_aside(run.folder, name)
        kept = f"; what is left of it is kept as {aside.name}" if aside else ""
        planned = f"{plan.total:,} updates are planned now"
        planned = f"about {planned}, by the clock" if isinstance(plan, Budget) else planned
        some = "1 row" if rows.get(name) == 1 else f"{rows.get(name, 0):,} rows"
        how = f"without it: {planned}" if name == PLAN else f"with {some}"
        told(f"{wrong}; going on {how}{kept}")


def same_text(run: Run, text: Text | None) -> Text:
    """The text that a run was trained on: the one that is given, or read again. Raises RunFolderError where
    it is gone or another one."""
    try:
        text = text or run.text()
    except RunFolderError as error:
        raise RunFolderError(f"{error}{moved(run)}") from error
    if not is_text_of(run.config, text):
        raise RunFolderError(f"{text.name} is not the text that {run.folder} was trained on; give that one")
    text = run.as_numbered(text)
    if text.vocabulary != run.vocabulary or len(text) != run.config.text["characters"]:
        raise RunFolderError(
            f"the vocabulary or the length of {text.name} is not what {run.folder} was trained with; its "
            "vocabulary.json or config.toml was changed; put it back from a copy"
        )
    return text


def moved(run: Run) -> str:
    """What to do where a text of a run is not where it was, or was in no file."""
    if not run.config.sources:
        return f"; give it again, in Python: hornbook.resume({str(run.folder)!r}, text=Text.from_string(...))"
    if all(Path(run.folder, source.path).exists() for source in run.config.sources):
        return ""
    return f"; put it back, or write the whole path of its new place under path in {run.folder / CONFIG}"


def check_same(run: Run, saved: Saved | None, force: bool) -> None:
    """Raise RunFolderError where the settings are not those of the checkpoint, or, unless it is forced, where
    the bits would not be the same here."""
    config, here = run.config, made_here(run.config.training)
    made = saved.made if saved else {key: str(made_then(config.made).get(key)) for key in here}
    if saved:
        then = {**to_table(saved.model), **to_table(saved.training)}
        now = {**to_table(config.model), **to_table(config.training)}
        for key, value in now.items():
            if key not in FREE and value != then[key]:
                raise RunFolderError(
                    f"{key} is {value!r} in {run.folder}/config.toml, but the checkpoint was made with "
                    f"{then[key]!r}; put it back, or train anew: "
                    f"hornbook train --config {for_shell(run.folder)}"
                )
    reason = why_not_mixed(config.model, config.training) if config.training.dtype == "mixed" else ""
    if reason and not force:
        raise RunFolderError(
            f"{run.folder} was trained with `dtype='mixed'`: {reason}; `force=True` goes on in float32, with "
            "other last digits"
        )
    for key in BITS[config.training.engine] + ("numpy",) * takes_numpy(config.training, saved):
        if made.get(key) != here.get(key) and not force:
            raise RunFolderError(
                f"{run.folder} was trained with {key} {made[key]}, and here is {here[key]}: the results "
                "would differ in their last digits; `force=True` goes on all the same"
            )


def takes_numpy(training: TrainingSettings, saved: Saved | None) -> bool:
    """Whether there are digits of NumPy's, with the native engine too, in what is still to come: initial
    values, rates by powers and cosines, orders that are drawn, means over what is held out."""
    drawn = not saved or training.order == "shuffled"
    return drawn or training.validation > 0 or Schedule.parse(training.schedule).kind in ("cosine", "step")


def spent(run: Run, saved: Saved, summary: Mapping[str, Any]) -> float:
    """The seconds from the first update to a checkpoint: of the summary, where that was written with it, or
    of the last row before it; no more than a run by time may have, since a plan is made from them."""
    told = summary
    if summary.get("updates") != saved.start.state.update:
        told = last_row(run.folder / METRICS, saved.rows[METRICS])
    return min(max(float(told.get("seconds", 0)), 0.0), 60.0 * LONGEST)


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
    update, best = (start.state.update, start.best) if start else (0, None)
    patience = run.config.training.patience
    if best and 0 < patience <= best.since:
        raise SettingError(
            f"{run.folder} ended after {patience:,} evaluations without a new best, as its `patience` says, "
            "and would again; train anew with more"
        )
    if further.total(update) <= update:
        raise SettingError(f"{run.folder} has made {update:,} updates already; expected more than these")
    if further.minutes is not None and update >= most_of(run):
        raise SettingError(
            f"{run.folder} has read its text {run.config.training.most_epochs:,.4g} times, as often as a "
            "training by time is to; `updates='+N'` goes on all the same"
        )


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


def cut_back(
    run: Run, rows: dict[str, int], steps: list[Planned], summary: Mapping[str, Any]
) -> dict[str, int]:
    """Cut the rows of a run back, record its plan, or remove the remains of one that is not gone by, and let
    it be unfinished: the bytes of each file of rows. Raises StorageError."""
    path = run.folder / PLAN
    if steps:
        write_whole(path, plan_bytes(steps))
    else:
        with storing(path):
            path.unlink(missing_ok=True)
    if summary.get("finished") and (run.folder / SUMMARY).exists():
        write_json(run.folder / SUMMARY, {**summary, "finished": False})
    written = {}
    for name, count in rows.items():
        with storing(run.folder / name):
            written[name] = cut(run.folder / name, count)
    return written


def cut(path: Path, rows: int) -> int:
    """Leave so many lines of a file: their bytes."""
    with open(path, "a+b", opener=unlinked) as file:
        file.seek(0)
        length = sum(len(file.readline()) for _ in range(rows))
        os.ftruncate(file.fileno(), length)
        os.fsync(file.fileno())
    return length
