"""`hornbook score`: a text under a model, beside n-grams and compressors."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from hornbook import load

KEYS = [
    "characters",
    "nats_per_character",
    "bits_per_character",
    "perplexity",
    "unknown_characters",
    "baselines",
]
NEW = "And so the cat sat, did we? all on a mat: 字 and that was it.\n" * 4


@pytest.fixture
def new(folder):
    """A text that the model was not trained on, as a file."""
    path = folder / "new.txt"
    path.write_text(NEW, encoding="utf-8")
    return path


def scored(hornbook, *args, **how):
    """The figures that a score prints as JSON."""
    told = hornbook("score", *args, "--json", **how)
    assert (told.code, told.err) == (0, "")
    return json.loads(told.out)


def test_the_json_has_the_keys_of_the_contract(hornbook, run, new):
    found = scored(hornbook, run, new)
    assert list(found) == KEYS
    score = load(run).score(NEW)
    assert found["characters"] == len(NEW)
    assert found["nats_per_character"] == score.nats_per_character
    assert found["bits_per_character"] == pytest.approx(score.nats_per_character / math.log(2))
    assert found["perplexity"] == pytest.approx(math.exp(score.nats_per_character))
    assert found["unknown_characters"] == sum(c not in load(run).vocabulary.symbols for c in NEW) > 0


def test_baselines_are_n_grams_and_compressors_in_bits_per_character(hornbook, run, new):
    found = scored(hornbook, run, new)["baselines"]
    names = ("gzip", "bzip2", "xz", "zstd")
    grams = [f"{n}-gram" for n in range(1, 9)]
    assert list(found) == [*grams, *(form for name in names for form in (name, f"{name} after training"))]
    assert all(0 < bits < 30 for bits in found.values())


def test_baselines_can_be_left_out(hornbook, run, new):
    assert scored(hornbook, run, new, "--no-baselines")["baselines"] == {}


def test_the_table_tells_the_same_and_quotes_passages(hornbook, run, new):
    told, found = hornbook("score", run, new), scored(hornbook, run, new)
    assert (told.code, told.err) == (0, "")
    assert f"{found['bits_per_character']:.3f}" in told.out
    assert f"{found['baselines']['3-gram']:.3f}" in told.out
    assert "most surprising" in told.out
    assert "least surprising" in told.out
    assert f"{found['unknown_characters']} of the {found['characters']} characters (" in told.out
    assert "each costs ln(" in told.out


def test_several_texts_are_joined_and_standard_input_is_one(hornbook, run, new, book):
    assert scored(hornbook, run, new, book, "--no-baselines")["characters"] == len(NEW) + 2000
    assert scored(hornbook, run, "-", "--no-baselines", stdin=NEW.encode()) == scored(
        hornbook, run, new, "--no-baselines"
    )


def test_the_best_model_reads_unless_the_last_is_asked_for(hornbook, run, new):
    flags = ("--no-baselines", "--which")
    assert scored(hornbook, run, new, *flags, "best") == scored(hornbook, run, new, "--no-baselines")
    last = scored(hornbook, run, new, *flags, "last")
    assert last["nats_per_character"] == load(run, "last").score(NEW).nats_per_character


def test_line_ends_are_read_as_in_training_unless_told_otherwise(hornbook, run, folder):
    (folder / "dos.txt").write_bytes(b"the cat\r\n" * 10)
    assert scored(hornbook, run, "dos.txt", "--no-baselines")["unknown_characters"] == 0
    kept = scored(hornbook, run, "dos.txt", "--no-baselines", "--newlines", "keep")
    assert (kept["characters"], kept["unknown_characters"]) == (90, 10)


def test_where_the_training_text_is_gone_the_n_grams_are_left_out_and_that_is_told(hornbook, book, new):
    hornbook("train", book, "--hidden", 8, "--updates", 20, "--quiet", "--out", "a")
    book.unlink()
    told = hornbook("score", "a", new, "--json")
    assert told.code == 0
    assert list(json.loads(told.out)["baselines"]) == ["gzip", "bzip2", "xz", "zstd"]
    assert told.err.startswith("warning: no n-grams: the text that a was trained on is gone")


def test_a_text_out_of_the_training_text_is_told_to_be_known_by_heart(hornbook, run, folder, story):
    (folder / "part.txt").write_text(story[500:1500])
    told = hornbook("score", run, "part.txt")
    assert told.code == 0
    assert told.err.startswith("warning: this text, or a part of it, stands in the run's training text")


@pytest.mark.parametrize("text", ["a", "the", "the cat sat on a mat. And so did we, all"])
def test_a_short_text_has_a_table_that_fits_and_one_passage(hornbook, run, folder, text):
    (folder / "short.txt").write_text(text)
    told = hornbook("score", run, "short.txt", "--html", "page.html")
    assert (told.code, told.err) == (0, "")
    counted = "1 character" if len(text) == 1 else f"{len(text)} characters"
    first, *lines = told.out.splitlines()
    assert first == f"short, read by {run}: {counted}"
    assert max(map(len, lines)) < 80
    for shown in (told.out, Path("page.html").read_text(encoding="utf-8")):
        assert "The only passage" in shown
        assert "surprising" not in shown


def test_a_few_words_may_stand_in_the_training_text_by_chance(hornbook, run, folder):
    (folder / "short.txt").write_text("the cat sat")
    assert hornbook("score", run, "short.txt").err == ""


def test_control_characters_do_not_reach_the_terminal(hornbook, run, folder):
    (folder / "odd.txt").write_bytes(b"\x1b[31m the cat \x07 " * 20)
    told = hornbook("score", run, "odd.txt")
    assert told.code == 0
    assert not set(told.out) & set("\x1b\x07")


# The page


def test_a_page_is_written_beside_what_is_printed(hornbook, run, new):
    told = hornbook("score", run, new, "--html", "page.html")
    assert (told.code, told.err) == (0, "")
    assert "the page is page.html" in told.out
    page = Path("page.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "Surprise in new" in page


def test_a_page_and_json_go_together(hornbook, run, new):
    assert scored(hornbook, run, new, "--html", "page.html") == scored(hornbook, run, new)
    assert Path("page.html").exists()


def test_a_text_full_of_scripts_shows_as_text(hornbook, run, folder):
    (folder / "evil.txt").write_text("the cat <script>alert(1)</script> sat </script>\n" * 20)
    assert hornbook("score", run, "evil.txt", "--html", "page.html").code == 0
    page = Path("page.html").read_text(encoding="utf-8")
    assert page.count("<script") == 2
    assert page.count("</script") == 2


def test_a_page_that_would_replace_the_text_is_refused(refused, run, new):
    assert "--html is new.txt, which is read here" in refused("score", run, new, "--html", "new.txt")


@pytest.mark.parametrize("name", ["notes.txt", "runs/book/config.toml", "runs/book/best.safetensors"])
def test_a_page_takes_the_place_of_no_other_file(refused, run, new, name):
    Path("notes.txt").write_text("what another model was trained on", encoding="utf-8")
    before = Path(name).read_bytes()
    for command in (("score", run, new, "--html", name), ("compare", run, "--out", name)):
        assert f"{name}, which is there already and is no page" in refused(*command)
        assert Path(name).read_bytes() == before


def test_a_page_takes_the_place_of_another_page(hornbook, run, new):
    for _ in range(2):
        assert hornbook("score", run, new, "--html", "page.html").code == 0
    assert new.read_text(encoding="utf-8") == NEW


# Bad input


def test_a_text_with_nothing_in_common_with_the_vocabulary_is_refused(refused, run, folder):
    (folder / "greek.txt").write_text("Ελλάς", encoding="utf-8")
    assert "knows no character of this text" in refused("score", run, "greek.txt")
    assert "knows no character" in refused("score", run, "greek.txt", "--html", "page.html", "--json")


def test_a_missing_run_or_text_is_refused(refused, run, new):
    assert "nowhere" in refused("score", "nowhere", new)
    assert "nowhere.txt: No such file" in refused("score", run, "nowhere.txt")
    assert "is empty" in refused("score", run, "-", stdin=b"")


def test_a_run_and_a_text_must_be_named(hornbook, run):
    told = hornbook("score", run)
    assert (told.code, told.out) == (2, "")
    assert "hornbook score --help" in told.err


def test_a_run_without_weights_is_refused(refused, run, new):
    (run / "best.safetensors").unlink()
    assert "best.safetensors is gone" in refused("score", run, new)


def test_scoring_leaves_the_run_as_it_was(hornbook, run, new):
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    scored(hornbook, run, new)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
