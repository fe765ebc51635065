"""Checkpoints: all that going on needs, as named arrays and a record in one file, and back.

A checkpoint replaces the one before it only when it is whole on the disk, and that one is kept beside it. No
time stands in the file, so that the same training writes the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.cells.cell import Array
from hornbook.config import MOST_UPDATES, ModelSettings, TrainingSettings, from_table, to_table
from hornbook.engines import TrainingState, pairs_of, roots_of
from hornbook.engines.interface import state_shape
from hornbook.engines.native import chosen_level
from hornbook.errors import RunFolderError
from hornbook.events import Best, Checkpoint, Lanes, Logged
from hornbook.folders import Place
from hornbook.optimizers import OPTIMIZERS
from hornbook.parameters import Shape, count, shapes, views
from hornbook.records import check_metric
from hornbook.run_files import BEST, LAST, METRICS, PREVIOUS, SAMPLES
from hornbook.runs import ways_on
from hornbook.storage import storing, write_tensors
from hornbook.untrusted import read_tensors, reading
from hornbook.values import integer

Tensors = dict[str, Array]
FREE = {"threads": 0}  # settings that change no bit, as checkpoints have them, whatever they are
EARLIER_ROOTS = "unrecorded"  # of runs that do not record them, which may have had any
EARLIER_PAIRS = "vector"  # of mixed runs that do not record them, because there was no other way


@dataclass(frozen=True)
class Saved:
    """A checkpoint as it was read: where the training goes on, how many rows its files had then, the update
    of the step of its plan by which it went (-1: by none), the settings it was made with, and what it was
    `made` by. Where it is the one before the last, `wrong` says why."""

    start: Checkpoint
    rows: dict[str, int]
    ruled: int
    model: ModelSettings
    training: TrainingSettings
    made: dict[str, str]
    wrong: str = ""


def write_checkpoint(
    place: Place, model: ModelSettings, training: TrainingSettings, event: Checkpoint, symbols: str
) -> None:
    """Write the best parameters, and all that going on needs, with the digest of the `symbols` that they are
    of; never what is not finite. On a disk that fills up the best outlives, so they come first; but not
    before the first checkpoint, so that where they are there was one."""
    folder, state = place.folder, event.state
    about = {"dtype": training.array_dtype, "vocabulary": symbols, **counters(state)}
    if not finite(state.best_parameters):
        return

    def write_best() -> None:
        best = {**views(model, state.best_parameters), "hidden": event.reading}
        write_tensors(place.lock.to_write(BEST), best, about)

    def write_last() -> None:
        record = {**about, **standing(event), "rows": dict(place.rows), "ruled": place.ruled}
        record |= {"made": made_here(training), "settings": {**to_table(model), **to_table(training)} | FREE}
        last = place.lock.to_write(LAST)
        write_tensors(last, training_tensors(model, event), record, before=folder / PREVIOUS)

    first = not any((folder / name).exists() for name in (LAST, PREVIOUS))
    writes = [write_best, write_last] if finite(state.parameters) else [write_best]
    for write in reversed(writes) if first else writes:
        write()


def finite(parameters: Array) -> bool:
    """Whether parameters may be saved."""
    return bool(np.isfinite(parameters).all())


def made_here(training: TrainingSettings) -> dict[str, str]:
    """What the bits of a training depend on, beside its settings and its text."""
    versions = {"hornbook": version("hornbook"), "numpy": np.__version__}
    return {**versions, "level": chosen_level(), **pairs_of(training), **roots_of(training)}


def made_then(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """The same as a run has recorded it."""
    return {"pairs": EARLIER_PAIRS, "roots": EARLIER_ROOTS} | dict(recorded)


def training_tensors(model: ModelSettings, event: Checkpoint) -> Tensors:
    """Everything that going on needs, as named arrays: the parameters, their memory, the best ones and their
    mean, where there is one, under the parameters' names, and the hidden state; with an evaluation, that of
    the best one."""
    state = event.state
    named = dict(views(model, state.parameters))
    named |= {f"best.{key}": value for key, value in views(model, state.best_parameters).items()}
    if event.average is not None:
        named |= {f"average.{key}": value for key, value in views(model, event.average).items()}
    for slot, memory in enumerate(state.memory):
        named |= {f"memory{slot}.{key}": value for key, value in views(model, memory).items()}
    return named | {"hidden": state.hidden} | ({"best.hidden": event.best.hidden} if event.best else {})


def counters(state: TrainingState) -> dict[str, Any]:
    """What is no array in a training state; an undefined loss is null."""
    losses = {"smooth_loss": state.smooth_loss, "best_smooth_loss": state.best_smooth_loss}
    return {"update": state.update, "best_update": state.best_update, **defined(losses)}


def defined(losses: Mapping[str, float]) -> dict[str, float | None]:
    """Losses, null where there is none yet."""
    return {key: value if math.isfinite(value) else None for key, value in losses.items()}


def standing(event: Checkpoint) -> dict[str, Any]:
    """Where a training stands, beside its engine's state."""
    best = event.best
    validation = best and {"nats": best.nats, "lanes": list(best.lanes), "since": best.since}
    rest = {"lowest_update": event.lowest_update, "shown": event.shown, "validation": validation}
    pending = {"pending": row_of(event.pending)} if event.pending else {}
    return {**defined({"first_loss": event.first_loss}), **rest, **pending}


