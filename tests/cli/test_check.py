"""`hornbook check`: a table, rows for scripts, and exit code 1 for a gradient that is wrong."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from hornbook.cells import CELLS

SMALL = ("--hidden", "5", "--seq-len", "6")
KEYS = {
    "parameter",
    "entries",
    "share_within_1e-6",
    "max_abs_difference",
    "max_rel_difference",
    "max_abs_complex",
    "max_rel_complex",
    "passed",
}


@pytest.fixture
def broken(monkeypatch):
    """A vanilla cell whose way back forgets the derivative of tanh."""

    def step_back(dstate, cache):
        *_, rest = CELL.step_back(dstate, cache)
        return dstate[0], dstate[0], rest

    CELL = CELLS["vanilla"]
    monkeypatch.setitem(CELLS, "vanilla", replace(CELL, step_back=step_back))


def test_the_table_has_a_row_for_each_parameter_in_both_cases(hornbook, book):
    told = hornbook("check", book, *SMALL)
    assert told.code == 0
    first_words = [line.split()[0] for line in told.out.splitlines() if line.strip()]
    assert [word for word in first_words if word in "UWbVc"] == ["U", "W", "b", "V", "c"] * 2
    assert "100 %" in told.out
    assert told.out.count(" yes") >= 10


def test_the_rows_as_json_have_the_keys_of_the_contract(hornbook, book, story):
    told = hornbook("check", book, *SMALL, "--json")
    rows = json.loads(told.out)
    assert (told.code, told.err, len(rows)) == (0, "", 10)
    assert all(set(row) >= KEYS for row in rows)
    assert [row["parameter"] for row in rows] == ["U", "W", "b", "V", "c"] * 2
    symbols = len(set(story))
    assert [row["entries"] for row in rows[:5]] == [symbols * 5, 25, 5, 5 * symbols, symbols]
    assert all(row["passed"] is True and row["share_within_1e-6"] == 1 for row in rows)
    assert all(row["max_abs_difference"] <= 1e-9 and row["max_rel_complex"] <= 1e-13 for row in rows)


def test_each_gradient_is_told_in_a_line_where_there_is_no_terminal(hornbook, book):
    told = hornbook("check", book, *SMALL)
    assert told.err.splitlines() == [
        f"gradient of {key}, {case} case" for case in ("recipe", "hard") for key in "UWbVc"
    ]


def test_the_check_is_the_same_each_time_and_another_for_another_seed(hornbook, book):
    once, again = (hornbook("check", book, *SMALL, "--json").out for _ in range(2))
    other = hornbook("check", book, *SMALL, "--json", "--seed", 5).out
    assert once == again
    assert once != other


def test_a_broken_gradient_exits_1_and_its_rows_say_no(hornbook, book, broken):
    told = hornbook("check", book, *SMALL, "--engine", "reference")
    assert told.code == 1
    assert told.err.splitlines()[-1].startswith("error: ")
    assert " no" in told.out


def test_a_broken_gradient_has_rows_that_did_not_pass_in_json(hornbook, book, broken):
    told = hornbook("check", book, *SMALL, "--json", "--engine", "reference")
    rows = json.loads(told.out)
    assert told.code == 1
    failed = {row["parameter"] for row in rows if not row["passed"]}
    assert failed == {"U", "W", "b"}


def test_right_gradients_that_are_too_sensitive_for_differences_pass_and_say_so(hornbook, book):
    told = hornbook("check", book, "--hidden", 30, "--init-scale", 0.6)
    assert told.code == 0
    assert " yes*" in told.out
    assert "by complex step alone: this network is too sensitive for differences" in told.out


def test_a_network_that_is_too_chaotic_to_be_checked_exits_1_and_is_not_called_wrong(hornbook, book):
    told = hornbook("check", book, "--hidden", 20, "--seq-len", 60, "--init-scale", 2)
    last = told.err.splitlines()[-1]
    assert told.code == 1
    assert last.startswith("error: this network is too chaotic to be checked")
    assert "a smaller --init-scale or --seq-len" in last
    assert "?           cannot be told" in told.out
    assert not re.search(r" no *$", told.out, re.MULTILINE)


def test_without_a_text_the_built_in_one_is_checked(hornbook):
    assert hornbook("check", "--hidden", 2, "--seq-len", 3).code == 0


def test_standard_input_can_be_checked(hornbook):
    assert hornbook("check", "-", *SMALL, stdin=b"the cat sat on the mat").code == 0


def test_a_large_network_is_checked_on_a_sample_and_whole_when_asked(hornbook, book, monkeypatch):
    monkeypatch.setattr("hornbook.gradients.ALL_UP_TO", 100)
    monkeypatch.setattr("hornbook.gradients.SAMPLED", 20)
    sampled = json.loads(hornbook("check", book, *SMALL, "--json").out)
    whole = json.loads(hornbook("check", book, *SMALL, "--json", "--all").out)
    assert sampled[0]["entries"] == 20
    assert whole[0]["entries"] > 20


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_and_every_layer_has_its_rows(hornbook, book, cell):
    flags = ("--cell", cell, "--layers", 3, "--engine", "reference", *SMALL)
    rows = json.loads(hornbook("check", book, *flags, "--json").out)
    names = ["U", "W", "b", "U1", "W1", "b1", "U2", "W2", "b2", "V", "c"]
    assert [row["parameter"] for row in rows] == names * 2
    assert [row["entries"] for row in rows[1:5]] == [CELLS[cell].gates * size for size in (25, 5, 25, 25)]
    assert all(row["passed"] for row in rows)
    assert f"{cell}, L 3, H 5" in hornbook("check", book, *flags).out


def test_a_check_leaves_nothing_on_disk(hornbook, book, folder):
    hornbook("check", book, *SMALL)
    assert list(folder.iterdir()) == [book]


def test_the_check_works_in_a_process_of_its_own(process, book):
    told = process("check", book, *SMALL, "--json")
    assert (told.code, told.err) == (0, "")


def test_a_text_of_thousands_of_symbols_can_be_checked(hornbook):
    Path("many.txt").write_text("".join(map(chr, range(0x4E00, 0x4E00 + 3000))))
    told = hornbook("check", "many.txt", "--hidden", 3, "--seq-len", 4, "--json")
    assert told.code == 0
    assert all(row["passed"] for row in json.loads(told.out))
