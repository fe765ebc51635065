"""The recorder: consumes the events of a training and keeps its run folder.

The folder appears whole, by a rename, with its settings in it. Rows are appended, everything else is
written beside and renamed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.cells.cell import Array
from hornbook.config import ModelSettings, TrainingSettings
from hornbook.engines.native import chosen_level
from hornbook.errors import RunFolderError, SettingError, StorageError
from hornbook.events import Checkpoint, Event, Finished, Logged, Planned, Sampled, Validation
from hornbook.parameters import count, views
from hornbook.runs import (
    BEST,
    CONFIG,
    LAST,
    METRICS,
    PLAN,
    SAMPLES,
    SUMMARY,
    VOCABULARY,
    Config,
    counters,
    training_tensors,
    vocabulary_record,
)
from hornbook.storage import storing, write_json, write_tensors, write_toml
from hornbook.streams import Streams, trained_on
from hornbook.text import Source, Text
from hornbook.text_files import BYTE_ORDER_MARK

STORED_TEXT = "text"  # of a run whose text came from standard input
RUNS = Path("runs")
STORE_BLOCK = 1 << 20
EARLY = 100
DIVERGED = 1.5  # times the first loss


def choose_folder(text_name: str, out: str | Path | None = None, name: str | None = None) -> Path:
    """The folder of a new run: `out`, or `runs/<name>`, or the first of `runs/<text>`, `runs/<text>-2`
    … that is free. Raises RunFolderError for a folder that is not empty, SettingError for both."""
    if out is not None and name is not None:
        raise SettingError("--out and --name both say where the run goes; give one of them")
    if name is not None and (name in ("", "..") or Path(name).name != name):
        raise SettingError(f"name is {name!r}; expected the name of one folder, without a slash")
    if out is None and name is None:
        return free_folder(text_name)
    folder = Path(out) if out is not None else RUNS / str(name)
    try:
        taken = folder.is_dir() and any(folder.iterdir())
        is_file = folder.exists() and not folder.is_dir()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RunFolderError(f"{folder} cannot be a run folder: {reason}; choose another --out") from error
    if taken:
        raise RunFolderError(f"{folder} is not empty; choose another --out, or leave it out for a fresh name")
    if is_file:
        raise RunFolderError(f"{folder} is a file; choose another --out")
    return folder


def free_folder(text_name: str) -> Path:
    """The first of `runs/<text>`, `runs/<text>-2` … that is not there."""
    safe = "".join(c if c.isalnum() or c in "-_+." else "-" for c in text_name).strip(".") or "text"
    folder, number = RUNS / safe, 1
    while folder.exists():
        number += 1
        folder = RUNS / f"{safe}-{number}"
    return folder


def early_best(summary: Mapping[str, Any]) -> str:
    """What to say of a run that ended worse than it began, or whose best update is among its first
    hundred; empty otherwise."""
    if not 0 < summary["best_update"] <= EARLY:
        return ""
    if summary["last_smooth_loss"] > DIVERGED * summary["first_loss"]:
        return "the loss ended above where it began: the training diverged; give it a lower --lr"
    return (
        f"the best update is {summary['best_update']}, among the first {EARLY}: the run is too short "
        "for its best model to mean much; give it more --updates or --minutes"
    )


def made_by() -> dict[str, Any]:
    """Versions and machine."""
    return {
        "hornbook": version("hornbook"),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "processor": processor(),
        "level": chosen_level(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def processor() -> str:
    """The processor's own name, where the system tells it."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def appear(beside: Path, whole: Path) -> None:
    """Put a folder in its place: by a rename, or, where an empty folder is there already, file by file,
    the settings last, without which it is no run."""
    if not whole.is_dir():
        beside.rename(whole)
        return
    if any(whole.iterdir()):
        raise FileExistsError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(whole))
    for path in sorted(beside.iterdir(), key=lambda path: path.name == CONFIG):
        path.rename(whole / path.name)


