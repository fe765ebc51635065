"""Files: written beside and renamed, so that each is either whole or not there; weights in safetensors.

Nothing here knows networks. A disk that cannot be written raises StorageError.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
import tomli_w

from hornbook.cells.cell import Array
from hornbook.errors import RunFolderError, StorageError


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn what the system says of a disk into a StorageError that names the file."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror or error}; make room on its disk, or use another one"
        ) from error


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is seen either as it was or whole."""
    beside = path.with_name(f".{path.name}.new")
    with storing(path):
        try:
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def refusal(folder: Path) -> str:
    """Why no file can be made in a folder; empty where one can. A full disk is found out by writing."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return "" if error.errno == errno.ENOSPC else str(error.strerror or error)
    return ""


def write_json(path: Path, value: object) -> None:
    """Write a JSON file, indented, whole."""
    write_whole(path, (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode())


def write_toml(path: Path, table: Mapping[str, Any]) -> None:
    """Write a TOML file, whole."""
    write_whole(path, tomli_w.dumps(table).encode())


def write_tensors(path: Path, tensors: Mapping[str, Array], about: Mapping[str, Any]) -> None:
    """Write named arrays as safetensors, whole, with one JSON record about them."""
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    note = {"hornbook": json.dumps(about, sort_keys=True)}
    write_whole(path, safetensors.numpy.save(arrays, metadata=note))


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
    except (ValueError, TypeError, RecursionError, safetensors.SafetensorError) as error:
        raise RunFolderError(f"{path} is damaged or not hornbook's: {error}") from error


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises RunFolderError."""
    with reading(path):
        return json.loads(path.read_text(encoding="utf-8"))


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Read a file of one JSON record a line; a last line without its end is left out. Raises
    RunFolderError."""
    with reading(path):
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        rows = [json.loads(line) for line in lines]
        if not all(isinstance(row, dict) for row in rows):
            raise ValueError("a line is not a record")
        return rows


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raises RunFolderError."""
    with reading(path):
        return tomllib.loads(path.read_text(encoding="utf-8"))


def read_tensors(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read named arrays and the record about them. Raises RunFolderError."""
    with reading(path):
        with safetensors.safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {})["hornbook"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if not isinstance(about, dict):
            raise ValueError("the record about its arrays is not a record")
        return tensors, about
