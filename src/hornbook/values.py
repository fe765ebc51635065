"""What one value that somebody gives may be: a number in a range, one of some names, a text, a path."""

from __future__ import annotations

import os
from dataclasses import fields
from numbers import Integral, Real
from typing import Any

from hornbook.errors import SettingError, known


def plain(value: Any) -> Any:
    """A number of NumPy's as Python has it, so that TOML, JSON and the core take it; anything else as it
    is."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def make_plain(record: Any) -> None:
    """Make the numbers of a record plain while it is made: it is frozen afterwards."""
    for f in fields(record):
        object.__setattr__(record, f.name, plain(getattr(record, f.name)))


def integer(name: str, value: object, low: int, high: int) -> int:
    """The value, plain; raises SettingError unless it is a whole number from low to high."""
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SettingError(f"{name} is {value!r}; expected a whole number from {low:,} to {high:,}")
    return value


def real(name: str, value: object, low: float, high: float) -> float:
    """The value, plain; raises SettingError unless it is a number above low and not above high."""
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low < value <= high:
        raise SettingError(f"{name} is {value!r}; expected a number above {low:g}, at most {high:g}")
    return value


def share(name: str, value: object) -> None:
    """Raise SettingError unless `value` is a number from 0 to below 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise SettingError(f"{name} is {value!r}; expected a number from 0 to below 1")


def choice(name: str, value: object, names: tuple[str, ...], more: str = "") -> None:
    """Raise SettingError unless `value` is one of the names; `more` ends its sentence."""
    if value not in names:
        raise SettingError(known(name, str(value), names) + more)


def words(name: str, value: object) -> None:
    """Raise SettingError unless `value` is a text."""
    if not isinstance(value, str):
        raise SettingError(f"{name} is {value!r}; expected a text")


def place(name: str, value: object) -> None:
    """Raise SettingError unless `value` is the path of a file or a folder."""
    if not isinstance(value, str | os.PathLike):
        raise SettingError(f"{name} is {value!r}; expected a path")


def nameable(path: str | os.PathLike[str]) -> bool:
    """Whether the system can have a file of this name: one of NUL or of half a surrogate pair it has not."""
    try:
        name = os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return bool(name) and b"\0" not in name
