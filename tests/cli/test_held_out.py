"""`--validation`, `--patience`, `hornbook eval`: what a model needs for text it was not trained on."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from hornbook import Run, load
from hornbook.scoring import baselines_for

SMALL = ("--hidden", 8, "--seq-len", 5, "--sample-length", 20)
CLOCK = ("seconds", "characters_per_second")


def metrics(folder: Path) -> list[dict]:
    """The rows without what depends on the clock."""
    return [{k: v for k, v in row.items() if k not in CLOCK} for row in Run(folder).metrics]


# Training


def test_the_summary_tells_the_best_model_on_all_that_is_held_out(held_out, story):
    run = Run(held_out)
    validation = run.summary["validation"]
    found = load(held_out).evaluate(story[1800:], before=story[:1800])
    assert validation["characters"] == 200
    assert validation["nats_per_character"] == pytest.approx(found.nats_per_character, rel=1e-12)
    assert validation["bits_per_character"] == pytest.approx(found.bits_per_character, rel=1e-12)


def test_rows_tell_the_evaluations_and_the_best_update_is_that_of_the_lowest(held_out):
    run = Run(held_out)
    measured = {row["update"]: row["validation"] for row in run.metrics if "validation" in row}
    assert list(measured) == list(range(20, 401, 20))
    assert all("validation" not in row or row["validation"] > 0 for row in run.metrics)
    assert run.summary["best_update"] == min(measured, key=lambda update: measured[update])
    assert run.summary["best_by"] == "validation"
    for unit in ("nats_per_character", "bits_per_character"):
        assert run.summary[f"best_{unit}"] == run.summary["validation"][unit]


def test_without_validation_there_is_none_in_the_summary(trained):
    assert Run(trained).summary["validation"] is None
    assert not any("validation" in row for row in Run(trained).metrics)


@pytest.mark.parametrize("flags", [(), ("--order", "shuffled", "--chunk", 4), ("--dropout", 0.2)], ids=str)
def test_the_same_seed_and_the_config_give_the_same_bits(hornbook, book, flags):
    how = ("--updates", 120, "--validation", 0.2, "--engine", "reference", *flags, "--quiet")
    for out in ("a", "b"):
        assert hornbook("train", book, *SMALL, *how, "--out", out).code == 0
    assert hornbook("train", "--config", "a", "--quiet", "--out", "c").code == 0
    for other in ("b", "c"):
        for name in ("best.safetensors", "last.safetensors", "samples.jsonl"):
            assert Path(other, name).read_bytes() == Path("a", name).read_bytes()
        assert metrics(Path(other)) == metrics(Path("a"))


def test_patience_ends_a_training_and_is_told(hornbook, book):
    flags = ("--updates", 50_000, "--evaluate-every", 10, "--patience", 3, "--validation", 0.1, "--lr", 2)
    told = hornbook("train", book, *SMALL, *flags, "--out", "a")
    summary = Run("a").summary
    assert told.code == 0
    assert "ended early: 3 evaluations without a new best (--patience 3)" in told.out
    assert (summary["finished"], summary["stopped_early"]) == (True, True)
    assert summary["updates"] == summary["best_update"] + 30 < 50_000


@pytest.mark.parametrize("updates", ["as many as there are", "as many as patience lasts"])
def test_what_is_out_of_patience_is_trained_anew_with_more_and_not_resumed(hornbook, refused, book, updates):
    flags = ("--evaluate-every", 10, "--patience", 3, "--validation", 0.1, "--lr", 2, "--quiet", "--out")
    hornbook("train", book, *SMALL, "--updates", 50_000, *flags, "a run")
    made = Run("a run").summary["updates"]
    if updates == "as many as patience lasts":
        shutil.rmtree("a run")
        hornbook("train", book, *SMALL, "--updates", made, *flags, "a run")
    anew = "with more it is trained anew: hornbook train --config 'a run' --patience N\n"
    told = f"a run is finished, after {made} updates, by its --patience 3; {anew}"
    assert hornbook("resume", "a run").out == told
    assert refused("resume", "a run", "--updates", "+10").endswith(f"and would again; {anew}")
    more = ("--patience", 9, "--updates", 50_000, "--quiet", "--out", "b")
    assert hornbook("train", "--config", "a run", *more).code == 0
    assert Run("b").summary["updates"] > made


def test_evaluations_are_shown_and_told_as_json(hornbook, book):
    flags = ("--updates", 40, "--validation", 0.1)
    plain = hornbook("train", book, *SMALL, *flags, "--out", "a").out
    assert "validation at 20  " in plain
    assert "over all 200 characters held out" in plain
    events = [json.loads(line) for line in hornbook("train", book, *SMALL, *flags, "--json").out.splitlines()]
    evaluated = [event for event in events if event["event"] == "evaluated"]
    assert [event["update"] for event in evaluated] == list(range(2, 41, 2))
    assert set(evaluated[0]) == {
        "event",
        "update",
        "nats_per_character",
        "characters",
        "best_nats_per_character",
        "best_update",
        "seconds",
    }
    assert events[-1]["validation"]["characters"] == 200
    assert events[-1]["early"] is False
    assert events[-1]["best_by"] == "validation"


# Evaluating


READ_BEFORE = "warning: this text, or a part of it, stands in the run's training text"


def test_a_text_that_was_trained_on_is_told(hornbook, held_out, story, folder):
    book, rest = folder / "whole.txt", folder / "rest.txt"
    book.write_text(story)
    rest.write_text(story[1800:])
    for how in ([], ["--json"]):
        told = hornbook("eval", held_out, book, *how)
        assert (told.code, told.err.count("\n")) == (0, 1)
        assert told.err.startswith(READ_BEFORE)
    assert hornbook("eval", held_out, rest).err == ""
    assert hornbook("eval", held_out).err == ""


def test_where_the_training_text_is_gone_a_text_is_evaluated_all_the_same(hornbook, book):
    hornbook("train", book, *SMALL, "--updates", 20, "--quiet", "--out", "a")
    book.rename("moved.txt")
    told = hornbook("eval", "a", "moved.txt")
    assert (told.code, told.err) == (0, "")


def test_without_a_text_what_was_held_out_is_evaluated(hornbook, held_out):
    told = hornbook("eval", held_out, "--json")
    found, summary = json.loads(told.out), Run(held_out).summary["validation"]
    assert told.code == 0
    del summary["baselines"]
    assert {key: found[key] for key in summary} == summary
    assert found["perplexity"] == pytest.approx(math.exp(summary["nats_per_character"]))
    assert found["unknown_characters"] == 0
    assert "windows" not in found


def test_windows_stand_beside_the_stream(hornbook, held_out, story):
    found = json.loads(hornbook("eval", held_out, "--window", 64, "--json").out)
    expected = load(held_out).evaluate(story[1800:], 64)
    assert found["windows"] == expected.record()
    assert expected.characters == 200 - 4


def test_a_text_that_is_named_is_evaluated(hornbook, held_out, folder):
    Path("other.txt").write_text("the cat sat on the möt ")
    found = json.loads(hornbook("eval", held_out, "other.txt", "--which", "last", "--json").out)
    score = load(held_out, "last").score("the cat sat on the möt ")
    assert found["nats_per_character"] == pytest.approx(score.nats_per_character)
    assert found["unknown_characters"] == 1


def test_the_table_tells_both_readings(hornbook, held_out):
    out = hornbook("eval", held_out, "--window", 64).out
    assert "the part held out of book, read by" in out
    for words in ("one stream", "windows of 64", "nats/character", "bits/character", "perplexity", "196"):
        assert words in out


def test_what_is_charged_for_characters_that_are_not_known_is_told_below_the_table(
    hornbook, held_out, folder
):
    Path("other.txt").write_text("the дом c")
    known = len(load(held_out).vocabulary)
    out = hornbook("eval", held_out, "other.txt").out
    charged = f"each costs ln({known} + 1) = {math.log(known + 1):.2f} nats"
    assert out.endswith(f"\n3 of the 9 characters (33.33%) the model has never seen; {charged}\n")
    assert "never seen" not in hornbook("eval", held_out).out


def test_a_window_that_the_text_does_not_fill_is_told_as_the_one_it_is(hornbook, held_out):
    for window, words in (
        (199, "windows of 199"),
        (200, "one window, the whole text"),
        (10**7, "one window"),
    ):
        out = hornbook("eval", held_out, "--window", window).out
        assert words in out
        assert ("windows of" in out) is (window == 199)


# What cannot be


def test_a_run_that_held_out_nothing_needs_a_text(refused, run):
    message = refused("eval", run)
    assert "held out nothing" in message
    assert "name a text" in message


def test_how_a_text_is_read_needs_a_text(refused, held_out):
    assert "--encoding" in refused("eval", held_out, "--encoding", "latin-1")


@pytest.mark.parametrize("window", [1, 0, -3])
def test_a_window_that_foretells_nothing_is_refused(refused, held_out, window):
    assert "window is" in refused("eval", held_out, "--window", window)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--validation 1", "validation is 1.0; expected a number from 0 to below 1"),
        ("--validation -0.1", "validation is -0.1"),
        ("--validation nan", "validation is nan"),
        (
            "--validation 0.001",
            "holds out 2 of 2,000 characters, but one window of 25 needs at least 26; "
            "hold out at least --validation 0.013 or choose --seq-len 1 at most or give a longer text",
        ),
        (
            "--validation 0.1 --seq-len 1500",
            "needs at least 1,501; choose --seq-len 199 at most or give a longer text",
        ),
        ("--validation 0.99", "the text has 20 characters to train on"),
        ("--patience 3", "--validation 0.1"),
        ("--patience -1 --validation 0.1", "patience is -1"),
        ("--evaluate-every 0 --validation 0.1", "evaluate-every is 0"),
    ],
)
def test_a_validation_that_cannot_be_is_refused(refused, book, flags, told):
    assert told in refused("train", book, *flags.split(" "))


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--cell transformer", "unknown cell 'transformer'; the known ones are: gru, lstm, vanilla"),
        ("--layers 5", "layers is 5; expected a whole number from 1 to 4"),
        ("--layers 0", "layers is 0"),
        ("--dropout 1", "dropout is 1.0; expected a number from 0 to below 1"),
        ("--schedule forever", "schedule is 'forever'; expected constant, linear, cosine, or step"),
        ("--schedule step:inf:0.5", "schedule is 'step:inf:0.5'"),
        ("--schedule step:10:inf", "schedule is 'step:10:inf'"),
        ("--order backwards", "unknown order 'backwards'"),
        ("--objective median", "unknown objective"),
        ("--init zero", "unknown init"),
        ("--weight-decay 1", "weight-decay is 1.0"),
        ("--warmup -1", "warmup is -1"),
        ("--threads -1", "threads is -1"),
        ("--streams 0", "streams is 0"),
        ("--streams 500", "at most --streams 31 or at most --seq-len 3"),
        ("--streams 2 --seq-len 1000", "at most --streams 1 or at most --seq-len 999"),
        (
            "--streams 2 --order shuffled --chunk 50 --seq-len 25",
            "at most --seq-len 19 or at most --chunk 39",
        ),
    ],
)
def test_a_member_of_the_family_that_cannot_be_is_refused(refused, book, flags, told):
    assert told in refused("train", book, *flags.split(" "))


def test_n_grams_do_not_know_what_was_held_out_and_it_may_be_copied(hornbook, held_out, story, folder):
    (folder / "rest.txt").write_text(story[1800:])
    told = hornbook("score", held_out, "rest.txt", "--json")
    assert json.loads(told.out)["baselines"] == baselines_for(story[1800:], story[:1800])
    assert Run(held_out).read_in_training() == story[:1800]
    text = hornbook("sample", held_out, "--no-copy", 12, "--length", 300).out
    assert not any(text[i : i + 13] in story[:1800] for i in range(len(text) - 12))


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (
            "--cell gru --streams 4 --seq-len 64 --validation 0.9",
            "the text has 200 characters to train on, but an update of 64 characters in each of 4 streams "
            "needs at least 257; give a longer text or at most --streams 3 or at most --seq-len 49 "
            "or at most --validation 0.871: 1,800 of 2,000 characters are held out\n",
        ),
        (
            "--order shuffled --seq-len 64 --validation 0.5",
            "or at most --chunk 15 or at most --validation 0.487: 1,000 of 2,000 characters are held out\n",
        ),
        (
            "--seq-len 1000 --validation 0.6",
            "or at most --seq-len 799 or leave --validation out: 1,200 of 2,000 characters are held out\n",
        ),
        ("--seq-len 10 --streams 500 --validation 0.5", "or at most --seq-len 1\n"),
        (
            "--cell gru --seq-len 20 --validation 0.99",
            "give a longer text or --streams 1 with at most --seq-len 19 or at most --validation 0.679: "
            "1,980 of 2,000 characters are held out\n",
        ),
    ],
)
def test_a_text_that_is_too_short_for_what_is_held_out_is_told_so(refused, book, flags, told):
    assert refused("train", book, *flags.split()).endswith(told)
