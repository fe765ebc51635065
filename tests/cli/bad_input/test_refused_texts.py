"""Texts that cannot be read or are too short are refused: exit code 2, a line or two, nothing left."""

from __future__ import annotations

import pytest


def test_a_missing_file_is_refused(refused):
    assert "nowhere.txt: No such file" in refused("train", "nowhere.txt")


def test_one_missing_file_among_several_is_refused(refused, book):
    assert "nowhere.txt" in refused("train", book, "nowhere.txt")


def test_a_folder_is_refused(refused, folder):
    (folder / "texts").mkdir()
    assert "texts is a folder" in refused("train", "texts")


def test_an_empty_file_is_refused(refused, folder):
    (folder / "empty.txt").touch()
    message = refused("train", "empty.txt")
    assert "empty.txt" in message
    assert "empty" in message.replace("empty.txt", "")


def test_a_file_with_nothing_but_a_byte_order_mark_is_empty(refused, folder):
    (folder / "mark.txt").write_bytes(b"\xef\xbb\xbf")
    assert "is empty" in refused("train", "mark.txt")


def test_empty_standard_input_is_refused(refused):
    assert "is empty" in refused("train", "-", stdin=b"")


@pytest.mark.parametrize("command", ["train", "check"])
def test_a_text_shorter_than_t_plus_1_is_refused(refused, folder, command):
    (folder / "short.txt").write_text("abcdefghij")
    message = refused(command, "short.txt", "--seq-len", 10)
    assert "10 characters" in message
    assert "at least 11" in message
    assert "--seq-len" in message


def test_a_text_of_t_plus_1_characters_is_long_enough(hornbook, folder):
    (folder / "short.txt").write_text("abcdefghijk")
    assert hornbook("train", "short.txt", "--seq-len", 10, "--updates", 3, "--quiet").code == 0


@pytest.mark.parametrize("command", ["train", "check"])
def test_bytes_that_are_not_utf_8_are_refused_with_their_offset(refused, folder, command):
    (folder / "latin.txt").write_bytes(b"0123456789caf\xe9 au lait, and so on and on")
    message = refused(command, "latin.txt")
    assert "not utf-8" in message
    assert "offset 13" in message
    assert "--encoding" in message


def test_standard_input_that_is_not_utf_8_is_refused(refused):
    assert "offset 2" in refused("train", "-", stdin=b"ab\xff" * 100)


def test_a_character_cut_off_at_the_end_of_a_file_is_refused(refused, folder):
    (folder / "cut.txt").write_bytes("a lot of text, then é".encode()[:-1])
    assert "not utf-8" in refused("train", "cut.txt")


@pytest.mark.parametrize("name", ["klingon", "hex", ""])
def test_an_unknown_encoding_is_refused(refused, book, name):
    assert "encoding" in refused("train", book, "--encoding", name, "--updates", 3)


@pytest.mark.parametrize("name", ["cr", ""])
def test_an_unknown_treatment_of_line_ends_is_refused(refused, book, name):
    message = refused("train", book, "--newlines", name, "--updates", 3)
    assert "lf" in message
    assert "keep" in message
