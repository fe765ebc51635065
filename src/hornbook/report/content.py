"""The content of a report: a run, as a document. All text in it is made here and in the sections, once."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

from hornbook.report.checks import gradient_checks
from hornbook.report.course import best_model, evolution, training
from hornbook.report.document import Document
from hornbook.report.inside import inside
from hornbook.report.setting import introduction, setting
from hornbook.report.subject import Subject
from hornbook.report.wording import counted
from hornbook.report.writing import originality, sampling
from hornbook.runs import Run


def report_of(run: Run, told: Callable[[int, int], None] | None = None) -> Document:
    """The report of a run, however far it came. `told(done, total)` hears of the gradient check's entries.
    Raises RunFolderError for a run whose rows are damaged, StorageError where the check cannot be kept."""
    subject = Subject(run)
    config = run.config
    return Document(
        f"A network learns to write from “{subject.name}”",
        f"{config.model.cell} RNN, {counted(config.model.hidden, 'hidden unit')}, "
        f"{counted(subject.updates, 'update')} · hornbook {version('hornbook')}",
        (
            introduction(subject),
            setting(subject),
            gradient_checks(subject, told),
            training(subject),
            evolution(subject),
            best_model(subject),
            sampling(subject),
            originality(subject),
            inside(subject),
        ),
        subject.fixed,
    ).numbered()
