"""The content of a report: a run, as a document. All text in it is made here and in the sections, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version

from hornbook.markup import counted, for_shell
from hornbook.report.checks import gradient_checks
from hornbook.report.course import best_model, evolution, training
from hornbook.report.document import Document, Section
from hornbook.report.inside import inside
from hornbook.report.setting import introduction, setting
from hornbook.report.subject import Subject
from hornbook.report.writing import originality, sampling
from hornbook.runs import Run

CHECKING = "checking the gradients"
Told = Callable[[str, int, int], None]


def report_of(
    run: Run, told: Told = lambda *_: None, lacking: Callable[[str], object] = lambda _: None
) -> Document:
    """The report of a run, however far it came. `told(what, done, total)` hears what is being done, and of
    the gradient check's entries; otherwise the numbers are 0. `lacking` hears what is left out, and why.
    Raises RunFolderError for a run whose rows are damaged, StorageError where the check cannot be kept,
    FigureError where matplotlib cannot draw."""
    subject, config = Subject(run), run.config
    for sentence in left_out(subject):
        lacking(sentence)
    return Document(
        f"A network learns to write from “{subject.name}”",
        f"{config.model.cell} RNN, {counted(config.model.hidden, 'hidden unit')}, "
        f"{counted(subject.updates, 'update')} · hornbook {version('hornbook')}",
        tuple(sections(subject, told)),
        subject.fixed,
    ).numbered()


def left_out(subject: Subject) -> Iterator[str]:
    """What a report has to do without, and why: a sentence each."""
    damage = subject.figures[1]
    reasons = {
        "what the run reached in all": damage
        and f"{damage}; hornbook resume {for_shell(subject.run.folder)} writes it anew",
        "all that is read in the text": subject.opened[1],
        "all that the best model does": subject.weights[1],
    }
    for what, why in reasons.items():
        if why:
            yield f"the report lacks {what}: {why}"


def sections(subject: Subject, told: Told) -> Iterator[Section]:
    """The sections in the order in which they stand; those that take long are told of."""
    yield introduction(subject)
    yield setting(subject)
    told(CHECKING, 0, 0)
    yield gradient_checks(subject, lambda _, done, total: told(CHECKING, done, total))
    told("drawing the losses", 0, 0)
    yield training(subject)
    yield evolution(subject)
    yield best_model(subject)
    told("writing at several temperatures", 0, 0)
    yield sampling(subject)
    told("looking for copies of the text", 0, 0)
    yield originality(subject)
    told("looking inside", 0, 0)
    yield inside(subject)
