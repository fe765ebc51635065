"""Files of rows, read: one JSON record a line, which a training adds to.

A file may come from anywhere, and what JSON is read to may need forty times its size. So a row is looked at
before it is read, and of a row no more is kept than whoever checks it asks for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

from hornbook.storage import check_file, reading

MOST_ROWS = 1 << 28  # bytes of a file of which all rows are kept in memory, and
MOST_PLAN = 1 << 20  # of a plan, which has some hundred rows
MOST_LINE = 1 << 26  # of a row, such as a passage of ten million characters, each written by its number, and
MOST_BARE = 1 << 16  # of a row beside its texts: it has a few numbers
TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)  # in JSON; one without an end goes to the end

Row = dict[str, Any]
Check = Callable[[Row], Row]  # gives what is kept of a row; raises ValueError for what is none


def read_json_lines(path: Path, most: int = MOST_PLAN) -> list[Row]:
    """Read a file of one JSON record a line, of so many bytes at most; a last line without its end is left
    out. Raises RunFolderError."""
    with reading(path):
        check_file(path, most)
        with path.open("rb") as file:
            return [record(line) for line in lines(file)]


def sound_json_lines(path: Path, check: Check) -> tuple[list[Row], str]:
    """The records of such a file before the first that is damaged, and what is wrong with that one; empty
    where none is. Raises RunFolderError for what cannot be read at all."""
    rows: list[Row] = []
    with reading(path):
        check_file(path, MOST_ROWS)
    return rows, sound_rows(path, check, take=rows.append)[1]


def sound_rows(
    path: Path, check: Check, most: int | None = None, take: Callable[[Row], object] = lambda _: None
) -> tuple[int, str]:
    """Hand the same records, or so many of them at most, to `take`, one by one, so that a file of any size
    can be read: how many they are, and what is wrong with the next one. Raises RunFolderError."""
    number = 0
    with reading(path):
        check_file(path)
        with path.open("rb") as file:
            try:
                for line in islice(lines(file), most):
                    take(check(record(line)))
                    number += 1
            except (ValueError, RecursionError) as error:
                return number, str(error)
    return number, ""


def lines(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file that have their end. Raises ValueError for a longer one than any row."""
    while (line := file.readline(MOST_LINE + 1)).endswith(b"\n"):
        yield line
    if len(line) > MOST_LINE:
        raise ValueError(f"a row has more than {MOST_LINE:,} bytes")


def record(line: bytes) -> Row:
    """The record in a line. Raises ValueError for what is none, RecursionError for deep nesting."""
    if len(line) > MOST_BARE:
        check_bare(line)
    row = json.loads(line)
    if not isinstance(row, dict):
        raise ValueError("a line is not a record")
    return row


def check_bare(line: bytes) -> None:
    """Raise ValueError for a row that has more beside its texts, or more of them, than any has."""
    bare = end = 0
    for text in TEXT.finditer(line):
        bare, end = bare + 1 + text.start() - end, text.end()
        if bare > MOST_BARE:
            break
    if bare + len(line) - end > MOST_BARE:
        raise ValueError(f"a row has more than {MOST_BARE:,} bytes beside its texts")
