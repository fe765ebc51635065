"""The cache of numbered texts: taken where it is whole, made anew where it is not, bounded and cleaned."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from hornbook import cache, locks, text_cache
from hornbook.errors import TextError
from hornbook.numbering import Numbering
from hornbook.text import Text, oddities, read_text

WORDS = "Ça va? 字 and so on\r\n" * 50


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch) -> Path:
    """A cache of its own for each test, which keeps small texts too."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(text_cache, "LEAST", 0)
    monkeypatch.setattr(text_cache, "SPARE", 0)
    monkeypatch.setattr(cache, "SETTLED", -1)
    return tmp_path / "cache" / "hornbook" / text_cache.TEXTS


@pytest.fixture
def book(tmp_path) -> Path:
    path = tmp_path / "book.txt"
    path.write_bytes(WORDS.encode())
    return path


@pytest.fixture
def at_work(monkeypatch) -> list[int]:
    """A row that grows each time that a text is numbered."""
    first, made = Numbering.of, []

    def counted(files, manner):
        made.append(len(files))
        return first(files, manner)

    monkeypatch.setattr(Numbering, "of", counted)
    return made


@pytest.mark.parametrize("which", [".ids", ".json"])
def test_a_folder_in_the_place_of_a_kept_file_makes_way(book, own, at_work, which):
    text = read_text(book)
    del text
    (path,) = own.glob(f"*{which}")
    path.unlink()
    (path / "within").mkdir(parents=True)
    first, again = read_text(book), read_text(book)
    assert same(first, again)
    assert len(at_work) == 2
    assert path.is_file()


def same(one: Text, other: Text) -> bool:
    """Whether two texts are the same, their names and paths aside."""
    told = [
        (t.vocabulary, t.encoding, t.newlines, [(s.bytes, s.sha256, s.characters) for s in t.sources])
        for t in (one, other)
    ]
    return one.ids.dtype == other.ids.dtype and np.array_equal(one.ids, other.ids) and told[0] == told[1]


MANNERS = ({}, {"newlines": "keep"}, {"encoding": "latin-1"}, {"tokens": "bytes"})


def test_what_was_numbered_once_is_taken_again_whatever_the_file_is_called(book, at_work, own):
    for how in MANNERS:
        first = read_text(book, **how)
        assert same(read_text(book, **how), first)
        copy = book.with_name("copy.txt")
        copy.write_bytes(book.read_bytes())
        assert same(read_text(copy, **how), first)
    assert len(at_work) == len(MANNERS)
    assert len(list(own.glob("*.ids"))) == len(MANNERS)
    assert own.stat().st_mode & 0o077 == 0  # a text may be a private one


def test_names_of_one_encoding_are_one(book, at_work):
    assert (
        same(read_text(book, encoding="utf8"), read_text(book)) is False
    )  # each tells the name it was given
    assert len(at_work) == 1


def test_what_is_kept_is_what_is_read_without_a_cache(book, monkeypatch):
    for how in MANNERS:
        read_text(book, **how)
        kept = read_text(book, **how)
        with monkeypatch.context() as patch:
            patch.setattr(text_cache, "LEAST", 1 << 30)
            assert same(kept, read_text(book, **how))


