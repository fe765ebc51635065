"""Files are either whole or not there, and what is not ours is told from what is."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from hornbook.errors import PlaceError, RunFolderError, StorageError
from hornbook.rows import read_json_lines, sound_json_lines
from hornbook.storage import (
    Spot,
    append_line,
    read_json,
    read_tensors,
    read_toml,
    refusal,
    storing,
    write_json,
    write_tensors,
    write_toml,
    write_whole,
)

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
        (errno.EACCES, "change who may write there"),
        (errno.EPERM, "change who may write there"),
        (errno.EROFS, "copy it to a disk that can be written"),
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


@pytest.mark.parametrize(
    ("content", "told"),
    [("9" * 5000, "a number has more digits than any"), ("[" * 9_999, "it is nested too deeply")],
)
def test_what_is_wrong_is_told_without_words_for_programmers(tmp_path, content, told):
    (tmp_path / "thing").write_text(content + "\n")
    with pytest.raises(RunFolderError, match=rf"thing is damaged or not hornbook's: {told}$"):
        read_json(tmp_path / "thing")
    assert sound_json_lines(tmp_path / "thing", dict)[2] == told


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


def changed(path, old, new):
    """Put other bytes in the place of some, once."""
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def test_a_checksum_tells_a_change_of_one_bit_in_an_array_or_in_the_record(tmp_path):
    path = tmp_path / "a.safetensors"
    for old, new in ((np.ones(1).tobytes(), np.nextafter(np.ones(1), 2).tobytes()), (b": 37", b": 38")):
        write_tensors(path, {"x": np.ones(3)}, {"update": 37})
        changed(path, old, new)
        with pytest.raises(RunFolderError, match="its checksum is not that of what it holds"):
            read_tensors(path)


def test_weights_without_a_checksum_are_not_ours(tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors.numpy.save_file({"x": np.ones(3)}, path, metadata={"hornbook": "{}"})
    with pytest.raises(RunFolderError, match="it has no 'sha256'"):
        read_tensors(path)


def test_a_header_that_claims_more_than_any_has_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes((2**60).to_bytes(8, "little") + b"{}")
    with pytest.raises(RunFolderError, match="its header claims 1,152,921,504,606,846,976 bytes"):
        read_tensors(path)


@pytest.mark.parametrize("read", [read_json, read_json_lines, read_toml, read_tensors])
def test_a_link_out_of_the_folder_is_refused_and_one_within_it_is_not(tmp_path, read):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "real").write_bytes(b"\xff\n")
    (tmp_path / "secret").write_bytes(b"\xff")
    (tmp_path / "run" / "out").symlink_to("../secret")
    (tmp_path / "run" / "within").symlink_to("real")
    with pytest.raises(RunFolderError, match=r"it is a link to .*secret, out of its folder"):
        read(tmp_path / "run" / "out")
    with pytest.raises(RunFolderError, match="within is damaged"):
        read(tmp_path / "run" / "within")


@pytest.mark.parametrize("read", [read_json, read_json_lines, read_toml, read_tensors])
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RunFolderError, match="pipe cannot be read: it is no plain file"):
        read(tmp_path / "pipe")


@pytest.mark.parametrize("read", [read_json, read_toml])
def test_a_huge_file_is_refused_before_it_is_read(tmp_path, read):
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(
        RunFolderError, match="it has 1,099,511,627,776 bytes, and no such file has more than"
    ):
        read(tmp_path / "huge")


def test_a_line_longer_than_any_is_refused(tmp_path):
    (tmp_path / "a.toml").write_text(".".join("a" * 500_000) + " = 1\n")
    with pytest.raises(RunFolderError, match="a line has more than 5,000 characters"):
        read_toml(tmp_path / "a.toml")


DEEP = {
    "a key": "a.a.a.a = 1",
    "with blanks": "a . a\t. a .a=1",
    "in quotes": '"a"."".\'b.c\'.d = 1',
    "a table": "[a.a.a.a]",
    "a list of tables": "[[ a.a.a.a ]]",
    "in a table in a line": "x = {y = 1, a.a.a.a = 2}",
    "after a text of lines": 'x = {y = """\n""", a.a.a.a = 2, z = """\n"""}',
    "after five quotes": 'x = {y = """\n""""", a.a.a.a = 2, z = "5"}',
    "after six marks": "x = {y = '''a''', a.a.a.a = 2, z = '5'}",
    "after an escape": r'x = {y = "a\\", a.a.a.a = 2, z = "5"}',
    "after a comment": '# "\na.a.a.a = 1 # "',
}


@pytest.mark.parametrize("content", DEEP.values(), ids=DEEP)
def test_a_key_of_many_parts_is_refused_wherever_it_stands(tmp_path, content):
    (tmp_path / "a.toml").write_text(f"first = 1\n{content}\n")
    with pytest.raises(RunFolderError, match="a key has more than three parts"):
        read_toml(tmp_path / "a.toml")


@pytest.mark.parametrize(
    "content",
    ["a.b.c = 1", "[[a.b]]\nc.d.e = 1.5", 'a = "a.a.a.a.a"', "a = 'a.a.a.a.a'", "# a.a.a.a.a = 1",
     'a = """\na.a.a.a.a = 1\n"""', "a = [1.5, 2.5, 3.5]", 'a = "\\"a.a.a.a.a"'],
)  # fmt: skip
def test_a_key_of_three_parts_and_dots_in_texts_are_read(tmp_path, content):
    (tmp_path / "a.toml").write_text("first = 1\n" + content)
    assert read_toml(tmp_path / "a.toml")["first"] == 1


@pytest.mark.parametrize("content", ['"""\n\\', "''\n", '"\\"\n'])
def test_texts_without_an_end_are_looked_at_once(tmp_path, content):
    (tmp_path / "a.toml").write_text("'''" * (content[0] == "'") + content * 300_000)
    with pytest.raises(RunFolderError, match="is damaged"):
        read_toml(tmp_path / "a.toml")


