"""A run goes on only with what it was made with; what does not fit is named and refused."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from small_runs import SMALL, TEXT, Ending, edit, further, start

import hornbook
from hornbook import RunFolderError
from hornbook.calibration import arranged
from hornbook.checkpoints import made_then, read_checkpoint
from hornbook.cli.display import Display
from hornbook.engines.native import ISA_VARIABLE, core, levels, load
from hornbook.facade import train_into
from hornbook.locks import Lock
from hornbook.runs import Run


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("lr = 0.1", "lr = 0.2", r"lr is 0.2 in .*config.toml, but the checkpoint was made with 0.1"),
        ("seed = 0", "seed = 1", "seed is 1"),
        ("hidden = 5", "hidden = 6", "hidden is 6"),
        ("updates = 33", "updates = 34", "updates is 34"),
        ("characters = 696", "characters = 695", r"config\.toml was changed"),
    ],
)
@pytest.mark.parametrize("force", [True, False])
def test_a_changed_setting_is_named_and_refused(stopped, old, new, told, force):
    edit(stopped / "config.toml", old, new)
    with pytest.raises(RunFolderError, match=told):
        further(stopped, force=force)


def test_the_number_of_threads_may_change(stopped):
    edit(stopped / "config.toml", "threads = 0", "threads = 1")
    assert further(stopped).summary["finished"]


def test_another_text_is_refused(stopped):
    other = hornbook.Text.from_string(TEXT[:].replace("cat", "rat"), name="rats")
    with pytest.raises(RunFolderError, match=r"rats is not the text that .* was trained on"):
        hornbook.resume(stopped, other, quiet=True)


def test_a_changed_vocabulary_is_refused(stopped):
    edit(stopped / "vocabulary.json", '"w"', '"q"')
    with pytest.raises(RunFolderError, match=r"config\.toml was changed; put it back from a copy"):
        further(stopped)


def test_a_text_from_a_program_has_to_be_given_again(stopped):
    call = re.escape(f"hornbook.resume({str(stopped)!r}, text=hornbook.Text.from_string(...))")
    with pytest.raises(RunFolderError, match=rf"came from a program and was not kept; give it .*{call}$"):
        hornbook.resume(stopped, quiet=True)


@pytest.mark.parametrize(
    ("engine", "key"),
    [("native", "hornbook"), ("native", "level"), ("native", "roots"), ("reference", "numpy")],
)
def test_another_version_or_processor_is_refused_unless_it_is_forced(tmp_path, monkeypatch, engine, key):
    start(tmp_path / "a", Ending(10), engine=engine, dtype="float32")
    then = read_checkpoint(tmp_path / "a" / "last.safetensors").made
    monkeypatch.setattr("hornbook.agreement.made_here", lambda _: {**then, key: "another"})
    with pytest.raises(RunFolderError, match=rf"was trained with {key} .*here is another.*`force=True`"):
        further(tmp_path / "a")
    assert further(tmp_path / "a", force=True).summary["finished"]


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({}, False),
        ({"schedule": "linear", "warmup": 3}, False),
        ({"schedule": "cosine"}, True),
        ({"schedule": "step:9:0.7"}, True),
        ({"order": "shuffled", "chunk": 3}, True),
        ({"validation": 0.2}, True),
    ],
)
def test_another_numpy_is_refused_where_its_digits_are_still_to_come(tmp_path, monkeypatch, changes, refused):
    run = start(tmp_path / "a", Ending(10), engine="native", **changes)
    then = read_checkpoint(run.folder / "last.safetensors").made
    monkeypatch.setattr("hornbook.agreement.made_here", lambda _: {**then, "numpy": "another"})
    if refused:
        with pytest.raises(RunFolderError, match=r"was trained with numpy .*here is another.*`force=True`"):
            further(run.folder)
    assert further(run.folder, force=refused).summary["finished"]


def test_another_numpy_is_refused_before_the_first_checkpoint(tmp_path, monkeypatch):
    run = start(tmp_path / "a", Ending(0), engine="native")
    for name in ("best.safetensors", "last.safetensors", "summary.json"):
        (run.folder / name).unlink()
    here = {key: str(run.config.made[key]) for key in ("hornbook", "level")}
    monkeypatch.setattr("hornbook.agreement.made_here", lambda _: {**here, "numpy": "another"})
    with pytest.raises(RunFolderError, match=r"was trained with numpy .*here is another.*`force=True`"):
        further(run.folder)
    assert further(run.folder, force=True).summary["finished"]


@pytest.mark.skipif(not levels(), reason="the core is not built")
def test_a_mixed_run_is_refused_where_the_processor_has_no_bfloat16(tmp_path, monkeypatch):
    monkeypatch.setenv(ISA_VARIABLE, levels()[0])  # which has none anywhere
    model, training, plan = arranged(TEXT, preset="plain", cell="gru", engine="native", **SMALL)
    planned = model, replace(training, dtype="mixed"), plan
    train_into(tmp_path / "run", TEXT, planned, Display(4), Ending(9), 1e6)
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(
        RunFolderError, match=r"`dtype='mixed'`: this processor .*bfloat16.*`force=True` goes on"
    ):
        further(tmp_path / "run")
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
    run = further(tmp_path / "run", force=True)
    assert run.summary["finished"]
    assert run.config.training.dtype == "mixed"


@pytest.mark.skipif(not any(load(level).pairs() for level in levels()), reason="no bfloat16 here")
def test_a_mixed_run_goes_on_as_it_was_mixed(tmp_path, monkeypatch):
    start(tmp_path / "run", Ending(10), engine="native", preset="plain", cell="gru", dtype="mixed")
    then = read_checkpoint(tmp_path / "run" / "last.safetensors").made
    assert then["pairs"] == Run(tmp_path / "run").config.made["pairs"] == core().pairs()[-1]
    monkeypatch.setattr("hornbook.agreement.made_here", lambda _: {**then, "pairs": "another"})
    with pytest.raises(RunFolderError, match=r"was trained with pairs .*here is another.*`force=True`"):
        further(tmp_path / "run")
    assert further(tmp_path / "run", force=True).summary["finished"]


def test_a_mixed_run_that_does_not_say_how_was_mixed_by_vectors():
    assert made_then({"level": "avx512"})["pairs"] == "vector"
    assert made_then({"pairs": "tiles"})["pairs"] == "tiles"


def test_a_run_that_is_under_way_is_refused(stopped):
    with Lock(stopped), pytest.raises(RunFolderError, match="is being trained by process"):
        further(stopped)
    assert further(stopped).summary["finished"]