def test_several_files_and_standard_input_are_kept_too(book, at_work, monkeypatch, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("other")
    first = read_text(book, other)
    assert same(read_text(book, other), first)
    assert [s.characters for s in first.sources] == [len(WORDS.replace("\r\n", "\n")), 5]
    assert read_text(other, book)[:5] == "other"
    assert len(at_work) == 2
    for _ in range(2):
        with book.open("rb") as file:
            monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": file}))
            assert read_text("-")[:] == WORDS.replace("\r\n", "\n")
    assert len(at_work) == 3


def test_a_text_that_has_changed_is_numbered_anew(book, at_work):
    times = book.stat().st_atime_ns, book.stat().st_mtime_ns
    first = read_text(book)
    book.write_bytes(WORDS.replace("va", "ev").encode())
    os.utime(book, ns=times)
    assert read_text(book)[:] == first[:].replace("va", "ev")
    assert len(at_work) == 2


def test_a_small_text_leaves_nothing_behind(book, own, monkeypatch):
    monkeypatch.setattr(text_cache, "LEAST", 100_000)
    read_text(book)
    assert not own.parent.exists()


def test_a_text_is_refused_as_without_a_cache(tmp_path, own):
    (tmp_path / "wrong.txt").write_bytes(b"abc\xff")
    with pytest.raises(TextError, match=r"wrong.txt is not utf-8: the byte at offset 3"):
        read_text(tmp_path / "wrong.txt")
    (tmp_path / "empty.txt").write_bytes(b"")
    with pytest.raises(TextError, match=r"empty.txt: the text is empty"):
        read_text(tmp_path / "empty.txt")
    assert not list(own.parent.glob("texts/*"))


def damage(path: Path, how: str) -> None:
    """Put a damaged file in the place of one of the cache, which may be mapped into memory meanwhile."""
    content = path.read_bytes()
    path.unlink()
    if how == "a link":
        path.with_name("elsewhere").write_bytes(content)
        path.symlink_to("elsewhere")
    elif how != "gone":
        path.write_bytes(DAMAGES[how](content))


DAMAGES = {
    "cut": lambda content: content[:-9],
    "longer": lambda content: content + b"\0",
    "a flipped bit": lambda content: content[:40] + bytes([content[40] ^ 1]) + content[41:],
    "empty": lambda _: b"",
}


@pytest.mark.parametrize("how", [*DAMAGES, "gone", "a link"])
@pytest.mark.parametrize("kind", ["ids", "json"])
def test_a_damaged_file_is_noticed_and_replaced(book, at_work, own, kind, how):
    first = read_text(book)
    (path,) = own.glob(f"*.{kind}")
    damage(path, how)
    assert same(read_text(book), first)
    assert same(read_text(book), first)
    assert len(at_work) == 2


@pytest.mark.parametrize("content", ["[]", "{}", '{"sha256": 1}', "null", "3"])
def test_a_record_of_something_else_is_not_believed(book, at_work, own, content):
    first = read_text(book)
    next(iter(own.glob("*.json"))).write_text(content)
    assert same(read_text(book), first)
    assert len(at_work) == 2


def test_the_files_of_another_text_under_this_name_are_not_believed(book, at_work, own, tmp_path):
    first = read_text(book)
    (tmp_path / "other.txt").write_text("another text")
    read_text(tmp_path / "other.txt")
    mine, other = sorted(own.glob("*.ids"), key=lambda path: path.stat().st_size, reverse=True)
    for suffix in (".ids", ".json"):
        other.with_suffix(suffix).replace(mine.with_suffix(suffix))
    assert same(read_text(book), first)
    assert len(at_work) == 3


def test_another_users_files_are_not_believed(book, at_work, monkeypatch):
    first = read_text(book)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert same(read_text(book), first)
    assert len(at_work) == 2


# Without a cache


def test_a_cache_that_cannot_be_made_is_done_without(book, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert read_text(book)[:] == WORDS.replace("\r\n", "\n")


@pytest.mark.parametrize("where", ["cache", "cache/hornbook", "cache/hornbook/texts"])
@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_file_in_the_place_of_the_cache_is_told_and_done_without(book, tmp_path, where, kind, monkeypatch):
    path = tmp_path / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch() if kind == "file" else path.symlink_to("nowhere")
    text = read_text(book)
    (sentence,) = oddities(text)
    assert sentence == (
        f"{path} is no folder, so what book is encoded to is not kept, and it is encoded anew each time; "
        "remove or rename that file"
    )
    monkeypatch.setattr(text_cache, "LEAST", book.stat().st_size + 1)
    assert oddities(text) == []
    path.unlink()
    assert oddities(read_text(book)) == []


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fills_up_is_done_without(book, own, monkeypatch, call):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(*((os, call) if call == "fsync" else (Path, call)), full)
        assert read_text(book)[:] == WORDS.replace("\r\n", "\n")
    assert list(own.iterdir()) == []


def test_a_folder_that_can_only_be_read_still_gives(book, at_work, monkeypatch):
    first = read_text(book)

    def refused(*_, **__):
        raise PermissionError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "utime", refused)
    monkeypatch.setattr(cache, "keep", lambda *_: None)
    assert same(read_text(book), first)
    assert len(at_work) == 1


def test_nothing_is_kept_where_the_disk_would_be_full(book, own, monkeypatch):
    monkeypatch.setattr(text_cache, "SPARE", 1 << 62)
    assert read_text(book)[:] == WORDS.replace("\r\n", "\n")
    assert list(own.iterdir()) == []


def test_a_file_that_changes_while_it_is_read_is_not_kept(book, own, monkeypatch):
    real = cache.content

    def and_then_changed(file, path):
        found = real(file, path)
        book.write_bytes(WORDS.replace("va", "ev").encode())
        return found

    monkeypatch.setattr(cache, "content", and_then_changed)
    text = read_text(book)
    assert text[:] == WORDS.replace("va", "ev").replace("\r\n", "\n")
    assert list(own.iterdir()) == []
    assert text.sources == read_text(book).sources  # of what was read, not of what was there before


def test_a_file_that_grows_or_shrinks_while_it_is_read_is_told(book, monkeypatch):
    for content in (WORDS + "more", WORDS[:-9]):
        first = Numbering.of

        def and_then_changed(files, manner, first=first, content=content):
            found = first(files, manner)
            book.write_bytes(content.encode())
            return found

        with monkeypatch.context() as patch:
            patch.setattr(Numbering, "of", and_then_changed)
            with pytest.raises(TextError, match=r"book.txt has changed while it was read"):
                read_text(book)
        book.write_bytes(WORDS.encode())


# Bounds


def test_what_was_used_last_stays(tmp_path, own, monkeypatch):
    monkeypatch.setattr(text_cache, "MOST", 250)
    paths = [tmp_path / f"{n}.txt" for n in range(3)]
    for path in paths:
        path.write_text(path.stem * 100)
    for path in paths[:2]:
        read_text(path)
    for age, record in enumerate(sorted(own.glob("*.json"), key=lambda path: "0" in symbols(path))):
        os.utime(record, (age, age))  # the text of 0 is the newer one,
    read_text(paths[1])  # until the other one is used again
    read_text(paths[2])
    assert sorted(map(symbols, own.glob("*.json"))) == ["1", "2"]
    assert {path.stem for path in own.glob("*.ids")} == {path.stem for path in own.glob("*.json")}


def symbols(record: Path) -> str:
    """The symbols of a text that is kept."""
    return json.loads(record.read_text())["symbols"]


def test_a_text_larger_than_the_bound_is_not_kept_and_takes_no_others_place(tmp_path, book, own, monkeypatch):
    (tmp_path / "small.txt").write_text("small")
    read_text(tmp_path / "small.txt")
    monkeypatch.setattr(text_cache, "MOST", 500)
    read_text(book)
    assert len(list(own.glob("*.ids"))) == 1


def test_what_a_killed_process_left_is_removed_and_what_is_in_the_making_is_not(book, own, tmp_path):
    own.mkdir(parents=True)
    left = [own / f".{'0' * 64}-12345678.new", own / f"{'0' * 64}.ids"]
    fresh, held = own / f".{'1' * 64}-12345678.new", own / f".{'2' * 64}-12345678.new"
    foreign = own / "somebody's notes"
    for path in (*left, fresh, held, foreign):
        path.write_bytes(b"content")
        os.utime(path, (1, 1))
    os.utime(fresh, (time.time(), time.time()))
    with held.open("rb") as file:
        assert locks.locked(file.fileno())
        read_text(book)
    assert not any(path.exists() for path in left)
    assert fresh.exists()
    assert held.exists()
    assert foreign.exists()


def test_many_at_once_get_the_same(book, own):
    found, together = [], threading.Barrier(4)

    def read():
        together.wait()
        found.append(read_text(book))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(same(text, found[0]) for text in found)
    assert len(list(own.glob("*.ids"))) == 1
    assert same(read_text(book), found[0])
