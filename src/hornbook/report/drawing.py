"""matplotlib as hornbook draws with it: from matplotlib's own defaults, whatever a user has set for it.

While it is loaded it reads files and variables of the user's, which may be damaged, and pipes, which it would
wait for. Whatever goes wrong there, and while something is drawn, is told as one error.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hornbook.errors import FigureError, HornbookError

DRAWING = threading.RLock()  # matplotlib's settings are one for the process
SETTINGS = "matplotlibrc"  # the first file that it reads, of the current folder
FONT_LISTS = "fontlist-*"  # in its cache
ADVICE = (
    "put right what it goes by: a file matplotlibrc, here or in ~/.config/matplotlib, its cache, or the "
    "variables MPLBACKEND and MPLCONFIGDIR"
)


@contextmanager
def drawing(style: Any) -> Iterator[None]:
    """While it is entered, matplotlib draws in a style, for one thread at a time: two that put its settings
    back in any order would leave this style behind. What the style does not say is as in no matplotlibrc.
    Raises FigureError for whatever goes wrong in it."""
    with DRAWING, telling(), unheard():
        mpl = loaded()
        with mpl.rc_context({**reset(mpl), **style}):
            yield


@contextmanager
def telling() -> Iterator[None]:
    """Turn whatever matplotlib raises, which may be anything, into a FigureError of one line."""
    try:
        yield
    except HornbookError:
        raise
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise FigureError(f"no figure can be drawn: matplotlib says: {reason}; {ADVICE}") from error


@contextmanager
def unheard() -> Iterator[None]:
    """Where a program has no handler for what matplotlib logs, Python would print it, and it quotes what the
    user's files hold; while this is entered nothing is printed."""
    log, handler = logging.getLogger("matplotlib"), logging.NullHandler()
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def loaded() -> Any:
    """matplotlib, with what draws. Raises FigureError for what it would wait for, and what it raises."""
    if "matplotlib" not in sys.modules:
        for part in [name for name in sys.modules if name.startswith("matplotlib.")]:
            del sys.modules[part]  # left where loading it failed before: it would be taken for the whole
        check_plain(SETTINGS)
    import matplotlib

    if "matplotlib.font_manager" not in sys.modules:
        for path in Path(matplotlib.get_cachedir()).glob(FONT_LISTS):
            check_plain(path)
    import matplotlib.figure

    return matplotlib


def check_plain(path: str | Path) -> None:
    """Raise FigureError for a pipe or a device in the place of a file. A folder is passed over."""
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise FigureError(
            f"no figure can be drawn: {os.path.abspath(path)} is no plain file, and matplotlib would wait "
            "for it; remove it"
        )


def reset(mpl: Any) -> dict[str, Any]:
    """The defaults of all settings that are others now; but not the backend, which no figure here has."""
    usual = {name: value for name, value in mpl.rcParamsDefault.items() if name != "backend"}
    return {name: value for name, value in usual.items() if mpl.rcParams[name] != value}
