"""The cache of numbered texts under kills and under many at once: each reads what is there without one."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from conftest import FORKED, LONG
from hornbook import text_cache
from hornbook.text import Text, read_text

KILLS = 40 if LONG else 6
SECONDS = 0.2  # about what reading the text for the first time takes


@pytest.fixture(scope="module")
def large(tmp_path_factory, book) -> Path:
    """A text that is large enough to be kept."""
    path = tmp_path_factory.mktemp("large") / "large.txt"
    path.write_bytes(book.read_bytes() * (2 * text_cache.LEAST // book.stat().st_size))
    return path


@pytest.fixture(scope="module")
def truth(large) -> Text:
    """The text as it is read without a cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_cache, "LEAST", large.stat().st_size + 1)
        return read_text(large)


def reading(path: Path, folder: Path, begun, sha256: str) -> None:
    """What a process does: read the text, with a cache in a folder, and look at what it got."""
    os.environ["XDG_CACHE_HOME"] = str(folder)
    begun.set()
    assert hashlib.sha256(read_text(path).ids.data).hexdigest() == sha256


def started(path: Path, folder: Path, truth: Text):
    """A process that reads, once it begins."""
    begun, sha256 = FORKED.Event(), hashlib.sha256(truth.ids.data).hexdigest()
    process = FORKED.Process(target=reading, args=(path, folder, begun, sha256))
    process.start()
    begun.wait()
    return process


def kept(folder: Path) -> list[str]:
    """The kinds of files that are in a cache."""
    return sorted(path.suffix for path in (folder / "hornbook" / "texts").iterdir())


@pytest.mark.parametrize("trial", range(KILLS))
def test_a_kill_while_a_text_is_put_there_leaves_nothing_wrong(
    tmp_path, monkeypatch, large, truth, trial, counted
):
    process = started(large, tmp_path, truth)
    time.sleep(random.Random(trial).random() * SECONDS)
    process.kill()
    process.join()
    kills = int(process.exitcode == -signal.SIGKILL)
    counted("kills tried", kills)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(text_cache, "FRESH", 0.0)  # so that what is left need not lie for a minute
    for _ in range(2):
        text = read_text(large)
        assert text.vocabulary == truth.vocabulary
        assert np.array_equal(text.ids, truth.ids)
        text_cache.remove_left(tmp_path / "hornbook" / "texts")
        assert kept(tmp_path) == [".ids", ".json"]
    counted("kills survived", kills)


def test_many_processes_at_once_read_the_same(tmp_path, large, truth):
    processes = [started(large, tmp_path, truth) for _ in range(4)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert kept(tmp_path) == [".ids", ".json"]
