"""hornbook inside another program: it changes nothing there, and trainings side by side do not disturb each
other."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

import hornbook
from hornbook import Finished, Text, train_events
from hornbook.engines import ENGINES
from hornbook.report.drawing import drawing

TEXT = Text.from_string("the cat sat on the mat and so did we " * 20, name="cats")
SMALL = {"hidden": 6, "seq_len": 5, "updates": 40, "streams": 3, "threads": 2, "sample_every": 10}


def parameters(seed: int, engine: str) -> np.ndarray:
    """What a training ends with."""
    *_, end = train_events(TEXT, seed=seed, engine=engine, **SMALL)
    assert isinstance(end, Finished)
    return end.state.parameters


def surroundings() -> list[object]:
    """What a library could change in the process that it works in."""
    streams = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    drawing = {key: str(value) for key, value in mpl.rcParams.items()}
    random = str(np.random.get_state())
    return [np.geterr(), np.get_printoptions(), random, drawing, streams, warnings.filters[:], os.getcwd(),
            dict(os.environ), os.umask(os.umask(0o022)), threading.active_count()]  # fmt: skip


def threads() -> int:
    """The threads of this process, those of compiled code too."""
    return len(list(Path("/proc/self/task").iterdir()))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_training_changes_nothing_around_it_and_leaves_no_thread(tmp_path, engine):
    hornbook.train(TEXT, out=tmp_path / "first", quiet=True, engine=engine, **SMALL)  # loads what is loaded
    before, running = surroundings(), threads()
    run = hornbook.train(TEXT, out=tmp_path / "a", quiet=True, engine=engine, **SMALL)
    run.model().sample(20)
    hornbook.resume(run.folder, TEXT, updates="+9", quiet=True)
    assert surroundings() == before
    assert threads() <= running


@pytest.mark.parametrize("engine", ENGINES)
def test_two_trainings_whose_events_are_taken_in_turns_are_those_of_each_alone(engine):
    both = zip(*(train_events(TEXT, seed=seed, engine=engine, **SMALL) for seed in (1, 2)), strict=False)
    pairs = [pair for pair in both if all(isinstance(event, hornbook.Logged) for event in pair)]
    assert pairs
    alone = [[e for e in train_events(TEXT, seed=s, engine=engine, **SMALL) if isinstance(e, hornbook.Logged)]
             for s in (1, 2)]  # fmt: skip
    for place, rows in enumerate(alone):
        losses = {row.update: row.loss for row in rows}
        assert all(losses[pair[place].update] == pair[place].loss for pair in pairs)


@pytest.mark.parametrize("engine", ENGINES)
def test_trainings_in_threads_are_those_of_each_alone(engine):
    found: dict[int, np.ndarray] = {}
    workers = [
        threading.Thread(target=lambda seed=seed: found.update({seed: parameters(seed, engine)}))
        for seed in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for seed in range(3):
        np.testing.assert_array_equal(found[seed], parameters(seed, engine))


def test_a_training_in_a_thread_keeps_a_run_that_goes_on(tmp_path):
    def work() -> None:
        hornbook.train(TEXT, out=tmp_path / "a", quiet=True, **SMALL)
        hornbook.resume(tmp_path / "a", TEXT, updates="+10", quiet=True)

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    assert hornbook.Run(tmp_path / "a").summary["updates"] == 50


def test_two_threads_that_draw_at_once_leave_no_style_behind():
    before = {key: str(value) for key, value in mpl.rcParams.items()}
    inside = threading.Event()

    def draw() -> None:
        with drawing({"font.size": 21}):
            inside.set()

    other = threading.Thread(target=draw)
    with drawing({"font.size": 20}):
        other.start()
        assert not inside.wait(0.2)
        assert mpl.rcParams["font.size"] == 20
    other.join()
    assert inside.is_set()
    assert {key: str(value) for key, value in mpl.rcParams.items()} == before
