"""Rows are read one by one, and what no row has is refused before memory is taken for it."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from hornbook.errors import RunFolderError
from hornbook.rows import (
    MOST_BARE,
    MOST_LINE,
    MOST_PLAN,
    MOST_ROWS,
    read_json_lines,
    sound_json_lines,
    sound_rows,
    thinned_rows,
)

MEGABYTE = 1 << 20


def with_update(row):
    """What a check gives: the row with nothing but its update."""
    if "update" not in row:
        raise ValueError("no update")
    return {"update": row["update"]}


def test_rows_come_back_and_a_last_line_without_its_end_is_left_out(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"update": 1}\n{"update": 2}\n{"upd')
    assert read_json_lines(path) == [{"update": 1}, {"update": 2}]


def test_a_line_separator_inside_a_text_does_not_end_its_row(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": "a\u2028b\x85c\rd"}, ensure_ascii=False) + "\n", encoding="utf-8")
    assert read_json_lines(path) == [{"text": "a\u2028b\x85c\rd"}]


@pytest.mark.parametrize("content", ["[1]\n", "7\n", "{}\n{\n", "\n", '{"a": 1}\n\n{"a": 2}\n'])
def test_a_line_that_is_no_record_is_told(tmp_path, content):
    (tmp_path / "rows.jsonl").write_text(content)
    with pytest.raises(RunFolderError, match=r"rows\.jsonl is damaged"):
        read_json_lines(tmp_path / "rows.jsonl")


def test_the_rows_before_a_damaged_one_are_given_and_what_is_wrong_with_it(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"update": 1, "more": 2}\n{"update": 2}\n{"updates": 3}\n{"update": 4}\n')
    assert sound_json_lines(path, with_update) == ([{"update": 1}, {"update": 2}], 2, "no update")
    assert sound_rows(path, with_update) == (2, "no update")
    assert sound_rows(path, with_update, most=2) == (2, "")
    path.write_text('{"update": 1}\n' + "[" * 100_000 + "\n")
    assert sound_rows(path, with_update)[0] == 1


def test_rows_are_counted_one_by_one(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"update": 1}\n' * 100_000)
    tracemalloc.start()
    assert sound_rows(path, with_update) == (100_000, "")
    assert tracemalloc.get_traced_memory()[1] < MEGABYTE
    tracemalloc.stop()


def sparse(path, size):
    """A file of zeros that takes no room."""
    with path.open("wb") as file:
        file.truncate(size)


def test_a_file_of_more_than_any_such_file_has_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "rows.jsonl"
    sparse(path, MOST_PLAN + 1)
    with pytest.raises(RunFolderError, match="no such file has more than 1,048,576"):
        read_json_lines(path)
    sparse(path, MOST_ROWS + 1)
    with pytest.raises(RunFolderError, match="no such file has more than 134,217,728"):
        sound_json_lines(path, with_update)


def test_no_more_is_read_of_a_line_than_any_row_has(tmp_path):
    path = tmp_path / "rows.jsonl"
    sparse(path, 1 << 32)
    tracemalloc.start()
    assert sound_rows(path, with_update) == (0, f"a row has more than {MOST_LINE:,} bytes")
    assert tracemalloc.get_traced_memory()[1] < 3 * MOST_LINE
    tracemalloc.stop()


MUCH = {
    "lists": "[" + "[]," * 40_000 + "[]]",
    "texts": "[" + '"",' * 40_000 + '""]',
    "texts beside each other": '""' * 70_000,
    "a number": "1" + "0" * 70_000,
}


@pytest.mark.parametrize("more", MUCH.values(), ids=MUCH)
def test_a_row_with_much_beside_its_texts_is_refused_before_it_is_read(tmp_path, more):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"update": 1}\n{"update": 2, "more": ' + more + "}\n")
    assert sound_rows(path, with_update) == (1, f"a row has more than {MOST_BARE:,} bytes beside its texts")


def test_a_text_without_an_end_is_looked_at_once(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "' + '\\"' * 2_000_000 + "\n")
    assert "Invalid control character" in sound_rows(path, with_update)[1]


LONG = {
    "quotes": '"' * 200_000, "backslashes": "\\" * 200_000, "brackets": "{[" * 100_000,
    "any": "\x1b😀" * 50_000,
}  # fmt: skip


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_long_text_of_anything_is_read(tmp_path, text):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"update": 1, "text": text}, ensure_ascii=False) + "\n", encoding="utf-8")
    assert read_json_lines(path) == [{"update": 1, "text": text}]


@pytest.mark.parametrize(
    ("count", "kept"),
    [(0, []), (1, [0]), (4, [0, 1, 2, 3]), (5, [0, 2, 4]), (6, [0, 2, 4, 5]), (20, [0, 8, 16, 19])],
)
def test_of_very_many_rows_some_are_kept_and_the_last_one(tmp_path, monkeypatch, count, kept):
    monkeypatch.setattr("hornbook.rows.MOST_KEPT", 4)
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"update": n}) + "\n" for n in range(count)) + "{}\n")
    rows, found, damage = thinned_rows(path, with_update)
    assert [row["update"] for row in rows] == kept
    assert (found, damage) == (count, "no update")
