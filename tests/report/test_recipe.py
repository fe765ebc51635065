"""The recipe of a training in a report: equations, settings in words, the command that repeats it."""

from __future__ import annotations

import shutil
from unittest.mock import Mock

import pytest

import hornbook
from hornbook.cells import CELLS
from hornbook.cli.flags import PANELS
from hornbook.config import ADVISED, CELL_NAMES, OPTIMIZER_NAMES, settings
from hornbook.optimizers import OPTIMIZERS
from hornbook.report import recipe as words
from hornbook.report.content import report_of
from hornbook.report.course import chosen_by, mark_best
from hornbook.report.document import Facts, Figure, equations
from hornbook.report.figures import best_smooth, best_validation
from hornbook.report.recipe import recipe
from hornbook.report.setting import flags
from hornbook.report.subject import Subject
from hornbook.runs import Run

FLAGS = {
    f"--{name.replace('_', '-')}": kind for panel in PANELS.values() for name, (kind, _) in panel.items()
}
CHANGES = [
    {},
    {"hidden": 7, "lr": 0.5, "updates": 30},
    {"cell": "lstm"},
    {"cell": "gru", "layers": 2, "validation": 0.1, "patience": 3, "minutes": 2.0},
    {"optimizer": "rmsprop", "order": "shuffled", "chunk": 4, "dropout": 0.5, "warmup": 9},
    {"preset": "classic", "optimizer": "sgd", "streams": 8, "schedule": "step:100:0.5", "clip": "none"},
    {"preset": "classic-adam", "weight_decay": 0.01, "init": "scaled", "dtype": "float64", "log_every": 3},
    {
        "preset": "plain",
        "cell": "vanilla",
        "schedule": "cosine:0.1",
        "average": 0.2,
        "sample_every": 10,
        "evaluate_every": 70,
    },
]


def test_every_cell_and_optimizer_has_its_equations_and_its_name():
    assert set(words.CELLS) == set(CELLS)
    assert set(words.STEPS) == set(words.OPTIMIZERS) == set(OPTIMIZERS)


@pytest.mark.parametrize("cell", CELL_NAMES)
@pytest.mark.parametrize("optimizer", OPTIMIZER_NAMES)
def test_the_equations_of_a_training_are_those_of_its_parts(cell, optimizer):
    lines = recipe(*settings(30, cell=cell, optimizer=optimizer))
    assert [line for line in lines if line in words.CELLS[cell]] == words.CELLS[cell]
    assert lines[-1].startswith("θ ← θ − ")
    assert equations(*lines).source == tuple(lines)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "loss = −Σ_t log p_t[y_t]"),
        ({"objective": "mean"}, "loss = −1/T Σ_t log p_t[y_t]"),
        ({"streams": 3}, "loss = −1/B Σ_{b,t} log p_t[y_t]"),
        ({"streams": 3, "objective": "mean"}, "loss = −1/(B T) Σ_{b,t} log p_t[y_t]"),
        ({}, "θ ← θ − 0.1 g / √(m + 10^{−8})"),
        ({"schedule": "linear"}, "θ ← θ − η g / √(m + 10^{−8})"),
        ({"warmup": 3}, "θ ← θ − η g / √(m + 10^{−8})"),
        ({"weight_decay": 0.01}, "θ ← θ − 0.01 η θ"),
        ({"average": 0.2}, "θ̄ ← θ̄ + min(1, 9 / (n + 8)) (θ − θ̄)    after update 10 n"),
        ({"input_rate": 30}, "η_U = 30 η"),
        ({"input_rate": 30}, "θ ← θ − η g / √(m + 10^{−8})"),
    ],
)
def test_a_line_says_what_is_summed_and_at_which_rate(changes, line):
    assert line in recipe(*settings(30, "classic", **changes))


def test_all_that_fluent_has_chosen_is_said_again():
    typed = flags(*settings(30, "fluent", updates=700))
    assert {name[2:].replace("-", "_") for name in typed[::2]} == {*ADVISED, "preset", "updates"}


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_the_flags_of_a_run_make_its_settings_again(changes):
    model, training = settings(30, **changes)
    typed = flags(model, training)
    names, values = typed[::2], typed[1::2]
    assert set(names) <= {*FLAGS, "--preset"}
    read = {
        name[2:].replace("-", "_"): FLAGS.get(name, str)(value)
        for name, value in zip(names, values, strict=True)
    }
    assert settings(30, **read) == (model, training)


def test_the_default_recipe_needs_no_flag():
    assert flags(*settings(30)) == []
    assert flags(*settings(30, cell="gru")) == ["--cell", "gru"]


# A run of the family, by validation


