"""Writing a report into its run's folder, each file whole, in the formats that are asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hornbook.config import choice
from hornbook.report.content import report_of
from hornbook.report.document import Document
from hornbook.report.html import page
from hornbook.report.markdown import markdown
from hornbook.report.typst import needed, pdf
from hornbook.runs import Run
from hornbook.storage import write_whole

ALL = "all"
FORMATS: dict[str, Callable[[Document], dict[str, bytes]]] = {
    "html": lambda document: {"report.html": page(document).encode()},
    "pdf": lambda document: {"report.pdf": pdf(document)},
    "md": markdown,
}


def write_report(run: Run, form: str = "html", told: Callable[[int, int], None] | None = None) -> list[Path]:
    """Write the report of a run in a format (html, pdf, md) or in all of them; gives the files, the report
    itself first of each format. `told(done, total)` hears of the gradient check's entries. Raises
    SettingError for another format, InputError where a format's tool is not installed (nothing is written
    then), StorageError where the folder cannot be written."""
    choice("format", form, (*FORMATS, ALL))
    forms = list(FORMATS) if form == ALL else [form]
    if "pdf" in forms:
        needed()
    document = report_of(run, told)
    files = {name: content for form in forms for name, content in FORMATS[form](document).items()}
    for name, content in files.items():
        write_whole(run.folder / name, content)
    return [run.folder / name for name in files]
