"""Numbers as they are typed. What is no number is handed on as it was typed: whatever checks the range says
what it is and what was expected, in the same words."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import NoneType
from typing import Any, get_args

from typer.models import OptionInfo


def integer(typed: Any) -> Any:
    """A whole number, or what was typed in its place."""
    try:
        return int(typed)
    except ValueError:
        return typed


def number(typed: Any) -> Any:
    """A number, or what was typed in its place."""
    try:
        return float(typed)
    except ValueError:
        return typed


READERS: dict[type, Callable[[Any], Any]] = {int: integer, float: number}  # help shows their names


def with_numbers(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose options of numbers are read so."""
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        kind, *marks = get_args(parameter.annotation) or (None,)
        kinds = set(get_args(kind) or (kind,)) - {NoneType}
        for option in marks:
            if isinstance(option, OptionInfo) and kinds <= set(READERS):
                option.parser = READERS[kinds.pop()]
        command.__annotations__[parameter.name] = parameter.annotation
    return command
