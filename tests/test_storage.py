"""Files are either whole or not there, and come back as they were."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from hornbook.errors import PlaceError, StorageError
from hornbook.storage import (
    Spot,
    append_line,
    refusal,
    storing,
    write_json,
    write_tensors,
    write_toml,
    write_whole,
)
from hornbook.untrusted import read_json, read_tensors, read_toml

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def test_a_file_is_written_whole_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "thing"
    write_whole(path, b"first")
    write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "thing"
    write_whole(path, b"old")

    def fail(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("hornbook.storage.os.fsync", fail)
    with pytest.raises(StorageError, match="thing cannot be written: No space left on device"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "thing"
    write_whole(path, b"old")

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("hornbook.storage.os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_what_the_system_says_of_a_disk_is_told_with_the_file_and_what_to_do(reason):
    with (
        pytest.raises(StorageError, match=f"a/b cannot be written: {os.strerror(reason)}; .*disk"),
        storing(Path("a/b")),
    ):
        raise OSError(reason, os.strerror(reason))


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        (errno.EEXIST, "name another place"),
        (errno.ENOTDIR, "name another place"),
        (errno.ENOTEMPTY, "name another place"),
        (errno.EISDIR, "move that folder away"),
        (errno.ENAMETOOLONG, "name another place"),
        (errno.EACCES, r"change who may write there \(chmod\), or copy the folder to where you may$"),
        (errno.EPERM, "change who may write there"),
        (errno.EROFS, "copy the folder to a disk that can be written, or name another place$"),
    ],
)
def test_where_the_place_is_at_fault_no_disk_is_blamed_and_the_user_can_mend_it(tmp_path, reason, advice):
    with (
        pytest.raises(PlaceError, match=f"{os.strerror(reason)}; {advice}") as told,
        storing(tmp_path / "b"),
    ):
        raise OSError(reason, os.strerror(reason))
    assert told.value.exit_code == 2
    assert "room" not in str(told.value)


def test_where_no_file_can_be_made_the_reason_is_known_and_nothing_is_left(tmp_path, monkeypatch):
    assert refusal(tmp_path) == ""
    assert "No such file" in refusal(tmp_path / "gone")
    for reason, told in ((errno.EACCES, "Permission denied"), (errno.ENOSPC, "")):  # that, writing tells
        error = OSError(reason, os.strerror(reason))
        monkeypatch.setattr("tempfile.TemporaryFile", Mock(side_effect=error))
        assert refusal(tmp_path) == told
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_a_file_is_a_storage_error(tmp_path):
    (tmp_path / "thing").mkdir()
    with pytest.raises(PlaceError, match="thing cannot be written: Is a directory; move that folder away"):
        write_whole(tmp_path / "thing", b"new", before=tmp_path / "before")
    assert [path.name for path in tmp_path.iterdir()] == ["thing"]


def test_a_folder_that_is_gone_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match=r"the folder .*gone is gone: it was deleted or moved away"):
        write_json(tmp_path / "gone" / "thing.json", {})
    with pytest.raises(StorageError, match="gone is gone"):
        append_line(tmp_path / "gone" / "rows.jsonl", "{}")


def test_what_stood_there_before_is_kept_under_another_name(tmp_path):
    path, before = tmp_path / "thing", tmp_path / "before"
    write_whole(path, b"first", before)
    assert not before.exists()
    write_whole(path, b"second", before)
    assert (path.read_bytes(), before.read_bytes()) == (b"second", b"first")


@pytest.fixture
def held(tmp_path):
    """A folder `a` that is held open."""
    (tmp_path / "a").mkdir()
    number = os.open(tmp_path / "a", os.O_RDONLY)
    yield number
    os.close(number)


@pytest.mark.parametrize("full", [True, False])
def test_what_is_written_into_a_folder_goes_into_no_other_one_of_its_name(tmp_path, monkeypatch, held, full):
    names, fsync = ("thing", "before", ".thing.new", "rows"), os.fsync

    def swapped(file):
        if not (tmp_path / "moved").exists():
            (tmp_path / "a").rename(tmp_path / "moved")
            (tmp_path / "a").mkdir()
            for name in names if full else ():
                (tmp_path / "a" / name).write_text("another's")
        fsync(file)

    spot, before = Spot(tmp_path / "a" / "thing", held), tmp_path / "a" / "before"
    spot.path.write_bytes(b"old")
    monkeypatch.setattr("hornbook.storage.os.fsync", swapped)
    write_whole(spot, b"new", before)
    append_line(Spot(tmp_path / "a" / "rows", held), "row")
    found = {path.name: path.read_text() for path in (tmp_path / "a").iterdir()}
    assert found == (dict.fromkeys(names, "another's") if full else {})
    assert (spot.read(), Spot(before, held).read(), Spot(tmp_path / "no", held).read()) == (
        b"new",
        b"old",
        b"",
    )
    assert {path.name: path.read_text() for path in (tmp_path / "moved").iterdir()} == {
        "thing": "new",
        "before": "old",
        "rows": "row\n",
    }


def test_a_folder_that_goes_while_a_file_is_written_is_told(tmp_path, monkeypatch, held):
    monkeypatch.setattr("hornbook.storage.os.fsync", lambda _: shutil.rmtree(tmp_path / "a"))
    for place in (tmp_path / "a" / "thing", Spot(tmp_path / "a" / "thing", held)):
        with pytest.raises(StorageError, match=r"the folder .*a is gone: it was deleted or moved away"):
            write_whole(place, b"new")


def test_no_link_is_followed_when_a_file_is_written(tmp_path):
    (tmp_path / "precious").write_text("as it was")
    for name in (".thing.new", "rows.jsonl"):
        (tmp_path / name).symlink_to("precious")
    write_whole(tmp_path / "thing", b"new")
    with pytest.raises(PlaceError, match=r"rows\.jsonl cannot be written: it is a link, .*; remove it, or"):
        append_line(tmp_path / "rows.jsonl", "{}")
    assert (tmp_path / "precious").read_text() == "as it was"
    assert (tmp_path / "thing").read_bytes() == b"new"


@settings(max_examples=50)
@given(JSON)
def test_json_comes_back_as_it_was(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "value.json"
    write_json(path, value)
    assert read_json(path) == value


def test_toml_comes_back_as_it_was(tmp_path):
    table = {"text": {"name": 'a "book" é\\', "files": [{"path": "/a", "bytes": 3}]}, "x": 1.5, "y": True}
    write_toml(tmp_path / "a.toml", table)
    assert read_toml(tmp_path / "a.toml") == table


def test_weights_of_several_types_are_read_by_safetensors_itself(tmp_path: Path) -> None:
    tensors = {
        "a": np.ones((3, 1), np.float32),
        "b": np.arange(5.0),
        "c": np.zeros((0, 2)),
        "d": np.float32([7]),
    }
    write_tensors(tmp_path / "weights", tensors, {})
    found = safetensors.numpy.load_file(tmp_path / "weights")
    assert found.keys() == tensors.keys()
    for name, array in tensors.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tensors_come_back_to_the_bit_with_the_record_about_them(tmp_path, dtype):
    tensors = {
        "U": np.random.default_rng(0).normal(size=(3, 5)).astype(dtype),
        "V": np.asfortranarray(np.arange(6, dtype=dtype).reshape(2, 3)),
        "hidden": np.zeros((1, 1, 1, 2), dtype),
    }
    write_tensors(tmp_path / "a.safetensors", tensors, {"dtype": dtype, "update": 3})
    found, about = read_tensors(tmp_path / "a.safetensors")
    assert about == {"dtype": dtype, "update": 3}
    assert found.keys() == tensors.keys()
    assert all(found[key].dtype == dtype and (found[key] == tensors[key]).all() for key in tensors)


def test_a_view_into_a_larger_array_is_stored_alone(tmp_path):
    flat = np.arange(100.0)
    write_tensors(tmp_path / "a.safetensors", {"part": flat[10:13]}, {})
    found, _ = read_tensors(tmp_path / "a.safetensors")
    assert found["part"].tolist() == [10, 11, 12]
    assert (tmp_path / "a.safetensors").stat().st_size < 400


def test_the_same_tensors_are_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_tensors(tmp_path / name, {"x": np.ones(3), "y": np.zeros(2)}, {"update": 1, "dtype": "float64"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_anything_can_read_the_tensors(tmp_path):
    write_tensors(tmp_path / "a.safetensors", {"x": np.ones(3)}, {})
    assert safetensors.numpy.load_file(tmp_path / "a.safetensors")["x"].tolist() == [1, 1, 1]
