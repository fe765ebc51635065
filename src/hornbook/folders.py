"""Where a run goes: its folder is chosen, and appears whole, by a rename, with its settings in it."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import secrets
import shutil
import stat
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from glob import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.config import ModelSettings, TrainingSettings
from hornbook.engines import pairs_of, roots_of
from hornbook.engines.native import chosen_level
from hornbook.errors import PlaceError, RunFolderError, SettingError, StorageError
from hornbook.locks import LOCK, Lock, under_way
from hornbook.run_files import (
    CONFIG,
    METRICS,
    SAMPLES,
    VOCABULARY,
    Config,
    read_beginning,
    vocabulary_record,
)
from hornbook.storage import storing, sync, write_json, write_toml
from hornbook.text import Source, Text, digest
from hornbook.text_files import BYTE_ORDER_MARK
from hornbook.values import nameable, place, words

STORED_TEXT = "text"  # of a run whose text came from standard input
RUNS = Path("runs")
STORE_BLOCK = 1 << 20
FRESH = 60.0  # seconds
LONGEST_NAME = 150  # bytes of a fresh name; the system has 255, with what is put before and behind it
FILLED = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)  # where the name is taken


@dataclass
class Place:
    """A run folder that this process writes, what its `own` files hold, which no other one does (settings,
    vocabulary, plan), how many rows the others do, up to which update its plan is recorded (-1: not at all),
    and the update of the step of it by which the training goes."""

    folder: Path
    lock: Lock
    own: dict[str, bytes]
    rows: dict[str, int] = field(default_factory=lambda: {METRICS: 0, SAMPLES: 0})
    planned: int = -1
    ruled: int = -1


def choose_folder(text_name: str, out: str | Path | None = None, name: str | None = None) -> Path:
    """The folder of a new run: `out`, or `runs/<name>`, or the first of `runs/<text>`, `runs/<text>-2`
    … that is free. Raises RunFolderError for a folder that is not empty, SettingError for both, and
    for what is no path or no name."""
    if out is not None and name is not None:
        raise SettingError("`out` and `name` both say where the run goes; give one of them")
    if out is not None:
        place("`out`", out)
        if not nameable(out):
            raise SettingError(f"`out` is {str(out)!r}; expected a path")
    if name is not None:
        words("`name`", name)
    if name is not None and (name in ("", "..") or not nameable(name) or Path(name).name != name):
        raise SettingError(f"`name` is {name!r}; expected the name of one folder, without a slash")
    if out is None and name is None:
        return free_folder(text_name)
    folder, said = (Path(out), "`out`") if out is not None else (RUNS / str(name), "`name`")
    try:
        taken = folder.is_dir() and filled(folder)
        is_file = folder.exists() and not folder.is_dir()
    except OSError as error:
        raise RunFolderError(
            f"{folder} cannot be a run folder: {error.strerror}; choose another {said}"
        ) from error
    if taken:
        raise RunFolderError(
            f"{folder} is not empty; choose another {said}, or leave it out for a fresh name"
        )
    if is_file:
        raise RunFolderError(f"{folder} is a file; choose another {said}")
    return folder


def free_folder(text_name: str) -> Path:
    """The first of `runs/<text>`, `runs/<text>-2` … that is not there."""
    safe = "".join(c if c.isalnum() or c in "-_+." else "-" for c in text_name).strip(".") or "text"
    safe = safe.encode()[:LONGEST_NAME].decode(errors="ignore")
    folder, number = RUNS / safe, 1
    while os.path.lexists(folder):
        number += 1
        folder = RUNS / f"{safe}-{number}"
    return folder


def create(
    folder: Path, text: Text, model: ModelSettings, training: TrainingSettings, fresh: bool = False
) -> Place:
    """Make a run folder, whole, and lock it. Where its name was found by `choose_folder` it is `fresh`: if
    another training has taken it since, the next one that is free is taken. Raises StorageError."""
    while True:
        try:
            return appear(folder, text, model, training)
        except StorageError as error:
            reason = error.__cause__
            taken = isinstance(reason, OSError) and reason.errno in FILLED and os.path.lexists(folder)
            if not taken:
                raise
            if not fresh:
                raise PlaceError(
                    f"{folder} cannot be written: another training or program has put something there "
                    "meanwhile; choose another `out`"
                ) from error
            folder = free_folder(text.name)


def appear(folder: Path, text: Text, model: ModelSettings, training: TrainingSettings) -> Place:
    """Make a run folder beside its place, and put it there; within it, where an empty folder is there that
    has to stay. Raises StorageError."""
    whole, lock = folder.absolute(), None
    with storing(folder):
        make(whole.parent)
        around = whole if whole.is_dir() and not replaceable(whole) else whole.parent
        beside = around / f"{making(whole)}{os.getpid()}-{secrets.token_hex(4)}"
        remove_left(whole, around)
        try:
            beside.mkdir()
            lock = Lock(beside)
            write_start(beside, text, model, training)
            beginning = read_beginning(beside)
            put(beside, whole)
            lock.move(folder)
            sync(whole.parent)
        except BaseException as error:
            if lock:
                lock.release()
            if isinstance(error, StorageError):
                raise type(error)(str(error).replace(str(beside), str(folder))) from error.__cause__
            raise
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    lock.written = {METRICS: 0, SAMPLES: 0}
    return Place(folder, lock, beginning)


def make(folder: Path) -> None:
    """Make a folder where there is none, and those above it, each with its name on the disk."""
    if not folder.exists():
        make(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def making(whole: Path) -> str:
    """How the names of folders begin that are to become a run folder."""
    return f".{whole.name}.new-"


def filled(folder: Path) -> bool:
    """Whether there is more in a folder than what is in the making there, or was left of that."""
    return any(not path.name.startswith(making(folder.absolute())) for path in folder.iterdir())


def replaceable(whole: Path) -> bool:
    """Whether nobody misses an empty folder when a new one takes its place: it is no link, no place where a
    disk is mounted, of the same owner and group, and not the one that this process works in."""
    old, above = whole.stat(), whole.parent.stat()
    group = above.st_gid if above.st_mode & stat.S_ISGID else os.getegid()
    own = (old.st_uid, old.st_gid) == (os.geteuid(), group)
    bound = whole.is_symlink() or os.path.ismount(whole) or os.path.samestat(old, os.stat("."))
    return own and not bound


def remove_left(whole: Path, around: Path) -> None:
    """Remove what processes that were killed have left of a run folder; one of this minute may be in the
    making, and in its place by now."""
    for left in around.glob(f"{escape(making(whole))}*"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > FRESH and not under_way(left):
                shutil.rmtree(left, ignore_errors=True)


def put(beside: Path, whole: Path) -> None:
    """Put a folder in its place by a rename, onto an empty folder too; from within that one file by file: the
    lock first, whose name only one training can take, the settings last, without which it is no run."""
    there = whole.is_dir()
    if there and filled(whole):
        raise FileExistsError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(whole))
    if beside.parent == whole:
        (whole / LOCK).touch(exist_ok=False)
        for path in sorted(beside.iterdir(), key=lambda path: (path.name != LOCK, path.name == CONFIG)):
            path.rename(whole / path.name)
        sync(whole)
        return
    if there:
        shutil.copymode(whole, beside)
    beside.rename(whole)


def write_start(folder: Path, text: Text, model: ModelSettings, training: TrainingSettings) -> None:
    """What is there before the first update."""
    about = {
        "name": text.name,
        "tokens": text.vocabulary.tokens,
        "encoding": text.encoding,
        "newlines": text.newlines,
        "characters": len(text),
    }
    if not text.sources:
        about["sha256"] = digest(text)
    sources = tuple(stored(folder, text, *placed) for placed in enumerate(text.sources))
    write_toml(folder / CONFIG, Config(about, sources, model, training, made_by(training)).table())
    write_json(folder / VOCABULARY, vocabulary_record(text.vocabulary))
    for name in (METRICS, SAMPLES):
        (folder / name).touch()


def made_by(training: TrainingSettings) -> dict[str, Any]:
    """Versions and machine."""
    return {
        "hornbook": version("hornbook"),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "processor": processor(),
        "level": chosen_level(),
        **pairs_of(training),
        **roots_of(training),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def processor() -> str:
    """The processor's own name, where the system tells it."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def stored(folder: Path, text: Text, place: int, source: Source) -> Source:
    """A source; what came from standard input is kept in the run, in its own encoding."""
    if source.path != "-":
        return source
    start = sum(before.characters for before in text.sources[:place])
    kind = "txt" if text.vocabulary.tokens == "chars" else "bin"
    path = folder / (f"{STORED_TEXT}-{place + 1}.{kind}" if place else f"{STORED_TEXT}.{kind}")
    encoding = text.encoding or "latin-1"  # bytes are the characters of their numbers
    with storing(path), path.open("w", encoding=encoding, newline="") as file:
        for at in range(start, start + source.characters, STORE_BLOCK):
            part = text[at : min(at + STORE_BLOCK, start + source.characters)]
            file.write(as_read(text, part, first=at == start))
        file.flush()
        os.fsync(file.fileno())
    with path.open("rb") as kept:
        sha256 = hashlib.file_digest(kept, "sha256").hexdigest()
    return Source(path.name, path.stat().st_size, sha256, source.characters)


def as_read(text: Text, part: str, first: bool) -> str:
    """A part of the text such that reading it gives the same characters again: what reading would take away
    stands twice."""
    if first and part.startswith(BYTE_ORDER_MARK):
        part = BYTE_ORDER_MARK + part
    if text.newlines == "lf" and "\r" in text.vocabulary.numbers:
        part = part.replace("\n", "\r\n")
    return part
