"""A training that is killed at any moment goes on, and ends with the bytes of one that was not."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

import pytest

from conftest import LONG, Command, assert_same, run

KILLS = 200 if LONG else 18
COMMON = "--log-every 20 --sample-every 300 --sample-length 30"
RECIPES = [
    f"{flags} {COMMON}"
    for flags in (
        "--updates 4000",
        "--updates 120 --engine reference --optimizer sgd --hidden 16 --validation 0.1",
        "--preset plain --updates 400 --hidden 48",
        "--preset plain --updates 150 --cell gru --layers 2 --hidden 32 --dropout 0.2",
        "--preset plain --updates 150 --cell lstm --hidden 48 --streams 8 --order shuffled --validation 0.1",
        "--preset plain --updates 40 --cell lstm --engine reference --hidden 12 --streams 4 --dropout 0.3",
        "--preset classic-adam --updates 2000 --validation 0.1 --evaluate-every 500",
        "--preset plain --updates 300 --cell gru --optimizer rmsprop --dtype float64 --hidden 24",
        "--preset plain --updates 200 --cell vanilla --layers 3 --optimizer adagrad --hidden 40 --threads 2",
    )
]
SAVING = ("--save-every", 0.03, "--quiet")


def killed(child: Command, there: Path, moment: float, begun: bool) -> int:
    """Kill a process so many seconds after its start, or after a file of it appears; its exit code."""
    while begun and not there.exists() and child.process.is_alive():
        time.sleep(0.001)
    time.sleep(moment)
    child.process.kill()
    return child.end()[0]


def on(folder: Path, book: Path, flags: str) -> tuple[object, ...]:
    """What is typed to go on: `resume`, or where there is no run yet, the same again."""
    if folder.exists():
        return ("resume", folder)
    return ("train", book, *flags.split(), "--out", folder)


@pytest.mark.parametrize("trial", range(KILLS))
def test_a_killed_training_goes_on_to_the_bit(tmp_path, book, undisturbed, trial, counted):
    chance = random.Random(trial)
    flags = RECIPES[trial % len(RECIPES)]
    whole, folder, kills = undisturbed(flags), tmp_path / "run", 0
    seconds = json.loads((whole / "summary.json").read_text())["seconds"]
    for _ in range(chance.choice((1, 2))):
        child = Command(*on(folder, book, flags), *SAVING)
        begun = chance.random() < 0.8
        code = killed(child, folder, chance.random() * (1.3 * seconds + (0 if begun else 0.1)), begun)
        kills += code == -signal.SIGKILL
    counted("kills tried", kills)
    code, err = run(*on(folder, book, flags), *SAVING)
    assert code == 0, err
    assert_same(folder, whole)
    counted("kills survived", kills)


def test_a_hundred_thousand_classic_updates_killed_ten_times_end_with_the_same_bytes(
    tmp_path, book, undisturbed, counted
):
    flags = "--updates 100000"
    whole, folder = undisturbed(flags), tmp_path / "run"
    seconds = json.loads((whole / "summary.json").read_text())["seconds"]
    kills = 0
    while kills < 10:
        child = Command(*on(folder, book, flags), "--save-every", 0.1, "--quiet")
        lock = folder / "lock"
        lock.unlink(missing_ok=True)  # a name that a killed process left
        kills += killed(child, lock, seconds / 14, begun=True) == -signal.SIGKILL
    counted("kills tried", kills)
    code, err = run(*on(folder, book, flags), "--quiet")
    assert code == 0, err
    assert_same(folder, whole)
    counted("kills survived", kills)
