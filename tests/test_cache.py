"""The user's cache: where it is, and what is remembered of a file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from hornbook import cache

LONG_AGO = 1_000_000_000  # seconds


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch) -> Path:
    """A cache of its own for each test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "hornbook" / cache.HASHED


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    """A file that was not changed for long."""
    monkeypatch.setattr(cache, "SETTLED", -1)
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    return path


def sha256(path: Path) -> str:
    """What the cache says of a file."""
    with path.open("rb") as opened:
        return cache.content(opened, str(path))


def test_the_cache_is_where_the_user_has_it(tmp_path):
    assert cache.cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "hornbook"
    usual = Path.home() / ".cache" / "hornbook"
    assert cache.cache_folder({}) == usual == cache.cache_folder({"XDG_CACHE_HOME": "here"})


def test_a_file_is_read_once_while_it_stays_as_it_is(file, own):
    assert sha256(file) == hashlib.sha256(b"abc").hexdigest()
    (known,) = own.iterdir()
    known.write_text(known.read_text().replace(sha256(file), "as remembered"))
    assert sha256(file) == "as remembered"


def test_a_folder_in_the_place_of_what_is_remembered_makes_way(file, own):
    sha256(file)
    (known,) = own.iterdir()
    known.unlink()
    (known / "within").mkdir(parents=True)
    assert sha256(file) == hashlib.sha256(b"abc").hexdigest()
    assert known.is_file()


@pytest.mark.parametrize("change", ["content", "a new file", "times alone"])
def test_a_file_that_was_changed_is_read_again(file, change):
    sha256(file)
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    if change == "content":
        file.write_bytes(b"xyz")
        os.utime(file, ns=times)  # as a copying program does: the time of the inode's change tells
    elif change == "a new file":
        other = file.with_name("other")
        other.write_bytes(b"xyz")
        os.utime(other, ns=times)
        other.replace(file)
    else:
        os.utime(file, (LONG_AGO, LONG_AGO))
    assert sha256(file) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_file_that_may_still_be_changing_is_not_remembered(tmp_path, own):
    (tmp_path / "fresh").write_bytes(b"abc")
    assert sha256(tmp_path / "fresh") == hashlib.sha256(b"abc").hexdigest()
    assert not own.exists()


def test_what_has_no_path_is_not_remembered(file, own):
    with file.open("rb") as opened:
        assert cache.content(opened, None) == hashlib.sha256(b"abc").hexdigest()
    assert not own.exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"path": 3, "state": [], "sha256": ""}', "\xff"])
def test_a_damaged_record_is_not_believed(file, own, content):
    found = sha256(file)
    (known,) = own.iterdir()
    known.write_text(content, encoding="latin-1")
    assert sha256(file) == found


def test_a_record_that_is_a_link_or_of_another_user_is_not_believed(file, own, monkeypatch):
    found = sha256(file)
    (known,) = own.iterdir()
    forged = known.read_text().replace(found, "forged")
    known.write_text(forged)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert sha256(file) == found
    monkeypatch.undo()
    known.rename(own / "elsewhere")
    known.symlink_to("elsewhere")
    assert sha256(file) == found
