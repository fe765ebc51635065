"""`hornbook sample`: text from a run, as it is asked for."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from hornbook import Run, Text, load, train


def told(hornbook, run, *flags):
    """What a sample prints, without its last line end."""
    answer = hornbook("sample", run, *flags)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.endswith("\n")
    return answer.out[:-1]


def test_a_text_is_as_long_as_asked_for(hornbook, run):
    assert len(told(hornbook, run)) == 1000
    assert len(told(hornbook, run, "--length", 1)) == 1
    assert len(told(hornbook, run, "--length", 77)) == 77


def test_the_same_seed_writes_the_same_text_and_another_another(hornbook, run):
    seven = told(hornbook, run, "--seed", 7, "--length", 100)
    assert told(hornbook, run, "--seed", 7, "--length", 100) == seven
    assert told(hornbook, run, "--seed", 8, "--length", 100) != seven


def test_a_longer_text_begins_with_the_shorter_one(hornbook, run):
    assert told(hornbook, run, "--length", 150).startswith(told(hornbook, run, "--length", 50))


def test_several_texts_differ_and_the_first_is_the_one_of_a_single_call(hornbook, run):
    parts = told(hornbook, run, "--count", 3, "--length", 80).split("--- ")
    headings, texts = zip(*(part.split(" ---\n") for part in parts[1:]), strict=True)
    assert headings == ("1 of 3", "2 of 3", "3 of 3")
    assert len({text.rstrip("\n") for text in texts}) == 3
    assert texts[0] == told(hornbook, run, "--length", 80) + "\n"


def test_top_k_of_one_is_temperature_zero(hornbook, run):
    likeliest = told(hornbook, run, "--temperature", 0, "--length", 100)
    assert told(hornbook, run, "--top-k", 1, "--length", 100) == likeliest
    assert told(hornbook, run, "--top-p", 1e-9, "--length", 100, "--seed", 3) == likeliest


def test_all_ways_of_choosing_work_together(hornbook, run):
    flags = ("--temperature", 0.8, "--top-p", 0.9, "--top-k", 4, "--prompt", "the", "--seed", 7)
    assert told(hornbook, run, *flags, "--length", 50).startswith("the")


def test_the_prompt_is_written_first_and_gone_on_from(hornbook, run):
    text = told(hornbook, run, "--prompt", "the c", "--length", 40, "--temperature", 0)
    assert text.startswith("the c")
    assert len(text) == 45
    assert text[5:] == load(run).sample(40, prompt="the c", temperature=0)
    prompts = ("the c", "And ", "all\n", "did we")
    assert len({told(hornbook, run, "--prompt", p, "--length", 40)[len(p) :] for p in prompts}) > 1


def test_a_stop_string_ends_the_text_before_it(hornbook, run):
    whole = told(hornbook, run, "--length", 300)
    assert told(hornbook, run, "--length", 300, "--stop", "the") == whole[: whole.find("the")]


@pytest.mark.parametrize("length", [1, 2, 40, 127, 128, 129, 255, 256, 257, 300])
def test_a_stop_string_of_any_length_is_found_wherever_it_stands(hornbook, run, length):
    whole = told(hornbook, run, "--length", 300)
    stop = whole[11 : 11 + length]
    assert told(hornbook, run, "--length", 300, "--stop", stop) == whole[: whole.find(stop)]


def test_a_stop_string_that_never_comes_changes_nothing(hornbook, run):
    whole = told(hornbook, run, "--length", 100)
    for stop in ("zebra", "z" * 40, "z" * 500):
        assert told(hornbook, run, "--length", 100, "--stop", stop) == whole


def test_unknown_characters_of_a_prompt_can_be_skipped(hornbook, run):
    skipped = told(hornbook, run, "--prompt", "thé é", "--unknown", "skip", "--length", 40)
    known = told(hornbook, run, "--prompt", "th ", "--length", 40)
    assert skipped[-40:] == known[-40:]


def test_a_prompt_of_unknown_characters_alone_is_no_prompt_when_skipped(hornbook, run):
    skipped = hornbook("sample", run, "--prompt", "éé", "--unknown", "skip", "--length", 40)
    assert skipped.out[:-1] == told(hornbook, run, "--length", 40)
    assert "warning: the model knows no character of the prompt, so nothing of it is left" in skipped.err
    assert hornbook("sample", run, "--prompt", "eé", "--unknown", "skip", "--length", 40).err == ""


def test_the_best_model_writes_unless_the_last_is_asked_for(hornbook, book):
    flags = "--hidden 8 --seq-len 5 --updates 400 --lr 0.5 --preset classic --optimizer sgd --quiet --out a"
    hornbook("train", book, *flags.split(" "))
    summary = Run("a").summary
    assert summary["best_update"] < summary["updates"]
    best, last = (told(hornbook, "a", "--length", 200, "--which", which) for which in ("best", "last"))
    assert told(hornbook, "a", "--length", 200) == best
    assert best != last
    assert last == load("a", "last").sample(200)


def test_control_characters_are_shown_as_pictures(hornbook, folder):
    Path("odd.txt").write_bytes(b"\x1b[31mred\x07\r\x9b"[:-1] * 40 + "\x9b\u202e".encode() * 40)
    hornbook(
        "train", "odd.txt", "--newlines", "keep", "--updates", 60, "--seq-len", 5, "--quiet", "--out", "a"
    )
    text = told(hornbook, "a", "--length", 2000, "--temperature", 5, "--prompt", "\x1b[31m")
    assert text.startswith("␛[31m")
    assert {"␛", "␇", "␍", "\ufffd"} <= set(text)
    assert not set(text) & set("\x1b\x07\r\x9b\u202e")


def test_control_characters_are_shown_as_pictures_while_training_too(hornbook, folder):
    Path("odd.txt").write_bytes(b"\x1b[31mred\x07" * 40)
    told_of = hornbook("train", "odd.txt", "--updates", 20, "--seq-len", 5, "--out", "a")
    assert "␛" in told_of.out
    assert "\x1b" not in told_of.out
    assert "\x07" not in told_of.out


def test_sampling_leaves_the_run_as_it_was(hornbook, run):
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    told(hornbook, run)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_a_text_is_written_out_as_it_is_made_and_ctrl_c_ends_it(start, finish, run):
    child = start("sample", run, "--length", 10**9)
    assert len(child.stdout.read(500)) == 500
    child.send_signal(signal.SIGINT)
    ended = finish(child)
    assert (ended.code, ended.err) == (130, "stopped\n")


def test_a_reader_that_goes_away_ends_it_quietly(start, finish, run):
    child = start("sample", run, "--length", 10**9)
    child.stdout.read(10)
    child.stdout.close()
    ended = finish(child)
    assert (ended.code, ended.err) == (141, "")


def test_a_terminal_that_knows_few_characters_gets_what_it_can_show(process, hornbook, folder, monkeypatch):
    Path("accents.txt").write_text("é à ü ö " * 50, encoding="utf-8")
    hornbook("train", "accents.txt", "--updates", 20, "--seq-len", 5, "--quiet", "--out", "a")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    answer = process("sample", "a", "--length", 50)
    assert answer.code == 0
    assert "Traceback" not in answer.err


# Held back from copying


@pytest.mark.parametrize("flags", [(), ("--prompt", "the cat sat"), ("--stop", "zzz"), ("--temperature", 0)])
def test_no_copy_keeps_every_copied_span_short(hornbook, run, story, flags):
    text = told(hornbook, run, "--no-copy", 3, "--length", 400, *flags)
    own = text.removeprefix("the cat sat")
    assert len(own) == 400
    assert not [i for i in range(len(own) - 3) if own[i : i + 4] in story]
    free = told(hornbook, run, "--length", 400)
    assert [i for i in range(400) if free[i : i + 4] in story]


def test_no_copy_changes_nothing_where_nothing_is_copied(hornbook, run):
    whole = told(hornbook, run, "--length", 200)
    assert told(hornbook, run, "--length", 200, "--no-copy", 100) == whole


def test_no_copy_needs_the_training_text_as_it_was(refused, hornbook, book):
    hornbook("train", book, "--hidden", 8, "--updates", 20, "--quiet", "--out", "a")
    book.write_text("other words " * 200)
    changed = refused("sample", "a", "--no-copy", 40)
    book.unlink()
    gone = refused("sample", "a", "--no-copy", 40)
    assert "book.txt has changed since a was trained on it" in changed
    assert "the text that a was trained on is gone" in gone
    for message in (changed, gone):
        assert "name" not in message
        assert "put it back as it was, or leave --no-copy out" in message


def test_no_copy_cannot_read_again_what_came_from_a_program(hornbook, refused, folder):
    train(Text.from_string("the cat sat on the mat " * 20), hidden=8, updates=20, out="a")
    assert hornbook("sample", "a", "--length", 5).code == 0
    message = refused("sample", "a", "--no-copy", 40)
    assert "came from a program and was not kept" in message
    assert "name" not in message


@pytest.mark.parametrize("limit", [0, -3])
def test_no_copy_must_allow_at_least_a_character(refused, run, limit):
    assert "no-copy is" in refused("sample", run, "--no-copy", limit)


def test_where_everything_would_be_a_copy_what_was_written_is_shown_and_the_reason(hornbook, folder):
    Path("one.txt").write_text("a" * 100)
    hornbook("train", "one.txt", "--updates", 20, "--seq-len", 5, "--quiet", "--out", "a")
    answer = hornbook("sample", "a", "--no-copy", 7)
    assert (answer.code, answer.out) == (2, "aaaaaaa\n")
    assert answer.err.startswith("error: --no-copy is 7; every symbol that could follow")
