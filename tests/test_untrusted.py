"""What is not ours is told from what is, before it is read."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import safetensors.numpy

from hornbook.errors import RunFolderError
from hornbook.rows import read_json_lines, sound_json_lines
from hornbook.storage import write_tensors
from hornbook.untrusted import read_json, read_tensors, read_toml


@pytest.mark.parametrize(
    ("content", "told"),
    [("9" * 5000, "a number has more digits than any"), ("[" * 9_999, "it is nested too deeply")],
)
def test_what_is_wrong_is_told_without_words_for_programmers(tmp_path, content, told):
    (tmp_path / "thing").write_text(content + "\n")
    with pytest.raises(RunFolderError, match=rf"thing is damaged or not hornbook's: {told}$"):
        read_json(tmp_path / "thing")
    assert sound_json_lines(tmp_path / "thing", dict)[2] == told


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
    with pytest.raises(RunFolderError, match="pipe cannot be read: it is no plain file; move it away"):
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
