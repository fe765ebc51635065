"""The same seed gives the same run to the bit, and so does the config of a run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from short_runs import SMALL, assert_same_run, timeless

from hornbook import Run, Text, train

# The same seed, the same run


def test_the_same_seed_gives_the_same_bits(hornbook, trained):
    hornbook("train", trained.with_name("book.txt"), *SMALL, "--out", "again")
    assert_same_run(trained, Path("again"))


def test_another_seed_gives_another_run(hornbook, trained):
    hornbook("train", trained.with_name("book.txt"), *SMALL, "--seed", 1, "--out", "other")
    assert Path("other/best.safetensors").read_bytes() != (trained / "best.safetensors").read_bytes()
    assert timeless(Path("other/metrics.jsonl")) != timeless(trained / "metrics.jsonl")


def test_a_process_of_its_own_gives_the_same_bits_too(process, trained):
    told = process("train", trained.with_name("book.txt"), *SMALL, "--out", "again")
    assert told == type(told)(0, "", "")
    assert_same_run(trained, Path("again"))


# Repeating a run


def test_a_config_repeats_its_run_to_the_bit(hornbook, trained):
    told = hornbook("train", "--config", trained / "config.toml", "--quiet", "--out", "again")
    assert told.code == 0
    assert_same_run(trained, Path("again"))


def test_the_folder_of_a_run_serves_as_its_config(hornbook, trained, folder):
    assert hornbook("train", "--config", trained, "--quiet", "--out", "again").code == 0
    assert Path("again/best.safetensors").read_bytes() == (trained / "best.safetensors").read_bytes()


def test_a_config_repeats_every_setting(hornbook, book):
    flags = "--hidden 6 --seq-len 4 --lr 0.05 --preset classic --optimizer sgd --clip norm:1 "
    flags += "--init-scale 0.1 --updates 25 --seed 3 --dtype float64 --log-every 5 --sample-every 10 "
    flags += "--sample-length 15"
    hornbook("train", book, *flags.split(" "), "--quiet", "--out", "a")
    assert hornbook("train", "--config", "a/config.toml", "--quiet", "--out", "b").code == 0
    one, other = Run("a").config, Run("b").config
    assert (one.model, one.training, one.text, one.sources) == (
        other.model,
        other.training,
        other.text,
        other.sources,
    )
    assert one.training.clip == "norm:1"
    assert_same_run(Path("a"), Path("b"))


def test_a_flag_beside_the_config_changes_that_setting_alone(hornbook, trained):
    hornbook("train", "--config", trained / "config.toml", "--updates", 20, "--quiet", "--out", "a")
    old, new = Run(trained).config.training, Run("a").config.training
    assert new.updates == 20
    assert (new.seq_len, new.log_every, new.seed) == (old.seq_len, old.log_every, old.seed)


def test_a_text_that_has_changed_since_is_refused(refused, hornbook, book):
    hornbook("train", book, *SMALL, "--updates", 10, "--out", "a")
    book.write_text(book.read_text().replace("cat", "dog"))
    message = refused("train", "--config", "a/config.toml", "--out", "b")
    assert "book.txt has changed" in message
    assert "name the text to train on" in message


def test_a_text_that_has_changed_is_trained_on_when_it_is_named(hornbook, book):
    hornbook("train", book, *SMALL, "--updates", 10, "--out", "a")
    book.write_text(book.read_text().replace("cat", "dog"))
    assert hornbook("train", book, "--config", "a/config.toml", "--quiet", "--out", "b").code == 0
    assert "g" in Run("b").vocabulary.symbols


def test_a_text_that_is_gone_is_refused(refused, hornbook, book):
    hornbook("train", book, *SMALL, "--updates", 10, "--out", "a")
    book.unlink()
    assert "book.txt" in refused("train", "--config", "a/config.toml", "--out", "b")


STANDARD_INPUTS = {
    "plain": ("the cat sat on the mat\n" * 20, "utf-8", ()),
    "with line ends of Windows": ("the cat sat on the mat\r\n" * 20, "utf-8", ()),
    "with doubled carriage returns": ("the cat sat on the mat\r\r\n" * 20, "utf-8", ()),
    "with line ends kept": ("the cat sat on the mat\r\n" * 20, "utf-8", ("--newlines", "keep")),
    "with a byte-order mark": ("\ufeffthe cat sat on the mat\n" * 20, "utf-8", ()),
    "in Latin-1": ("le chât était là\n" * 20, "latin-1", ("--encoding", "latin-1")),
    "in UTF-16": ("the cat sat on the mat\n" * 20, "utf-16", ("--encoding", "utf-16")),
}


@pytest.mark.parametrize("given", STANDARD_INPUTS.values(), ids=STANDARD_INPUTS)
def test_a_text_from_standard_input_is_kept_and_repeats(hornbook, given):
    characters, encoding, flags = given
    stdin = characters.encode(encoding)
    settings = (*SMALL, "--updates", 30)
    assert hornbook("train", "-", *settings, *flags, "--out", "a", stdin=stdin).code == 0
    told = hornbook("train", "--config", "a/config.toml", "--quiet", "--out", "b")
    assert (told.code, "error" in told.err) == (0, False)
    assert_same_run(Path("a"), Path("b"))
    assert Run("b").config.text["name"] == "stdin"


def test_a_text_of_a_file_and_standard_input_repeats(hornbook, book):
    hornbook("train", book, "-", *SMALL, "--updates", 30, "--out", "a", stdin=b"and that was all " * 9)
    told = hornbook("train", "--config", "a/config.toml", "--quiet", "--out", "b")
    assert (told.code, "error" in told.err) == (0, False)
    assert_same_run(Path("a"), Path("b"))


def test_a_text_that_names_standard_input_twice_repeats_or_is_refused(hornbook):
    told = hornbook("train", "-", "-", *SMALL, "--updates", 30, "--out", "a", stdin=b"the cat sat " * 30)
    if told.code == 0:
        assert hornbook("train", "--config", "a/config.toml", "--quiet", "--out", "b").code == 0
        assert_same_run(Path("a"), Path("b"))
    assert told.code in (0, 2)


def test_a_run_from_python_on_a_string_repeats_or_says_why_not(hornbook):
    text = Text.from_string("the cat sat on the mat\n" * 20, name="cats")
    train(text, out="a", quiet=True, hidden=8, seq_len=5, updates=10)
    told = hornbook("train", "--config", "a/config.toml", "--quiet", "--out", "b")
    assert told.code in (0, 2)
    if told.code == 0:
        assert_same_run(Path("a"), Path("b"))


def test_a_run_moves_with_its_standard_input(hornbook):
    hornbook("train", "-", *SMALL, "--updates", 10, "--out", "a", stdin=b"the cat sat on the mat\n" * 20)
    os.rename("a", "moved")
    assert hornbook("train", "--config", "moved/config.toml", "--quiet", "--out", "b").code == 0


def test_a_run_on_the_built_in_text_repeats(hornbook):
    hornbook("train", *SMALL, "--updates", 3, "--out", "a")
    assert hornbook("train", "--config", "a/config.toml", "--quiet", "--out", "b").code == 0
    assert_same_run(Path("a"), Path("b"))
