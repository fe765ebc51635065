"""One writer: who trains in a folder is named, what a dead process left is taken over."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from socket import gethostname

import pytest

from hornbook import RunFolderError, StorageError, locks
from hornbook.errors import PlaceError
from hornbook.locks import LOCK, PAUSE, TRIES, Lock, locked, sign, under_way
from hornbook.storage import Spot, append_line

HOLDING = """
import sys
from pathlib import Path
from hornbook.locks import Lock

with Lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of the folder."""
    command = [sys.executable, "-c", HOLDING, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"held\n"
        yield child
        child.kill()


def test_a_lock_is_there_while_it_is_held_and_gone_after(tmp_path):
    assert not under_way(tmp_path)
    with Lock(tmp_path):
        assert under_way(tmp_path)
        assert (tmp_path / LOCK).read_text().startswith(f"process {os.getpid()} on ")
    assert not under_way(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_another_process_is_refused_and_the_holder_named(tmp_path, holder):
    assert under_way(tmp_path)
    with pytest.raises(
        RunFolderError, match=f"is being trained by process {holder.pid} on .*; wait for its end"
    ):
        Lock(tmp_path)


def test_another_training_in_this_process_is_refused(tmp_path):
    with Lock(tmp_path), pytest.raises(RunFolderError, match=f"by process {os.getpid()} on"):
        Lock(tmp_path)


def test_what_a_killed_process_left_is_taken_over(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert (tmp_path / LOCK).exists()
    assert not under_way(tmp_path)
    with Lock(tmp_path):
        assert (tmp_path / LOCK).read_text().startswith(f"process {os.getpid()} on ")


def test_the_name_in_a_lock_cannot_steer_a_terminal(tmp_path):
    with Lock(tmp_path):
        (tmp_path / LOCK).write_text("\x1b[2Jnobody")
        with pytest.raises(RunFolderError, match="by ␛\\[2Jnobody"):
            Lock(tmp_path)


@pytest.mark.parametrize("before", ["", "a dead one's"])
def test_who_has_just_locked_it_is_waited_for_to_give_a_name(tmp_path, holder, before):
    holder.kill()
    holder.wait()
    if not before:
        (tmp_path / LOCK).write_text("")
    with (tmp_path / LOCK).open("rb+") as file:
        assert locked(file.fileno())
        signing = threading.Timer(2 * TRIES * PAUSE, sign, [file.fileno()])
        signing.start()
        with pytest.raises(RunFolderError, match=f"by process {os.getpid()} on"):
            Lock(tmp_path)
        signing.join()


def test_one_that_never_gives_a_name_is_another_process(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "UNNAMED", TRIES + 2)
    with (tmp_path / LOCK).open("wb") as file:
        assert locked(file.fileno())
        with pytest.raises(RunFolderError, match="is being trained by another process; wait"):
            Lock(tmp_path)


def test_a_name_of_another_machine_or_of_another_users_process_is_told(tmp_path):
    for name in ("process 1 on elsewhere", "process 999999999 on elsewhere", f"process 1 on {gethostname()}"):
        with (tmp_path / LOCK).open("wb") as file:
            assert locked(file.fileno())
            file.write(name.encode() + b"\nprocess 2 on h")  # what is left of a longer name
            file.flush()
            with pytest.raises(RunFolderError, match=f"by {name};"):
                Lock(tmp_path)


def test_a_lock_that_cannot_be_signed_is_given_back(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(StorageError, match="No space left"):
            Lock(tmp_path)
    Lock(tmp_path).release()


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("as it was")
    (tmp_path / LOCK).symlink_to("precious")
    for target in ("precious", "nowhere"):
        (tmp_path / LOCK).unlink()
        (tmp_path / LOCK).symlink_to(target)
        with pytest.raises(PlaceError, match=r"lock cannot be written: it is a link, and none.*; remove it"):
            Lock(tmp_path)
        assert not under_way(tmp_path)
    assert (tmp_path / "precious").read_text() == "as it was"
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_in_the_place_of_the_lock_is_to_be_moved_away(tmp_path):
    (tmp_path / LOCK).mkdir()
    with pytest.raises(PlaceError, match=r"lock cannot be written: Is a directory; move that folder away"):
        Lock(tmp_path)
    assert not under_way(tmp_path)


def make_socket(path: Path) -> None:
    """A socket of a name."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize("make", [os.mkfifo, make_socket], ids=["pipe", "socket"])
def test_a_special_file_in_the_place_of_the_lock_is_to_be_moved_away_and_not_waited_for(
    tmp_path, monkeypatch, make
):
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    with Lock(Path()) as lock:
        Path(LOCK).unlink()
        make(Path(LOCK))
        for look in (lock.check, lambda: Lock(Path())):
            with pytest.raises(
                PlaceError, match=r"^lock cannot be written: it is no plain file; move it away$"
            ):
                look()
        assert not under_way(Path())
    assert Path(LOCK).exists()


