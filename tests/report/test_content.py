"""What a report says: every section, whatever the run has, and each figure as the run's files have it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import hornbook
from hornbook.markup import for_shell
from hornbook.originality import Copy
from hornbook.parameters import count, shapes
from hornbook.report import checks
from hornbook.report.content import report_of
from hornbook.report.course import milestones
from hornbook.report.document import Beside, Code, Document, Figure, Note, Passage, Table, equation, runs_of
from hornbook.report.inside import liveliest, toned
from hornbook.report.setting import command
from hornbook.report.subject import Subject, without_paths
from hornbook.report.wording import duration, error_of, listed, percent, ratio
from hornbook.report.writing import copied
from hornbook.runs import Run

SECTIONS = [
    "Introduction", "Setting", "Gradient checks", "Training", "Evolution", "Best model", "Sampling",
    "Originality", "Inside",
]  # fmt: skip


def section(document: Document, title: str):
    return next(s for s in document.sections if s.title == title)


def blocks(document: Document, title: str, kind: type):
    return [block for block in section(document, title).blocks if isinstance(block, kind)]


def words(document: Document) -> str:
    """All notes and paragraphs."""
    found = [block for s in document.sections for block in s.blocks if hasattr(block, "spans")]
    return "\n".join("".join(span.text for span in block.spans) for block in found)


def test_the_sections_stand_in_the_order_of_the_contract(document):
    assert [s.title for s in document.sections] == SECTIONS


def test_tables_and_figures_are_numbered_in_order(document):
    for kind in (Table, Figure):
        found = [b.number for s in document.sections for b in s.blocks if isinstance(b, kind)]
        assert found == list(range(1, len(found) + 1))


def test_the_first_table_is_that_of_the_gradients_and_the_first_figure_that_of_the_losses(document):
    table = blocks(document, "Gradient checks", Table)[0]
    assert table.number == 1
    assert [row[0] for row in table.rows] == ["b", "c", "U", "V", "W"]
    assert {row[2] for row in table.rows} == {"100 % (all)"}
    figure = blocks(document, "Training", Figure)[0]
    assert figure.number == 1
    assert "Smooth loss" in figure.panels[1].svg
    assert "Loss of each logged update" in figure.panels[0].svg


def test_the_check_is_kept_in_the_run_and_made_again_only_for_other_settings(run, monkeypatch):
    kept = json.loads((run.folder / "gradients.json").read_text())
    monkeypatch.setattr(checks, "check_gradients", lambda *_, **__: pytest.fail("checked again"))
    assert [row.max_abs_difference for row in checks.checked(Subject(run))] == [
        row["max_abs_difference"] for row in kept["rows"]
    ]
    kept["settings"]["seed"] = 17
    (run.folder / "gradients.json").write_text(json.dumps(kept))
    with pytest.raises(pytest.fail.Exception):
        checks.checked(Subject(run))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"settings": 1}', '{"rows": 3, "settings": {}}'])
def test_a_damaged_check_is_made_again(run, content):
    (run.folder / "gradients.json").write_text(content)
    assert len(checks.checked(Subject(run))) == 10
    assert json.loads((run.folder / "gradients.json").read_text())["rows"]


def test_every_sample_is_shown_to_the_character(document, trained):
    passages = blocks(document, "Evolution", Passage)
    samples = [row for row in Run(trained).samples if row["model"] == "current"]
    assert ["".join(s.text for s in p.spans) for p in passages] == [row["text"] for row in samples]
    assert [p.title for p in passages] == [f"Update {row['update']:,}" for row in samples]


def test_the_best_model_is_told_with_its_update_its_loss_and_its_passage(document, trained):
    run = Run(trained)
    (passage,) = blocks(document, "Best model", Passage)
    assert "".join(s.text for s in passage.spans) == run.samples[-1]["text"]
    told = words(document)
    assert f"{run.summary['best_smooth_loss']:.2f} nats over 5 characters" in told
    assert f"reached by update {run.summary['best_update']}" in told


def test_real_words_are_marked_and_nothing_else(trained):
    marked = Subject(Run(trained)).marked("The zzq the a naïve, cat's (Mat.)")
    assert [s.text for s in marked if s.kind == "word"] == ["the", "naïve", "Mat"]
    assert "".join(s.text for s in marked) == "The zzq the a naïve, cat's (Mat.)"
    assert Subject(Run(trained)).real("zzq the a naïve") == (2, 3)


def test_six_texts_are_sampled_side_by_side_and_measured_beside_the_text_itself(document):
    besides = blocks(document, "Sampling", Beside)
    assert [len(b.passages) for b in besides] == [3, 3]
    (table,) = blocks(document, "Sampling", Table)
    assert [row[0] for row in table.rows] == [
        "temperature 0.5", "temperature 0.8", "temperature 1.2", "nucleus 0.5", "nucleus 0.9", "nucleus 1.0",
        "the text itself",
    ]  # fmt: skip
    assert table.rows[-1][1] == "100 %"
    assert float(table.rows[0][-1]) < float(table.rows[2][-1])


def test_the_longest_copy_stands_at_its_place_in_the_text(document, trained):
    passage = blocks(document, "Originality", Passage)[0]
    place = int(re.search(r"character ([\d,]+) on", passage.under)[1].replace(",", ""))
    quote = passage.spans[0].text
    assert Run(trained).text()[place : place + len(quote)] == quote


def test_a_copy_that_is_mostly_blank_can_be_seen(trained):
    subject = Subject(Run(trained))
    blank = copied(subject, Copy(10, 0, 0, 10, " " * 7 + "\nab"), "copy")
    assert blank.spans[0].text == "␣␣␣␣␣␣␣↵\nab"
    assert "␣ is a space" in blank.under
    plain = copied(subject, Copy(9, 0, 0, 10, "ab cd\nefg"), "copy")
    assert plain.spans[0].text == "ab cd\nefg"
    assert "␣" not in plain.under


def test_the_command_trains_the_same_again(document, trained):
    (code,) = blocks(document, "Setting", Code)
    assert code.text.startswith("hornbook train book.txt ")
    for flag in ("--hidden 8", "--seq-len 5", "--updates 400", "--sample-every 100"):
        assert flag in code.text


@pytest.mark.parametrize(
    ("name", "how", "told"),
    [
        ("book.txt", {"encoding": "utf-16"}, "train book.txt --encoding utf-16 "),
        ("book.txt", {"newlines": "keep"}, "train book.txt --newlines keep "),
        ("-book.txt", {}, "train ./-book.txt "),
        ("book.txt", {"tokens": "bytes"}, "train book.txt --tokens bytes "),
    ],
)
def test_the_command_reads_the_text_as_it_was_read(tmp_path, name, how, told):
    path = tmp_path / name
    path.write_text("a cat sat\n" * 30, encoding=how.get("encoding", "utf-8"))
    text = hornbook.read_text(path, **how)
    run = hornbook.train(text, out=tmp_path / "run", quiet=True, hidden=3, seq_len=4, updates=150)
    assert told in command(Subject(run)) + " "


def test_no_path_of_this_machine_is_in_a_report(document, trained):
    assert str(trained.parent) not in repr(document)


def damaged(run: Run, *, metrics: bool = True, summary: bool = True, text: bool = True) -> Document:
    """The report of a run without some of its files."""
    if not metrics:
        for name in ("metrics.jsonl", "samples.jsonl"):
            (run.folder / name).write_text("")
    if not summary:
        for name in ("summary.json", "best.safetensors", "last.safetensors"):
            (run.folder / name).unlink()
    if not text:
        config = run.folder / "config.toml"
        config.write_text(config.read_text().replace("book.txt", "gone.txt"))
    (run.folder / "gradients.json").unlink(missing_ok=True)
    return report_of(Run(run.folder))


def test_a_run_stopped_before_its_first_event_has_every_section_and_says_so(run):
    document = damaged(run, metrics=False, summary=False)
    assert [s.title for s in document.sections] == SECTIONS
    told = words(document)
    for sentence in (
        "had logged nothing yet",
        "No update was logged",
        "No sample was written",
        "no weights yet",
    ):
        assert sentence in told
    assert blocks(document, "Gradient checks", Table)


@pytest.mark.parametrize(("name", "told"), [("samples.jsonl", "No sample"), ("metrics.jsonl", "No update")])
def test_a_run_whose_rows_are_gone_shows_the_rest(run, name, told):
    (run.folder / name).unlink()
    document = report_of(run)
    assert [s.title for s in document.sections] == SECTIONS
    assert told in words(document)
    assert blocks(document, "Sampling", Table)


def test_a_check_of_a_sample_says_so(run, monkeypatch):
    (run.folder / "gradients.json").unlink(missing_ok=True)
    monkeypatch.setattr("hornbook.gradients.QUICK", 1)
    document = report_of(run)
    every = count(run.config.model)
    entries = sum(min(10, size) for size in map(np.prod, shapes(run.config.model).values()))
    assert f"a sample of {entries} of {every:,} entries" in words(document)


@pytest.mark.parametrize(
    ("judged_by", "passed", "told"),
    [
        ("both", True, "All errors are of the size of rounding: the gradients are right."),
        ("complex step", True, "By the complex step all errors are of the size of rounding"),
        ("none", False, "too chaotic to be checked"),
        ("both", False, "the gradients are not right"),
    ],
)
def test_the_conclusion_of_a_check_is_by_what_it_was_judged_by(run, judged_by, passed, told):
    rows = checks.checked(Subject(run))
    rows[3] = replace(rows[3], judged_by=judged_by, passed=passed)
    assert told in checks.conclusion(rows)


def test_a_run_that_is_still_training_says_how_far_it_came(run):
    told = words(damaged(run, summary=False))
    assert "not finished: 400 of 400 updates" in told


def test_the_losses_are_told_over_the_characters_that_the_settings_have(run):
    summary = run.folder / "summary.json"
    summary.write_text(summary.read_text().replace('"seq_len": 5', '"seq_len": 0'))
    assert f"{run.summary['best_smooth_loss']:.2f} nats over 5 characters" in words(report_of(run))


def test_a_report_says_twice_where_the_smooth_loss_is_in_part_its_first_value(run):
    share = 100 * 0.999 ** (run.summary["updates"] - 1)
    assert words(report_of(run)).count(f"Of the smooth loss {share:.0f} % is still its first value") == 2


def test_a_run_whose_text_is_gone_shows_all_that_needs_no_text(run):
    document = damaged(run, text=False)
    assert [s.title for s in document.sections] == SECTIONS
    told = words(document)
    assert "The text could not be read" in told
    assert "gone.txt" in told
    assert str(run.folder.parent) not in told
    assert blocks(document, "Evolution", Passage)
    assert blocks(document, "Sampling", Table)
    assert blocks(document, "Originality", Note)


def test_a_long_run_shows_every_ten_thousandth_update():
    samples = [{"update": u, "text": ""} for u in range(0, 100_001, 2_500)]
    assert [row["update"] for row in milestones(samples)] == list(range(0, 100_001, 10_000))


def test_a_short_run_shows_all_of_its_samples_and_a_very_long_one_some():
    samples = [{"update": u, "text": ""} for u in range(0, 901, 100)]
    assert milestones(samples) == samples
    many = [{"update": u, "text": ""} for u in range(0, 10_000_001, 10_000)]
    chosen = milestones(many)
    assert len(chosen) <= 21
    assert (chosen[0], chosen[-1]) == (many[0], many[-1])
    assert milestones([]) == []


def test_an_equation_has_its_variables_and_what_is_lowered_and_lifted():
    found = [(span.text, span.kind) for span in equation("h_t = tanh(x_{t-1} U) + g^2")]
    assert found == [
        ("h", "variable"), ("t", "sub"), (" = ", ""), ("tanh", ""), ("(", ""), ("x", "variable"),
        ("t-1", "sub"), (" ", ""), ("U", "variable"), (") + ", ""), ("g", "variable"), ("2", "sup"),
    ]  # fmt: skip


def test_a_text_is_cut_where_its_tone_changes():
    assert runs_of("aabbb", [1, 1, 2, 2, 1]) == [("aa", 1), ("bb", 2), ("b", 1)]
    assert runs_of("", []) == []
    assert [(s.text, s.tone) for s in toned("abc", np.array([-1.0, 0.02, 0.9]))] == [
        ("a", -4),
        ("b", 0),
        ("c", 4),
    ]


def test_the_liveliest_stretch_is_where_a_feature_changes():
    feature = np.zeros(3000)
    feature[1500:1900:2] = 1
    assert 1020 <= liveliest(feature) <= 1500


def test_figures_are_worded_as_a_person_would():
    assert percent(0.123) == "12 %"
    assert (percent(float("nan")), ratio(float("nan"))) == ("–", "–")
    assert (error_of(0.0), error_of(2.52e-10)) == ("0", "2.5e-10")
    assert [duration(s) for s in (4.21, 300, 9000)] == ["4.2 s", "5.0 min", "2.5 h"]
    assert (listed([]), listed(["a"]), listed(["a", "b", "c"])) == ("", "a", "a, b and c")


def test_a_report_without_a_whole_summary_has_all_but_its_figures(run, document):
    (run.folder / "summary.json").write_text("junk")
    lacking: list[str] = []
    found = report_of(run, lacking=lacking.append)
    told = words(found)
    assert len(lacking) == 1
    assert "whether it is finished, could not be read: book/summary.json is damaged" in told
    assert "not finished" not in told
    assert "There is no best model" not in told
    assert "reached by update" not in told
    assert [section.title for section in found.sections] == [section.title for section in document.sections]
    assert run.samples[-1]["text"][:20] in told


@pytest.mark.parametrize("place", ["/home/me/runs/book", "/home/o'brien/my run"])
def test_a_message_in_a_report_names_no_folder_of_this_machine(place):
    folder = Path(place)
    run = SimpleNamespace(folder=folder, config=SimpleNamespace(sources=()))
    message = f"{folder}/best.safetensors is gone; hornbook sample {for_shell(folder)} --which last"
    name = folder.name
    shown = f"{name}/best.safetensors is gone; hornbook sample {for_shell(name)} --which last"
    assert without_paths(message, run) == shown
