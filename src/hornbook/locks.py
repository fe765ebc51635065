"""One writer: a run folder is locked by the process that trains in it.

The lock is one of the system's on the file `lock`, which names the process and its host; it ends with the
process, however that ends, so what a dead process leaves is a name and no lock. Whoever holds it writes into
the folder that was locked, and into no other one that comes to bear its name. And since the file may be
deleted, the sizes of those that a training adds to are looked at before each write: where another program has
changed one of them, nothing more is written.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from hornbook.errors import RunFolderError, StorageError
from hornbook.markup import printable
from hornbook.storage import Spot, check_plain, storing

LOCK = "lock"
TRIES, PAUSE = 10, 0.02  # seconds: who only looks whether a run is under way holds its lock for a moment
UNNAMED = 100  # tries, where it is not yet told who holds it
DELETING = 0.2  # seconds: a folder that is being deleted loses its files first
TAKEN = (errno.EAGAIN, errno.EACCES)


class Lock:
    """Held from here on; an end of the block in which it is entered releases it. The folder is kept open, so
    that no other one is taken for it, whatever its name. `written` is for the bytes of each file that nobody
    else adds to. Raises RunFolderError where another process, or another training in this one, holds it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.written = folder, dict[str, int]()
        with storing(folder / LOCK), ExitStack() as closing:
            self.root = opened(folder)
            closing.callback(os.close, self.root)
            self.file = signed(folder)
            closing.pop_all()

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
        os.close(self.root)

    def move(self, folder: Path) -> None:
        """The folder, or all that was in it, has another place from here on. Raises StorageError where it has
        not."""
        with storing(folder / LOCK):
            root, before = opened(folder), self.root
        self.root, self.folder = root, folder
        os.close(before)
        if not same_file(self.file, folder / LOCK):
            raise replaced(folder)

    def is_there(self) -> bool:
        """Whether the folder is still where it was."""
        try:
            return os.path.samestat(os.fstat(self.root), os.stat(self.folder))
        except OSError:
            return False

    def check(self, name: str = LOCK) -> None:
        """Raise StorageError, for the file of this name, where the folder is gone or another one is in its
        place, where another process has locked it since the lock's file was deleted, or where a file has not
        the bytes that were written into it."""
        self.check_place(name)
        with storing(self.folder / LOCK):
            if not same_file(self.file, self.folder / LOCK):
                self.take_again()
        for changed in filter(self.is_changed, self.written):
            time.sleep(DELETING)
            self.check_place(name)
            raise meddled(self.folder / changed)

    def check_place(self, name: str) -> None:
        """Raise StorageError, for the file of this name, where the folder is gone or another one is there."""
        with storing(self.folder / name):
            if not self.is_there():
                os.close(opened(self.folder))  # the system says what is wrong where there is none
                raise replaced(self.folder)

    def is_changed(self, name: str) -> bool:
        """Whether a file that nobody else adds to has not the bytes that were written into it. One that is
        gone and had none is made again."""
        with storing(self.folder / name):
            return Spot(self.folder / name, self.root).size() != self.written[name]

    def to_write(self, name: str) -> Spot:
        """A file of the folder, and of no other one, that is to be written now. Raises as `check` does."""
        self.check(name)
        return Spot(self.folder / name, self.root)

    def take_again(self) -> None:
        """Lock the folder anew: the lock's file was deleted."""
        try:
            file = signed(self.folder)
        except RunFolderError as error:
            raise StorageError(f"{self.folder / LOCK} was deleted, and meanwhile {error}") from error
        os.close(self.file)
        self.file = file


def opened(folder: Path) -> int:
    """A folder, open: until it is closed no other one has its number. Raises OSError."""
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)


def replaced(folder: Path) -> StorageError:
    """What is told where another folder is in the place of a run's."""
    return StorageError(
        f"{folder} is not this run's folder any more: it was moved away or deleted, and another one is in "
        "its place; nothing is written into that one"
    )


def meddled(path: Path) -> StorageError:
    """What is told where another program has changed a file that only a training adds to."""
    return StorageError(
        f"{path} was changed or deleted by another program while this training wrote it; nothing more is "
        "written; put it back from a copy, or `force=True` goes on without what is lost of it"
    )


def signed(folder: Path) -> int:
    """The locked file of a folder, with the name of this process in it. Raises as `taken` does."""
    file = taken(folder)
    try:
        sign(file)
    except BaseException:
        os.close(file)
        raise
    return file


def sign(file: int) -> None:
    """Put the name of this process into a file that it has locked, in the place of a dead one's. Whoever
    reads the first line meanwhile finds the one or the other."""
    name = f"process {os.getpid()} on {socket.gethostname()}\n".encode()
    os.pwrite(file, name, 0)
    os.ftruncate(file, len(name))


def taken(folder: Path) -> int:
    """The locked file of a folder. Raises RunFolderError where it is locked already; who has just locked it
    is waited for to give a name. Raises OSError for what is no plain file."""
    path, who = folder / LOCK, ""
    for tried in range(UNNAMED):
        check_plain(path)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
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
    except (FileNotFoundError, NotADirectoryError):
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
