"""Advice: settings beside those that are made already, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Advice:
    """The settings that a training is given, those that are made already (`said`) among them, and the
    reasons, a line each, in which settings are named as in errors."""

    said: dict[str, Any]
    given: dict[str, Any] = field(init=False)
    reasons: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.given = dict(self.said)

    def take(self, why: str, **values: Any) -> None:
        """Advise these values, but for the settings that are made already."""
        new = {name: value for name, value in values.items() if name not in self.said}
        if new:
            self.given |= new
            self.reasons.append(f"{keywords(new)}: {why}")


def amount_words(number: float) -> str:
    """A number of characters in words."""
    whole = round(number)
    return f"{whole:,} character{'s' * (whole != 1)}"


def digits(number: float) -> str:
    """A number in three digits or more."""
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"


def keywords(settings: Mapping[str, Any]) -> str:
    """Settings as the keywords of a call, each in backquotes, which the command line shows as flags."""
    return " ".join(f"`{name}={value!r}`" for name, value in settings.items())
