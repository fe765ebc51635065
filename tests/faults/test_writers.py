"""Two writers at once: one of them trains, the other is refused or finds the run finished."""

from __future__ import annotations

import time

import pytest

from conftest import LONG, Command, assert_same

FLAGS = "--updates 6000 --log-every 50 --sample-every 500"


@pytest.mark.parametrize("trial", range(20 if LONG else 2))
def test_of_many_that_go_on_at_once_the_run_is_written_by_one_at_a_time(tmp_path, book, undisturbed, trial):
    whole, folder = undisturbed(FLAGS), tmp_path / "run"
    first = Command("train", book, *FLAGS.split(), "--out", folder, "--quiet")
    while not folder.exists():
        time.sleep(0.002)
    time.sleep(0.02 * (trial % 5))
    first.process.terminate()
    assert first.end()[0] in (143, 0)
    told = ended([Command("resume", folder, "--save-every", 0.02, "--quiet") for _ in range(3)])
    assert {code for code, _ in told} <= {0, 2}
    assert 0 in {code for code, _ in told}
    assert all("is being trained by" in err for code, err in told if code == 2), told
    assert_same(folder, whole)


def test_of_many_that_start_in_one_folder_one_trains(tmp_path, book, undisturbed):
    whole, folder = undisturbed(FLAGS), tmp_path / "run"
    told = ended([Command("train", book, *FLAGS.split(), "--out", folder, "--quiet") for _ in range(3)])
    assert sorted(code for code, _ in told)[0] == 0
    assert all(code in (1, 2) for code in sorted(code for code, _ in told)[1:])
    assert_same(folder, whole)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def ended(children):
    """The exit codes of all of them, and what they said."""
    return [child.end() for child in children]
