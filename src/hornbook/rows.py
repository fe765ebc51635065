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

from hornbook.untrusted import check_file, in_words, reading

MOST_ROWS = 1 << 27  # bytes of a file of which all rows are kept in memory, and
MOST_KEPT = 1 << 19  # rows of a larger one that are kept, and
MOST_PLAN = 1 << 20  # of a plan, which has some hundred rows
MOST_LINE = 1 << 26  # of a row, such as a passage of ten million characters, each written by its number, and
MOST_BARE = 1 << 16  # of a row beside its texts: it has a few numbers
TEXT = re.compile(rb'"(?>[^"\\]*(?:\\.[^"\\]*)*)"?', re.DOTALL)  # in JSON; one without an end goes to the end

Row = dict[str, Any]
Check = Callable[[Row], Row]  # gives what is kept of a row; raises ValueError for what is none
Reader = Callable[[Path, Check], tuple[list[Row], int, str]]


def read_json_lines(path: Path, most: int = MOST_PLAN) -> list[Row]:
    """Read a file of one JSON record a line, of so many bytes at most; a last line without its end is left
    out. Raises RunFolderError."""
    with reading(path):
        check_file(path, most)
        with path.open("rb") as file:
            return [record(line) for line in lines(file)]


def sound_json_lines(path: Path, check: Check) -> tuple[list[Row], int, str]:
    """The records of such a file before the first that is damaged, how many they are, and what is wrong with
    that one; empty where none is. Raises RunFolderError for what cannot be read at all, and for a file of
    more bytes than may be kept."""
    rows: list[Row] = []
    with reading(path):
        check_file(path, MOST_ROWS)
    return rows, *sound_rows(path, check, take=rows.append)


def thinned_rows(path: Path, check: Check) -> tuple[list[Row], int, str]:
    """The same of a file of any size: of very many records every second, every fourth and so on is kept, and
    the last one."""
    rows: list[Row] = []
    last: Row = {}
    number, every = 0, 1

    def take(row: Row) -> None:
        nonlocal rows, last, number, every
        last = row
        if number % every == 0:
            rows.append(row)
        number += 1
        if len(rows) > MOST_KEPT:
            rows, every = rows[::2], 2 * every

    found, damage = sound_rows(path, check, take=take)
    return (rows if (found - 1) % every == 0 or not found else [*rows, last]), found, damage


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
                return number, in_words(error)
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
