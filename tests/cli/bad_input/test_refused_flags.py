"""Flags that are out of range, unknown, or in each other's way: exit code 2, a line or two, nothing left."""

from __future__ import annotations

import pytest

from hornbook.engines.native import ISA_VARIABLE, levels


def flags(line: str) -> list[str]:
    """Flags as they are typed."""
    return line.split(" ")


# Settings


@pytest.mark.parametrize(
    ("flag", "allowed"),
    [
        ("--hidden 0", "1 to 8,192"),
        ("--hidden -3", "1 to 8,192"),
        ("--hidden 1000000", "1 to 8,192"),
        ("--seq-len 0", "from 1"),
        ("--seq-len -25", "from 1"),
        ("--lr 0", "above 0"),
        ("--lr -0.1", "above 0"),
        ("--lr nan", "above 0"),
        ("--lr inf", "at most"),
        ("--clip 0", "none"),
        ("--clip -5", "norm:1"),
        ("--clip norm:0", "norm:1"),
        ("--clip norm:", "norm:1"),
        ("--clip nan", "norm:1"),
        ("--clip inf", "norm:1"),
        ("--clip much", "norm:1"),
        ("--init-scale 0", "above 0"),
        ("--init-scale -1", "above 0"),
        ("--init-scale 1000", "at most 100"),
        ("--updates 0", "from 1"),
        ("--updates -10", "from 1"),
        ("--updates 10000000000000", "from 1"),
        ("--epochs 0", "above 0"),
        ("--epochs -1", "above 0"),
        ("--epochs nan", "above 0"),
        ("--epochs inf", "at most"),
        ("--seed -1", "from 0"),
        ("--seed 99999999999999999999", "from 0"),
        ("--log-every 0", "from 1"),
        ("--sample-every 0", "from 1"),
        ("--sample-length 0", "from 1"),
        ("--sample-length -200", "from 1"),
        ("--dtype float16", "float32, float64"),
    ],
)
def test_a_setting_out_of_range_is_refused_with_what_is_allowed(refused, book, flag, allowed):
    message = refused("train", book, *flags(flag))
    assert flag.split(" ")[0].removeprefix("--") in message
    assert allowed in message