@pytest.fixture(scope="module")
def family(tmp_path_factory, trained):
    """A run that held out a tenth, with a report on it."""
    folder = tmp_path_factory.mktemp("family")
    text = hornbook.read_text(shutil.copy(trained.with_name("book.txt"), folder))
    chosen = {
        "hidden": 8,
        "seq_len": 5,
        "streams": 4,
        "updates": 60,
        "sample_length": 60,
        "passage_length": 200,
    }
    chosen |= {"cell": "gru", "layers": 2, "validation": 0.1, "dropout": 0.1, "sample_every": 20}
    run = hornbook.train(text, out=folder / "book", quiet=True, **chosen)
    return run, report_of(Run(run.folder))


def section(document, title):
    return next(s for s in document.sections if s.title == title)


def plain(blocks):
    return "\n".join(
        "".join(span.text for span in block.spans) for block in blocks if hasattr(block, "spans")
    )


def test_the_setting_names_what_is_held_out_and_all_else(family):
    run, document = family
    (facts,) = [block for block in section(document, "Setting").blocks if isinstance(block, Facts)]
    told = {key: "".join(span.text for span in value) for key, value in facts.rows}
    characters = run.config.text["characters"]
    assert told["Model"].startswith("gru, 8 hidden units a layer (H), 2 layers")
    assert "10% of each layer" in told["Model"]
    assert f"last {round(characters * 0.1):,} characters" in told["Held out"]
    assert "in each of 4 streams (B)" in told["Reading"]
    assert "falling to zero" in told["Optimizer"]
    assert told["Length"].startswith("60 of 60 updates")


def test_the_training_shows_validation_and_rate(family):
    figures = [block for block in section(family[1], "Training").blocks if isinstance(block, Figure)]
    assert "validation" in figures[1].caption
    assert "learning rate" in figures[1].caption
    assert any("Validation" in panel.svg for panel in figures[1].panels)
    assert "best" not in figures[0].panels[1].svg  # the lowest smooth loss is not the best model's


def test_the_best_model_is_told_by_its_validation(family):
    validation = family[0].summary["validation"]
    told = plain(section(family[1], "Best model").blocks)
    assert f"{validation['nats_per_character']:.3f} nats" in told
    assert f"all {validation['characters']:,} characters" in told


def test_of_a_run_that_was_stopped_it_is_told_that_the_best_model_was_chosen_by_validation(family):
    summary = family[0].summary | {"validation": None}
    assert chosen_by(summary, 64) == ("The best model is the one with the lowest loss on what was held out",)
    assert "lowest smooth loss" in str(chosen_by({**summary, "best_by": "smooth loss"}, 64)[0])
    assert best_smooth(summary) is None


def test_of_a_mean_of_parameters_it_is_told_that_it_is_one(family):
    mean = family[0].summary | {"validation": None, "best_by": "average"}
    assert chosen_by(mean, 64) == ("The best model is the mean of the last parameters",)
    assert best_smooth(mean) is None
    assert best_validation([{"update": mean["best_update"], "validation": 1.0}], mean) is None
    assert best_smooth({**mean, "best_by": "smooth loss"}) == (mean["best_update"], mean["best_smooth_loss"])


def test_where_no_loss_chose_the_best_model_none_is_marked():
    axes = Mock()
    mark_best(axes, None, 60)
    axes.plot.assert_not_called()
    mark_best(axes, (40, 1.25), 60, digits=3)
    axes.plot.assert_called_once()
    assert axes.annotate.call_args.args == ("best 1.250\nat 40", (40, 1.25))


def test_the_validation_marks_the_best_model_and_says_which_losses_compare(family):
    run, document = family
    figure = [block for block in section(document, "Training").blocks if isinstance(block, Figure)][1]
    (validation,) = [panel for panel in figure.panels if "Validation" in panel.svg]
    assert f"at {run.summary['best_update']:,}" in validation.svg
    assert sum("best" in panel.svg for panel in figure.panels) == 1
    assert "only losses on the same part" in figure.caption


def test_what_a_person_wrote_is_what_was_held_out(family):
    subject = Subject(family[0])
    whole = family[0].text()[:]
    cut = len(whole) - round(len(whole) * 0.1)
    assert (subject.first_parts, subject.last_part) == (whole[:cut], whole[cut:])
    assert "the part held out" in plain(section(family[1], "Originality").blocks)


def test_without_validation_it_is_the_last_tenth(trained):
    subject = Subject(Run(trained))
    whole = Run(trained).text()[:]
    cut = len(whole) - len(whole) // 10
    assert (subject.first_parts, subject.last_part) == (whole[:cut], whole[cut:])
