"""Errors: one tree, drawn in the docstring, with an exit code for each branch."""

from __future__ import annotations

import inspect
import re

import pytest

from hornbook import errors
from hornbook.errors import HornbookError, InputError, known

DRAWN = re.compile(r"^ {4}((?:[│ ] {3})*(?:[├└]── )?)(\w+)(?: +(\d))?(?: |$)", re.MULTILINE)


def drawn() -> dict[str, tuple[str, int]]:
    """The tree of the docstring: of each error, its parent and its exit code (its own or inherited)."""
    tree: dict[str, tuple[str, int]] = {}
    path: list[tuple[str, int]] = []
    for line in (errors.__doc__ or "").splitlines()[2:15]:
        found = DRAWN.match(line)
        assert found, line
        depth = len(found[1]) // 4
        path = path[:depth]
        code = int(found[3]) if found[3] else (path[-1][1] if path else HornbookError.exit_code)
        tree[found[2]] = (path[-1][0] if path else "Exception", code)
        path.append((found[2], code))
    return tree


def written() -> dict[str, tuple[str, int]]:
    """The same of the classes."""
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    return {kind.__name__: (kind.__bases__[0].__name__, kind.exit_code) for kind in classes}


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    assert drawn() == written()
    assert len(written()) == 13


def test_what_the_user_gave_ends_with_2_and_what_went_wrong_with_1() -> None:
    for kind in HornbookError.__subclasses__():
        assert kind.exit_code == (2 if kind is InputError else 1)


def test_what_a_message_names_cannot_steer_a_terminal() -> None:
    for kind in (errors.RunFolderError, errors.NotInstalledError, errors.PlaceError):
        assert str(kind("runs/\x1b[2J\x07 is\nno run")) == "runs/␛[2J␇ is\nno run"


def test_an_input_error_is_also_a_value_error() -> None:
    with pytest.raises(ValueError, match="no such thing"):
        raise errors.PromptError("no such thing")


def test_an_unknown_name_gets_a_sentence_that_lists_the_known_ones_in_order() -> None:
    assert (
        known("cell", "gru", ("vanilla", "lstm")) == "unknown cell 'gru'; the known ones are: lstm, vanilla"
    )


def test_of_an_unknown_name_the_one_that_is_most_like_it_is_told() -> None:
    told = known("cell", "gruu", ("vanilla", "lstm", "gru"))
    assert told == "unknown cell 'gruu'; perhaps gru is meant; the known ones are: gru, lstm, vanilla"
