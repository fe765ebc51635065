"""Runs side by side: seeds together, settings that differ, and runs that have not come far."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import hornbook
from hornbook import Run
from hornbook.errors import InputError
from hornbook.markup import printable
from hornbook.report.compare import LEGEND, Compared, comparison, groups, label, names_of, together
from hornbook.report.document import Figure, Note, Table

TEXT = hornbook.Text.from_string("the cat sat on the mat and so did we " * 20, name="cats")
SMALL = {"hidden": 4, "seq_len": 4, "updates": 60, "sample_length": 9, "passage_length": 9}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    kinds = {"a0": {}, "a1": {"seed": 1}, "s0": {"preset": "classic", "optimizer": "sgd", "lr": 0.01}}
    return [
        hornbook.train(TEXT, out=folder / name, quiet=True, **{**SMALL, **more})
        for name, more in kinds.items()
    ]


def blocks(document):
    return document.sections[0].blocks


def test_runs_that_differ_only_in_their_seed_stand_together(runs):
    found = groups([Compared(run, run.folder.name) for run in runs])
    assert [[one.name for one in group] for group in found] == [["a0", "a1"], ["s0"]]


def test_the_band_goes_from_the_lowest_to_the_highest_about_the_mean(runs):
    updates, mean, low, high = together([Compared(run, "") for run in runs[:2]])
    rows = [np.array([row["smooth_loss"] for row in run.metrics]) / 4 for run in runs[:2]]
    assert updates.tolist() == [row["update"] for row in runs[0].metrics]
    assert np.allclose(mean, (rows[0] + rows[1]) / 2)
    assert np.allclose(low, np.minimum(*rows))
    assert np.allclose(high, np.maximum(*rows))


def test_the_table_has_a_row_a_run_and_a_column_for_each_setting_that_differs(runs):
    (table,) = (b for b in blocks(comparison(runs)) if isinstance(b, Table))
    assert table.heads == ("run", "best", "last", "bits", "done", "updates/s", "optimizer", "lr", "seed")
    assert [(row[0], *row[6:]) for row in table.rows] == [
        ("a0", "adagrad", "0.1", "0"), ("a1", "adagrad", "0.1", "1"), ("s0", "sgd", "0.01", "0"),
    ]  # fmt: skip
    assert table.rows[0][1] == f"{runs[0].summary['best_smooth_loss']:.2f}"


def test_cells_and_optimizers_stand_side_by_side_with_their_validation(runs, tmp_path):
    more = {**SMALL, "validation": 0.2, "streams": 2}
    kinds = {"lstm": {"cell": "lstm", "layers": 2}, "gru": {"cell": "gru", "optimizer": "rmsprop"}}
    family = [
        hornbook.train(TEXT, out=tmp_path / name, quiet=True, **more, **kind) for name, kind in kinds.items()
    ]
    (table,) = (b for b in blocks(comparison([*family, runs[0]])) if isinstance(b, Table))
    assert table.heads[:2] == ("run", "held out")
    expected = [f"{run.summary['validation']['nats_per_character']:.3f}" for run in family]
    assert [row[1] for row in table.rows] == [*expected, "–"]
    assert {"cell", "layers", "optimizer", "streams", "validation"} <= set(table.heads)


def test_runs_by_time_differ_in_their_minutes_not_in_their_updates(tmp_path):
    family = [
        hornbook.train(
            TEXT, out=tmp_path / str(seed), quiet=True, seed=seed, minutes=0.01, hidden=4, seq_len=4
        )
        for seed in range(2)
    ]
    assert len(groups([Compared(run, "") for run in family])) == 1


def test_the_figure_has_a_line_for_each_kind_of_run(runs):
    (figure,) = (b for b in blocks(comparison(runs)) if isinstance(b, Figure))
    assert "runs a0, a1: optimizer adagrad, lr 0.1" in figure.panels[0].svg
    assert "run s0: optimizer sgd, lr 0.01" in figure.panels[0].svg


@pytest.mark.parametrize("name", ["_hidden", "$x^2$", "a\x1b[31m", "紅樓夢"])
def test_any_name_of_a_run_stands_in_the_legend(runs, tmp_path, name):
    named = Run(shutil.copytree(runs[2].folder, tmp_path / name))
    (figure,) = (b for b in blocks(comparison([runs[0], named])) if isinstance(b, Figure))
    assert f"run {printable(name)}: " in figure.panels[0].svg


def test_the_legend_stays_inside_the_figure_however_much_differs(runs, tmp_path):
    other = {"objective": "mean", "schedule": "linear", "clip": "norm:1", "init": "orthogonal", "warmup": 3}
    far = hornbook.train(TEXT, out=tmp_path / "far", quiet=True, **{**SMALL, **other}, weight_decay=0.01)
    compared = [Compared(run, run.folder.name) for run in (runs[0], far)]
    differing = [key for key, value in compared[0].settings.items() if value != compared[1].settings[key]]
    lines = label(compared[1:], differing).split("\n")
    assert len(lines) > 1
    assert max(map(len, lines)) <= LEGEND
    assert " ".join(lines).startswith("run far: ")
    assert "init orthogonal" in " ".join(lines)


def test_losses_of_other_lengths_are_told_a_character(runs, tmp_path):
    longer = hornbook.train(TEXT, out=tmp_path / "b", quiet=True, **{**SMALL, "seq_len": 8})
    (table,) = (b for b in blocks(comparison([runs[0], longer])) if isinstance(b, Table))
    assert "nats a character" in table.caption
    assert table.rows[1][1] == f"{longer.summary['best_nats_per_character']:.3f}"


def test_a_run_before_its_first_event_has_dashes_and_no_line(runs, tmp_path):
    early = Run(shutil.copytree(runs[0].folder, tmp_path / "early"))
    (early.folder / "summary.json").unlink()
    (early.folder / "metrics.jsonl").write_text("")
    found = blocks(comparison([early, runs[2]]))
    (table,) = (b for b in found if isinstance(b, Table))
    assert table.rows[0][1:6] == ("–",) * 5
    assert any(isinstance(b, Note) for b in blocks(comparison([early])))


def test_runs_of_one_name_are_told_apart_by_the_folder_above(runs, tmp_path):
    other = Run(shutil.copytree(runs[0].folder, tmp_path / "x" / "a0"))
    assert names_of([runs[0], other]) == [f"{runs[0].folder.parent.name}/a0", "x/a0"]


def test_no_run_is_refused():
    with pytest.raises(InputError, match="at least one run"):
        comparison([])


def test_runs_on_other_texts_are_remarked(runs, tmp_path):
    other = hornbook.train(
        hornbook.Text.from_string("we did so and " * 40, name="dogs"), out=tmp_path / "b", quiet=True, **SMALL
    )
    assert any("did not read the same text" in told for told in notes([*runs, other]))
    assert not any("did not read the same text" in told for told in notes(runs))


def notes(runs) -> list[str]:
    """What is remarked of runs."""
    return [block.spans[0].text for block in blocks(comparison(runs)) if isinstance(block, Note)]


def test_smooth_losses_that_are_in_part_their_first_value_are_remarked(runs, tmp_path):
    share = 0.999 ** (runs[0].summary["updates"] - 1)
    (told,) = notes(runs[:2])
    assert f"first value: {100 * share:.0f} % in a0 and {100 * share:.0f} % in a1." in told
    long = [Run(shutil.copytree(run.folder, tmp_path / run.folder.name)) for run in runs[:2]]
    for run in long:
        (run.folder / "summary.json").write_text(json.dumps({**run.summary, "updates": 100_000}))
    assert notes([Run(run.folder) for run in long]) == []


def test_texts_of_one_name_and_other_content_are_not_put_together(runs, tmp_path):
    other = Run(shutil.copytree(runs[0].folder, tmp_path / "other"))
    config = other.folder / "config.toml"
    added = (
        f'[[text.files]]\npath = "x"\nbytes = 1\nsha256 = {json.dumps("0" * 64)}\ncharacters = 1\n\n[model]'
    )
    config.write_text(config.read_text().replace("files = []\n", "").replace("[model]", added))
    found = groups([Compared(runs[0], "a"), Compared(Run(other.folder), "b")])
    assert len(found) == 2
    assert any(isinstance(b, Note) for b in blocks(comparison([runs[0], Run(other.folder)])))
