"""A run folder, read: what it holds, and what is refused."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

import hornbook
from hornbook import storage, untrusted
from hornbook.checkpoints import counters, training_tensors
from hornbook.config import ModelSettings, TrainingSettings, settings
from hornbook.engines import TrainingState
from hornbook.errors import RunFolderError, SettingError
from hornbook.events import Checkpoint
from hornbook.parameters import count
from hornbook.run_files import Config, read_config
from hornbook.runs import Run
from hornbook.storage import write_toml
from hornbook.text import Source

TEXT = hornbook.Text.from_string("the cat sat on the mat and so did we " * 20, name="cats")
SETTINGS = {"hidden": 5, "seq_len": 4, "updates": 60, "sample_length": 9, "passage_length": 30, "seed": 3}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return hornbook.train(TEXT, out=tmp_path_factory.mktemp("runs") / "cats", quiet=True, **SETTINGS)


@pytest.fixture
def run(trained, tmp_path):
    shutil.copytree(trained.folder, tmp_path / "cats")
    return Run(tmp_path / "cats")


def test_a_run_tells_its_settings_vocabulary_figures_rows_and_texts(trained):
    assert trained.config.model == ModelSettings(len(TEXT.vocabulary), hidden=5)
    assert trained.config.training == settings(len(TEXT.vocabulary), **SETTINGS)[1]
    assert trained.config.text["name"] == "cats"
    assert trained.vocabulary == TEXT.vocabulary
    assert trained.summary["updates"] == 60
    assert [row["update"] for row in trained.metrics] == list(range(3, 61, 3))
    assert [row["update"] for row in trained.samples[:-1]] == [0, 60]
    assert len(trained.samples[-1]["text"]) == 30


def test_a_run_can_be_named_by_a_string(trained):
    assert Run(str(trained.folder)).summary == trained.summary


def test_the_best_and_the_last_model_are_the_ones_that_training_ended_with(tmp_path):
    flags = {**SETTINGS, "lr": 1.0, "optimizer": "sgd", "preset": "classic"}
    run = hornbook.train(TEXT, out=tmp_path / "a", quiet=True, **flags)
    *_, finished = hornbook.train_events(TEXT, **flags)
    assert (run.model("best").flat == finished.state.best_parameters).all()
    assert (run.model("last").flat == finished.state.parameters).all()
    assert (run.model().flat == run.model("best").flat).all()
    assert (run.model("best").flat != run.model("last").flat).any()


def test_a_model_has_the_dtype_of_its_training(tmp_path):
    run = hornbook.train(TEXT, out=tmp_path / "a", quiet=True, **{**SETTINGS, "dtype": "float64"})
    assert run.model().flat.dtype == np.float64


def test_another_word_than_best_or_last_is_refused(trained):
    with pytest.raises(SettingError, match="best, last"):
        trained.model("first")


def test_a_run_without_weights_yet_says_so(run):
    (run.folder / "best.safetensors").unlink()
    with pytest.raises(RunFolderError, match=r"best\.safetensors is gone; .* --which last"):
        run.model()
    assert run.model("last").flat.size == count(run.config.model)
    (run.folder / "last.safetensors").unlink()
    with pytest.raises(RunFolderError, match="no weights yet"):
        run.model()


@pytest.mark.parametrize(("which", "other"), [("best", "last"), ("last", "best")])
def test_where_a_model_is_damaged_the_other_one_is_named(run, which, other):
    (run.folder / f"{which}.safetensors").write_bytes(b"nothing")
    with pytest.raises(RunFolderError, match=f"is damaged .*--which {other}$"):
        run.model(which)
    assert run.model(other).flat.size


@pytest.mark.parametrize(
    ("owner", "name"), [(untrusted, "check_file"), (untrusted, "check_header"), (safetensors, "safe_open")]
)
def test_the_last_model_may_give_its_name_away_while_it_is_read(run, monkeypatch, owner, name):
    last = run.model("last").flat
    usual = getattr(owner, name)

    def renamed(path, *rest, **how):
        if Path(path).name == "last.safetensors":
            Path(path).rename(run.folder / "previous.safetensors")
        return usual(path, *rest, **how)

    monkeypatch.setattr(owner, name, renamed)
    assert (run.model("last").flat == last).all()


@pytest.mark.parametrize("name", ["config.toml", "vocabulary.json"])
def test_what_stands_in_no_other_file_is_to_be_put_back(run, name):
    (run.folder / name).write_text("nothing")
    with pytest.raises(RunFolderError, match=r"is damaged .*put it back from a copy"):
        _ = Run(run.folder).vocabulary


def test_the_first_row_that_is_damaged_is_named(run):
    path = run.folder / "samples.jsonl"
    path.write_text(path.read_text().replace('"update": 60', '"update": "60"', 1))
    with pytest.raises(RunFolderError, match=r"samples\.jsonl is damaged .*in row 2: .*--force"):
        _ = run.samples


def test_the_summary_is_empty_before_the_first_checkpoint(run):
    (run.folder / "summary.json").unlink()
    assert run.summary == {}


@pytest.mark.parametrize("content", ["[]", "7", "{", ""])
def test_a_summary_that_is_no_record_is_refused(run, content):
    (run.folder / "summary.json").write_text(content)
    with pytest.raises(RunFolderError, match=r"summary\.json is damaged .*hornbook resume .* writes it anew"):
        _ = run.summary


def test_rows_that_were_cut_while_written_are_left_out(run):
    path = run.folder / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    assert [row["update"] for row in run.metrics] == list(range(3, 58, 3))


def test_a_vocabulary_of_another_size_is_refused_with_both_sizes(run):
    path = run.folder / "vocabulary.json"
    path.write_text(json.dumps([*TEXT.vocabulary.symbols, "é"]))
    known = len(TEXT.vocabulary)
    with pytest.raises(RunFolderError, match=f"{known + 1} symbols, but config.toml says {known}"):
        _ = run.vocabulary


def swap_symbols(run: Run) -> None:
    """Let two symbols of a run change places."""
    first, second, *rest = TEXT.vocabulary.symbols
    (run.folder / "vocabulary.json").write_text(json.dumps([second, first, *rest]))


@pytest.mark.parametrize("which", ["best", "last"])
def test_a_vocabulary_with_two_symbols_swapped_is_refused(run, which):
    swap_symbols(run)
    told = rf"vocabulary\.json has not the symbols, in their order, that {which}\.safetensors .* from a copy"
    with pytest.raises(RunFolderError, match=told):
        run.model(which)


def test_weights_that_do_not_say_of_which_symbols_they_are_are_read(run):
    path = run.folder / "best.safetensors"
    tensors, about = untrusted.read_tensors(path)
    del about["vocabulary"]
    storage.write_tensors(path, tensors, about)
    assert run.model().vocabulary == TEXT.vocabulary
    swap_symbols(run)
    assert len(Run(run.folder).model().sample(5)) == 5


def test_a_vocabulary_with_a_symbol_twice_is_refused(run):
    path = run.folder / "vocabulary.json"
    symbols = TEXT.vocabulary.symbols
    path.write_text(json.dumps([*symbols[:-1], symbols[0]]))
    with pytest.raises(RunFolderError, match=r"vocabulary\.json is damaged"):
        _ = run.vocabulary


def test_a_folder_without_a_config_is_no_run(tmp_path):
    with pytest.raises(RunFolderError, match=r"is not a run: it has no config\.toml"):
        Run(tmp_path)


def test_a_file_is_no_run(tmp_path):
    (tmp_path / "thing").touch()
    with pytest.raises(RunFolderError, match="is not a folder"):
        Run(tmp_path / "thing")


def test_a_run_is_shown_by_its_folder(run):
    assert repr(run) == f"<hornbook.Run {run.folder}>"


@trying(max_examples=30)
@given(
    hidden=st.integers(1, 8192),
    lr=st.floats(0, 1e6, exclude_min=True),
    seed=st.integers(0, 2**63 - 1),
    clip=st.sampled_from(["5", "none", "norm:0.25", "value:3"]),
    name=st.text(),
)
def test_settings_come_back_from_toml_to_the_bit(tmp_path_factory, hidden, lr, seed, clip, name):
    text = {"name": name, "tokens": "chars", "encoding": "utf-8", "newlines": "keep", "characters": 12}
    sources = (Source("/a/é.txt", 12, "0" * 64, 11), Source("text.txt", 1, "f" * 64, 1))
    model = ModelSettings(7, hidden=hidden)
    training = TrainingSettings(lr=lr, seed=seed, clip=clip, optimizer="sgd", dtype="float64")
    config = Config(text, sources, model, training, {"python": "3.11", "started": "now"})
    path = tmp_path_factory.mktemp("config") / "config.toml"
    write_toml(path, config.table())
    assert read_config(path) == config


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_everything_that_going_on_needs_has_a_name(optimizer):
    model, training = settings(4, hidden=3, optimizer=optimizer)
    start = Checkpoint.initial(model, training)
    state, tensors = start.state, training_tensors(model, start)
    names = {"U", "W", "b", "V", "c"}
    memory = {f"memory0.{name}" for name in names} if optimizer == "adagrad" else set()
    assert tensors.keys() == names | {f"best.{name}" for name in names} | memory | {"hidden"}
    kept = sum(tensor.size for tensor in tensors.values())
    whole = (state.parameters, state.best_parameters, state.memory, state.hidden)
    assert kept == sum(part.size for part in whole)


def test_an_undefined_loss_is_counted_as_none():
    state = TrainingState.initial(*settings(4, hidden=3))
    assert math.isnan(state.smooth_loss)
    assert counters(state) == {"update": 0, "best_update": 0, "smooth_loss": None, "best_smooth_loss": None}


# The text of a run


def test_a_run_reads_its_text_again(tmp_path):
    (tmp_path / "book.txt").write_bytes(b"the cat sat\r\non the mat\n" * 20)
    text = hornbook.read_text(tmp_path / "book.txt", newlines="keep")
    again = hornbook.train(text, out=tmp_path / "a", quiet=True, **SETTINGS).text()
    assert again[:] == text[:]
    assert again.name == "book"
    assert again.vocabulary == text.vocabulary


def test_the_built_in_text_is_found_again(tmp_path):
    text = hornbook.read_text()
    run = hornbook.train(text, out=tmp_path / "a", quiet=True, **SETTINGS)
    assert Run(run.folder).text()[:] == text[:]


def test_a_text_that_has_changed_or_is_gone_is_refused(tmp_path):
    book = tmp_path / "book.txt"
    book.write_text("the cat sat on the mat\n" * 20)
    run = hornbook.train(hornbook.read_text(book), out=tmp_path / "a", quiet=True, **SETTINGS)
    book.write_text("the dog sat on the mat\n" * 20)
    with pytest.raises(RunFolderError, match=r"book.txt has changed since .*a was trained on it"):
        run.text()
    book.unlink()
    with pytest.raises(RunFolderError, match=r"the text that .*a was trained on is gone: .*No such file"):
        run.text()


def test_a_text_from_a_program_cannot_be_read_again(trained):
    with pytest.raises(RunFolderError, match="came from a program and was not kept"):
        trained.text()


# In a notebook


def test_in_a_notebook_a_run_shows_its_figures_and_its_losses(trained):
    shown = trained._repr_html_()
    assert "<td>60</td>" in shown
    assert f"{trained.summary['best_smooth_loss']:.3f}" in shown
    assert "<td>finished</td>" in shown
    assert 'src="data:image/svg+xml;base64,' in shown


def test_in_a_notebook_a_run_without_figures_or_with_a_damaged_summary_says_so(run):
    (run.folder / "loss.svg").unlink()
    (run.folder / "summary.json").unlink()
    assert "no checkpoint yet" in run._repr_html_()
    assert "<img" not in run._repr_html_()
    (run.folder / "summary.json").write_text("[<script>")
    assert "damaged" in run._repr_html_()
    assert "<script>" not in run._repr_html_()


def test_in_a_notebook_the_name_of_a_text_is_escaped(tmp_path):
    text = hornbook.Text.from_string(TEXT[:], name="<script>alert(1)</script>")
    shown = hornbook.train(text, out=tmp_path / "<b>", quiet=True, **SETTINGS)._repr_html_()
    assert "<script>" not in shown
    assert "<b>" not in shown
