"""Verdicts of the gradient check: the errors of a parameter's gradient, and whether they are within limits.

In a chaotic network, whose gradients explode, differences are cut off too early, and rounding grows from
character to character. So where an error is out of its limit, it is asked how far the numerical gradients can
be trusted, without looking at the gradient under test:

- Where steps twice as wide change the differences by more than half of their limit, they say nothing, and the
  complex step judges alone. (Of sixth order, they change by 63 times the cut-off.)
- What a disturbance of the size of rounding changes in the complex step is no error. Where that is more than
  1e-7 of the largest gradient, and more than differences may err, nothing can be said: the network is too
  chaotic to be checked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hornbook.cells.cell import Array

CLOSE = 1e-6  # what the share of good entries is counted by
DIFFERENCE_LIMIT = 1e-9  # absolute, for a loss up to 100 nats; it grows with the loss
COMPLEX_LIMIT = 1e-13  # relative to the parameter's largest gradient
# Relative to the largest gradient of all, T at most: where a parameter's own cancel, this is no error.
ROUNDING = 1e-15
STEADY = 0.5  # of the limit of differences: by how much steps twice as wide may change them
CHAOTIC = 1e-7  # relative: what rounding may change in a gradient that can be checked

ROW_HEADINGS = ("gradient", "entries", "≤ 1e-6", "differences", "rel.", "complex", "rel.", "passes")
BOTH, ALONE, UNCLEAR = "both", "complex step", "none"
NOTES = {
    "yes*": "by complex step alone: this network is too sensitive for differences",
    "?": "cannot be told: this network is too chaotic to be checked",
}  # on verdicts


@dataclass(frozen=True)
class Row:
    """The errors of one parameter's gradient in one case. Relative errors are the largest absolute
    error over the largest gradient of the parameter; what is not finite counts as the largest number."""

    case: str  # "recipe" or "hard"
    parameter: str
    entries: int
    share_within: float  # of the entries, with an absolute error of at most 1e-6
    max_abs_difference: float
    max_rel_difference: float
    max_abs_complex: float
    max_rel_complex: float
    limit: float  # of max_abs_difference
    limit_complex: float  # of max_abs_complex
    judged_by: str  # "both", the "complex step" alone, or "none": too chaotic to be checked
    passed: bool

    @property
    def wrong(self) -> bool:
        """Whether the gradient is shown to be wrong."""
        return not self.passed and self.judged_by != UNCLEAR

    def record(self) -> dict[str, Any]:
        """The row as it stands in JSON."""
        record = asdict(self)
        record["share_within_1e-6"] = record.pop("share_within")
        return record

    def words(self) -> list[str]:
        """The row as it is shown, under ROW_HEADINGS."""
        errors = (
            self.max_abs_difference,
            self.max_rel_difference,
            self.max_abs_complex,
            self.max_rel_complex,
        )
        return [
            self.parameter,
            f"{self.entries:,}",
            f"{100 * self.share_within:.4g} %",
            *(f"{error:.1e}" for error in errors),
            self.verdict,
        ]

    @property
    def verdict(self) -> str:
        """yes, no, or one of NOTES."""
        if not self.passed:
            return "no" if self.wrong else "?"
        return "yes" if self.judged_by == BOTH else "yes*"


@dataclass(frozen=True)
class Numbers:
    """The numerical gradients (M,) of a parameter, and those by which they are doubted if need be."""

    differences: Array
    complex_steps: Array
    wider: Callable[[], Array]  # (M,) differences in steps twice as wide
    disturbed: Callable[[], Array]  # (N, M) the complex step in disturbed networks

    def steady(self, limit: float) -> bool:
        """Whether differences are sharp enough for their limit."""
        return largest_of(self.wider() - self.differences) <= STEADY * limit

    def rounding(self) -> float:
        """What rounding can change in the complex step."""
        return largest_of(self.disturbed() - self.complex_steps)


@np.errstate(all="ignore")  # what is not finite is found by its value
def compared(
    label: str,
    key: str,
    expected: Array,  # (M,)
    numbers: Numbers,
    loss: float,
    largest: float,
    rounding: float,
) -> Row:
    """The row of one parameter: its analytic gradient beside the numerical ones. `largest` is its largest
    gradient; an error below `rounding` is none."""
    errors = np.abs(expected - numbers.differences)
    difference, step = largest_of(errors), largest_of(expected - numbers.complex_steps)
    limit = DIFFERENCE_LIMIT * max(1.0, loss / 100)
    limit_complex = max(COMPLEX_LIMIT * largest if np.isfinite(largest) else 0.0, rounding)
    judged_by = BOTH
    if step > limit_complex:
        change = numbers.rounding()
        if change > max(CHAOTIC * largest_of(numbers.complex_steps), limit):
            judged_by = UNCLEAR
        else:
            limit_complex = max(limit_complex, change)
    if judged_by == BOTH and step <= limit_complex and difference > limit and not numbers.steady(limit):
        judged_by = ALONE
    return Row(
        label,
        key,
        len(expected),
        float((errors <= CLOSE).mean()),
        difference,
        relative_to(difference, largest),
        step,
        relative_to(step, largest),
        limit,
        limit_complex,
        judged_by,
        judged_by != UNCLEAR and step <= limit_complex and (difference <= limit or judged_by == ALONE),
    )


def largest_of(numbers: Array) -> float:
    """The largest absolute value; what is not finite counts as the largest number."""
    return finite(float(np.abs(numbers).max()))


def finite(number: float) -> float:
    """The number, or the largest one in place of what is not finite."""
    return number if np.isfinite(number) else sys.float_info.max


def relative_to(error: float, largest: float) -> float:
    """The error relative to the largest gradient; where all gradients are zero, the error itself."""
    return finite(error / largest) if largest else error
