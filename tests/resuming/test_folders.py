"""Folders and files that are exchanged or deleted under a training."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from small_runs import SMALL, TEXT, Ending, further, start, timeless

from hornbook import StorageError, resuming
from hornbook.calibration import arranged
from hornbook.cli.display import Display
from hornbook.events import Checkpoint, Evaluated, Finished, Logged, Planned, Progress, Sampled
from hornbook.facade import resume_into, train_into
from hornbook.lengthening import Further
from hornbook.plan import Plan
from hornbook.run_files import read_plan
from hornbook.runs import Run


@pytest.mark.parametrize("name", ["last.safetensors", "best.safetensors", "summary.json"])
def test_a_folder_in_the_place_of_a_file_of_a_run_is_to_be_moved_away(tmp_path, name):
    class Making(Display):
        def show(self, event):
            if isinstance(event, Logged):
                (tmp_path / "a" / name / "within").mkdir(parents=True, exist_ok=True)

    planned, told = arranged(TEXT, **{"preset": "classic", **SMALL}), []
    with pytest.raises(StorageError, match=f"{name} cannot be written: Is a directory; move that folder"):
        train_into(tmp_path / "a", TEXT, planned, Making(4))
    shutil.rmtree(tmp_path / "a" / name)
    again = further(tmp_path / "a", force=name.startswith("last"), told=told.append)
    assert timeless(again) == timeless(start(tmp_path / "whole"))
    assert len(told) == name.startswith("last")


def everything(folder: Path) -> dict[str, bytes]:
    """All that lies in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Swapping(Display):
    """At the first event of a kind, moves the folder `a` away, and puts a copy of `other` in its place."""

    def __init__(self, home: Path, kind: type | None = None) -> None:
        super().__init__(4)
        self.home, self.kind = home, kind

    def show(self, event) -> None:
        if self.kind and isinstance(event, self.kind):
            self.swap()

    def swap(self, *_) -> None:
        if not (self.home / "moved").exists():
            (self.home / "a").rename(self.home / "moved")
            shutil.copytree(self.home / "other", self.home / "a")


@pytest.fixture(params=["an empty folder", "another run"])
def other(tmp_path, request):
    """What takes the place of a run's folder."""
    if request.param == "another run":
        start(tmp_path / "other", Ending(9), seed=5, validation=0.2)
        (tmp_path / "other" / "lock").write_text("process 1 on elsewhere\n")
    else:
        (tmp_path / "other").mkdir()
    return tmp_path / "other"


def train_swapped(home: Path, display: Display) -> None:
    """A training in the folder `a` that stops with an error because that is another one."""
    planned = arranged(TEXT, **{"preset": "classic", **SMALL, "validation": 0.2})
    told = r"(?s)a is not this run's folder any more: .*place; nothing is .*\nif it was moved, .* NEWPLACE"
    with pytest.raises(StorageError, match=told) as lost:
        train_into(home / "a", TEXT, planned, display, save_every=1e-9)
    assert lost.value.exit_code == 1
    assert everything(home / "a") == everything(home / "other")


@pytest.mark.parametrize("kind", [Logged, Sampled, Evaluated, Checkpoint, Progress, Finished])
def test_a_training_writes_nothing_into_another_folder_in_the_place_of_its_own(tmp_path, other, kind):
    train_swapped(tmp_path, Swapping(tmp_path, kind))
    (tmp_path / "moved" / "lock").unlink(missing_ok=True)
    assert timeless(further(tmp_path / "moved")) == timeless(start(tmp_path / "whole", validation=0.2))


STAGES = {
    "hornbook.facade.loss_figure": lambda _, to_write: to_write("loss.svg").touch(),
    "hornbook.yardsticks.measured": lambda *_: {"found": True},
    "hornbook.facade.yardsticks.add": lambda *_: None,
}


@pytest.mark.parametrize("stage", STAGES)
def test_nor_its_figures_and_yardsticks(tmp_path, monkeypatch, other, stage):
    display = Swapping(tmp_path)
    monkeypatch.setattr(stage, lambda *how: display.swap() or STAGES[stage](*how))
    train_swapped(tmp_path, display)


