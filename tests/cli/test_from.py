"""`hornbook train NEW --from RUN`: the best model of a run goes on with another text."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from hornbook import Run, load

FLAGS = ("--seq-len", 5, "--sample-length", 20, "--updates", 60)


@pytest.fixture
def new(folder: Path) -> Path:
    """Another book, with characters that the story does not have."""
    path = folder / "new.txt"
    path.write_text("The cat 😀 sat on a “mat” and so did we!\n" * 20, encoding="utf-8")
    return path


WHOLE = ("best.safetensors", "last.safetensors", "samples.jsonl", "vocabulary.json")


def same(one: str, other: str, names: tuple[str, ...] = WHOLE) -> None:
    """Two runs are the same to the bit."""
    for name in names:
        assert Path(one, name).read_bytes() == Path(other, name).read_bytes(), name


def test_it_says_where_it_goes_on_from_and_what_is_new(hornbook, run, new):
    told = hornbook("train", new, "--from", run, *FLAGS, "--out", "a")
    assert told.code == 0
    known = len(Run(run).vocabulary)
    assert f"going on from {run}, which knows {known} characters; 5 new characters: ! T “ ” 😀\n" in told.out
    assert "preset classic" in told.out
    model = load("a")
    assert len(model.vocabulary) == known + 5
    assert "😀" in model.vocabulary.symbols
    assert hornbook("sample", "a", "--length", 50).code == 0


def test_a_text_without_new_characters_says_so(hornbook, run, book):
    told = hornbook("train", book, "--from", run, *FLAGS, "--out", "a")
    assert "characters; no new ones\n" in told.out
    assert Run("a").summary["first_loss"] < Run(run).summary["first_loss"]


@pytest.mark.parametrize("checkpoint", [True, False])
def test_it_is_resumed_to_the_bit(hornbook, run, new, checkpoint):
    for out, updates in (("a", 60), ("b", 25)):
        flags = (*FLAGS, "--updates", updates, "--warmup", 0, "--quiet", "--out", out)
        assert hornbook("train", new, "--from", run, *flags).code == 0
    if not checkpoint:
        for name in ("last.safetensors", "best.safetensors", "summary.json"):
            for path in Path("b").glob(f"*{name}*"):
                path.unlink()
    assert hornbook("resume", "b", "--updates", 60, "--quiet").code == 0
    one, other = (Run(name).model("last") for name in "ab")
    assert one.flat.tobytes() == other.flat.tobytes()
    assert Run("b").summary["from"] == Run("a").summary["from"]


def test_going_on_in_vain_is_told_and_is_not_called_divergence(hornbook, run, book):
    told = hornbook("train", book, "--from", run, *FLAGS, "--lr", 5, "--warmup", 0, "--out", "a")
    assert told.code == 0
    assert "going on has not lowered the loss so far" in told.err
    assert "diverged" not in told.err


def test_it_is_recorded_and_the_config_repeats_it_to_the_bit(hornbook, run, new):
    assert hornbook("train", new, "--from", run, *FLAGS, "--quiet", "--out", "a").code == 0
    table = tomllib.loads(Path("a/config.toml").read_text(encoding="utf-8"))["training"]
    origin = json.loads(Path("a/summary.json").read_text(encoding="utf-8"))["from"]
    assert origin == {"path": table["start"], "sha256": table["start_sha256"]}
    assert origin["path"] == str(run)
    assert hornbook("train", "--config", "a", "--quiet", "--out", "b").code == 0
    same("a", "b")
    assert Run("b").config.training == Run("a").config.training


def test_a_flag_beside_the_config_changes_that_setting_alone(hornbook, run, new):
    assert hornbook("train", new, "--from", run, *FLAGS, "--quiet", "--out", "a").code == 0
    assert hornbook("train", "--config", "a", "--updates", 30, "--quiet", "--out", "b").code == 0
    assert [Run(name).config.training.warmup for name in "ab"] == [59, 29]
    one, other = (vars(Run(name).config.training) for name in "ab")
    assert {name for name in one if one[name] != other[name]} <= {
        "updates",
        "warmup",
        "log_every",
        "evaluate_every",
    }
    assert Run("b").summary["updates"] == 30


def test_a_config_whose_old_run_is_gone_or_has_changed_is_refused(hornbook, refused, run, new):
    assert hornbook("train", new, "--from", run, *FLAGS, "--quiet", "--out", "a").code == 0
    shutil.copytree(run, "kept")
    with (run / "best.safetensors").open("ab") as file:
        file.write(b"\0")
    assert "is not there as it was" in refused("train", "--config", "a")
    shutil.copy("kept/best.safetensors", run)
    shutil.copy("a/best.safetensors", "runs/spare")
    assert hornbook("train", "--config", "a", "--quiet", "--out", "b").code == 0
    shutil.rmtree(run)
    message = refused("train", "--config", "a")
    assert f"{run} is not a folder" in message
    assert "name the one to go on from with --from" in message
    assert hornbook("train", "--config", "a", "--from", "kept", "--quiet", "--out", "c").code == 0
    same("a", "c", ("best.safetensors", "samples.jsonl"))  # the checkpoint knows where it went on from


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--cell", "gru"), "cell is gru, but .* has vanilla, which stays"),
        (("--hidden", 9), "hidden is 9, but .* has 8, which"),
        (("--layers", 2), "layers is 2, but .* has 1, which"),
        (("--tokens", "bytes"), "tokens is bytes, but .* has chars, which"),
    ],
    ids=str,
)
def test_what_cannot_be_continued_is_refused(refused, run, new, flags, words):
    message = refused("train", new, "--from", run, *flags)
    assert re.search(words, message)
    assert "or train without --from" in message


def test_the_same_cell_and_sizes_may_be_said_again(hornbook, run, new):
    flags = ("--cell", "vanilla", "--hidden", 8, "--layers", 1, "--tokens", "chars")
    assert hornbook("train", new, "--from", run, *flags, *FLAGS, "--quiet", "--out", "a").code == 0


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        (0, 0.1, "was trained on 200 of the 200 characters that are held out here"),
        (0.1, 0.2, "was trained on 200 of the 400 characters that are held out here"),
        (0.1, 0.1, ""),
        (0.2, 0.1, ""),
        (0, 0, ""),
    ],
)
def test_what_is_held_out_and_was_trained_on_before_is_told(hornbook, book, then, now, told):
    flags = (*FLAGS, "--hidden", 8, "--quiet")
    assert hornbook("train", book, *flags, "--validation", then, "--out", "a").code == 0
    after = hornbook("train", book, "--from", "a", *FLAGS, "--quiet", "--validation", now, "--out", "b")
    assert after.code == 0
    assert told in after.err
    assert ("held out here" in after.err) is bool(told)
    advice = "--validation 0.1" if then else "go on from a run that held them out"
    assert (advice in after.err) is bool(told)


def test_another_text_was_not_trained_on_before(hornbook, run, new):
    told = hornbook("train", new, "--from", run, *FLAGS, "--quiet", "--validation", 0.1, "--out", "a")
    assert "held out" not in told.err


def test_a_text_of_another_script_is_refused(refused, run, folder):
    (folder / "greek.txt").write_text("ΑΒΓ" * 40, encoding="utf-8")
    assert "knows no character of greek" in refused("train", "greek.txt", "--from", run)


def test_what_is_no_run_is_refused(refused, new):
    assert "none is not a folder" in refused("train", new, "--from", "none")


def test_a_config_of_another_cell_is_refused(hornbook, refused, run, new):
    assert (
        hornbook("train", new, "--cell", "gru", "--streams", 1, "--updates", 5, "--quiet", "--out", "a").code
        == 0
    )
    message = refused("train", "--config", "a", "--from", run)
    assert "cell is gru and hidden is 128, but" in message
    assert "has vanilla and 8, which stays" in message


def test_the_report_says_how_to_run_it_again(hornbook, run, new):
    assert hornbook("train", new, "--from", run, *FLAGS, "--warmup", 0, "--quiet", "--out", "a").code == 0
    assert hornbook("report", "a", "--format", "md").code == 0
    page = Path("a/report.md").read_text(encoding="utf-8")
    assert "hornbook train new.txt --from book --preset classic --hidden 8" in page
    assert "--warmup 0" in page
    assert str(run.parent) not in page
