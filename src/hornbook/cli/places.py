"""Files that the user names to be written: looked at before the work, so that it is not done in vain."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hornbook.errors import SettingError
from hornbook.storage import refusal

PAGE = b"<!DOCTYPE html>"  # how one begins


def check_place(option: str, path: Path, read: Iterable[str | Path] = ()) -> Path:
    """Where a file that an option names will be written, whatever links lead there. Raises SettingError
    where it cannot be, or would take the place of something else: of a folder, a device, or a file that
    is being read or is no page."""
    try:
        place = path.resolve()
        wrong = what_is_wrong(place, read)
    except OSError as error:  # such as a name that is too long
        wrong = f"which cannot be: {error.strerror}"
    if wrong:
        raise SettingError(
            f"{option} is {path}, {wrong}; name another file, in a folder that can be written to"
        )
    return place


def what_is_wrong(place: Path, read: Iterable[str | Path]) -> str:
    """Why no file can be written in a place; empty where one can."""
    if place.is_dir():
        return "a folder"
    if place.exists() and not place.is_file():
        return "which is no file"
    if any(Path(name).exists() and place.exists() and place.samefile(name) for name in read):
        return "which is read here"
    if place.exists() and not is_page(place):
        return "which is there already and is no page of hornbook's"
    if not place.parent.is_dir():
        return f"but there is no folder {place.parent}"
    reason = refusal(place.parent)
    return f"but nothing can be written there: {reason}" if reason else ""


def is_page(place: Path) -> bool:
    """Whether a file is a page, or empty: nothing is lost where another page takes its place."""
    with place.open("rb") as file:
        start = file.read(len(PAGE))
    return start in (b"", PAGE)