def test_nor_its_plan(tmp_path, other):
    planned = arranged(TEXT, **{**SMALL, "minutes": 0.02, "updates": None, "preset": "classic"})
    with pytest.raises(StorageError, match="is not this run's folder any more"):
        train_into(tmp_path / "a", TEXT, planned, Swapping(tmp_path, Planned))
    assert everything(tmp_path / "a") == everything(other)


@pytest.mark.parametrize("kind", [Checkpoint, None])
def test_nor_does_a_training_that_goes_on(tmp_path, monkeypatch, other, kind):
    start(tmp_path / "a", Ending(12), validation=0.2)
    display, plan_on = Swapping(tmp_path, kind), resuming.plan_on
    if kind is None:  # while it is being taken up
        monkeypatch.setattr(resuming, "plan_on", lambda *how: display.swap() or plan_on(*how))
    with pytest.raises(StorageError, match="is not this run's folder any more"):
        resume_into(Run(tmp_path / "a"), Further(), display, pytest.fail, 0.0, save_every=1e-9, text=TEXT)
    assert everything(tmp_path / "a") == everything(other)
    assert timeless(further(tmp_path / "moved")) == timeless(start(tmp_path / "whole", validation=0.2))


# What is deleted or changed under a training


def empty(path: Path) -> None:
    path.write_text("")


def exchange(path: Path) -> None:
    path.write_text(path.read_text().replace("e", "f"))


def link(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


SETTINGS = ("config.toml", "vocabulary.json")
WAYS = [Path.unlink, empty, exchange, link]


class Changing(Display):
    """Changes files of a run at the first event of a kind."""

    def __init__(
        self, folder: Path, kind: type, change=Path.unlink, names=("config.toml", "vocabulary.json")
    ):
        super().__init__(4)
        self.paths, self.kind, self.change = [folder / name for name in names], kind, change

    def show(self, event) -> None:
        if isinstance(event, self.kind):
            self.kind = type(None)
            for path in self.paths:
                self.change(path)


@pytest.mark.parametrize("kind", [Logged, Checkpoint])
@pytest.mark.parametrize("stop", [99, 12])
@pytest.mark.parametrize("change", WAYS)
def test_settings_and_symbols_that_are_changed_under_a_training_are_written_again(
    tmp_path, kind, stop, change
):
    planned = arranged(TEXT, **{"preset": "classic", **SMALL})
    run = train_into(tmp_path / "a", TEXT, planned, Changing(tmp_path / "a", kind, change), Ending(stop))
    whole = start(tmp_path / "whole")
    assert (run.config.text, run.config.training) == (whole.config.text, whole.config.training)
    assert run.vocabulary == whole.vocabulary
    assert not list(run.folder.glob(".*"))
    assert timeless(further(run.folder)) == timeless(whole)


def test_so_they_are_under_a_training_that_goes_on(tmp_path):
    run = start(tmp_path / "a", Ending(12))
    before = {name: (run.folder / name).read_bytes() for name in ("config.toml", "vocabulary.json")}
    resume_into(run, Further(), Changing(run.folder, Logged), pytest.fail, 0.0, text=TEXT)
    assert {name: (run.folder / name).read_bytes() for name in before} == before
    assert timeless(run) == timeless(start(tmp_path / "whole"))


@pytest.mark.parametrize("change", WAYS)
def test_so_is_a_plan(tmp_path, change):
    steps = [Planned(0, 33), Planned(9, 20), Planned(21, 12)]
    model, training, _ = arranged(TEXT, **{"preset": "classic", **SMALL})
    display = Changing(tmp_path / "a", Logged, change, ["plan.jsonl"])
    run = train_into(tmp_path / "a", TEXT, (model, training, Plan.again(steps)), display)
    assert read_plan(run.folder) == steps
    display = Changing(run.folder, Logged, change, ["plan.jsonl"])
    resume_into(Run(run.folder), Further("+9"), display, pytest.fail, 0.0, text=TEXT)
    assert read_plan(run.folder) == [*steps, Planned(33, 9, 0.0, True)]
