"""Files: written beside and renamed, so that each is either whole or not there; weights in safetensors, with
a checksum. Nothing here knows networks. A disk that cannot be written raises StorageError.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from hornbook.cells.cell import Array
from hornbook.errors import PlaceError, StorageError

CHECKSUM = "sha256"
ELSEWHERE = "name another place"
ALLOWED = "change who may write there (chmod), or copy the folder to where you may"
LINK = "it is a link, and none is followed in writing"  # the system says that there are too many
ROOM = "make room on its disk, or use another one"
NO_PLACE = (errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.ENAMETOOLONG)
PLACES = {
    **dict.fromkeys(NO_PLACE, ELSEWHERE),
    errno.EISDIR: "move that folder away, or give it another name",
    errno.ELOOP: "remove it, or put the file itself there",
    errno.ENXIO: "move it away",
    **dict.fromkeys((errno.EACCES, errno.EPERM), ALLOWED),
    errno.EROFS: "copy the folder to a disk that can be written, or name another place",
}  # what to do where the place is at fault


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn what the system says of a disk into a StorageError that names the file; a PlaceError where the
    place is at fault, whatever room there is."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOENT and not path.parent.is_dir():
            raise StorageError(
                f"{path} cannot be written, because the folder {path.parent} is gone: it was deleted or "
                "moved away"
            ) from error
        kind = PlaceError if error.errno in PLACES else StorageError
        advice = PLACES.get(error.errno or 0, ROOM)
        reason = LINK if error.errno == errno.ELOOP else error.strerror or error
        raise kind(f"{path} cannot be written: {reason}; {advice}") from error


@dataclass(frozen=True)
class Spot:
    """A file that is to be written: its path, and where that is given the open folder that it lies in, which
    is written then, and no other one that has come to bear its name."""

    path: Path
    folder: int | None = None

    @classmethod
    def of(cls, place: Path | Spot) -> Spot:
        """The same of a path."""
        return place if isinstance(place, Spot) else cls(place)

    def at(self, name: str) -> str:
        """How the system finds a file beside this one, or itself."""
        return str(self.path.with_name(name)) if self.folder is None else name

    def open(self, name: str, flags: int) -> int:
        """Open a file there, but not what a link in its place leads to."""
        return os.open(self.at(name), flags | os.O_NOFOLLOW, 0o666, dir_fd=self.folder)

    def kind(self, name: str) -> int:
        """What a file is, or a link leads to, as `stat` has it; 0 where there is none."""
        try:
            return os.stat(self.at(name), dir_fd=self.folder).st_mode
        except OSError:
            return 0

    def size(self) -> int:
        """Its bytes; none where it is not there, and -1 for what is no plain file. Raises OSError."""
        try:
            found = os.stat(self.at(self.path.name), dir_fd=self.folder)
        except FileNotFoundError:
            return 0
        return found.st_size if stat.S_ISREG(found.st_mode) else -1

    def read(self) -> bytes:
        """What is in it; nothing where it is not there."""
        with storing(self.path):
            try:
                with open(self.path.name, "rb", opener=self.open) as file:
                    return file.read()
            except FileNotFoundError:
                return b""

    def holds(self, content: bytes) -> bool:
        """Whether it is a plain file, and that is in it."""
        try:
            return self.size() == len(content) and self.read() == content
        except (OSError, StorageError):
            return False

    def rename(self, name: str, to: str) -> None:
        """Give a file there another name, whatever has that."""
        os.replace(self.at(name), self.at(to), src_dir_fd=self.folder, dst_dir_fd=self.folder)

    def remove(self, name: str) -> None:
        """Remove a file there, where there is one."""
        with suppress(FileNotFoundError):
            os.unlink(self.at(name), dir_fd=self.folder)

    def sync(self) -> None:
        """Wait until the names there are on the disk."""
        sync(self.path.parent) if self.folder is None else os.fsync(self.folder)


def check_plain(path: Path, follow: bool = False) -> None:
    """Raise OSError for what is there and no plain file: a folder, a pipe, a socket or a device, of which
    even to open one may do something; and for a link, unless it is to `follow` it."""
    with suppress(FileNotFoundError):
        kind = os.stat(path, follow_symlinks=follow).st_mode
        if stat.S_ISDIR(kind) or stat.S_ISLNK(kind):
            reason = errno.EISDIR if stat.S_ISDIR(kind) else errno.ELOOP
            raise OSError(reason, os.strerror(reason))
        if not stat.S_ISREG(kind):
            raise OSError(errno.ENXIO, "it is no plain file")


def beside(name: str) -> str:
    """The name under which a file is written before it takes the place of the one of this name."""
    return f".{name}.new"


def write_whole(
    place: Path | Spot, content: bytes | Iterable[bytes | memoryview], before: Path | None = None
) -> None:
    """Write a file, or its pieces, so that it is seen either as it was or whole, also after a power cut. What
    stood there before is kept under the name `before`, beside it, where one is given."""
    spot = Spot.of(place)
    name, new = spot.path.name, beside(spot.path.name)
    with storing(spot.path):
        if stat.S_ISDIR(spot.kind(name)):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        try:
            spot.remove(new)  # of a process that was killed; or a link to somewhere else
            with open(new, "xb", opener=spot.open) as file:
                file.writelines([content] if isinstance(content, bytes) else content)
                file.flush()
                os.fsync(file.fileno())
            if before is not None and spot.kind(name):
                spot.rename(name, before.name)
            spot.rename(new, name)
            spot.sync()
        except BaseException:
            spot.remove(new)
            raise


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def unlinked(path: str, flags: int) -> int:
    """Open a file, but not what a link in its place leads to."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def append_line(place: Path | Spot, line: str) -> int:
    """Add a line to a file: how many bytes that were. A lone surrogate stands there as JSON's \\udc80."""
    spot, content = Spot.of(place), (line + "\n").encode(errors="backslashreplace")
    with storing(spot.path), open(spot.path.name, "ab", opener=spot.open) as file:
        file.write(content)
    return len(content)


