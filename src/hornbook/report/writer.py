"""Writing a report into its run's folder, each file whole, in the formats that are asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hornbook.errors import RunFolderError
from hornbook.report.content import Told, report_of
from hornbook.report.document import Document
from hornbook.report.drawing import drawing
from hornbook.report.html import page
from hornbook.report.markdown import markdown
from hornbook.report.typst import needed, pdf
from hornbook.runs import Run
from hornbook.storage import refusal, write_whole
from hornbook.values import choice

ALL = "all"
FORMATS: dict[str, Callable[[Document], dict[str, bytes]]] = {
    "html": lambda document: {"report.html": page(document).encode()},
    "pdf": lambda document: {"report.pdf": pdf(document)},
    "md": markdown,
}


def write_report(
    run: Run,
    form: str = "html",
    told: Told = lambda *_: None,
    lacking: Callable[[str], object] = lambda _: None,
) -> list[Path]:
    """Write the report of a run in a format (html, pdf, md) or in all of them; gives the files, the report
    itself first of each format. `told(what, done, total)` hears what is being done, `lacking` what is
    left out, and why; see `report_of`. Raises SettingError for another format, InputError where a format's
    tool is not installed, FigureError where matplotlib cannot draw, RunFolderError where the folder cannot be
    written to (nothing is written then), StorageError where its disk is full."""
    choice("format", form, (*FORMATS, ALL))
    forms = list(FORMATS) if form == ALL else [form]
    if "pdf" in forms:
        needed()
    if reason := refusal(run.folder):
        raise RunFolderError(f"{run.folder} cannot be written to: {reason}; copy the run to where it can be")
    with drawing({}):
        pass  # raises now, before the work
    document = report_of(run, told, lacking)
    files: dict[str, bytes] = {}
    for one in forms:
        told(f"setting it as {one}", 0, 0)
        files |= FORMATS[one](document)
    for name, content in files.items():
        write_whole(run.folder / name, content)
    return [run.folder / name for name in files]
