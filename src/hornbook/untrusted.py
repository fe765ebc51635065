"""Reading files that may come from anybody: what they are, their sizes, links and nesting are looked at
before what is in them, and a checksum tells weights that are whole. Nothing here knows networks.
"""

from __future__ import annotations

import errno
import json
import re
import stat
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import safetensors

from hornbook.cells.cell import Array
from hornbook.errors import RunFolderError
from hornbook.storage import CHECKSUM, checksum

MOST_JSON = 1 << 24  # bytes of a JSON file; the longest, a vocabulary of all code points, has 11 million
MOST_TOML = 1 << 21  # of a TOML file, a list of many texts among them,
MOST_HEADER = 1 << 20  # and of the header of a file of weights
KINDS = ("F32", "F64")  # of the numbers in them
LONGEST_LINE = 5000  # characters in TOML
# What TOML's reader keeps of a dotted key is the square of its length. Keys are looked for outside of strings
# and comments; a string without an end is where the reader stops too. (Groups are atomic, not possessive: of
# these the first versions of Python 3.11 find others.)
STRING = re.compile(
    r'''"""(?>[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*)(?:"{3,5}|\\?\Z)|"(?>(?:[^"\\\n]|\\.)*)"?'''
    r"""|'''(?>[^']*(?:'(?!'')[^']*)*)(?:'{3,5}|\Z)|'[^'\n]*+'?|#[^\n]*+""",
    re.DOTALL,
)
DEEP = re.compile(r"\.[ \t]*+[\w-]++[ \t]*+\.[ \t]*+[\w-]++[ \t]*+\.")  # what is between four parts of a key


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what can go wrong with a file of a run into a RunFolderError that names it."""
    try:
        yield
    except FileNotFoundError as error:
        what = f"{path.parent} is not a run: it has no {path.name}" if path.parent.is_dir() else f"no {path}"
        raise RunFolderError(f"{what}; name what hornbook train wrote") from error
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {error.strerror or error}") from error
    except KeyError as error:
        raise RunFolderError(f"{path} is damaged or not hornbook's: it has no {error}") from error
    except (ValueError, TypeError, RecursionError, OverflowError, safetensors.SafetensorError) as error:
        raise RunFolderError(f"{path} is damaged or not hornbook's: {in_words(error)}") from error


def in_words(error: Exception) -> str:
    """What is wrong with a file, where Python tells it to programmers."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return "a number has more digits than any" if "int_max_str_digits" in str(error) else str(error)


def check_file(path: Path, most: int | None = None) -> None:
    """Raise OSError or ValueError for what is no plain file, or one of more bytes than `most`, and for a link
    out of its folder."""
    check_kind(path, "; move it away, or put the file itself there")
    if path.is_symlink() and path.resolve().parent != path.parent.resolve():
        raise OSError(errno.ELOOP, f"it is a link to {path.resolve()}, out of its folder")
    size = path.stat().st_size
    if most is not None and size > most:
        raise ValueError(f"it has {size:,} bytes, and no such file has more than {most:,}")


def check_kind(path: Path, advice: str = "") -> None:
    """Raise OSError for what is no plain file, such as a named pipe, which would be waited for."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, f"it is no plain file{advice}")


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises RunFolderError."""
    with reading(path):
        check_file(path, MOST_JSON)
        return json.loads(path.read_text(encoding="utf-8"))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file whose keys have three parts at most. Raises RunFolderError."""
    with reading(path):
        check_file(path, MOST_TOML)
        text = path.read_text(encoding="utf-8")
        if max(map(len, text.split("\n"))) > LONGEST_LINE:
            raise ValueError(f"a line has more than {LONGEST_LINE:,} characters")
        if DEEP.search(STRING.sub("x", text)):
            raise ValueError("a key has more than three parts")
        return tomllib.loads(text)


def read_tensors(path: Path, most: int | None = None) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read named arrays and the record about them from a file of so many bytes at most; the checksum must be
    theirs. Raises RunFolderError."""
    with reading(path):
        check_file(path, most)
        check_header(path)
        with safetensors.safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {})["hornbook"])
            tensors = {name: tensor_of(file, name) for name in file.keys()}  # noqa: SIM118
        if not isinstance(about, dict):
            raise ValueError("the record about its arrays is not a record")
        if about.pop(CHECKSUM) != checksum(tensors, about):
            raise ValueError("its checksum is not that of what it holds")
        return tensors, about


def tensor_of(file: Any, name: str) -> Array:
    """An array of an open file. Raises ValueError for a type that no run has: NumPy lacks some."""
    kind = file.get_slice(name).get_dtype()
    if kind not in KINDS:
        raise ValueError(f"{name} is of type {kind}; expected {' or '.join(KINDS)}")
    return np.asarray(file.get_tensor(name))


def check_header(path: Path) -> None:
    """Raise ValueError where a file of weights claims a longer header than any has."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > MOST_HEADER:
        raise ValueError(f"its header claims {length:,} bytes, and none has more than {MOST_HEADER:,}")
