"""The files of a run: their names, and the settings, the text and the plan that they hold, checked.

config.toml           all that is needed to run it again
vocabulary.json       symbols in order: characters, or bytes by their numbers
plan.jsonl            of a training by time: how many updates were to come after so many
metrics.jsonl         a row every `log_every` updates
samples.jsonl         update, text, and which model wrote it: the current or the best
best.safetensors      parameters at the lowest validation loss; where there is none, their mean, or those at
                      the lowest smooth loss
last.safetensors      everything that going on needs
previous.safetensors  the same of the checkpoint before, should the last one be damaged
summary.json          what a script asks
lock                  who trains here, while it does
loss.svg  loss.png    the loss and the smooth loss over updates
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path, PurePath
from typing import Any

from hornbook.config import LONGEST, MOST_UPDATES, ModelSettings, TrainingSettings, from_table
from hornbook.engines.interface import state_shape
from hornbook.errors import InputError, RunFolderError, TextError
from hornbook.events import Planned
from hornbook.parameters import count
from hornbook.records import SOURCE, check, check_step, check_summary
from hornbook.rows import read_json_lines
from hornbook.text import Source, Text, digest, read_text
from hornbook.text_files import BUILT_IN
from hornbook.untrusted import MOST_HEADER, check_file, check_kind, read_json, read_toml, reading
from hornbook.values import integer, real
from hornbook.vocabulary import Vocabulary, check_tokens

CONFIG, VOCABULARY, SUMMARY = "config.toml", "vocabulary.json", "summary.json"
PLAN, METRICS, SAMPLES = "plan.jsonl", "metrics.jsonl", "samples.jsonl"
BEST, LAST, PREVIOUS = "best.safetensors", "last.safetensors", "previous.safetensors"
FIGURE, PICTURE = "loss.svg", "loss.png"
BEGINNING = (CONFIG, VOCABULARY)  # written once, and no other file holds what is in them
TEXT_KEYS = ("name", "tokens", "encoding", "newlines")


@dataclass(frozen=True)
class Config:
    """What `config.toml` says: the text, the settings, and where they were used."""

    text: dict[str, Any]  # name, tokens, encoding, newlines, characters
    sources: tuple[Source, ...]
    model: ModelSettings
    training: TrainingSettings
    made: dict[str, Any]  # versions and machine

    def table(self) -> dict[str, Any]:
        """As it stands in TOML."""
        return {
            "text": {**self.text, "files": [vars(source) for source in self.sources]},
            "model": vars(self.model),
            "training": vars(self.training),
            "made": self.made,
        }


def read_config(path: Path) -> Config:
    """Read and check a config file. Raises RunFolderError."""
    table = read_toml(path)
    try:
        text = dict(table["text"])
        sources = tuple(Source(**source) for source in text.pop("files"))
        if not all(isinstance(text[key], str) for key in TEXT_KEYS):
            raise TypeError(f"{', '.join(TEXT_KEYS)} of the text are not all strings")
        check_tokens(text["tokens"])
        integer("characters", text["characters"], 1, MOST_UPDATES)
        for source in sources:
            check(vars(source), SOURCE)
            check_path(source.path)
        model = from_table(ModelSettings, table["model"])
        training = from_table(TrainingSettings, table["training"])
        return Config(text, sources, model, training, dict(table["made"]))
    except (InputError, KeyError, TypeError, ValueError) as error:
        what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise RunFolderError(f"{path} is damaged or not hornbook's: {what}") from error


def read_beginning(folder: Path) -> dict[str, bytes]:
    """What a run has from its start, by the name of the file. Raises RunFolderError."""
    found = {}
    for path in (folder / name for name in BEGINNING):
        with reading(path):
            found[path.name] = path.read_bytes()
    return found


def check_path(path: str) -> None:
    """Raise ValueError for a text's path that is neither absolute nor the name of a file in the run's folder,
    or that leads up."""
    parts = PurePath(path).parts
    if ".." in parts or "\0" in path or not (path.startswith("/") or parts == (path,)):
        raise ValueError(
            f"a text is {path!r}; expected an absolute path without .., or a file in the run's folder"
        )


def read_plan(folder: Path) -> list[Planned]:
    """The plan of a training by time. Raises RunFolderError."""
    path = folder / PLAN
    rows = read_json_lines(path)
    try:
        steps = [Planned(**check_step(row)) for row in rows]
        for step in steps:
            integer("update", step.update, 0, MOST_UPDATES)
            integer("remaining", step.remaining, 0, MOST_UPDATES)
            if step.until is not None:
                real("until", step.until, -1, 120 * LONGEST)
        updates = [step.update for step in steps]
        if updates[:1] != [0] or not steps[0].remaining or sorted(set(updates)) != updates:
            raise ValueError("its updates do not rise from 0")
        if any(after.update > before.update + before.remaining for before, after in pairwise(steps)):
            raise ValueError("it goes on after its end")
    except ValueError as error:
        raise RunFolderError(f"{path} is damaged or not hornbook's: {error}") from error
    return steps


def plan_row(step: Planned) -> dict[str, Any]:
    """A step of a plan as it stands in JSON."""
    return {key: value for key, value in vars(step).items() if value is not None}


def plan_bytes(steps: Iterable[Planned]) -> bytes:
    """A plan as its file holds it."""
    return "".join(json.dumps(plan_row(step)) + "\n" for step in steps).encode()


def same_text(config: Config, folder: Path, **how: str) -> Text:
    """The text that the run in a folder was trained on; `how` changes its encoding and newlines. Raises
    RunFolderError where it came from no file or has changed since (what to do then, the caller knows),
    TextError where it is gone."""
    if not config.sources:
        raise RunFolderError(f"the text that {folder} was trained on came from a program and was not kept")
    paths = [stored_path(source, folder) for source in config.sources]
    as_then = {key: config.text[key] for key in TEXT_KEYS if config.text[key]}
    text = read_text(*paths, **{**as_then, **how})
    for then, now in zip(config.sources, text.sources, strict=True):
        if then.sha256 != now.sha256:
            raise RunFolderError(f"{now.path} has changed since {folder} was trained on it")
    return text


def is_text_of(config: Config, text: Text) -> bool:
    """Whether a text is the one that a run was trained on: from files of the same bytes, or where that came
    from none, of the same characters."""
    if "sha256" in config.text:
        return bool(digest(text) == config.text["sha256"])
    return [source.sha256 for source in config.sources] == [source.sha256 for source in text.sources]


def stored_path(source: Source, folder: Path) -> str:
    """Where a source of a config file lies: at an absolute path, in the run's folder, or in Python. Raises
    RunFolderError where that is no plain file, or of another size, before it is read."""
    path = folder / source.path
    with reading(path):
        there = path.exists()
        if there:
            (check_file if path.parent == folder else check_kind)(path)
    if not there and source.path == BUILT_IN:
        return BUILT_IN
    if not there:
        raise TextError(f"{path}: No such file or directory; name a text file that can be read")
    if path.stat().st_size != source.bytes:
        raise RunFolderError(f"{path} has changed since {folder} was trained on it")
    return str(path)


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary in a run folder; empty where there is none. Raises RunFolderError."""
    path = folder / SUMMARY
    if not path.exists():
        return {}
    summary: dict[str, Any] = read_json(path)
    with reading(path):
        check_summary(summary)
    return summary


def most_bytes(config: Config) -> int:
    """What a file of weights of a run may have: parameters, the best ones, their mean, two memories of them,
    states."""
    numbers = 5 * count(config.model) + 2 * prod(state_shape(config.model, config.training.streams))
    return MOST_HEADER + 8 * numbers


def vocabulary_record(vocabulary: Vocabulary) -> list[str] | list[int]:
    """The symbols in order as they stand in JSON: characters, or bytes as their numbers."""
    return list(range(len(vocabulary))) if vocabulary.tokens == "bytes" else list(vocabulary.symbols)


def digest_of(vocabulary: Vocabulary) -> str:
    """The SHA-256 of the symbols in order, in hexadecimal digits: what tells weights that are of others."""
    return hashlib.sha256(json.dumps(vocabulary_record(vocabulary)).encode()).hexdigest()
