"""The parameters that rows of the gradient check are of, and those whose rows are red."""

from __future__ import annotations

from hornbook.gradients import GradientCheck
from hornbook.parameters import name

ALL = set("UWbVc")


def recurrent(layers: int) -> set[str]:
    """The names of the parameters of so many layers, but not those of the output layer."""
    return {name(letter, layer) for letter in "UWb" for layer in range(layers)}


def red(check: GradientCheck, case: str) -> set[str]:
    """The parameters whose rows did not pass in a case."""
    return {row.parameter for row in check.rows if row.case == case and not row.passed}
