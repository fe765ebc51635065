"""What may be trained on, for how long, and what is told of choices that are odd or do nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from short_runs import SMALL

from hornbook import Run

# Texts


def test_files_are_joined_in_the_order_given(hornbook, folder):
    Path("one.txt").write_text("first " * 20)
    Path("two.txt").write_text("second " * 20)
    hornbook("train", "two.txt", "one.txt", *SMALL, "--updates", 10, "--out", "a")
    config = Run("a").config
    assert [Path(source.path).name for source in config.sources] == ["two.txt", "one.txt"]
    kept = {"name": "two+1", "tokens": "chars", "encoding": "utf-8", "newlines": "lf", "characters": 260}
    assert config.text == kept


def test_without_a_text_the_built_in_one_is_read(hornbook):
    assert hornbook("train", *SMALL, "--updates", 3).code == 0
    run = Run("runs/python-reference")
    assert run.config.text["name"] == "python-reference"
    assert run.config.text["characters"] > 300_000


def test_a_file_whose_name_is_not_utf_8_can_be_trained_on(process, book):
    name = b"caf\xe9.txt"
    os.rename(book, name)
    told = process("train", os.fsdecode(name), *SMALL, "--updates", 3, "--out", "a")
    assert "Traceback" not in told.err
    assert told.code in (0, 2)


# How long


def test_epochs_are_turned_into_updates(hornbook, folder):
    Path("text.txt").write_text("abcde" * 20 + "f")  # 101 characters: 10 updates of 10
    hornbook("train", "text.txt", "--seq-len", 10, "--hidden", 4, "--epochs", 2.5, "--quiet", "--out", "a")
    summary = Run("a").summary
    assert (summary["updates"], summary["epochs"]) == (25, 2.5)


def test_less_than_an_update_of_epochs_is_one_update(hornbook, book):
    hornbook("train", book, "--hidden", 4, "--epochs", 0.00001, "--quiet", "--out", "a")
    assert Run("a").summary["updates"] == 1


def test_epochs_take_the_place_of_the_updates_of_a_config(hornbook, trained):
    hornbook("train", "--config", trained / "config.toml", "--epochs", 0.5, "--quiet", "--out", "a")
    assert Run("a").summary["updates"] == 200


# Warnings


def test_a_text_of_one_distinct_character_is_trained_on_with_a_warning(hornbook, folder):
    Path("same.txt").write_text("a" * 100)
    told = hornbook("train", "same.txt", *SMALL, "--out", "a")
    assert told.code == 0
    assert "warning: same has one distinct character" in told.err
    assert Run("a").summary["best_smooth_loss"] == 0
    assert hornbook("sample", "a", "--length", 10).out == "aaaaaaaaaa\n"


def test_a_text_with_nul_characters_is_trained_on_with_a_warning(hornbook, folder):
    Path("nul.txt").write_bytes(b"ab\0cd" * 50)
    told = hornbook("train", "nul.txt", *SMALL)
    assert told.code == 0
    assert "warning: nul holds NUL characters" in told.err


def test_a_run_whose_best_update_is_early_is_told(hornbook, book):
    told = hornbook("train", book, *SMALL, "--updates", 20)
    assert told.code == 0
    assert "warning: the best update is 20, among the first 100" in told.err


def test_a_run_whose_best_update_is_late_is_not_warned_of(hornbook, trained):
    told = hornbook("train", trained.with_name("book.txt"), *SMALL)
    assert (told.code, told.err) == (0, "")


# Flags and presets


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--chunk 4", "add --order shuffled"),
        ("--evaluate-every 2", "add --validation 0.1"),
        ("--preset plain --streams 2 --init-scale 1", "add --init normal"),
        ("--threads 1 --engine reference", "--threads does nothing with the reference engine"),
        ("--schedule step:3:0.5", "makes no step in 3 updates"),
    ],
)
def test_a_flag_that_does_nothing_is_told(hornbook, book, flags, told):
    done = hornbook("train", book, *SMALL, "--updates", 3, *flags.split(" "))
    assert done.code == 0
    assert told in done.err
    assert sum(line.startswith("warning: --") for line in done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (
            "--warmup 1000 --updates 100",
            "--warmup is 1,000, but the training has 100 updates; give at most --warmup 99",
        ),
        ("--warmup 3 --updates 3", "at most --warmup 2, or train longer"),
        ("--warmup 1 --updates 1", "the training has 1 update; give at most --warmup 0"),
        ("--warmup 100000", "the training has 100,000 updates; give at most --warmup 99999"),
        ("--preset plain --seq-len 5 --warmup 10000", "the training has 10,000 updates"),
        ("--epochs 0.1 --warmup 5000 --seq-len 5", "the training has 40 updates; give at most --warmup 39"),
    ],
)
def test_a_warm_up_that_is_not_shorter_than_the_training_is_refused(refused, book, flags, told):
    assert told in refused("train", book, *flags.split(" "))


def test_so_is_one_beside_or_in_a_config_that_is_too_long_for_the_updates_that_are_typed(
    hornbook, refused, book
):
    assert hornbook("train", book, *SMALL, "--updates", 50, "--warmup", 40, "--out", "a").code == 0
    assert "give at most --warmup 29" in refused("train", "--config", "a", "--updates", 30)
    assert "give at most --warmup 49" in refused("train", "--config", "a", "--warmup", 60)
    assert hornbook("train", "--config", "a", "--quiet", "--out", "b").code == 0
    assert (
        hornbook("train", "--config", "a", "--epochs", 1, "--warmup", 60, "--quiet", "--out", "c").code == 0
    )


def test_a_warm_up_that_was_not_typed_is_fitted_to_the_updates_that_are_typed_beside_a_config(hornbook, book):
    flags = ("--preset", "plain", "--hidden", 8, "--seq-len", 5, "--quiet", "--out")
    assert hornbook("train", book, *flags, "a", "--updates", 1000).code == 0
    assert hornbook("train", "--config", "a", "--updates", 40, "--quiet", "--out", "b").code == 0
    assert [Run(name).config.training.warmup for name in "ab"] == [50, 2]


def test_flags_that_do_something_are_not_told(hornbook, book):
    flags = "--order shuffled --chunk 2 --validation 0.1 --evaluate-every 2 --init-scale 0.1 --warmup 2"
    done = hornbook("train", book, *SMALL, "--updates", 3, *flags.split(" "), "--schedule", "step:2:0.5")
    assert done.code == 0
    assert "warning: --" not in done.err


@pytest.mark.parametrize("preset", ["classic", "Plain", "classic-adam"])
def test_a_preset_that_is_named_is_told_in_a_line_too(hornbook, book, preset):
    done = hornbook("train", book, *SMALL[:-1], "--updates", 3, "--streams", 2, "--preset", preset)
    assert done.out.startswith(f"preset {preset.lower()}")
    assert "of 2 × 5 losses" in done.out.splitlines()[0]


def test_one_loss_is_told_as_one(hornbook, book):
    how = ("--seq-len", 1, "--updates", 3, "--sample-length", 9, "--preset", "classic")
    assert "the loss of 1 symbol, clip" in hornbook("train", book, "--hidden", 4, *how).out.splitlines()[0]
