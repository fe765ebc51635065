"""Small runs on a small text, stopped after any update, and all that they hold but their times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors

import hornbook
from hornbook.calibration import arranged
from hornbook.cli.display import Display
from hornbook.engines import ENGINES
from hornbook.facade import resume_into, train_into
from hornbook.lengthening import Further
from hornbook.runs import Run
from hornbook.storage import write_tensors

TEXT = hornbook.Text.from_string(
    "the cat sat on the mat and so did we, but the dog ran off " * 12, name="cats"
)
SMALL = {
    "hidden": 5, "seq_len": 4, "updates": 33, "log_every": 3, "sample_every": 7, "evaluate_every": 5,
    "sample_length": 9, "passage_length": 20, "init_scale": 0.3,
}  # fmt: skip
TIMES = ("seconds", "characters_per_second", "updates_per_second")
WEIGHTS = ("best.safetensors", "last.safetensors", "samples.jsonl")


class Ending:
    """A wish to stop after so many slices."""

    def __init__(self, slices: int) -> None:
        self.left = slices

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


def start(folder: Path, stop=lambda: False, save_every=1e6, **changes) -> Run:
    """A run on TEXT."""
    planned = arranged(TEXT, **{"preset": "classic", **SMALL, **changes})
    return train_into(folder, TEXT, planned, Display(4), stop, save_every)


def further(folder: Path, stop=lambda: False, save_every=1e6, updates=None, **how) -> Run:
    """The run, gone on."""
    told = how.pop("told", pytest.fail)
    return resume_into(Run(folder), Further(updates), Display(4), told, 0.0, stop, save_every, TEXT, **how)


def timeless(run: Run) -> list[object]:
    """All that a run holds but its times."""
    rows = [{k: v for k, v in row.items() if k not in TIMES} for row in run.metrics]
    summary = {k: v for k, v in run.summary.items() if k not in TIMES}
    return [rows, summary, *((run.folder / name).read_bytes() for name in WEIGHTS)]


def assert_same_when_stopped(tmp_path: Path, stops: tuple[int, ...], **changes) -> None:
    """Stop a run again and again, and see that it ends like one that was not."""
    whole = timeless(start(tmp_path / "whole", **changes))
    run = start(tmp_path / "parts", Ending(stops[0]), **changes)
    for slices in stops[1:]:
        assert not run.summary["finished"]
        run = further(run.folder, Ending(slices))
    run = further(run.folder)
    assert run.summary["finished"]
    assert timeless(run) == whole
    assert not list(run.folder.glob(".*"))
    assert not (run.folder / "lock").exists()


every_engine = pytest.mark.parametrize("engine", ENGINES)


def killed(folder: Path, saved: int, reached: int, **changes) -> Run:
    """A run whose process was killed after so many updates, with a checkpoint of earlier ones."""
    run = start(folder, Ending(saved), **changes)
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    further(folder, Ending(reached - saved))
    for name in set(kept) - {"metrics.jsonl", "samples.jsonl", "plan.jsonl"}:
        (folder / name).write_bytes(kept[name])
    return run


def by_time(folder: Path, stop=lambda: False) -> Run:
    return start(folder, stop, minutes=0.02, updates=None, log_every=50, sample_every=500, schedule="linear")


def edit(path: Path, old: str, new: str) -> None:
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))


def rewritten(path: Path, change) -> None:
    """Change a checkpoint's record and arrays, with a checksum that fits."""
    with safetensors.safe_open(path, framework="numpy") as file:
        about = json.loads(file.metadata()["hornbook"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del about["sha256"]
    change(about, tensors)
    write_tensors(path, tensors, about)
