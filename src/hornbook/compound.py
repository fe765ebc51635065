"""Settings that are written with parts, such as `norm:1` and `step:5000:0.5`: read and checked here."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hornbook.errors import SettingError


@dataclass(frozen=True)
class Clip:
    """What is done to a gradient before a step: `5` clips each entry to [-5, 5], `norm:1` scales the
    whole gradient down to a Euclidean norm of at most 1, `none` leaves it."""

    kind: str  # "value", "norm" or "none"
    limit: float = math.inf

    @classmethod
    def parse(cls, text: object) -> Clip:
        """Read `5`, `norm:1` or `none`; raises SettingError for anything else."""
        if text == "none":
            return cls("none")
        kind, _, number = text.rpartition(":") if isinstance(text, str) else ("", "", "")
        kind = kind if ":" in str(text) else "value"
        try:
            limit = float(number)
        except ValueError:
            limit = math.nan
        if kind not in ("norm", "value") or not 0 < limit < math.inf:
            raise SettingError(
                f"`clip` is {text!r}; expected a limit for each entry (5), for the norm (norm:1), or none"
            )
        return cls(kind, limit)


@dataclass(frozen=True)
class Schedule:
    """How the learning rate goes over a training: `constant`; `linear` or `cosine` down to zero at its end,
    or to a share of it (`linear:0.1`); `step:5000:0.5` times 0.5 every 5,000 updates."""

    kind: str  # "constant", "linear", "cosine" or "step"
    every: int = 1  # updates between two steps
    factor: float = 1.0  # of a step
    share: float = 0.0  # at the end of a fall

    @property
    def ends_at_zero(self) -> bool:
        """Whether the rate falls to zero."""
        return self.kind in ("linear", "cosine") and not self.share

    @classmethod
    def parse(cls, text: object) -> Schedule:
        """Read one of these forms; raises SettingError for anything else."""
        kind, *numbers = str(text).split(":")
        try:
            if kind in ("constant", "linear", "cosine") and not numbers:
                return cls(kind)
            if kind in ("linear", "cosine") and len(numbers) == 1 and 0 <= float(numbers[0]) < 1:
                return cls(kind, share=float(numbers[0]))
            every, factor = int(numbers[0]), float(numbers[1])
            if kind == "step" and len(numbers) == 2 and every >= 1 and 0 < factor <= 1:
                return cls(kind, every, factor)
        except (IndexError, ValueError):
            pass
        raise SettingError(
            f"`schedule` is {text!r}; expected constant, linear, cosine, or step:UPDATES:FACTOR with a "
            "factor above 0 and at most 1 (step:5000:0.5); those that fall to zero may fall to a share of "
            "the rate (linear:0.1)"
        )
