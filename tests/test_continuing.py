"""Continued training: what the old model knows stays to the bit, what is new is hardly expected."""

from __future__ import annotations

import hashlib
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest

from hornbook import Run, RunFolderError, SettingError, Text, TextError, load, train, train_events
from hornbook.cells import CELLS
from hornbook.continuing import SHARE, Ancestor
from hornbook.engines import ENGINES
from hornbook.events import Checkpoint
from hornbook.model import Model
from hornbook.parameters import initial
from hornbook.text import read_text
from hornbook.vocabulary import Vocabulary
from problems import every_engine

NEW = "So she was 😀 quite glad; “Zürich”, she said, “is 😀 too far!”\n" * 4
SMALL = {"hidden": 9, "seq_len": 8, "streams": 1, "engine": "reference", "quiet": True, "log_every": 50}


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    """No figures: they take longer than the training."""
    monkeypatch.setattr("hornbook.facade.loss_figure", lambda *_: [])


@pytest.fixture(
    params=[(cell, layers, dtype) for cell in CELLS for layers, dtype in [(1, "float32"), (2, "float64")]]
)
def old(request, tmp_path, prose) -> Run:
    """A run on the prose."""
    cell, layers, dtype = request.param
    how = {**SMALL, "cell": cell, "layers": layers, "dtype": dtype, "preset": "plain", "lr": 0.02}
    return train(prose, updates=150, out=tmp_path / "old", **how)


@pytest.fixture
def classic(tmp_path, prose) -> Run:
    """A run of the classic recipe."""
    return train(prose, updates=60, out=tmp_path / "old", **SMALL)


def begun(old: Run, text: Text, **changes):
    """The checkpoint before the first update of a training that goes on from a run."""
    events = train_events(text, start=old, seq_len=8, updates=1, sample_every=1, **changes)
    return next(event for event in events if isinstance(event, Checkpoint))


def grown(old: Run, text: Text) -> tuple[Model, Model]:
    """The model that a training from a run starts with, and that of the recipe's own initial values."""
    ancestor, training = Ancestor.of(old), old.config.training
    vocabulary = ancestor.joined(text).vocabulary
    shape = replace(old.config.model, vocabulary=len(vocabulary))
    flat = ancestor.parameters(vocabulary, training)
    model = Model(shape, training, vocabulary, flat, ancestor.model.state)
    return model, replace(model, flat=initial(shape, training))


def test_what_is_known_stays_to_the_bit_and_what_is_new_is_the_recipes(old):
    model, recipe = grown(old, Text.from_string(NEW))
    known = model.vocabulary.find(old.vocabulary.symbols)
    new = np.setdiff1d(np.arange(len(model.vocabulary)), known)
    assert model.vocabulary.symbols == "".join(sorted({*old.vocabulary.symbols, *NEW}))
    assert model.vocabulary.decode(new) == "!;Zqü😀"
    for key, values in model.parameters.items():
        places = {"U": np.s_[known], "V": np.s_[:, known], "c": np.s_[known]}.get(key, np.s_[:])
        np.testing.assert_array_equal(values[places], old.model().parameters[key], strict=True)
    np.testing.assert_array_equal(model.parameters["U"][new], recipe.parameters["U"][new])
    np.testing.assert_array_equal(model.parameters["V"][:, new], recipe.parameters["V"][:, new])


def test_the_old_text_costs_hardly_more_before_training_goes_on(old, prose):
    model, _ = grown(old, Text.from_string(NEW))
    before, after = old.model().score(prose[:]), model.score(prose[:])
    assert 0 < after.nats_per_character - before.nats_per_character < 0.01
    assert after.nats_per_character > 0.5


def test_new_characters_share_what_they_are_allowed_in_the_state_where_they_have_most(old):
    model, _ = grown(old, Text.from_string(NEW))
    h = old.model().hidden(old.model().sample(1000)).astype(float)
    p = np.exp(h @ model.parameters["V"] + model.parameters["c"])
    known = model.vocabulary.find(old.vocabulary.symbols)
    share = np.delete(p, known, axis=1).sum(axis=1) / p[:, known].sum(axis=1)
    assert share.max() == pytest.approx(SHARE, rel=1e-4)


def test_a_text_without_new_characters_starts_with_the_old_parameters_and_an_empty_memory(classic, prose):
    state = begun(classic, Text.from_string(prose[:200]), lr=1e-9, warmup=0).state
    np.testing.assert_allclose(state.parameters, classic.model().flat, atol=1e-8)
    assert state.update == 1
    assert (state.memory > 0).any()
    assert state.memory.max() < 100 * 25  # of one update


@every_engine
def test_the_smooth_loss_starts_with_the_cost_of_the_whole_text(classic, engine):
    text = Text.from_string(NEW)
    ancestor, training = Ancestor.of(classic), replace(classic.config.training, engine=engine)
    joined = ancestor.joined(text)
    state = ancestor.start(joined, training).state
    whole = grown(classic, text)[0].evaluate(NEW[1:]).nats_per_character
    assert state.smooth_loss == pytest.approx(8 * whole, rel=0.02)
    shape = replace(classic.config.model, vocabulary=len(joined.vocabulary))
    result = ENGINES[engine](shape, training, state, joined.ids).advance(np.array([0.1, 0.1]))
    first = 0.999 * state.smooth_loss + 0.001 * result.losses[0]
    assert result.smooth_losses[0] == pytest.approx(first, rel=1e-6)


