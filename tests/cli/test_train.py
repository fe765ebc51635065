"""`hornbook train`: a text in, a run folder out, the same one for the same seed."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import safetensors.numpy

from hornbook import Run, Text, entry, read_text, train
from hornbook.engines import default_engine

SMALL = ("--hidden", "8", "--seq-len", "5", "--updates", "240", "--sample-length", "20", "--quiet")
FILES = {
    "config.toml",
    "vocabulary.json",
    "metrics.jsonl",
    "samples.jsonl",
    "best.safetensors",
    "last.safetensors",
    "summary.json",
    "loss.svg",
    "loss.png",
}
SUMMARY = """text characters vocabulary cell hidden parameters updates epochs seq_len streams
    characters_read seconds updates_per_second characters_per_second first_loss last_smooth_loss
    best_smooth_loss best_update best_by best_nats_per_character best_bits_per_character
    engine seed finished"""
METRICS = "update epoch loss smooth_loss lr gradient_norm clipped seconds characters_per_second"


def lines(path: Path) -> list[dict[str, Any]]:
    """The records of a file of one JSON record a line; a number that is not finite is an error."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} in {path}")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text("utf-8").splitlines()]


def timeless(path: Path) -> list[dict[str, Any]]:
    """Metrics without what depends on the clock."""
    clock = ("seconds", "characters_per_second")
    return [{k: v for k, v in row.items() if k not in clock} for row in lines(path)]


