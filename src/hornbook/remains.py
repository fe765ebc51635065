"""What is left of a run that is to go on: what it had and has no more is named and refused, or, where that is
forced, gone without, and what is damaged is kept under a name of its own.

A checkpoint is `last` or `previous`. The first one writes `last` before `best`, and the summary comes after
both. So where neither checkpoint is there, `best` or a summary tells that there was one, and without them a
run was stopped before its first: it has nothing to lose, whatever rows it has.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from hornbook.checkpoints import Saved, last_checkpoint
from hornbook.errors import RunFolderError
from hornbook.events import Planned
from hornbook.markup import counted, for_shell
from hornbook.plan import total_after
from hornbook.records import check_metric, check_sample, rising
from hornbook.rows import read_json_lines, sound_rows
from hornbook.run_files import (
    BEST,
    LAST,
    METRICS,
    PLAN,
    PREVIOUS,
    SAMPLES,
    SUMMARY,
    most_bytes,
    read_plan,
    read_summary,
)
from hornbook.runs import Run, row_damage, ways_on
from hornbook.storage import storing, write_whole
from hornbook.untrusted import read_tensors

COPY_BLOCK = 1 << 20  # bytes
CHECKS = {METRICS: check_metric, SAMPLES: check_sample}


def sound_summary(run: Run, told: Callable[[str], object] = lambda _: None) -> dict[str, Any]:
    """The summary of a run that is to go on; empty where there is none, and where it is damaged, which is
    told: it will be written anew."""
    try:
        return read_summary(run.folder)
    except RunFolderError as error:
        told(f"{error}; it is written anew")
        return {}


def trained(folder: Path) -> list[str]:
    """The files that tell of a checkpoint, in a run that has none."""
    return [name for name in (BEST, SUMMARY) if (folder / name).exists()]


def check_beginning(folder: Path, force: bool) -> None:
    """Raise RunFolderError where a run that has no checkpoint had one, unless it is forced."""
    there = trained(folder)
    if there and not force:
        raise RunFolderError(
            f"{folder} has neither {LAST} nor {PREVIOUS} any more, though {there[0]} is there; put it back "
            f"from a copy{ways_on(folder)}, or begin again at update 0 in place of all that is there, but "
            "for the best model: `force=True`"
        )


def begin_again(folder: Path, told: Callable[[str], object]) -> None:
    """Take away what was written with a checkpoint that is gone: the best model, which may have cost days,
    to a name of its own. Tells that. Raises StorageError."""
    there = trained(folder)
    kept = ""
    if BEST in there:
        aside = free(folder, BEST)
        with storing(aside):
            (folder / BEST).rename(aside)
        kept = f"; its best model is kept as {aside.name}, which is read again when it is named {BEST}"
    if SUMMARY in there:
        with storing(folder / SUMMARY):
            (folder / SUMMARY).unlink()
    if there:
        told(f"{folder} has neither {LAST} nor {PREVIOUS} any more; it begins again at update 0{kept}")


def free(folder: Path, name: str) -> Path:
    """The first of `best-1.safetensors`, `best-2.safetensors` … that is not there, for `best.safetensors`."""
    stem, dot, kind = name.partition(".")
    places = (folder / f"{stem}-{number}{dot}{kind}" for number in count(1))
    return next(place for place in places if not os.path.lexists(place))


def set_aside(folder: Path, name: str) -> Path | None:
    """Keep a damaged file under a name of its own, rows as a copy, since those before the damage are used;
    None where there is none. Raises StorageError."""
    path, aside = folder / name, free(folder, name)
    if not os.path.lexists(path):
        return None
    if name in CHECKS:
        copy(path, aside)
    else:
        with storing(aside):
            path.rename(aside)
    return aside


def copy(path: Path, aside: Path) -> None:
    """Copy a file, in blocks. Raises StorageError."""
    with path.open("rb") as file:
        write_whole(aside, iter(partial(file.read, COPY_BLOCK), b""))


def keep_later_best(run: Run, saved: Saved) -> str:
    """Keep a copy of the best model under a name of its own where a run goes back to a checkpoint before it:
    it is found again only if the training comes as far. What to say of it, empty where it is no later one or
    cannot be read. Raises StorageError."""
    path = run.folder / BEST
    if not saved.wrong:
        return ""
    try:
        update = int(read_tensors(path, most_bytes(run.config))[1]["best_update"])
    except (RunFolderError, KeyError, TypeError, ValueError):
        return ""
    if update <= saved.start.state.update:
        return ""
    aside = free(run.folder, BEST)
    copy(path, aside)
    return f"; its best model, of update {update:,}, comes after that and is kept as {aside.name} too"


def recorded(folder: Path) -> list[Planned]:
    """The plan of a run so far; empty where none is recorded. Raises RunFolderError for a damaged one."""
    path = folder / PLAN
    return read_plan(folder) if path.exists() and read_json_lines(path) else []


def kept_plan(run: Run, saved: Saved | None, force: bool) -> tuple[list[Planned] | None, str]:
    """The plan of a run so far, and what is wrong with it. Where it is lost, and that is forced: no step, for
    as long as its settings say; None of a run by time, or of one that has made more updates than these have.
    Raises RunFolderError."""
    update, ruled = (saved.start.state.update, saved.ruled) if saved else (0, -1)
    training = run.config.training
    try:
        steps = recorded(run.folder)
        wrong = lost_plan(run, steps, update, ruled)
    except RunFolderError as error:
        wrong = str(error)
    if not wrong:
        return steps, ""
    if not force:
        raise RunFolderError(
            f"{wrong}; put it back from a copy; `force=True` goes on without it, and by the clock where the "
            "run goes by time"
        )
    return None if update and (training.minutes or update > training.updates) else [], wrong


def lost_plan(run: Run, steps: list[Planned], update: int, ruled: int) -> str:
    """What is lost of the steps of a plan, by which so many updates were made, the last ones by its step of
    the update `ruled`; empty where nothing is."""
    path, training = run.folder / PLAN, run.config.training
    usual = 0 if training.minutes else training.updates
    if update > (total_after(steps, update) if steps else usual):
        return f"{path} does not reach update {update:,}, which was made"
    if ruled > max((step.update for step in steps), default=-1):
        return f"{path} has lost its step of update {ruled:,}, by which the checkpoint was made"
    return ""


def damaged_rows(run: Run) -> list[str]:
    """What is wrong with each file of rows of a finished run that has a damaged one, has fewer than there
    were or cannot be read, and what to do."""
    wrong = []
    for name, rows in rows_at_end(run).items():
        path = run.folder / name
        try:
            found, damage = sound_rows(path, rising(CHECKS[name])) if path.exists() else (0, "")
        except RunFolderError as error:
            wrong.append(str(error))
            continue
        if damage:
            wrong.append(row_damage(path, found, damage))
        elif found < rows:
            wrong.append(
                f"{path} has {counted(found, 'row')}, but had {rows:,} when the training ended; put "
                f"it back from a copy, or go on without the lost ones: "
                f"hornbook resume {for_shell(run.folder)} --force"
            )
    return wrong


def damaged_checkpoint(run: Run) -> list[str]:
    """What is wrong with the last checkpoint of a finished run, which is whole without it."""
    try:
        saved = last_checkpoint(run.folder, most_bytes(run.config))
    except RunFolderError as error:
        return [str(error)]
    if not (saved and saved.wrong):
        return []
    before = f"from the checkpoint before it, of update {saved.start.state.update:,}"
    return [f"{saved.wrong}; the run is whole without it, but goes on for longer {before}"]


def rows_at_end(run: Run) -> dict[str, int]:
    """How many rows each file of a finished run had: those of its last checkpoint, and the text by the best
    model; none where no checkpoint can be read, which is not needed any more."""
    try:
        saved = last_checkpoint(run.folder, most_bytes(run.config))
    except RunFolderError:
        saved = None
    return {name: saved.rows[name] + (name == SAMPLES) if saved else 0 for name in CHECKS}


def row_count(path: Path, saved: Saved | None, force: bool) -> tuple[int, str]:
    """How many rows of a file are kept, each looked at: as many as the checkpoint has; fewer, where rows are
    lost or damaged and it is forced, and then what is wrong. Raises RunFolderError."""
    rows, update = (saved.rows[path.name], saved.start.state.update) if saved else (0, 0)
    check = rising(CHECKS[path.name], until=update)
    found, damage = sound_rows(path, check, rows) if path.exists() else (0, "")
    if found == rows:
        return found, ""
    what = (
        f"{path} is damaged or not hornbook's, in row {found + 1:,}: {damage}"
        if damage
        else f"{path} has {counted(found, 'row')}, but had {rows:,} when the checkpoint was made"
    )
    if not force:
        raise RunFolderError(f"{what}; `force=True` goes on without the lost ones, and keeps those before")
    return found, what


def last_row(path: Path, rows: int) -> dict[str, Any]:
    """The last of so many of the first rows of a file, or of those before the first that is damaged; empty
    where there is none. What comes after them may be damaged, since it is cut off."""
    last: deque[dict[str, Any]] = deque([{}], maxlen=1)
    if path.exists():
        sound_rows(path, rising(CHECKS[path.name]), rows, last.append)
    return last[0]