def row_of(row: Logged) -> dict[str, Any]:
    """A row of metrics as it stands in JSON."""
    return {key: value for key, value in asdict(row).items() if value is not None}


def last_checkpoint(folder: Path, most: int) -> Saved | None:
    """The last checkpoint of a run that this process has locked, of so many bytes at most; None where there
    is none. Where it is damaged or gone and the one before it is whole, it is that one. Raises
    RunFolderError where there is no whole one."""
    last, previous = folder / LAST, folder / PREVIOUS
    if not (last.exists() or previous.exists()):
        return None
    wrong = f"{last} is not there"
    try:
        if last.exists():
            return read_checkpoint(last, most)
    except RunFolderError as error:
        wrong = str(error)
    try:
        return replace(read_checkpoint(previous, most), wrong=wrong)
    except RunFolderError as error:
        both = f"{wrong}, and {error}" if previous.exists() else wrong
        raise RunFolderError(f"{both}; put it back from a copy{ways_on(folder)}") from error


def restore(folder: Path, saved: Saved, told: Callable[[str], object], besides: str = "") -> None:
    """Put the checkpoint before the last in the place of that one where a run goes on from it, and tell this,
    with what else there is to say. Raises StorageError."""
    if saved.wrong:
        with storing(folder / LAST):
            (folder / PREVIOUS).replace(folder / LAST)
        update = f"{saved.start.state.update:,}"
        told(f"{saved.wrong}; going on from the checkpoint before it, of update {update}{besides}")


def read_checkpoint(path: Path, most: int | None = None) -> Saved:
    """A checkpoint of so many bytes at most, checked. Raises RunFolderError."""
    tensors, about = read_tensors(path, most)
    with reading(path):
        table = about["settings"]
        model = from_table(ModelSettings, {key: table[key] for key in to_table(ModelSettings(1))})
        rest = {key: value for key, value in table.items() if key not in to_table(model)}
        training = from_table(TrainingSettings, rest)
        check_counts(about)
        check_shapes(tensors, model, training, best=about["validation"] is not None)
        rows = {name: about["rows"][name] for name in (METRICS, SAMPLES)}
        then = made_then(about["made"])
        made = {key: str(then[key]) for key in made_here(training)}
        start, ruled = checkpoint_of(tensors, about, model, training), about.get("ruled", -1)
        return Saved(start, rows, ruled, model, training, made)


