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

from hornbook.agreement import check_same, same_text
from hornbook.checkpoints import Saved, last_checkpoint, restore
from hornbook.config import LONGEST
from hornbook.errors import RunFolderError
from hornbook.events import Checkpoint, Planned
from hornbook.folders import Place
from hornbook.lengthening import Further, in_all, plan_on, time_left
from hornbook.locks import LOCK, Lock, under_way
from hornbook.markup import counted
from hornbook.plan import Budget, Plan, total_after
from hornbook.remains import (
    begin_again,
    check_beginning,
    damaged_rows,
    keep_later_best,
    kept_plan,
    last_row,
    recorded,
    row_count,
    set_aside,
    sound_summary,
)
from hornbook.run_files import (
    BEST,
    FIGURE,
    LAST,
    METRICS,
    PICTURE,
    PLAN,
    PREVIOUS,
    SAMPLES,
    SUMMARY,
    most_bytes,
    plan_bytes,
    read_beginning,
)
from hornbook.runs import Run
from hornbook.storage import beside, check_plain, storing, unlinked, write_json, write_whole
from hornbook.text import Text

ROWS = (METRICS, SAMPLES)
WHOLE = (PLAN, BEST, LAST, PREVIOUS, SUMMARY, FIGURE, PICTURE)  # each written beside and renamed


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


def check_places(folder: Path) -> None:
    """Raise PlaceError where something is in the place of a file that a run which goes on writes, such as a
    folder: before the hours of training in which it would have been found."""
    for name in (LOCK, *ROWS):
        with storing(folder / name):
            check_plain(folder / name)
    for path in (folder / place for name in WHOLE for place in (name, beside(name))):
        with storing(path):
            check_plain(path, follow=True)  # a link is replaced


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
    own = read_beginning(run.folder)
    check_same(run, saved, force)
    if not saved:
        check_beginning(run.folder, force)
    start = replace(saved.start, seconds=spent(run, saved, summary)) if saved else None
    update = saved.start.state.update if saved else 0
    kept, wrong = kept_plan(run, saved, force)
    steps = [Planned(0, update)] if kept is None else kept
    further = in_all(run, further, max(update, summary.get("updates", 0) if saved else 0))
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
        restore(run.folder, saved, told, keep_later_best(run, saved))
    else:
        begin_again(run.folder, told)
    lock.written = cut_back(run, rows, steps, summary)
    if steps:
        own[PLAN] = plan_bytes(steps)
    ruled = max((step.update for step in steps if step.update <= update), default=-1)
    place = Place(run.folder, lock, own, rows, steps[-1].update if steps else -1, ruled)
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
        some = counted(rows.get(name, 0), "row")
        how = f"without it: {planned}" if name == PLAN else f"with {some}"
        told(f"{wrong}; going on {how}{kept}")


def spent(run: Run, saved: Saved, summary: Mapping[str, Any]) -> float:
    """The seconds from the first update to a checkpoint: of the summary, where that was written with it, or
    of the last row before it; no more than a run by time may have, since a plan is made from them."""
    told = summary
    if summary.get("updates") != saved.start.state.update:
        told = last_row(run.folder / METRICS, saved.rows[METRICS])
    return min(max(float(told.get("seconds", 0)), 0.0), 60.0 * LONGEST)


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
