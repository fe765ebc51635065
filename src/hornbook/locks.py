"""One writer: a run folder is locked by the process that trains in it.

The lock is one of the system's on the file `lock`, which names the process and its host; it ends with the
process, however that ends, so what a dead process leaves is a name and no lock.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from hornbook.errors import RunFolderError
from hornbook.markup import printable
from hornbook.storage import storing

LOCK = "lock"
TRIES, PAUSE = 10, 0.02  # seconds: who only looks whether a run is under way holds its lock for a moment
UNNAMED = 100  # tries, where it is not yet told who holds it
TAKEN = (errno.EAGAIN, errno.EACCES)


class Lock:
    """Held from here on; an end of the block in which it is entered releases it. Raises RunFolderError where
    another process, or another training in this one, holds it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with storing(folder / LOCK):
            self.file = taken(folder)
            try:
                sign(self.file)
            except BaseException:
                os.close(self.file)
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give the folder free; the file goes while the lock is still held."""
        if same_file(self.file, self.folder / LOCK):
            (self.folder / LOCK).unlink(missing_ok=True)
        os.close(self.file)


def sign(file: int) -> None:
    """Put the name of this process into a file that it has locked, in the place of a dead one's. Whoever
    reads the first line meanwhile finds the one or the other."""
    name = f"process {os.getpid()} on {socket.gethostname()}\n".encode()
    os.pwrite(file, name, 0)
    os.ftruncate(file, len(name))


def taken(folder: Path) -> int:
    """The locked file of a folder. Raises RunFolderError where it is locked already; who has just locked it
    is waited for to give a name."""
    path, who = folder / LOCK, ""
    for tried in range(UNNAMED):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        if locked(file) and same_file(file, path):
            return file
        who = holder(file)
        os.close(file)
        if who and tried >= TRIES:
            break
        time.sleep(PAUSE)
    raise RunFolderError(
        f"{folder} is being trained by {printable(who) or 'another process'}; wait for its end, or stop it "
        "(Ctrl-C, or SIGTERM) and go on from there"
    )


def holder(file: int) -> str:
    """Who holds a lock; empty where that is not told yet, or a process of this machine that is dead."""
    who = os.pread(file, 200, 0).decode(errors="replace").partition("\n")[0].strip()
    found = re.fullmatch(r"process (\d{1,9}) on (.*)", who)
    return "" if found and found[2] == socket.gethostname() and not alive(int(found[1])) else who


def alive(process: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def locked(file: int) -> bool:
    """Whether a lock can be had, which is then held."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in TAKEN:
            return False
        raise
    return True


def same_file(file: int, path: Path) -> bool:
    """Whether an open file is still the one of this name."""
    try:
        return os.path.samestat(os.fstat(file), os.lstat(path))
    except FileNotFoundError:
        return False


def under_way(folder: Path) -> bool:
    """Whether a process trains in a run folder now."""
    try:
        file = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return not locked(file)
    finally:
        os.close(file)