def assert_same_run(one: Path, other: Path) -> None:
    """Two runs are the same to the bit, times aside."""
    for name in ("best.safetensors", "last.safetensors", "samples.jsonl", "vocabulary.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert timeless(one / "metrics.jsonl") == timeless(other / "metrics.jsonl")


# The run folder


def test_a_run_folder_holds_exactly_its_files(trained):
    assert {path.name for path in trained.iterdir()} == FILES


def test_the_summary_holds_what_a_script_asks(trained, story):
    summary = json.loads((trained / "summary.json").read_text())
    assert set(summary) >= set(SUMMARY.split())
    symbols = len(set(story))
    expected = {
        "text": "book",
        "characters": len(story),
        "vocabulary": symbols,
        "cell": "vanilla",
        "hidden": 8,
        "parameters": 8 * symbols + 8 * 8 + 8 + 8 * symbols + symbols,
        "updates": 240,
        "seq_len": 5,
        "streams": 1,
        "characters_read": 240 * 5,
        "engine": default_engine(),
        "seed": 0,
        "finished": True,
    }
    assert {key: summary[key] for key in expected} == expected
    assert summary["epochs"] == 240 / ((len(story) - 1) // 5)
    assert summary["updates_per_second"] == pytest.approx(240 / summary["seconds"])
    assert summary["characters_per_second"] == pytest.approx(1200 / summary["seconds"])


def test_the_losses_of_the_summary_are_those_of_the_metrics(trained):
    summary, rows = json.loads((trained / "summary.json").read_text()), lines(trained / "metrics.jsonl")
    assert summary["first_loss"] == pytest.approx(5 * math.log(summary["vocabulary"]), rel=0.01)
    assert summary["last_smooth_loss"] == rows[-1]["smooth_loss"]
    assert summary["best_smooth_loss"] <= min(row["smooth_loss"] for row in rows)
    assert 0 < summary["best_update"] <= 240
    assert summary["best_by"] == "smooth loss"
    assert summary["best_nats_per_character"] == summary["best_smooth_loss"] / 5
    nats = summary["best_nats_per_character"]
    assert summary["best_bits_per_character"] == pytest.approx(nats / math.log(2))


def test_a_short_run_logs_about_twenty_rows(trained):
    assert [row["update"] for row in lines(trained / "metrics.jsonl")] == list(range(12, 241, 12))


def test_each_row_of_metrics_has_all_its_fields_and_the_clock_never_runs_back(trained):
    rows = lines(trained / "metrics.jsonl")
    assert all(set(row) == set(METRICS.split()) for row in rows)
    seconds = [row["seconds"] for row in rows]
    assert seconds == sorted(seconds)


def test_rows_are_kept_every_log_every_updates_and_at_the_end(hornbook, book):
    hornbook("train", book, *SMALL, "--updates", 30, "--log-every", 7, "--out", "a")
    assert [row["update"] for row in lines(Path("a/metrics.jsonl"))] == [7, 14, 21, 28, 30]


def test_samples_are_kept_at_the_start_at_every_step_and_at_the_end_and_the_passage_last(hornbook, book):
    hornbook("train", book, *SMALL, "--updates", 25, "--sample-every", 10, "--out", "a")
    rows = lines(Path("a/samples.jsonl"))
    assert [row["update"] for row in rows[:-1]] == [0, 10, 20, 25]
    assert [row["model"] for row in rows] == ["current"] * 4 + ["best"]
    assert all(len(row["text"]) == 20 for row in rows[:-1])
    assert rows[-1]["update"] == json.loads(Path("a/summary.json").read_text())["best_update"]
    assert len(rows[-1]["text"]) == 1000


def test_the_vocabulary_is_the_distinct_characters_in_code_point_order(trained, story):
    assert json.loads((trained / "vocabulary.json").read_text("utf-8")) == sorted(set(story))


def test_the_config_names_the_text_by_path_size_and_digest(trained):
    table = tomllib.loads((trained / "config.toml").read_text("utf-8"))
    (source,) = table["text"]["files"]
    assert Path(source["path"]) == trained.with_name("book.txt")
    assert source["bytes"] == 2000
    assert source["sha256"] == read_text(source["path"]).sources[0].sha256
    assert {"hornbook", "numpy", "python", "processor", "started"} <= set(table["made"])


def test_the_weights_go_by_their_names_and_the_last_hold_all_that_going_on_needs(trained):
    best = safetensors.numpy.load_file(trained / "best.safetensors")
    last = safetensors.numpy.load_file(trained / "last.safetensors")
    names = {"U", "W", "b", "V", "c"}
    assert set(best) == names | {"hidden"}
    assert set(last) == names | {f"best.{n}" for n in names} | {f"memory0.{n}" for n in names} | {"hidden"}
    assert all((last[f"best.{name}"] == best[name]).all() for name in names)


def test_the_folder_of_a_run_serves_as_its_config(hornbook, trained, folder):
    assert hornbook("train", "--config", trained, "--quiet", "--out", "again").code == 0
    assert Path("again/best.safetensors").read_bytes() == (trained / "best.safetensors").read_bytes()


def test_the_figures_are_real_pictures_of_the_loss(trained):
    assert (trained / "loss.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    root = ET.parse(trained / "loss.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"


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


def test_a_run_on_the_built_in_text_repeats(hornbook):
    hornbook("train", *SMALL, "--updates", 3, "--out", "a")
    assert hornbook("train", "--config", "a/config.toml", "--quiet", "--out", "b").code == 0
    assert_same_run(Path("a"), Path("b"))


def test_a_file_whose_name_is_not_utf_8_can_be_trained_on(process, book):
    name = b"caf\xe9.txt"
    os.rename(book, name)
    told = process("train", os.fsdecode(name), *SMALL, "--updates", 3, "--out", "a")
    assert "Traceback" not in told.err
    assert told.code in (0, 2)


# Where a run goes


def test_without_out_a_fresh_name_is_chosen_each_time(hornbook, book):
    for _ in range(3):
        assert hornbook("train", book, *SMALL, "--updates", 3).code == 0
    assert sorted(os.listdir("runs")) == ["book", "book-2", "book-3"]


def test_a_name_is_a_folder_in_runs(hornbook, book):
    hornbook("train", book, *SMALL, "--updates", 3, "--name", "try")
    assert Run("runs/try").summary["finished"]


def test_out_may_be_an_empty_folder_or_lie_deep(hornbook, book, folder):
    (folder / "empty").mkdir()
    assert hornbook("train", book, *SMALL, "--updates", 3, "--out", "empty").code == 0
    assert hornbook("train", book, *SMALL, "--updates", 3, "--out", "a/b/c/").code == 0
    assert Run("empty").summary["finished"]
    assert Run("a/b/c").summary["finished"]


def test_out_may_be_the_folder_that_one_is_in(hornbook, book, folder, monkeypatch):
    (folder / "here").mkdir()
    monkeypatch.chdir(folder / "here")
    assert hornbook("train", book, *SMALL, "--updates", 3, "--out", ".").code == 0
    assert Run(folder / "here").summary["finished"]


def test_nothing_is_left_beside_a_run(hornbook, book, folder):
    hornbook("train", book, *SMALL, "--updates", 3, "--out", "a")
    assert {path.name for path in folder.iterdir()} == {"book.txt", "a"}
    assert {path.name for path in (folder / "a").iterdir()} <= FILES


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


# Failures


WILD = ("--hidden", 30, "--seq-len", 400, "--lr", 1, "--clip", "none", "--updates", 40, "--quiet")


def test_a_gradient_that_is_not_finite_ends_with_1_names_the_update_and_what_to_try(hornbook, book):
    told = hornbook("train", book, *WILD, "--out", "a")
    stopped = Run("a").summary["updates"] + 1
    assert told.code == 1
    assert told.err.startswith("error: the ")
    assert told.err.count("\n") <= 2
    assert f"of update {stopped} is not finite" in told.err
    assert "--lr" in told.err
    assert "a lower --lr (it is 1)" in told.err


def test_a_run_that_was_not_finite_can_be_read_and_writes(hornbook, book):
    hornbook("train", book, *WILD, "--out", "a")
    summary = Run("a").summary
    assert summary["finished"] is False
    assert 1 <= summary["updates"] < 40
    assert all(row["update"] <= summary["updates"] for row in lines(Path("a/metrics.jsonl")))
    assert hornbook("sample", "a", "--length", 20).code == 0
    assert hornbook("sample", "a", "--length", 20, "--which", "last").code == 0
    assert "stopped" in hornbook("runs", ".").out


def test_a_first_update_that_is_not_finite_leaves_a_run_too(hornbook, book):
    told = hornbook("train", book, *WILD, "--init-scale", 0.6, "--out", "a")
    assert told.code == 1
    assert "of update 1 is not finite" in told.err
    assert Run("a").summary["best_smooth_loss"] is None
    assert hornbook("sample", "a", "--length", 20).code == 0
    assert hornbook("runs", ".").code == 0


def test_a_training_that_failed_tells_where_its_last_good_model_is(hornbook, book):
    assert "runs/wild" in hornbook("train", book, *WILD, "--name", "wild").err


def assert_readable(folder: Path) -> None:
    """A folder is a run, whole or not there."""
    if folder.exists():
        run = Run(folder)
        assert run.vocabulary.symbols
        assert run.metrics is not None
        assert run.samples is not None
        assert run.summary is not None
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("largest", [2_500, 3_500, 6_000, 10_000, 40_000])
def test_a_full_disk_ends_with_1_and_leaves_a_run_that_can_be_read(process, book, folder, largest):
    told = process("train", book, *SMALL, "--log-every", 1, "--out", "a", largest=largest)
    assert told.code == 1
    assert told.err.count("\n") <= 2
    assert told.err.startswith("error: a/")
    assert "cannot be written: File too large" in told.err
    assert_readable(folder / "a")
    if (folder / "a").exists():
        kept = any((folder / "a").glob("*.safetensors"))
        where = (
            "what was learnt before is kept in a; go on"
            if kept
            else "there was no checkpoint yet; begin again"
        )
        assert told.err.endswith(f"\n{where} with: hornbook resume a\n")
    assert {path.name for path in folder.iterdir()} <= {"book.txt", "a"}


def test_a_full_disk_at_the_start_leaves_no_folder(process, folder):
    Path("tiny.txt").write_text("the cat sat " * 5)
    told = process("train", "tiny.txt", *SMALL, "--out", "a", largest=200)
    assert told.code == 1
    assert "cannot be written: File too large" in told.err
    assert ".new" not in told.err
    assert {path.name for path in folder.iterdir()} == {"tiny.txt"}


def test_a_full_disk_for_temporary_files_is_told_without_a_traceback(process, book, folder):
    told = process("train", book, *SMALL, "--out", "a", largest=1_500)
    assert told.code == 1
    assert "Traceback" not in told.err
    assert told.err.startswith("error: ")
    assert {path.name for path in folder.iterdir()} == {"book.txt"}


def test_the_best_model_of_a_checkpoint_outlives_a_full_disk(process, hornbook, book):
    flags = ("--updates", 400, "--sample-every", 20, "--log-every", 1, "--save-every", 1e-6)
    told = process("train", book, *SMALL, *flags, "--out", "a", largest=10_000)
    assert told.code == 1
    assert "metrics.jsonl cannot be written" in told.err
    assert hornbook("sample", "a", "--length", 20).code == 0
    assert Run("a").summary["updates"] < 400


FULL = Path("/dev/full")
full = pytest.mark.skipif(not FULL.exists(), reason="the system has no /dev/full")


@full
@pytest.mark.parametrize("flags", [(), ("--json",), ("--preset", "plain")])
def test_standard_output_that_is_full_is_named_and_the_training_goes_on_where_it_was(book, hornbook, flags):
    command = [sys.executable, "-m", "hornbook", "train", str(book), *SMALL[:-1], *flags, "--out", "a"]
    with FULL.open("w") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "error: standard output cannot be written: No space left on device\n"
        "what was learnt before is kept in a; go on with: hornbook resume a\n"
    )
    assert not Run("a").summary["finished"]
    assert hornbook("resume", "a", "--quiet").code == 0
    assert hornbook("train", book, *SMALL, *flags, "--out", "b", "--quiet").code == 0
    assert Path("a/last.safetensors").read_bytes() == Path("b/last.safetensors").read_bytes()


@full
@pytest.mark.parametrize("command", ["sample", "runs"])
def test_standard_output_that_is_full_is_named_by_every_command(run, command):
    words = [command, str(run if command == "sample" else run.parent)]
    with FULL.open("w") as out:
        done = subprocess.run(
            [sys.executable, "-m", "hornbook", *words],
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "error: standard output cannot be written: No space left on device\n"


@full
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["train", "--help"], ["resume", "-h"], []])
def test_standard_output_that_is_full_is_named_by_help_and_version(words):
    command = [sys.executable, "-m", "hornbook", *words]
    with FULL.open("w") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: standard output cannot be written: No space left on device\n"


@pytest.mark.parametrize("where", ["/proc/run", "/dev/null/run", "book.txt/run"])
def test_a_place_that_cannot_be_written_is_told_without_a_traceback(hornbook, book, folder, where):
    told = hornbook("train", book, *SMALL, "--updates", 3, "--out", where)
    assert told.code in (1, 2)
    assert told.err.startswith("error: ")
    assert "cannot be written" in told.err
    assert list(folder.iterdir()) == [book]


# Odds and ends


def test_the_version_is_told(process):
    told = process("--version")
    assert told.code == 0
    assert told.out.startswith("hornbook 0.")


def test_the_command_is_installed_by_its_name():
    (command,) = (c for c in entry_points(group="console_scripts") if c.name == "hornbook")
    assert command.load() is entry.main


@pytest.mark.parametrize("command", [(), ("train",), ("check",), ("sample",), ("runs",)])
def test_every_command_has_help(hornbook: Callable[..., Any], command):
    told = hornbook(*command, "--help")
    assert told.code == 0
    assert "--help" in told.out


def test_every_setting_of_the_contract_is_a_flag(hornbook):
    out = hornbook("train", "--help").out
    flags = "preset engine hidden seq-len lr optimizer clip init-scale updates epochs seed dtype log-every "
    flags += "sample-every sample-length out name config tokens newlines encoding quiet json"
    assert [flag for flag in flags.split(" ") if f"--{flag} " not in out] == []


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--chunk 4", "add --order shuffled"),
        ("--evaluate-every 2", "add --validation 0.1"),
        ("--preset plain --streams 2 --init-scale 1", "add --init normal"),
        ("--threads 1 --engine reference", "--threads does nothing with the reference engine"),
        ("--warmup 3", "--warmup 3 is as long as the training of 3 updates"),
        ("--schedule step:3:0.5", "makes no step in 3 updates"),
    ],
)
def test_a_flag_that_does_nothing_is_told(hornbook, book, flags, told):
    done = hornbook("train", book, *SMALL, "--updates", 3, *flags.split(" "))
    assert done.code == 0
    assert told in done.err
    assert sum(line.startswith("warning: --") for line in done.err.splitlines()) == 1


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
    assert "the sum of 1 loss, clip" in hornbook("train", book, "--hidden", 4, *how).out.splitlines()[0]