@pytest.mark.parametrize(
    ("flag", "known"),
    [
        ("--preset best", "classic"),
        ("--optimizer newton", "adagrad, adam, rmsprop, sgd"),
        ("--optimizer adamw", "rmsprop, sgd; adam with --weight-decay is AdamW"),
        ("--engine abacus", "reference"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(refused, book, flag, known):
    name, value = flags(flag)
    message = refused("train", book, name, value)
    assert f"unknown {name[2:]} '{value}'" in message
    assert known in message


@pytest.mark.skipif(not levels(), reason="there is no native core in this installation")
@pytest.mark.parametrize("command", ["train", "check"])
def test_a_level_of_processor_that_is_not_here_is_refused_with_those_that_are(
    refused, book, monkeypatch, command
):
    monkeypatch.setenv(ISA_VARIABLE, "abacus")
    message = refused(command, book)
    assert f"{ISA_VARIABLE} 'abacus'" in message
    assert all(level in message for level in levels())


@pytest.mark.parametrize("flag", ["--updates ten", "--hidden 2.5", "--lr fast", "--seed x"])
def test_a_setting_that_is_no_number_is_refused(hornbook, book, folder, flag):
    told = hornbook("train", book, *flags(flag))
    assert told.code == 2
    assert flag.split(" ")[0] in told.err
    assert list(folder.iterdir()) == [book]


@pytest.mark.parametrize(
    "flag", ["--hidden 0", "--seq-len 0", "--init-scale 0", "--seed -1", "--engine abacus"]
)
def test_the_check_refuses_the_same_settings(refused, book, flag):
    assert flag.split(" ")[0].removeprefix("--") in refused("check", book, *flags(flag))


def test_updates_and_epochs_both_are_refused(refused, book):
    message = refused("train", book, "--updates", 10, "--epochs", 2)
    assert "--updates" in message
    assert "--epochs" in message


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--hidden 0", "hidden is 0"),
        ("--minutes 0", "minutes is 0.0"),
        ("--updates 0", "updates is 0"),
        ("--minutes 1 --epochs 2", "both say how long"),
        ("--preset modern", "preset"),
        ("--preset fluent --lr -1", "lr is -1.0"),
        ("--patience 3", "there are none"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_a_text_is_opened(refused, line, told):
    message = refused("train", "nowhere.txt", *flags(line))
    assert told in message
    assert "nowhere" not in message


def test_those_beside_a_config_are_looked_at_together_with_its_own(refused, hornbook, held_out):
    assert "hidden is 0" in refused("train", "nowhere.txt", "--config", held_out, "--hidden", 0)
    how = ("--patience", 3, "--updates", 20, "--quiet", "--out", "a")  # it holds something out
    assert hornbook("train", "--config", held_out, *how).code == 0


# Where a run goes


def test_out_onto_a_folder_that_is_not_empty_is_refused(refused, book, folder):
    (folder / "full").mkdir()
    (folder / "full" / "thing").touch()
    message = refused("train", book, "--out", "full")
    assert "full is not empty" in message
    assert "--out" in message


def test_out_onto_a_run_is_refused_and_leaves_it_as_it_was(refused, book, run):
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    refused("train", book, "--out", run)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_out_onto_a_file_is_refused(refused, book):
    assert "book.txt is a file" in refused("train", book, "--out", book)


@pytest.mark.parametrize("flag", ["--out", "--name"])
def test_another_is_asked_for_of_what_was_typed(refused, book, folder, flag):
    for path in ("runs/full/thing", "full/thing", "runs/file", "file"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    advice = f"is not empty; choose another {flag}, or leave it out for a fresh name"
    assert advice in refused("train", book, flag, "full")
    assert f"is a file; choose another {flag}" in refused("train", book, flag, "file")


@pytest.mark.parametrize("place", ["nofile", "run/nofile", "nowhere/config.toml"])
def test_a_config_that_is_not_there_is_told(refused, folder, place):
    (folder / "run").mkdir()
    told = refused("train", "--config", place)
    assert told == f"error: {place}: no such file; name a config.toml, or the run folder that it is in\n"


def test_out_and_name_both_are_refused(refused, book):
    message = refused("train", book, "--out", "a", "--name", "b")
    assert "--out" in message
    assert "--name" in message


@pytest.mark.parametrize("name", ["a/b", "../b", "..", ".", "", "/tmp"])
def test_a_name_that_is_no_name_of_one_folder_is_refused(refused, book, name):
    assert "name is" in refused("train", book, "--name", name)


@pytest.mark.parametrize("flag", ["--out", "--name"])
def test_a_folder_name_that_the_system_does_not_allow_is_told_without_a_traceback(
    hornbook, book, folder, flag
):
    told = hornbook("train", book, flag, "a" * 300)
    assert told.code in (1, 2)
    assert "name too long" in told.err
    assert not (folder / "runs").exists() or not list((folder / "runs").iterdir())


# Sampling


@pytest.mark.parametrize(
    ("flag", "allowed"),
    [
        ("--temperature -1", "from 0 to 100"),
        ("--temperature 101", "from 0 to 100"),
        ("--temperature nan", "from 0 to 100"),
        ("--top-p 0", "above 0, at most 1"),
        ("--top-p -0.5", "above 0, at most 1"),
        ("--top-p 1.5", "above 0, at most 1"),
        ("--top-p nan", "above 0, at most 1"),
        ("--top-k -1", "from 0"),
        ("--length 0", "from 1"),
        ("--length -5", "from 1"),
        ("--length 10000000000", "from 1"),
        ("--count 0", "from 1"),
        ("--seed -1", "from 0"),
        ("--which worst", "best, last"),
        ("--unknown ignore", "error or skip"),
    ],
)
def test_how_to_sample_is_checked_before_anything_is_written(refused, run, flag, allowed):
    message = refused("sample", run, *flags(flag))
    assert flag.split(" ")[0].removeprefix("--") in message or "--which" in flag
    assert allowed in message


def test_several_texts_with_a_bad_setting_write_no_heading(refused, run):
    refused("sample", run, "--count", 3, "--temperature", -1)


def test_a_prompt_with_an_unseen_character_is_refused_with_its_place(refused, run):
    message = refused("sample", run, "--prompt", "the cät")
    assert "'ä'" in message
    assert "position 5" in message
    assert "--unknown skip" in message


# The command itself


@pytest.mark.parametrize(
    "line", ["wirte", "train --lerning-rate 1", "sample", "train --updates", "--nothing"]
)
def test_a_command_line_that_is_not_understood_exits_2(hornbook, folder, line):
    told = hornbook(*flags(line))
    assert told.code == 2
    assert "Traceback" not in told.err
    assert list(folder.iterdir()) == []


def test_bad_input_ends_the_process_with_2_and_no_traceback(process):
    told = process("train", "nowhere.txt")
    assert (told.code, told.out) == (2, "")
    assert told.err == "error: nowhere.txt: No such file or directory; name a text file that can be read\n"