class Recorder:
    """Keeps one run folder from its first event to its last."""

    def __init__(self, folder: Path, text: Text, model: ModelSettings, training: TrainingSettings) -> None:
        self.folder, self.text, self.model, self.training = folder, text, model, training
        self.create()

    def create(self) -> None:
        """Make the folder, whole."""
        whole = self.folder.absolute()
        beside = whole.with_name(f".{whole.name}.new-{os.getpid()}")
        with storing(self.folder):
            whole.parent.mkdir(parents=True, exist_ok=True)
            beside.mkdir()
            try:
                self.write_start(beside)
                appear(beside, whole)
            except StorageError as error:
                raise StorageError(str(error).replace(str(beside), str(self.folder))) from error
            finally:
                shutil.rmtree(beside, ignore_errors=True)

    def write_start(self, folder: Path) -> None:
        """What is there before the first update."""
        text = {
            "name": self.text.name,
            "tokens": self.text.vocabulary.tokens,
            "encoding": self.text.encoding,
            "newlines": self.text.newlines,
            "characters": len(self.text),
        }
        sources = tuple(self.stored(folder, *placed) for placed in enumerate(self.text.sources))
        config = Config(text, sources, self.model, self.training, made_by())
        write_toml(folder / CONFIG, config.table())
        write_json(folder / VOCABULARY, vocabulary_record(self.text.vocabulary))
        for name in (METRICS, SAMPLES):
            (folder / name).touch()

    def stored(self, folder: Path, place: int, source: Source) -> Source:
        """A source; what came from standard input is kept in the run, in its own encoding."""
        if source.path != "-":
            return source
        start = sum(before.characters for before in self.text.sources[:place])
        kind = "txt" if self.text.vocabulary.tokens == "chars" else "bin"
        path = folder / (f"{STORED_TEXT}-{place + 1}.{kind}" if place else f"{STORED_TEXT}.{kind}")
        encoding = self.text.encoding or "latin-1"  # bytes are the characters of their numbers
        with storing(path), path.open("w", encoding=encoding, newline="") as file:
            for at in range(start, start + source.characters, STORE_BLOCK):
                part = self.text[at : min(at + STORE_BLOCK, start + source.characters)]
                file.write(self.as_read(part, first=at == start))
        with path.open("rb") as stored:
            digest = hashlib.file_digest(stored, "sha256").hexdigest()
        return Source(path.name, path.stat().st_size, digest, source.characters)

    def as_read(self, part: str, first: bool) -> str:
        """A part of the text such that reading it gives the same characters again: what reading would
        take away stands twice."""
        if first and part.startswith(BYTE_ORDER_MARK):
            part = BYTE_ORDER_MARK + part
        if self.text.newlines == "lf" and "\r" in self.text.vocabulary.numbers:
            part = part.replace("\n", "\r\n")
        return part

    def record(self, events: Iterator[Event]) -> Iterator[Event]:
        """Keep each event in the folder, then hand it on."""
        for event in events:
            match event:
                case Planned():
                    self.append(PLAN, asdict(event))
                case Logged():
                    row = asdict(event)
                    self.append(METRICS, {k: v for k, v in row.items() if k != "validation" or v is not None})
                case Sampled():
                    self.append(SAMPLES, {"update": event.update, "text": event.text, "model": "current"})
                case Checkpoint():
                    self.save(event)
                    self.summarise(event, complete=False)
                case Finished():
                    self.finish(event)
            yield event

    def append(self, name: str, row: dict[str, Any]) -> None:
        """Add a row to a file of rows. A byte of a text that is not UTF-8 stands there as JSON's \\udc80 to
        \\udcff."""
        path = self.folder / name
        with storing(path), path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def save(self, event: Checkpoint) -> None:
        """Write the best parameters and all that going on needs; never what is not finite."""
        state = event.state
        about = {"dtype": self.training.dtype, **counters(state)}
        if finite(state.best_parameters):
            best = {**views(self.model, state.best_parameters), "hidden": event.reading}
            write_tensors(self.folder / BEST, best, about)
        if finite(state.parameters):
            write_tensors(self.folder / LAST, training_tensors(self.model, state), about)

    def finish(self, event: Finished) -> None:
        """The passage and the summary."""
        if event.passage:
            row = {"update": event.state.best_update, "text": event.passage, "model": "best"}
            self.append(SAMPLES, row)
        self.summarise(event, event.complete)

    def summarise(self, event: Checkpoint | Finished, complete: bool) -> None:
        """Write what a script asks."""
        write_json(self.folder / SUMMARY, self.summary(event, complete))

    def summary(self, event: Checkpoint | Finished, complete: bool) -> dict[str, Any]:
        """What the run reached. Losses are nats summed over T; seconds count from the first update."""
        training, seq_len = self.training, self.training.seq_len
        state, seconds = event.state, event.seconds
        streams = Streams.of(trained_on(len(self.text), training), training)
        read = state.update * seq_len * training.streams
        losses = counters(state)
        best = losses["best_smooth_loss"]
        nats = None if best is None else best / seq_len
        return {
            "text": self.text.name,
            "characters": len(self.text),
            "vocabulary": len(self.text.vocabulary),
            "cell": self.model.cell,
            "hidden": self.model.hidden,
            "layers": self.model.layers,
            "parameters": count(self.model),
            "preset": training.preset,
            "optimizer": training.optimizer,
            "updates": state.update,
            "epochs": state.update / streams.updates_per_epoch,
            "seq_len": seq_len,
            "streams": training.streams,
            "characters_read": read,
            "seconds": seconds,
            "updates_per_second": state.update / seconds if seconds else 0.0,
            "characters_per_second": read / seconds if seconds else 0.0,
            "first_loss": event.first_loss if math.isfinite(event.first_loss) else None,
            "last_smooth_loss": losses["smooth_loss"],
            "best_smooth_loss": best,
            "best_update": state.best_update,
            "best_nats_per_character": nats,
            "best_bits_per_character": None if nats is None else nats / math.log(2),
            "validation": validated(event.validation) if isinstance(event, Finished) else None,
            "engine": training.engine,
            "dtype": training.dtype,
            "seed": training.seed,
            "python": f"{sys.version_info.major}.{sys.version_info.minor}",
            "finished": complete,
            "stopped_early": isinstance(event, Finished) and event.early,
        }


def validated(validation: Validation | None) -> dict[str, Any] | None:
    """What the best model needs for what is held out, for the summary; null where that is no number."""
    if validation is None or not math.isfinite(validation.nats_per_character):
        return None
    bits = validation.nats_per_character / math.log(2)
    return {**validation._asdict(), "bits_per_character": bits}


def finite(parameters: Array) -> bool:
    """Whether parameters may be saved."""
    return bool(np.isfinite(parameters).all())