def refusal(folder: Path) -> str:
    """Why no file can be made in a folder; empty where one can. A full disk is found out by writing."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return "" if error.errno == errno.ENOSPC else str(error.strerror or error)
    return ""


def write_json(place: Path | Spot, value: object) -> None:
    """Write a JSON file, indented, whole."""
    write_whole(place, (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode())


def write_toml(path: Path, table: Mapping[str, Any]) -> None:
    """Write a TOML file, whole."""
    write_whole(path, tomli_w.dumps(table).encode())


def write_tensors(
    place: Path | Spot, tensors: Mapping[str, Array], about: Mapping[str, Any], before: Path | None = None
) -> None:
    """Write named arrays as safetensors, whole, with one JSON record about them, which holds a checksum of
    them and of itself; `before` as in `write_whole`."""
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    record = {**about, CHECKSUM: checksum(arrays, about)}
    note = {"hornbook": json.dumps(record, sort_keys=True)}
    write_whole(place, laid_out(arrays, note), before)


def laid_out(arrays: Mapping[str, Array], note: Mapping[str, str]) -> Iterator[bytes | memoryview]:
    """Arrays and a note as the pieces of a file of safetensors; no array is copied."""
    header: dict[str, Any] = {"__metadata__": dict(note)}
    end, order = 0, sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    for name in order:
        array = arrays[name]
        kind, place = f"F{8 * array.itemsize}", [end, end + array.nbytes]
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": place}
        end += array.nbytes
    words = json.dumps(header).encode()
    words += b" " * (-len(words) % 8)  # so that the numbers begin at a multiple of their size
    yield len(words).to_bytes(8, "little")
    yield words
    for name in order:
        yield arrays[name].data


def checksum(tensors: Mapping[str, Array], about: Mapping[str, Any]) -> str:
    """The SHA-256 of named arrays and the record about them, in hexadecimal digits."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape}\n".encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()
