"""Every bad input of the contract, through the command line: exit code 2, a line or two, nothing left."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from hornbook.engines.native import ISA_VARIABLE, levels

CASES = pytest.mark.parametrize


def flags(line: str) -> list[str]:
    """Flags as they are typed."""
    return line.split(" ")


# Texts


def test_a_missing_file_is_refused(refused):
    assert "nowhere.txt: No such file" in refused("train", "nowhere.txt")


def test_one_missing_file_among_several_is_refused(refused, book):
    assert "nowhere.txt" in refused("train", book, "nowhere.txt")


def test_a_folder_is_refused(refused, folder):
    (folder / "texts").mkdir()
    assert "texts is a folder" in refused("train", "texts")


def test_an_empty_file_is_refused(refused, folder):
    (folder / "empty.txt").touch()
    message = refused("train", "empty.txt")
    assert "empty.txt" in message
    assert "empty" in message.replace("empty.txt", "")


def test_a_file_with_nothing_but_a_byte_order_mark_is_empty(refused, folder):
    (folder / "mark.txt").write_bytes(b"\xef\xbb\xbf")
    assert "is empty" in refused("train", "mark.txt")


def test_empty_standard_input_is_refused(refused):
    assert "is empty" in refused("train", "-", stdin=b"")


@CASES(
    ("line", "told"),
    [
        ("--hidden 0", "hidden is 0"),
        ("--minutes 0", "minutes is 0.0"),
        ("--updates 0", "updates is 0"),
        ("--minutes 1 --epochs 2", "both say how long"),
        ("--preset modern", "preset"),
        ("--preset fluent --lr -1", "lr is -1.0"),
        ("--patience 3", "there are none"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_a_text_is_opened(refused, line, told):
    message = refused("train", "nowhere.txt", *flags(line))
    assert told in message
    assert "nowhere" not in message


def test_those_beside_a_config_are_looked_at_together_with_its_own(refused, hornbook, held_out):
    assert "hidden is 0" in refused("train", "nowhere.txt", "--config", held_out, "--hidden", 0)
    how = ("--patience", 3, "--updates", 20, "--quiet", "--out", "a")  # it holds something out
    assert hornbook("train", "--config", held_out, *how).code == 0


@CASES("command", ["train", "check"])
def test_a_text_shorter_than_t_plus_1_is_refused(refused, folder, command):
    (folder / "short.txt").write_text("abcdefghij")
    message = refused(command, "short.txt", "--seq-len", 10)
    assert "10 characters" in message
    assert "at least 11" in message
    assert "--seq-len" in message


def test_a_text_of_t_plus_1_characters_is_long_enough(hornbook, folder):
    (folder / "short.txt").write_text("abcdefghijk")
    assert hornbook("train", "short.txt", "--seq-len", 10, "--updates", 3, "--quiet").code == 0


@CASES("command", ["train", "check"])
def test_bytes_that_are_not_utf_8_are_refused_with_their_offset(refused, folder, command):
    (folder / "latin.txt").write_bytes(b"0123456789caf\xe9 au lait, and so on and on")
    message = refused(command, "latin.txt")
    assert "not utf-8" in message
    assert "offset 13" in message
    assert "--encoding" in message


def test_standard_input_that_is_not_utf_8_is_refused(refused):
    assert "offset 2" in refused("train", "-", stdin=b"ab\xff" * 100)


def test_a_character_cut_off_at_the_end_of_a_file_is_refused(refused, folder):
    (folder / "cut.txt").write_bytes("a lot of text, then é".encode()[:-1])
    assert "not utf-8" in refused("train", "cut.txt")


@CASES("name", ["klingon", "hex", ""])
def test_an_unknown_encoding_is_refused(refused, book, name):
    assert "encoding" in refused("train", book, "--encoding", name, "--updates", 3)


@CASES("name", ["cr", ""])
def test_an_unknown_treatment_of_line_ends_is_refused(refused, book, name):
    message = refused("train", book, "--newlines", name, "--updates", 3)
    assert "lf" in message
    assert "keep" in message


# Settings


@CASES(
    ("flag", "allowed"),
    [
        ("--hidden 0", "1 to 8,192"),
        ("--hidden -3", "1 to 8,192"),
        ("--hidden 1000000", "1 to 8,192"),
        ("--seq-len 0", "from 1"),
        ("--seq-len -25", "from 1"),
        ("--lr 0", "above 0"),
        ("--lr -0.1", "above 0"),
        ("--lr nan", "above 0"),
        ("--lr inf", "at most"),
        ("--clip 0", "none"),
        ("--clip -5", "norm:1"),
        ("--clip norm:0", "norm:1"),
        ("--clip norm:", "norm:1"),
        ("--clip nan", "norm:1"),
        ("--clip inf", "norm:1"),
        ("--clip much", "norm:1"),
        ("--init-scale 0", "above 0"),
        ("--init-scale -1", "above 0"),
        ("--init-scale 1000", "at most 100"),
        ("--updates 0", "from 1"),
        ("--updates -10", "from 1"),
        ("--updates 10000000000000", "from 1"),
        ("--epochs 0", "above 0"),
        ("--epochs -1", "above 0"),
        ("--epochs nan", "above 0"),
        ("--epochs inf", "at most"),
        ("--seed -1", "from 0"),
        ("--seed 99999999999999999999", "from 0"),
        ("--log-every 0", "from 1"),
        ("--sample-every 0", "from 1"),
        ("--sample-length 0", "from 1"),
        ("--sample-length -200", "from 1"),
        ("--dtype float16", "float32, float64"),
    ],
)
def test_a_setting_out_of_range_is_refused_with_what_is_allowed(refused, book, flag, allowed):
    message = refused("train", book, *flags(flag))
    assert flag.split(" ")[0].removeprefix("--") in message
    assert allowed in message


@CASES(
    ("flag", "known"),
    [
        ("--preset best", "classic"),
        ("--optimizer newton", "adagrad, adam, rmsprop, sgd"),
        ("--engine abacus", "reference"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(refused, book, flag, known):
    name, value = flags(flag)
    message = refused("train", book, name, value)
    assert f"unknown {name[2:]} '{value}'" in message
    assert known in message


@pytest.mark.skipif(not levels(), reason="there is no native core in this installation")
@CASES("command", ["train", "check"])
def test_a_level_of_processor_that_is_not_here_is_refused_with_those_that_are(
    refused, book, monkeypatch, command
):
    monkeypatch.setenv(ISA_VARIABLE, "abacus")
    message = refused(command, book)
    assert f"{ISA_VARIABLE} 'abacus'" in message
    assert all(level in message for level in levels())


@CASES("flag", ["--updates ten", "--hidden 2.5", "--lr fast", "--seed x"])
def test_a_setting_that_is_no_number_is_refused(hornbook, book, folder, flag):
    told = hornbook("train", book, *flags(flag))
    assert told.code == 2
    assert flag.split(" ")[0] in told.err
    assert list(folder.iterdir()) == [book]


@CASES("flag", ["--hidden 0", "--seq-len 0", "--init-scale 0", "--seed -1", "--engine abacus"])
def test_the_check_refuses_the_same_settings(refused, book, flag):
    assert flag.split(" ")[0].removeprefix("--") in refused("check", book, *flags(flag))


def test_updates_and_epochs_both_are_refused(refused, book):
    message = refused("train", book, "--updates", 10, "--epochs", 2)
    assert "--updates" in message
    assert "--epochs" in message


# Where a run goes


def test_out_onto_a_folder_that_is_not_empty_is_refused(refused, book, folder):
    (folder / "full").mkdir()
    (folder / "full" / "thing").touch()
    message = refused("train", book, "--out", "full")
    assert "full is not empty" in message
    assert "--out" in message


def test_out_onto_a_run_is_refused_and_leaves_it_as_it_was(refused, book, run):
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    refused("train", book, "--out", run)
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_out_onto_a_file_is_refused(refused, book):
    assert "book.txt is a file" in refused("train", book, "--out", book)


def test_out_and_name_both_are_refused(refused, book):
    message = refused("train", book, "--out", "a", "--name", "b")
    assert "--out" in message
    assert "--name" in message


@CASES("name", ["a/b", "../b", "..", ".", "", "/tmp"])
def test_a_name_that_is_no_name_of_one_folder_is_refused(refused, book, name):
    assert "name is" in refused("train", book, "--name", name)


@CASES("flag", ["--out", "--name"])
def test_a_folder_name_that_the_system_does_not_allow_is_told_without_a_traceback(
    hornbook, book, folder, flag
):
    told = hornbook("train", book, flag, "a" * 300)
    assert told.code in (1, 2)
    assert "name too long" in told.err
    assert not (folder / "runs").exists() or not list((folder / "runs").iterdir())


# Sampling


@CASES(
    ("flag", "allowed"),
    [
        ("--temperature -1", "from 0 to 100"),
        ("--temperature 101", "from 0 to 100"),
        ("--temperature nan", "from 0 to 100"),
        ("--top-p 0", "above 0, at most 1"),
        ("--top-p -0.5", "above 0, at most 1"),
        ("--top-p 1.5", "above 0, at most 1"),
        ("--top-p nan", "above 0, at most 1"),
        ("--top-k -1", "from 0"),
        ("--length 0", "from 1"),
        ("--length -5", "from 1"),
        ("--length 10000000000", "from 1"),
        ("--count 0", "from 1"),
        ("--seed -1", "from 0"),
        ("--which worst", "best, last"),
        ("--unknown ignore", "error or skip"),
    ],
)
def test_how_to_sample_is_checked_before_anything_is_written(refused, run, flag, allowed):
    message = refused("sample", run, *flags(flag))
    assert flag.split(" ")[0].removeprefix("--") in message or "--which" in flag
    assert allowed in message


def test_several_texts_with_a_bad_setting_write_no_heading(refused, run):
    refused("sample", run, "--count", 3, "--temperature", -1)


def test_a_prompt_with_an_unseen_character_is_refused_with_its_place(refused, run):
    message = refused("sample", run, "--prompt", "the cät")
    assert "'ä'" in message
    assert "position 5" in message
    assert "--unknown skip" in message


# Folders that are no run


@CASES("command", ["sample"])
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
    assert f"best.safetensors is gone; its last model may be read: hornbook sample {run} --which last" in told
    for name in ("last", "previous"):
        (run / f"{name}.safetensors").unlink(missing_ok=True)
    assert "no weights yet" in refused("sample", run)


def test_a_folder_of_runs_that_is_not_there_is_refused(refused):
    message = refused("runs")
    assert "there is no folder runs here" in message
    assert "hornbook train" in message


def test_a_file_in_place_of_the_folder_of_runs_is_refused(refused, book):
    assert "is not a folder" in refused("runs", book)


# Damaged weights


def shorten(length: int | float) -> Callable[[Path], None]:
    """Cut a file short: to a number of bytes, or to a share of them."""

    def cut(path: Path) -> None:
        content = path.read_bytes()
        keep = int(length * len(content)) if isinstance(length, float) else length
        path.write_bytes(content[: keep % len(content)])

    return cut


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


def replace_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


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


@CASES("damage", DAMAGED_WEIGHTS.values(), ids=DAMAGED_WEIGHTS)
def test_damaged_or_foreign_weights_are_refused(refused, run, damage):
    damage(run / "best.safetensors")
    assert "best.safetensors" in refused("sample", run)


def test_the_last_weights_are_read_with_the_same_care(refused, run):
    shorten(-1)(run / "last.safetensors")
    assert "last.safetensors" in refused("sample", run, "--which", "last")


# Damaged settings


def written(old: str, new: str) -> Callable[[Path], None]:
    """Write something else into a text file; what is replaced must be there."""

    def damage(path: Path) -> None:
        content = path.read_text(encoding="utf-8")
        assert old in content
        path.write_text(content.replace(old, new, 1), encoding="utf-8")

    return damage


DAMAGED_CONFIG: dict[str, Callable[[Path], object]] = {
    "empty": shorten(0),
    "cut in a word": shorten(33),
    "cut to half": shorten(0.5),
    "not TOML": lambda path: path.write_text("{ this: is no TOML }"),
    "not text": lambda path: path.write_bytes(bytes(range(128, 256))),
    "somebody else's": lambda path: path.write_text('[tool.ruff]\nselect = ["E"]\n'),
    "a folder": replace_by_a_folder,
    "a foreign key": written("[model]\n", "[model]\nheads = 8\n"),
    "a missing key": written("hidden = 8\n", ""),
    "a missing table": written("[made]\n", "[maid]\n"),
    "no table": written("[model]\n", "[[model]]\n"),
    "a word for a number": written("hidden = 8", 'hidden = "8"'),
    "a truth for a number": written("hidden = 8", "hidden = true"),
    "a number out of range": written("hidden = 8", "hidden = -8"),
    "an unknown cell": written('"vanilla"', '"chocolate"'),
    "an unknown optimizer": written('"adagrad"', '"newton"'),
    "a number for a word": written('dtype = "float32"', "dtype = 32"),
    "a number for the name": written('name = "book"', "name = 5"),
    "a number for a clip": written('clip = "5"', "clip = 5"),
    "a number for a path": written('path = "', 'path = 5 # "'),
    "a path that leads up": written('path = "', 'path = "/tmp/../'),
    "a path from where one is": written('path = "/', 'path = "'),
    "a path out of the folder": written('path = "', 'path = "../..'),
    "a path with a hole": written('path = "', 'path = "\\u0000'),
    "a word for a size": written("bytes = ", 'bytes = "many" # '),
    "a word for the characters": written("characters = ", 'characters = "many" # '),
    "no characters": written("characters = 2000\n", "characters = 0\n"),
    "a line without end": lambda path: path.write_text("a" + ".a" * 500_000 + " = 1"),
    "brackets without end": lambda path: path.write_text("a = " + "[" * 4000),
    "a number without end": written("hidden = 8", f"hidden = {10**4000}"),
    "a huge number": written("hidden = 8", f"hidden = {2**60}"),
    "a number that is none": written("lr = 0.1", "lr = nan"),
    "a link out of the folder": lambda path: (
        path.rename("/tmp" / Path(path.parent.parent.name)),
        path.symlink_to("/tmp" / Path(path.parent.parent.name)),
    ),
    "a foreign key of a source": written("[[text.files]]\n", '[[text.files]]\nowner = "me"\n'),
    "a number for the sources": written("[[text.files]]", "[text]\nfiles = 5\n[other]"),
}


@CASES("damage", DAMAGED_CONFIG.values(), ids=DAMAGED_CONFIG)
def test_damaged_or_foreign_settings_are_refused(refused, run, damage):
    damage(run / "config.toml")
    assert "config.toml" in refused("sample", run)


@CASES("damage", DAMAGED_CONFIG.values(), ids=DAMAGED_CONFIG)
def test_a_run_is_not_repeated_from_damaged_settings(refused, run, damage):
    damage(run / "config.toml")
    assert "config.toml" in refused("train", "--config", run / "config.toml")


def test_a_recipe_beside_the_settings_of_a_run_is_refused(refused, run):
    assert "--config and --preset" in refused("train", "--config", run / "config.toml", "--preset", "plain")


def test_settings_that_do_not_fit_the_weights_are_refused(refused, run):
    written("hidden = 8", "hidden = 9")(run / "config.toml")
    message = refused("sample", run)
    assert "best.safetensors" in message
    assert "config.toml" in message


def test_settings_without_a_text_file_are_not_repeated_on_another_text(refused, run):
    config = (run / "config.toml").read_text(encoding="utf-8")
    source = config[config.index("[[text.files]]") : config.index("[model]")]
    written(source, "")(run / "config.toml")
    written("[text]\n", "[text]\nfiles = []\n")(run / "config.toml")
    refused("train", "--config", run / "config.toml")


def test_a_config_that_is_not_there_is_refused(refused):
    assert "nowhere.toml" in refused("train", "--config", "nowhere.toml")


# Damaged vocabulary


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


@CASES("damage", DAMAGED_VOCABULARY.values(), ids=DAMAGED_VOCABULARY)
def test_a_damaged_vocabulary_is_refused(refused, run, damage):
    damage(run / "vocabulary.json")
    assert "vocabulary.json" in refused("sample", run)


# Damaged runs among good ones


@CASES("damage", DAMAGED_CONFIG.values(), ids=DAMAGED_CONFIG)
def test_a_run_with_damaged_settings_is_listed_as_not_a_run_beside_the_good_ones(hornbook, run, damage):
    shutil.copytree(run, run.with_name("bad"))
    damage(run.with_name("bad") / "config.toml")
    told = hornbook("runs")
    assert told.code == 0
    good, bad = listed(told, "book"), listed(told, "bad")
    assert "240" in good
    assert "finished" in good
    assert "not a run" in bad


UNREADABLE_SUMMARY: dict[str, Callable[[Path], object]] = {
    "empty": shorten(0),
    "cut to half": shorten(0.5),
    "not text": lambda path: path.write_bytes(bytes(range(128, 256))),
    "a list": lambda path: path.write_text("[1, 2]"),
    "a folder": replace_by_a_folder,
}
STRANGE_SUMMARY: dict[str, Callable[[Path], object]] = {
    "a word for a number": written('"updates": 240', '"updates": "many"'),
    "a number for the end": written('"finished": true', '"finished": 7'),
    "a list for the end": written('"finished": true', '"finished": []'),
    "a list for a number": written('"best_smooth_loss": ', '"best_smooth_loss": [1], "other": '),
    "nothing in it": lambda path: path.write_text("{}"),
}


def listed(told: Any, name: str) -> str:
    """The line of a run."""
    return next(line for line in told.out.split("\n") if f"runs/{name} " in line)


@CASES("damage", UNREADABLE_SUMMARY.values(), ids=UNREADABLE_SUMMARY)
def test_a_run_with_a_summary_that_cannot_be_read_is_damaged_beside_the_good_ones(hornbook, run, damage):
    shutil.copytree(run, run.with_name("bad"))
    damage(run.with_name("bad") / "summary.json")
    told = hornbook("runs")
    assert told.code == 0
    assert "damaged" in listed(told, "bad")
    assert "finished" in listed(told, "book")


@CASES("damage", STRANGE_SUMMARY.values(), ids=STRANGE_SUMMARY)
def test_strange_figures_in_a_summary_do_not_hide_the_good_runs(hornbook, run, damage):
    shutil.copytree(run, run.with_name("bad"))
    damage(run.with_name("bad") / "summary.json")
    told = hornbook("runs")
    assert told.code == 0
    assert "many" not in listed(told, "bad")
    assert "finished" in listed(told, "book")
    assert hornbook("runs", "--json").code == 0


# The command itself


@CASES("line", ["wirte", "train --lerning-rate 1", "sample", "train --updates", "--nothing"])
def test_a_command_line_that_is_not_understood_exits_2(hornbook, folder, line):
    told = hornbook(*flags(line))
    assert told.code == 2
    assert "Traceback" not in told.err
    assert list(folder.iterdir()) == []


def test_bad_input_ends_the_process_with_2_and_no_traceback(process):
    told = process("train", "nowhere.txt")
    assert (told.code, told.out) == (2, "")
    assert told.err == "error: nowhere.txt: No such file or directory; name a text file that can be read\n"
