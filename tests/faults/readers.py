"""Everything that reads what may come from anybody: a run's folder, a text."""

from __future__ import annotations

from pathlib import Path

from hornbook import Run, read_text
from hornbook.agreement import check_same
from hornbook.checkpoints import last_checkpoint
from hornbook.cli.runs import row_of, words
from hornbook.errors import InputError
from hornbook.hindsight import warning_of
from hornbook.remains import recorded, sound_summary
from hornbook.resuming import finished, spent
from hornbook.run_files import most_bytes
from hornbook.runs import told


def read_run(folder: Path) -> int:
    """Read all of a run, and show and use what is read; how much of it was refused."""
    steps = (
        lambda run: words(row_of(run.folder)),
        lambda run: told(run.config, run.summary),
        lambda run: run.summary and warning_of(run.summary),
        lambda run: (run.metrics, run.samples, recorded(run.folder), finished(run)),
        lambda run: run.model().sample(5),
        lambda run: run.model("last").sample(5),
        lambda run: run.text(),
        resumed,
    )
    return sum(refused(step, folder) for step in steps)


READERS = {
    "config.toml": lambda run: run.config,
    "vocabulary.json": lambda run: run.vocabulary,
    "metrics.jsonl": lambda run: run.metrics,
    "samples.jsonl": lambda run: run.samples,
    "summary.json": lambda run: run.summary,
    "plan.jsonl": lambda run: recorded(run.folder),
}


def read_one(folder: Path, name: str) -> bool:
    """Read one file of a run, once; whether it was refused."""
    return refused(READERS[name], folder)


def resumed(run: Run) -> None:
    """What going on with a run reads."""
    saved = last_checkpoint(run.folder, most_bytes(run.config))
    check_same(run, saved, force=True)
    if saved:
        spent(run, saved, sound_summary(run))


def refused(step, folder: Path) -> bool:
    """Whether reading was refused, with an error that says why; any other one is raised."""
    try:
        step(Run(folder))
    except InputError as error:
        return bool(str(error))
    return False


def read_any_text(path: Path, encoding: str, newlines: str, tokens: str) -> bool:
    """Read a text in some manner; whether it was refused."""
    try:
        text = read_text(path, encoding=encoding, newlines=newlines, tokens=tokens)
    except InputError as error:
        return bool(str(error))
    assert len(text[:]) == len(text)
    return False
