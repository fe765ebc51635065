"""The recorder: consumes the events of a training and keeps its run folder.

Rows are appended, everything else is written beside and renamed.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from typing import Any

from hornbook.checkpoints import counters, row_of, write_checkpoint
from hornbook.config import ModelSettings, TrainingSettings
from hornbook.events import (
    SMOOTH_LOSS,
    VALIDATION_LOSS,
    Checkpoint,
    Event,
    Finished,
    Logged,
    Planned,
    Sampled,
    Validation,
)
from hornbook.folders import Place
from hornbook.parameters import count
from hornbook.records import BEST_MODEL
from hornbook.run_files import METRICS, PLAN, SAMPLES, SUMMARY, digest_of, plan_bytes
from hornbook.storage import append_line, storing, sync, write_json, write_whole
from hornbook.streams import Streams, trained_on
from hornbook.text import Text


class Recorder:
    """Keeps one run folder from its first event to its last, or from where it goes on."""

    def __init__(self, place: Place, text: Text, model: ModelSettings, training: TrainingSettings) -> None:
        self.place, self.folder, self.to_write = place, place.folder, place.lock.to_write
        self.text, self.model, self.training = text, model, training

    def record(self, events: Iterator[Event]) -> Iterator[Event]:
        """Keep each event in the folder, then hand it on."""
        for event in events:
            match event:
                case Planned():
                    self.plan(event)
                case Logged():
                    self.append(METRICS, row_of(event))
                case Sampled():
                    self.append(SAMPLES, {"update": event.update, "text": event.text, "model": "current"})
                case Checkpoint():
                    self.mend()
                    self.save(event)
                    self.summarise(event, complete=False)
                case Finished():
                    self.mend()
                    self.finish(event)
            yield event
            del event  # a checkpoint is not to stand in memory until the next one is made

    def plan(self, step: Planned) -> None:
        """Record a step of the plan, unless it stands there already, in a training that goes on."""
        self.place.ruled = step.update
        if step.update > self.place.planned:
            plan = self.place.own.get(PLAN, b"") + plan_bytes([step])
            write_whole(self.to_write(PLAN), plan)
            self.place.own[PLAN] = plan
            self.place.planned = step.update

    def append(self, name: str, row: dict[str, Any]) -> None:
        """Add a row to a file of rows."""
        line = json.dumps(row, ensure_ascii=False)
        self.place.lock.written[name] += append_line(self.to_write(name), line)
        self.place.rows[name] += 1

    def mend(self) -> None:
        """Write again what another program has deleted or changed of the files that no other one holds, and
        without which all else is of no use."""
        for name, content in self.place.own.items():
            spot = self.to_write(name)
            if not spot.holds(content):
                write_whole(spot, content)

    def save(self, event: Checkpoint) -> None:
        """Write the best parameters and all that going on needs, after the rows that come before it; never
        what is not finite."""
        for path in (self.folder / name for name in (PLAN, METRICS, SAMPLES)):
            if path.exists():
                with storing(path):
                    sync(path)
        symbols = digest_of(self.text.vocabulary)
        write_checkpoint(self.place, self.model, self.training, event, symbols)

    def finish(self, event: Finished) -> None:
        """The passage and the summary."""
        if event.passage:
            row = {"update": event.state.best_update, "text": event.passage, "model": BEST_MODEL}
            self.append(SAMPLES, row)
        self.summarise(event, event.complete)

    def summarise(self, event: Checkpoint | Finished, complete: bool) -> None:
        """Write what a script asks."""
        write_json(self.to_write(SUMMARY), self.summary(event, complete))

    def summary(self, event: Checkpoint | Finished, complete: bool) -> dict[str, Any]:
        """What the run reached. Losses are nats summed over T; seconds count from the first update."""
        training, seq_len = self.training, self.training.seq_len
        state, seconds = event.state, event.seconds
        streams = Streams.of(trained_on(len(self.text), training), training)
        read = state.update * seq_len * training.streams
        losses = counters(state)
        validation = validated(event.validation) if isinstance(event, Finished) else None
        nats = best_nats(event.best_by, validation, losses["best_smooth_loss"], seq_len)
        return {
            "text": self.text.name,
            "characters": len(self.text),
            "vocabulary": len(self.text.vocabulary),
            "cell": self.model.cell,
            "hidden": self.model.hidden,
            "layers": self.model.layers,
            "parameters": count(self.model),
            "from": {"path": training.start, "sha256": training.start_sha256} if training.start else None,
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
            "best_smooth_loss": losses["best_smooth_loss"],
            "best_update": state.best_update,
            "best_by": event.best_by,
            "best_nats_per_character": nats,
            "best_bits_per_character": None if nats is None else nats / math.log(2),
            "validation": validation,
            "engine": training.engine,
            "dtype": training.dtype,
            "seed": training.seed,
            "python": f"{sys.version_info.major}.{sys.version_info.minor}",
            "finished": complete,
            "stopped_early": isinstance(event, Finished) and event.early,
        }


def best_nats(
    best_by: str, validation: dict[str, Any] | None, smooth_loss: float | None, seq_len: int
) -> float | None:
    """The loss by which the best model is the best, for a character; None where that is not known: before the
    end of a training that holds something out, and of a mean."""
    if best_by == VALIDATION_LOSS:
        return validation["nats_per_character"] if validation else None
    return smooth_loss / seq_len if best_by == SMOOTH_LOSS and smooth_loss is not None else None


def validated(validation: Validation | None) -> dict[str, Any] | None:
    """What the best model needs for what is held out, for the summary; null where that is no number."""
    if validation is None or not math.isfinite(validation.nats_per_character):
        return None
    bits = validation.nats_per_character / math.log(2)
    return {**validation._asdict(), "bits_per_character": bits}
