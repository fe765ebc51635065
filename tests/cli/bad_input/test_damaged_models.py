"""Folders that are no run, damaged weights and a damaged vocabulary are refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from damage import replace_by_a_folder, shorten

# Folders that are no run


@pytest.mark.parametrize("command", ["sample"])
def test_a_folder_that_is_no_run_is_refused(refused, folder, command):
    (folder / "thing").mkdir()
    (folder / "thing" / "notes.txt").write_text("nothing")
    message = refused(command, "thing")
    assert "thing is not a run" in message
    assert "config.toml" in message


def test_a_run_that_is_not_there_is_refused(refused):
    assert "runs/none is not a folder" in refused("sample", "runs/none")


def test_a_file_in_place_of_a_run_is_refused(refused, book):
    assert "is not a folder" in refused("sample", book)


def test_a_run_without_weights_is_refused(refused, run):
    (run / "best.safetensors").unlink()
    told = refused("sample", run)
    assert "best.safetensors is gone; its last model is whole, and --which last reads it: " in told
    assert f": hornbook sample {run} --which last" in told
    for name in ("last", "previous"):
        (run / f"{name}.safetensors").unlink(missing_ok=True)
    assert "no weights yet" in refused("sample", run)


def test_a_folder_of_runs_that_is_not_there_is_refused(refused):
    message = refused("runs")
    assert "there is no folder runs here" in message
    assert "hornbook train" in message


def test_a_file_in_place_of_the_folder_of_runs_is_refused(refused, book):
    assert "is not a folder" in refused("runs", book)


# Weights


def weights(change: Callable[[dict[str, Any]], object], about: object = None) -> Callable[[Path], None]:
    """Change the arrays of a file of weights, or the record about them."""

    def damage(path: Path) -> None:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata()
        tensors = safetensors.numpy.load_file(path)
        change(tensors)
        if about is not None:
            metadata = about or None
        safetensors.numpy.save_file(tensors, path, metadata=metadata)

    return damage


def put(key: str, place: int, value: float) -> Callable[[dict[str, Any]], None]:
    """Put a number into an array."""

    def change(tensors: dict[str, Any]) -> None:
        tensors[key].flat[place] = value

    return change


def nothing(_: object) -> None:
    """Change nothing."""


DAMAGED_WEIGHTS: dict[str, Callable[[Path], object]] = {
    "cut to nothing": shorten(0),
    "cut to 1 byte": shorten(1),
    "cut to 8 bytes": shorten(8),
    "cut in the header": shorten(60),
    "cut to half": shorten(0.5),
    "cut by 1 byte": shorten(-1),
    "text": lambda path: path.write_text("these are not the weights you are looking for"),
    "a header of 2**64 bytes": lambda path: path.write_bytes(b"\xff" * 100),
    "a folder": replace_by_a_folder,
    "not a number": weights(put("W", 5, np.nan)),
    "infinite": weights(put("c", 0, -np.inf)),
    "another shape": weights(lambda tensors: tensors.update(V=tensors["V"][:, :-1].copy())),
    "transposed": weights(lambda tensors: tensors.update(V=tensors["V"].T.copy())),
    "another type": weights(lambda tensors: tensors.update(b=tensors["b"].astype("float64"))),
    "one missing": weights(lambda tensors: tensors.pop("W")),
    "none of ours": weights(lambda tensors: (tensors.clear(), tensors.update(weight=np.zeros(3)))),
    "without the record": weights(nothing, {}),
    "with a foreign record": weights(nothing, {"format": "pt"}),
    "with a record that is no JSON": weights(nothing, {"hornbook": "{"}),
    "with a record that is a list": weights(nothing, {"hornbook": "[]"}),
    "with an empty record": weights(nothing, {"hornbook": "{}"}),
}


@pytest.mark.parametrize("damage", DAMAGED_WEIGHTS.values(), ids=DAMAGED_WEIGHTS)
def test_damaged_or_foreign_weights_are_refused(refused, run, damage):
    damage(run / "best.safetensors")
    assert "best.safetensors" in refused("sample", run)


def test_the_last_weights_are_read_with_the_same_care(refused, run):
    shorten(-1)(run / "last.safetensors")
    assert "last.safetensors" in refused("sample", run, "--which", "last")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("hidden = 8", "hidden = 6", "its weights have hidden = 8, and that says hidden = 6"),
        ("layers = 1", "layers = 2", "its weights have layers = 1, and that says layers = 2"),
        (
            'cell = "vanilla"\nlayers = 1',
            'cell = "gru"\nlayers = 3',
            "its weights have cell = vanilla and layers = 1, and that says cell = gru and layers = 3",
        ),
        ('dtype = "float32"', 'dtype = "float64"', "hidden is of another shape or dtype"),
    ],
)
@pytest.mark.parametrize("command", [("sample",), ("eval",), ("sample", "--which", "last")], ids=" ".join)
def test_settings_that_fit_no_weights_are_to_be_mended(refused, run, book, command, old, new, said):
    config = run / "config.toml"
    assert old in config.read_text()
    config.write_text(config.read_text().replace(old, new))
    texts = [book] if command == ("eval",) else []
    which = "last" if "last" in command else "best"
    told = refused(command[0], run, *texts, *command[1:])
    assert f"{which}.safetensors does not fit config.toml: {said}; mend config.toml" in told


def test_where_both_models_are_damaged_neither_is_advised(refused, run):
    for name in ("best", "last", "previous"):
        (run / f"{name}.safetensors").write_bytes(b"nothing")
    told = refused("sample", run)
    assert "best.safetensors is damaged" in told
    assert "put it back from a copy" in told
    assert "--which" not in told


@pytest.mark.parametrize("which", ["best", "last"])
def test_where_both_models_are_damaged_the_checkpoint_before_is_named_and_goes_on(
    refused, hornbook, run, which
):
    folder = run.parent / "twice"
    assert hornbook("train", "--config", run, "--quiet", "--save-every", 1e-6, "--out", folder).code == 0
    for name in ("best", "last"):
        (folder / f"{name}.safetensors").write_bytes(b"nothing")
    told = refused("sample", folder, "--which", which)
    assert f"{which}.safetensors is damaged" in told
    assert "previous.safetensors is whole, and hornbook resume " in told
    assert hornbook("resume", folder, "--quiet").code == 0
    assert hornbook("sample", folder, "--which", which).code == 0


def test_weights_of_another_run_leave_the_last_ones_to_be_read(refused, hornbook, run, book):
    assert hornbook("train", book, "--hidden", 5, "--updates", 5, "--quiet", "--out", "other").code == 0
    (run / "best.safetensors").write_bytes(Path("other/best.safetensors").read_bytes())
    told = refused("eval", run, book)
    assert "its weights have hidden = 5, and that says hidden = 8; its last model is whole" in told


# The vocabulary


def symbols(change: Callable[[list[str]], object]) -> Callable[[Path], None]:
    """Change the list of symbols."""

    def damage(path: Path) -> None:
        known = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(change(known)), encoding="utf-8")

    return damage


DAMAGED_VOCABULARY: dict[str, Callable[[Path], object]] = {
    "empty": shorten(0),
    "cut to half": shorten(0.5),
    "not text": lambda path: path.write_bytes(bytes(range(128, 256))),
    "missing": Path.unlink,
    "one symbol twice": symbols(lambda known: [*known[:-1], known[0]]),
    "one symbol too many": symbols(lambda known: [*known, "é"]),
    "one symbol too few": symbols(lambda known: known[:-1]),
    "no symbols": symbols(lambda known: []),
    "a string": symbols("".join),
    "a record": symbols(lambda known: dict.fromkeys(known, 1)),
    "a number": symbols(len),
    "a symbol of two characters": symbols(lambda known: [*known[:-1], "ab"]),
    "a symbol of no characters": symbols(lambda known: [*known[:-1], ""]),
    "a number as a symbol": symbols(lambda known: [*known[:-1], 7]),
    "brackets without end": lambda path: path.write_text("[" * 100_000),
}


@pytest.mark.parametrize("damage", DAMAGED_VOCABULARY.values(), ids=DAMAGED_VOCABULARY)
def test_a_damaged_vocabulary_is_refused(refused, run, damage):
    damage(run / "vocabulary.json")
    assert "vocabulary.json" in refused("sample", run)