def check_counts(about: Mapping[str, Any]) -> None:
    """Raise ValueError or KeyError where a count is missing or none."""
    for name in ("update", "best_update", "lowest_update"):
        integer(name, about[name], 0, MOST_UPDATES)
    integer("shown", about["shown"], -1, MOST_UPDATES)
    integer("ruled", about.get("ruled", -1), -1, MOST_UPDATES)
    for name in (METRICS, SAMPLES):
        integer(f"rows of {name}", about["rows"][name], 0, MOST_UPDATES)
    if about["validation"] is not None:
        for name, number in zip(("number", "length"), about["validation"]["lanes"], strict=True):
            integer(name, number, 1, MOST_UPDATES)
        integer("since", about["validation"]["since"], 0, MOST_UPDATES)


def check_shapes(tensors: Tensors, model: ModelSettings, training: TrainingSettings, best: bool) -> None:
    """Raise ValueError unless all arrays are there, of their shape and type, and no parameter, hidden state
    or memory is undefined."""
    for name, shape in wanted(model, training, best).items():
        tensor = tensors.get(name)
        if tensor is None or tensor.shape != shape or tensor.dtype != training.array_dtype:
            raise ValueError(f"{name} is missing or of another shape")
        if np.isnan(tensor).any() or (not name.startswith("memory") and np.isinf(tensor).any()):
            raise ValueError(f"{name} has numbers that are not finite")


def wanted(model: ModelSettings, training: TrainingSettings, best: bool) -> dict[str, Shape]:
    """The arrays of a checkpoint, and their shapes."""
    slots = [f"memory{slot}." for slot in range(OPTIMIZERS[training.optimizer].slots)]
    prefixes = ["", "best.", *(["average."] if training.average else []), *slots]
    named = {prefix + key: shape for prefix in prefixes for key, shape in shapes(model).items()}
    named["hidden"] = state_shape(model, training.streams)
    return named | ({"best.hidden": state_shape(model, 1)} if best else {})


def checkpoint_of(
    tensors: Tensors, about: Mapping[str, Any], model: ModelSettings, training: TrainingSettings
) -> Checkpoint:
    """The checkpoint that arrays and a record stand for."""
    slots = range(OPTIMIZERS[training.optimizer].slots)
    parameters = joined(tensors, model, "")
    memory = np.array([joined(tensors, model, f"memory{slot}.") for slot in slots], parameters.dtype)
    state = TrainingState(
        about["update"],
        parameters,
        memory.reshape(len(slots), parameters.size),
        tensors["hidden"],
        real(about["smooth_loss"], math.nan),
        real(about["best_smooth_loss"], math.inf),
        about["best_update"],
        joined(tensors, model, "best."),
    )
    first_loss, best = real(about["first_loss"], math.nan), best_of(tensors, about, state)
    start = state.hidden[:, :, :1]
    pending = pending_of(about.get("pending"), about["update"])
    mean = joined(tensors, model, "average.") if training.average else None
    return Checkpoint(
        state, start, first_loss, 0.0, about["lowest_update"], about["shown"], best, pending, mean
    )


def pending_of(row: Any, update: int) -> Logged | None:
    """The row of the last update, where that is still to be evaluated; raises ValueError for another one."""
    if row is None:
        return None
    check_metric(row)
    if row["update"] != update:
        raise ValueError("an update is to be evaluated that is not the last one")
    return Logged(**row)


def best_of(tensors: Tensors, about: Mapping[str, Any], state: TrainingState) -> Best | None:
    """The best evaluation so far, where there was one."""
    kept = about["validation"]
    if kept is None:
        return None
    lanes, nats = Lanes(*kept["lanes"]), real(kept["nats"], math.nan)
    return Best(state.best_parameters, tensors["best.hidden"], state.best_update, nats, lanes, kept["since"])


def real(value: object, undefined: float) -> float:
    """A number of a record; raises ValueError for what is none."""
    if value is None:
        return undefined
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def joined(tensors: Tensors, model: ModelSettings, prefix: str) -> Array:  # (P,)
    """The flat buffer of named arrays of fitting shapes."""
    flat = np.empty(count(model), dtype=tensors["hidden"].dtype)
    for key, view in views(model, flat).items():
        view[...] = tensors[prefix + key]
    return flat
