"""The user's cache: what hornbook can make again, and keeps so as not to.

A file in it may be damaged, gone, or somebody else's: whoever reads one checks it, and goes without.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from hornbook.errors import HornbookError, RunFolderError
from hornbook.storage import write_json
from hornbook.untrusted import read_json

HASHED = "hashed"  # the folder of what is known of files
KEPT = 500  # files in a folder of small ones, of a third of a kilobyte each
SETTLED = 2_000_000_000  # nanoseconds since a file's last change: clocks of file systems tick that slowly
BLOCK_BYTES = 1 << 18


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where a user's programs keep what they can make again: hornbook's own part of it."""
    named = Path(environment.get("XDG_CACHE_HOME", ""))  # one that is not absolute counts for nothing
    return (named if named.is_absolute() else Path(os.path.expanduser("~"), ".cache")) / "hornbook"


def key(about: Mapping[str, Any]) -> str:
    """The name of what is kept about something: the SHA-256 of what it hangs on."""
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def keep(path: Path, found: object) -> None:
    """Put a small record into the cache, and what has lain there longest out of it; where that cannot be, it
    is made again another time."""
    with suppress(OSError, HornbookError):
        path.parent.mkdir(parents=True, exist_ok=True)
        clear(path)
        write_json(path, found)
        files = sorted(path.parent.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in files[KEPT:]:
            file.unlink()


def clear(path: Path) -> None:
    """Remove a folder that stands in the place of a file of the cache."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)


def own(path: Path) -> IO[bytes]:
    """A file of the cache, open. Raises OSError for a link, what is no plain file, and what another user put
    there."""
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK))
    state = os.fstat(file.fileno())
    if stat.S_ISREG(state.st_mode) and state.st_uid == os.geteuid():
        return file
    file.close()
    raise PermissionError(f"{path} is not this user's own file")


def content(file: IO[bytes], path: str | None) -> str:
    """The SHA-256 of a file's bytes. Where it has a path, and neither size, inode nor times have changed
    since it was last read for that, the one that was found then."""
    before = state_of(file)
    if path and (known := remembered(path, before)):
        return known
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
    found = digest.hexdigest()
    if path and before == state_of(file) and time.time_ns() - max(before[2:]) > SETTLED:
        remember(path, file, found)
    return found


def state_of(file: IO[bytes]) -> list[int]:
    """What changes when a file is changed: its inode, its size, and the times of its last changes."""
    state = os.fstat(file.fileno())
    return [state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns]


def remember(path: str, file: IO[bytes], sha256: str) -> None:
    """Keep the SHA-256 of a file that nobody else is changing."""
    keep(place(path), {"path": path, "state": state_of(file), "sha256": sha256})


def remembered(path: str, state: list[int]) -> str:
    """The SHA-256 of a file that is in the same state as then; empty where it is not known."""
    with suppress(OSError, RunFolderError, KeyError, TypeError):
        with own(place(path)):
            known = read_json(place(path))
        if (known["path"], known["state"]) == (path, state):
            return str(known["sha256"])
    return ""


def place(path: str) -> Path:
    """Where it is kept what is known of a file."""
    return cache_folder(os.environ) / HASHED / f"{key({'path': path})}.json"