def test_training_goes_on_from_what_was_learnt(classic):
    text = Text.from_string(NEW)
    run = train(text, start=classic.folder, updates=40, out=classic.folder.with_name("new"), **SMALL)
    assert run.summary["first_loss"] < 8 * np.log(len(run.vocabulary))
    assert run.model().vocabulary.symbols == "".join(sorted({*classic.vocabulary.symbols, *NEW}))
    sha256 = hashlib.sha256((classic.folder / "best.safetensors").read_bytes()).hexdigest()
    assert run.summary["from"] == {"path": str(classic.folder), "sha256": sha256}
    assert (run.config.training.start, run.config.training.start_sha256) == (str(classic.folder), sha256)
    assert classic.summary["from"] is None


def test_the_recipe_is_that_of_the_old_run_where_nothing_calls_for_another(classic, tmp_path, prose):
    assert Ancestor.of(classic).usual({}) == {"dtype": "float32", "preset": "classic"}
    assert Ancestor.of(classic).usual({"warmup": 0, "preset": None})["warmup"] == 0
    adam = Ancestor.of(classic).usual({"optimizer": "adam", "dtype": "float64"})
    assert adam == {"optimizer": "adam", "dtype": "float64"}
    plain = train(prose, "plain", updates=5, out=tmp_path / "plain", **SMALL)
    assert Ancestor.of(plain).usual({"hidden": 9}) == {"dtype": "float32", "preset": "plain", "hidden": 9}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cell": "gru"}, "cell is gru, but .* has vanilla, which stays"),
        ({"hidden": 8}, "hidden is 8, but .* has 9, which"),
        ({"layers": 2, "hidden": 9}, "layers is 2, but .* has 1, which"),
        ({"cell": "lstm", "hidden": 5}, "cell is lstm and hidden is 5, but .* has vanilla and 9, which"),
    ],
    ids=str,
)
def test_what_differs_and_cannot_be_continued_is_named(classic, changes, words):
    with pytest.raises(SettingError, match=words):
        train_events(Text.from_string(NEW), start=classic, **changes)


def test_bytes_cannot_go_on_from_characters(classic, tmp_path):
    (tmp_path / "new.txt").write_text(NEW, encoding="utf-8")
    with pytest.raises(SettingError, match=r"tokens is bytes, but .* has chars, which"):
        train_events(read_text(tmp_path / "new.txt", tokens="bytes"), start=classic)


def test_bytes_go_on_from_bytes(tmp_path):
    (tmp_path / "new.txt").write_text(NEW, encoding="utf-8")
    text = read_text(tmp_path / "new.txt", tokens="bytes")
    old = train(text, updates=20, out=tmp_path / "old", **SMALL)
    np.testing.assert_allclose(begun(old, text, lr=1e-9).state.parameters, old.model().flat, atol=1e-8)


def test_a_text_that_shares_nothing_is_refused(classic):
    with pytest.raises(TextError, match="knows no character of text"):
        train_events(Text.from_string("ΑΒΓ" * 30), start=classic)


def test_what_is_no_run_or_has_no_model_is_refused(classic, tmp_path):
    with pytest.raises(RunFolderError, match="is not a folder"):
        train_events(Text.from_string(NEW), start=tmp_path / "none")
    shutil.copytree(classic.folder, tmp_path / "bare")
    (tmp_path / "bare" / "best.safetensors").unlink()
    with pytest.raises(RunFolderError, match=r"best\.safetensors is gone"):
        train_events(Text.from_string(NEW), start=tmp_path / "bare")


def test_a_run_reads_its_text_in_its_own_vocabulary(classic, tmp_path):
    path = tmp_path / "new.txt"
    path.write_text(NEW, encoding="utf-8")
    run = train(read_text(path), start=classic, updates=10, out=tmp_path / "new", **SMALL)
    assert run.text().vocabulary == run.vocabulary
    assert run.text()[:] == NEW == run.read_in_training()
    assert load(run.folder).score(NEW).unknown_characters == 0
    (tmp_path / "new" / "vocabulary.json").write_text(
        (tmp_path / "new" / "vocabulary.json").read_text(encoding="utf-8").replace("😀", "😎"),
        encoding="utf-8",
    )
    with pytest.raises(RunFolderError, match=r"vocabulary\.json is damaged"):
        Run(run.folder).text()


def test_vocabularies_are_joined_in_the_order_of_the_code_points():
    assert Vocabulary("acz").together(Vocabulary("bcé")) == Vocabulary("abczé")


def test_a_text_from_a_program_whose_held_out_part_was_trained_on_before_is_told(classic, prose):
    with pytest.warns(UserWarning, match="was trained on 119 of the 119 characters that are held out here"):
        train_events(prose, start=classic, validation=0.2, seq_len=8, updates=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train_events(prose, start=classic, seq_len=8, updates=1)
        train_events(Text.from_string(prose[:-1]), start=classic, validation=0.2, seq_len=8, updates=1)