def header_only(dtype, size):
    """A file of weights with one array of a type."""
    about = {"dtype": dtype, "shape": [8], "data_offsets": [0, size]}
    words = json.dumps({"__metadata__": {"hornbook": "{}"}, "W": about}).encode()
    return len(words).to_bytes(8, "little") + words + bytes(size)


@pytest.mark.parametrize(
    ("dtype", "size"),
    [("F4", 4), ("F6_E2M3", 6), ("F6_E3M2", 6), ("F8_E5M2", 8), ("F8_E4M3", 8), ("F8_E8M0", 8), ("C64", 64),
     ("BOOL", 8), ("U8", 8), ("I8", 8), ("I16", 16), ("U16", 16), ("F16", 16), ("BF16", 16), ("I32", 32),
     ("U32", 32), ("I64", 64), ("U64", 64)],
)  # fmt: skip
def test_weights_of_another_type_are_refused_also_where_numpy_lacks_it(tmp_path, dtype, size):
    (tmp_path / "a.safetensors").write_bytes(header_only(dtype, size))
    with pytest.raises(RunFolderError, match=r"a\.safetensors is damaged or not hornbook's"):
        read_tensors(tmp_path / "a.safetensors")


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"hornbook": "no json"}, {"hornbook": "[1]"}])
def test_tensors_without_our_record_are_not_ours(tmp_path, metadata):
    safetensors.numpy.save_file({"x": np.ones(3)}, tmp_path / "a.safetensors", metadata=metadata)
    with pytest.raises(RunFolderError, match=r"a.safetensors is damaged or not hornbook's"):
        read_tensors(tmp_path / "a.safetensors")


@pytest.mark.parametrize("read", [read_json, read_json_lines, read_toml, read_tensors])
def test_a_missing_file_says_that_its_folder_is_no_run(tmp_path, read):
    with pytest.raises(RunFolderError, match=rf"{tmp_path.name} is not a run: it has no thing"):
        read(tmp_path / "thing")


@pytest.mark.parametrize("read", [read_json, read_json_lines, read_toml, read_tensors])
def test_bytes_without_sense_are_told(tmp_path, read):
    (tmp_path / "thing").write_bytes(b"\xff\xfe\x80\n" * 50)
    with pytest.raises(RunFolderError, match="thing is damaged or not hornbook's"):
        read(tmp_path / "thing")


@pytest.mark.parametrize("read", [read_json, read_json_lines, read_toml, read_tensors])
def test_a_folder_cannot_be_read_as_a_file(tmp_path, read):
    (tmp_path / "thing").mkdir()
    with pytest.raises(RunFolderError, match="thing"):
        read(tmp_path / "thing")
