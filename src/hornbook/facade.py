"""What a plain call from Python does: train with progress into a run folder, or load a model."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hornbook.calibration import Arranged, arranged
from hornbook.cli.display import Display, choose_display, hush
from hornbook.cli.interrupts import Interrupts
from hornbook.engines import default_engine
from hornbook.errors import TextError, TrainingFailed
from hornbook.events import Event
from hornbook.model import Model
from hornbook.recorder import Recorder, choose_folder
from hornbook.report.figures import loss_figure, rehearsed
from hornbook.runs import Run
from hornbook.text import Text, oddities
from hornbook.training import never, training_events


def train_events(text: Text, preset: str | None = None, **changes: Any) -> Iterator[Event]:
    """Train on a text and hand out the events, keeping nothing on disk.

    The keywords are the settings of `ModelSettings` and `TrainingSettings`, for example `hidden=200`,
    `updates=5000`; `epochs=2` and `minutes=3` say how long in place of `updates`. Raises SettingError,
    TextError and NotFiniteError.
    """
    check_text(text)
    model, training, plan = arranged(text, preset, **{"engine": default_engine(), **changes})
    return training_events(text, model, training, plan=plan)


def train(
    text: Text,
    preset: str | None = None,
    *,
    out: str | Path | None = None,
    name: str | None = None,
    quiet: bool = False,
    **changes: Any,
) -> Run:
    """Train on a text, show progress, and keep everything in a run folder, which is returned.

    The folder is `out`, `runs/<name>`, or a fresh one in `runs`. Ctrl-C ends the training after the
    update in hand; what was learnt is kept. Other keywords as for `train_events`. Raises what that raises,
    RunFolderError where the folder is not empty and StorageError where it cannot be written.
    """
    begun = time.perf_counter()
    check_text(text)
    for sentence in oddities(text):
        warnings.warn(sentence, stacklevel=2)
    folder = choose_folder(text.name, out, name)
    changes = {"engine": default_engine(), **changes}
    planned = arranged(text, preset, begun=begun, figures=rehearsed, **changes)
    display = choose_display(planned[1].seq_len, quiet)
    with Interrupts() as interrupts:
        return train_into(folder, text, planned, display, interrupts.stop)


def check_text(text: object) -> None:
    """Raise TextError for what is no Text."""
    if not isinstance(text, Text):
        kind = type(text).__name__
        raise TextError(f"expected a Text, got {kind}; open one with hornbook.read_text('book.txt')")


def train_into(
    folder: Path, text: Text, planned: Arranged, display: Display, stop: Callable[[], bool] = never
) -> Run:
    """Train into a folder and show each event; then draw the figures. A TrainingFailed says where what
    was learnt before is kept."""
    model, training, plan = planned
    happening = training_events(text, model, training, stop, plan)
    recorder = Recorder(folder, text, model, training)
    try:
        with display:
            for event in recorder.record(happening):
                show(display, event)
    except TrainingFailed as error:
        raise type(error)(f"{error}\nwhat was learnt before is kept in {folder}") from error
    run = Run(folder)
    loss_figure(run)
    return run


def show(display: Display, event: Event) -> None:
    """Show an event. A reader that has gone, as in `hornbook train | head`, does not end the training."""
    try:
        display.show(event)
    except BrokenPipeError:
        hush()


def load(folder: str | Path, which: str = "best") -> Model:
    """The model of a run folder: at the lowest validation loss, or smooth loss without one (`best`), or after
    the last update (`last`). Raises RunFolderError."""
    return Run(folder).model(which)
