"""The section Gradient checks: run when the report is made, with the run's engine, and kept in the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hornbook.errors import HornbookError, InputError
from hornbook.gradients import check_gradients
from hornbook.parameters import count
from hornbook.records import GRADIENT, check
from hornbook.report.document import Block, Section, Table, note, say
from hornbook.report.subject import Subject, without_paths
from hornbook.report.wording import error_of, percent
from hornbook.run_files import BEST
from hornbook.storage import write_json
from hornbook.untrusted import read_json
from hornbook.verdicts import ALONE, UNCLEAR, Row

KEPT = "gradients.json"
CASES = {
    "recipe": "at the recipe’s initial values, from a zero state",
    "hard": "with all parameters at scale 0.1, from a state that is not zero",
}
Told = Callable[[str, int, int], object]


def gradient_checks(subject: Subject, told: Told = lambda *_: None) -> Section:
    """The table of errors: every entry of every gradient against two numerical ones."""
    try:
        rows = checked(subject, told)
    except InputError as error:
        return Section("Gradient checks", (note(f"Not checked: {without_paths(str(error), subject.run)}."),))
    return Section("Gradient checks", tuple(shown(subject, rows)))


def shown(subject: Subject, rows: list[Row]) -> list[Block]:
    """What is said of the rows of a check."""
    config = subject.run.config
    entries, every = sum(row.entries for row in rows if row.case == "recipe"), count(config.model)
    some = f"a sample of {entries:,} of {every:,} entries" if entries < every else f"{entries:,} entries"
    return [
        say(
            f"The gradients that the {config.training.engine} engine computes by back-propagation through "
            "time, in float64 and not clipped, against two numerical ones: central differences, and the "
            "complex "
            f"step, which has no cancellation. The network reads the first {config.training.seq_len} "
            "characters of the "
            f"text; {config.model.hidden} hidden units, {some} in each case."
        ),
        *(table_of(case, [row for row in rows if row.case == case]) for case in CASES),
        say(conclusion(rows)),
    ]


def conclusion(rows: list[Row]) -> str:
    """Whether the gradients are right, and what that rests on."""
    if any(row.wrong for row in rows):
        return "At least one error is larger than rounding explains: the gradients are not right."
    if any(row.judged_by == UNCLEAR for row in rows):
        return (
            "Whether the gradients are right cannot be told: this network is too chaotic to be checked, for "
            "rounding alone changes them as much as a fault could. A network with smaller initial values, or "
            "on fewer characters, can be checked."
        )
    if any(row.judged_by == ALONE for row in rows):
        return (
            "By the complex step all errors are of the size of rounding: the gradients are right. Where "
            "those by differences are larger, this network is too sensitive for differences: in steps twice "
            "as wide they come out otherwise."
        )
    return "All errors are of the size of rounding: the gradients are right."


def table_of(case: str, rows: list[Row]) -> Table:
    """One case, in the order of the alphabet: b, c, U, V, W."""
    ordered = sorted(rows, key=lambda row: row.parameter.lower())
    return Table(
        f"Error in gradients {CASES[case]}.",
        ("gradient of", "entries", "error ≤ 10⁻⁶", "max by differences", "max by complex step"),
        tuple(words(row) for row in ordered),
    )


def words(row: Row) -> tuple[str, ...]:
    """A row's cells."""
    within = "100 % (all)" if row.share_within == 1 else percent(row.share_within, 2)
    return (
        row.parameter,
        f"{row.entries:,}",
        within,
        error_of(row.max_abs_difference),
        error_of(row.max_abs_complex),
    )


def checked(subject: Subject, told: Told = lambda *_: None) -> list[Row]:
    """The rows of the check, from the run where they were kept for the same settings, else computed now.
    Raises InputError where there is nothing to check, StorageError where the rows cannot be kept."""
    key, path = settings_of(subject), subject.run.folder / KEPT
    kept = rows_kept(path, key)
    if kept is not None:
        return kept
    config = subject.run.config
    text, why = subject.opened
    if text is None:
        raise InputError(why)
    if subject.model is None and (subject.run.folder / BEST).exists():  # the settings may be any
        raise InputError(subject.why_no_model)
    rows = list(check_gradients(text, config.model, config.training, told=told, quick=True).rows)
    write_json(path, {"settings": key, "rows": [asdict(row) for row in rows]})
    return rows


def rows_kept(path: Path, key: dict[str, Any]) -> list[Row] | None:
    """The rows that were kept under these settings; what is damaged is computed again."""
    try:
        kept = read_json(path)
        for row in kept["rows"]:
            check(row, GRADIENT)
        return [Row(**row) for row in kept["rows"]] if kept["settings"] == key else None
    except (HornbookError, KeyError, TypeError, ValueError):
        return None


def settings_of(subject: Subject) -> dict[str, Any]:
    """All that the result depends on."""
    config = subject.run.config
    training = config.training
    return {
        "hornbook": version("hornbook"),
        "model": asdict(config.model),
        "engine": training.engine,
        "seq_len": training.seq_len,
        "init_scale": training.init_scale,
        "seed": training.seed,
        "text": [source.sha256 for source in config.sources],
    }