def test_only_one_of_many_gets_it(tmp_path):
    for _ in range(20):
        got, together = [], threading.Barrier(4)

        def take(got=got, together=together):
            together.wait()
            try:
                got.append(Lock(tmp_path))
            except RunFolderError:
                got.append(None)

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (held,) = [lock for lock in got if lock]
        held.release()


def test_who_only_looks_takes_nobody_the_lock(tmp_path):
    (tmp_path / LOCK).touch()
    over = threading.Event()

    def look():
        while not over.is_set():
            under_way(tmp_path)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(50):
            Lock(tmp_path).release()
            (tmp_path / LOCK).touch()
    finally:
        over.set()
        thread.join()


# The folder that was locked, and no other


def test_another_folder_of_the_same_name_is_told_and_its_lock_left_alone(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    lock = Lock(folder)
    assert lock.to_write("rows") == Spot(folder / "rows", lock.root)
    folder.rename(tmp_path / "moved")
    with pytest.raises(StorageError, match=r"rows cannot be written, because the folder .*a is gone"):
        lock.to_write("rows")
    folder.mkdir()
    with pytest.raises(StorageError, match=r"a is not this run's folder any more: .*another one is in"):
        lock.to_write("rows")
    with Lock(folder):
        lock.release()
        assert under_way(folder)
    assert (tmp_path / "moved" / LOCK).exists()


def test_a_folder_that_is_deleted_and_made_anew_is_another_one(tmp_path):
    folder = tmp_path / "a"
    for _ in range(20):  # a number that is free is given to the next folder
        folder.mkdir()
        with Lock(folder) as lock:
            shutil.rmtree(folder)
            folder.mkdir()
            assert not lock.is_there()
        folder.rmdir()


def test_a_lock_whose_file_is_deleted_is_taken_again(tmp_path):
    with Lock(tmp_path) as lock:
        (tmp_path / LOCK).unlink()
        lock.check()
        assert under_way(tmp_path)
        assert (tmp_path / LOCK).read_text().startswith(f"process {os.getpid()} on ")
    assert list(tmp_path.iterdir()) == []


def test_who_has_locked_it_since_its_file_was_deleted_keeps_it(tmp_path):
    lock = Lock(tmp_path)
    (tmp_path / LOCK).unlink()
    with Lock(tmp_path):
        with pytest.raises(StorageError, match=r"lock was deleted, and meanwhile .* is being trained by"):
            lock.to_write("rows")
        lock.release()
        assert under_way(tmp_path)


# The files that only its holder adds to

CHANGES = {
    "emptied": lambda path: path.write_bytes(b""),
    "longer": lambda path: path.write_bytes(b"a row and more\n"),
    "deleted": Path.unlink,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_where_another_program_has_changed_such_a_file_no_file_is_to_be_written(
    tmp_path, monkeypatch, change
):
    monkeypatch.setattr(locks, "DELETING", 0.0)
    with Lock(tmp_path) as lock:
        lock.written = {"rows": 0}
        lock.written["rows"] += append_line(lock.to_write("rows"), "é\ud83d")
        assert (tmp_path / "rows").read_bytes() == "é\\ud83d\n".encode()
        lock.to_write("another")
        change(tmp_path / "rows")
        for _ in range(2):
            told = (
                r"rows was changed or deleted by another program while this training wrote it; nothing more"
            )
            with pytest.raises(StorageError, match=told):
                lock.to_write("another")


def test_such_a_file_that_has_nothing_in_it_may_be_deleted(tmp_path):
    (tmp_path / "rows").touch()
    with Lock(tmp_path) as lock:
        lock.written = {"rows": 0}
        (tmp_path / "rows").unlink()
        lock.written["rows"] += append_line(lock.to_write("rows"), "row")
        lock.check()


def test_of_a_folder_that_is_being_deleted_it_is_told_that_it_is_gone(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    with Lock(tmp_path / "a") as lock:
        lock.written = {"rows": 9}
        monkeypatch.setattr(locks.time, "sleep", lambda _: shutil.rmtree(tmp_path / "a"))
        with pytest.raises(StorageError, match=r"the folder .*a is gone: it was deleted or moved away"):
            lock.to_write("another")


def test_a_folder_that_became_a_file_is_released(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    with Lock(folder) as lock:
        shutil.rmtree(folder)
        folder.touch()
        with pytest.raises(PlaceError, match="Not a directory"):
            lock.check()


def test_a_folder_that_is_gone_is_a_storage_error():
    with pytest.raises(StorageError, match="the folder nowhere is gone"):
        Lock(Path("nowhere"))
