"""Every error that a user can meet, and the exit code each one ends the command with.

    HornbookError
    ├── InputError                  2   what the user gave cannot be used; also a ValueError
    │   ├── TextError                   a text: missing, empty, too short, not in its encoding
    │   ├── SettingError                a setting: unknown, out of range, in conflict with another
    │   ├── PromptError                 a prompt with a character that the model has never seen
    │   └── RunFolderError              a run folder: not one, not empty, damaged, not ours
    ├── CheckFailed                 1   a gradient check with a row out of its limits, or too chaotic
    ├── FigureError                 1   a figure that matplotlib cannot draw, or cannot be loaded to draw
    ├── NotInstalledError           1   another package that is needed and not there; also an ImportError
    └── TrainingFailed              1   a training that cannot go on; what was learnt is kept
        ├── NotFiniteError              a loss or gradient that is not finite
        └── StorageError                a disk that is full, fails or is gone
            └── PlaceError          2   a place that the user chose and that cannot be written to

Each message says what was wrong, what was expected and what to do, in one or two lines. What can be set is
named in it as in Python, in backquotes (`seq_len`, `validation=0.1`), which the command line shows as flags
(--seq-len, --validation 0.1; --from for `start`); a whole command stands as it is.
"""

from __future__ import annotations

from hornbook.markup import printable


class HornbookError(Exception):
    """The root of the errors that hornbook raises on purpose. Names and words of files in its message cannot
    steer the terminal that shows it."""

    exit_code = 1

    def __str__(self) -> str:
        return printable(super().__str__())


class InputError(HornbookError, ValueError):
    """What the user gave cannot be used."""

    exit_code = 2


class TextError(InputError):
    """A text that cannot be read or trained on."""


class SettingError(InputError):
    """A setting that is unknown, out of range or in conflict with another."""


class PromptError(InputError):
    """A prompt with a character that the model has never seen."""


class RunFolderError(InputError):
    """A folder that is not a run, is not empty, or holds damaged files."""


class CheckFailed(HornbookError):
    """A gradient check with at least one row out of its limits, or of a network too chaotic to be checked."""


class FigureError(HornbookError):
    """A figure that matplotlib cannot draw, or cannot be loaded to draw."""


class NotInstalledError(HornbookError, ImportError):
    """Something that needs another package, which is not installed."""


class TrainingFailed(HornbookError):
    """A training that cannot go on; the last good model is kept."""


class NotFiniteError(TrainingFailed):
    """A loss or gradient that is infinite or not a number."""


class StorageError(TrainingFailed):
    """A run folder that can no longer be written."""


class PlaceError(StorageError):
    """A place that cannot be written to: it is read-only, or not this user's, or no folder."""

    exit_code = 2


def known(kind: str, name: str, names: object) -> str:
    """The sentence for a name that is not in a registry: what it was, the one that is most like it, where one
    is, and the names that are."""
    from difflib import get_close_matches

    there = sorted(str(n) for n in names)  # type: ignore[attr-defined]
    alike = get_close_matches(name, there, 1)
    meant = f"; perhaps {alike[0]} is meant" if alike else ""
    return f"unknown {kind} {name!r}{meant}; the known ones are: {', '.join(there)}"
