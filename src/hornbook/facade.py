"""What a plain call from Python does: train with progress into a run folder, or load a model."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import Any

from hornbook import yardsticks
from hornbook.agreement import same_text
from hornbook.calibration import Arranged, arranged, dtype_words, warmup_words
from hornbook.cli.audience import Audience
from hornbook.cli.display import Display, choose_display
from hornbook.cli.interrupts import Interrupts
from hornbook.config import LONGEST, SAVE_SECONDS
from hornbook.continuing import Ancestor, begin, first, overlap
from hornbook.engines import default_engine
from hornbook.errors import FigureError, InputError, RunFolderError, StorageError, TrainingFailed
from hornbook.events import Checkpoint, Event
from hornbook.fluent import advise
from hornbook.folders import choose_folder, create
from hornbook.lengthening import Further
from hornbook.locks import LOCK, Lock
from hornbook.markup import for_shell, printable
from hornbook.model import Model
from hornbook.plan import Plan
from hornbook.recorder import Recorder
from hornbook.remains import damaged_checkpoint, damaged_rows
from hornbook.report.figures import loss_figure, rehearsed
from hornbook.resuming import check_places, finished
from hornbook.resuming import resume as resumed
from hornbook.run_files import BEST, CONFIG, FIGURE, LAST, PREVIOUS
from hornbook.runs import Run
from hornbook.text import Text, check_text, oddities
from hornbook.training import never, training_events
from hornbook.values import real


def train_events(
    text: Text, preset: str | None = None, *, start: str | Path | Run | None = None, **changes: Any
) -> Iterator[Event]:
    """Train on a text and hand out the events, keeping nothing on disk.

    The keywords are the settings of `ModelSettings` and `TrainingSettings`, for example `hidden=200`,
    `updates=5000`; `epochs=2` and `minutes=3` say how long in place of `updates`. With `start`, a run, it
    goes on from that one's best model. Raises SettingError, TextError, NotFiniteError, and RunFolderError
    where `start` is no run.
    """
    check_text(text)
    ancestor = None if start is None else Ancestor.of(start)
    text, changes = beginning(ancestor, text, {"preset": preset, **changes})
    advice = advise(text, changes)
    model, training, plan = arranged(text, **advice.given)
    warn(
        dtype_words(changes.get("dtype"), model, training),
        warmup_words(training),
        overlap(ancestor, text, training),
    )
    return training_events(text, model, training, plan=plan, start=first(ancestor, text, training))


def beginning(ancestor: Ancestor | None, text: Text, changes: dict[str, Any]) -> tuple[Text, dict[str, Any]]:
    """The text and the settings of a new training, as `begin` has them, with what is usual."""
    usual = ancestor.usual(changes) if ancestor else changes
    return begin(ancestor, text, {"engine": default_engine(), **usual})


def train(
    text: Text,
    preset: str | None = None,
    *,
    start: str | Path | Run | None = None,
    out: str | Path | None = None,
    name: str | None = None,
    quiet: bool = False,
    save_every: float = SAVE_SECONDS,
    **changes: Any,
) -> Run:
    """Train on a text, show progress, and keep everything in a run folder, which is returned.

    The folder is `out`, `runs/<name>`, or a fresh one in `runs`; a checkpoint is written every `save_every`
    seconds. Ctrl-C ends the training after the update in hand; what was learnt is kept, and `resume` goes on
    from there. With `start`, a run, it goes on from that one's best model. Other keywords as for
    `train_events`. Raises what that raises, RunFolderError where the folder is not empty and StorageError
    where it cannot be written.
    """
    begun = time.perf_counter()
    check_text(text)
    warn(*oddities(text))
    ancestor = None if start is None else Ancestor.of(start)
    folder = choose_folder(text.name, out, name)
    text, changes = beginning(ancestor, text, {"preset": preset, **changes})
    figures = cache(rehearsed)
    advice = advise(text, changes, begun, figures)
    planned = arranged(text, begun=begun, figures=figures, ahead=yardsticks.ahead, **advice.given)
    warn(
        dtype_words(changes.get("dtype"), *planned[:2]),
        warmup_words(planned[1]),
        overlap(ancestor, text, planned[1]),
    )
    display = choose_display(planned[1].seq_len, quiet, heading="\n".join(advice.reasons))
    fresh = out is None and name is None
    place = first(ancestor, text, planned[1])
    return train_into(folder, text, planned, display, Interrupts(), save_every, fresh, place, warn)


def resume(
    folder: str | Path | Run,
    text: Text | None = None,
    *,
    updates: int | str | None = None,
    minutes: float | None = None,
    force: bool = False,
    quiet: bool = False,
    save_every: float = SAVE_SECONDS,
) -> Run:
    """Go on with the training in a run folder from its last checkpoint, and give the run back: to the bit as
    if it had never ended. A finished run is given back as it is.

    With `updates` it goes on to so many in all, or with `"+500"` so many more, with `minutes` for so long
    from now. `text` is the one it was trained on, where that came from no file. `force` goes on with another
    version of hornbook or on another processor. Raises RunFolderError for a run that is being trained, was
    trained on another text or with other settings, or has no whole checkpoint, StorageError where something
    else, such as a folder, is in the place of one of its files, and what `train` raises.
    """
    begun = time.perf_counter()
    if text is not None:
        check_text(text)
    run, further = Run(folder), Further(updates, minutes)
    display = choose_display(run.config.training.seq_len, quiet)
    return resume_into(run, further, display, warn, begun, Interrupts(), save_every, text, force)


def warn(*sentences: str) -> None:
    """Warn whoever called the function that calls this; what a sentence names cannot steer the terminal."""
    for sentence in filter(None, sentences):
        warnings.warn(printable(sentence), stacklevel=3)


def train_into(
    folder: Path,
    text: Text,
    planned: Arranged,
    display: Display,
    stop: Callable[[], bool] = never,
    save_every: float = SAVE_SECONDS,
    fresh: bool = False,
    start: Checkpoint | None = None,
    told: Callable[[str], object] = warn,
) -> Run:
    """Train into a folder, from `start` where that is given, and show each event; then draw the figures.
    Interrupts to `stop` are listened to from the first update to the last. Where the folder's name is
    `fresh`, another one is taken if it is gone meanwhile. Figures that cannot be written are told."""
    save_every = real("`save_every`", save_every, 0, LONGEST)
    model, training, plan = planned
    audience = Audience(display, stop)
    happening = training_events(text, model, training, audience.stop, plan, start, save_every)
    place = create(folder, text, model, training, fresh)
    with place.lock:
        return keep(Recorder(place, text, model, training), happening, audience, plan, told)


def resume_into(
    run: Run,
    further: Further,
    display: Display,
    told: Callable[[str], object],
    begun: float,
    stop: Callable[[], bool] = never,
    save_every: float = SAVE_SECONDS,
    text: Text | None = None,
    force: bool = False,
) -> Run:
    """Go on in a run's folder and show each event; then draw the figures. What is strange is told, minutes
    count from `begun`, and `stop` is as in `train_into`."""
    save_every = real("`save_every`", save_every, 0, LONGEST)
    if finished(run, further, force):
        return completed(run, text, told)
    check_places(run.folder)
    model, training = run.config.model, run.config.training
    with Lock(run.folder) as lock:
        how = resumed(run, text, lock, further, force, told, begun, rehearsed)
        start = how.start or first(Ancestor.again(training), how.text, training)
        audience = Audience(display, stop)
        happening = training_events(how.text, model, training, audience.stop, how.plan, start, save_every)
        return keep(Recorder(how.place, how.text, model, training), happening, audience, how.plan, told)


def keep(
    recorder: Recorder,
    happening: Iterator[Event],
    audience: Audience,
    plan: Plan,
    told: Callable[[str], object],
) -> Run:
    """Keep and show all events, draw the figures, and measure what others need for what is held out. A
    TrainingFailed says where what was learnt before is kept."""
    lock = recorder.place.lock
    with locating(lock):
        try:
            with listening(audience.asked), audience:
                for event in recorder.record(happening):
                    audience.show(event)
                    del event  # nor here: see `record`
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(at_once(recorder.folder)) from interrupt
        lock.check()
        run = ended(Run(recorder.folder), recorder.text, plan, lock, told)
        lock.check()
        if audience.failure:
            reason = audience.failure.strerror
            raise StorageError(f"standard output cannot be written: {reason}") from audience.failure
    return run


def listening(stop: Callable[[], bool]) -> AbstractContextManager[object]:
    """What is entered while a training listens to a wish to stop."""
    return stop if isinstance(stop, Interrupts) else nullcontext()


def ended(run: Run, text: Text, plan: Plan, lock: Lock, told: Callable[[str], object]) -> Run:
    """A run that has ended, with its figures and what others need for what is held out."""
    try:
        yardsticks.add(drawn(run, told, lock), text, plan, lock)
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(
            f"what was learnt is kept in {run.folder}; the figures or the yardsticks are still to be made: "
            f"hornbook resume {for_shell(run.folder)}"
        ) from interrupt
    return run


@contextmanager
def locating(lock: Lock) -> Iterator[None]:
    """Add to an error where what was learnt before is kept, if it is, and how to go on with it."""
    try:
        yield
    except TrainingFailed as error:
        raise type(error)(f"{error}\n{whereabouts(lock, error)}") from error


def whereabouts(lock: Lock, error: TrainingFailed) -> str:
    """The same, in a line."""
    folder = lock.folder
    if not lock.is_there():
        return "if it was moved, its training goes on with: hornbook resume NEWPLACE"
    kept = has_checkpoint(folder)
    if not kept and not any((folder / name).exists() for name in (BEST, CONFIG)):
        return "nothing of the run is left there"
    where = f"what was learnt before is kept in {folder}" if kept else "there was no checkpoint yet"
    return f"{where}; {how_on(folder)}" if isinstance(error, StorageError) else where


def at_once(folder: Path) -> str:
    """What a second signal has cost, and how to go on."""
    kept = has_checkpoint(folder)
    lost = "what came after the last checkpoint is lost" if kept else "there was no checkpoint yet"
    return f"{lost}; {how_on(folder)}"


def how_on(folder: Path) -> str:
    """The command that goes on with a run that was broken off."""
    verb = "go on" if has_checkpoint(folder) else "begin again"
    return f"{verb} with: hornbook resume {for_shell(folder)}"


def has_checkpoint(folder: Path) -> bool:
    """Whether there is one, whole or damaged."""
    return any((folder / name).exists() for name in (LAST, PREVIOUS))


def completed(run: Run, text: Text | None, told: Callable[[str], object]) -> Run:
    """A finished run, with what it lacks if a full disk or a kill came after its last checkpoint; what is
    lost or damaged of its rows is told."""
    if yardsticks.lacking(run):
        with suppress(InputError), Lock(run.folder) as lock:  # its text may be gone
            yardsticks.add(run, same_text(run, text), Plan(run.summary["updates"]), lock)
    if (run.folder / LOCK).exists():  # a dead process left it
        with suppress(InputError, StorageError):
            Lock(run.folder).release()
    damage = damaged_rows(run)
    for sentence in [*damage, *damaged_checkpoint(run)]:
        told(sentence)
    return run if damage or (run.folder / FIGURE).exists() else drawn(run, told)


def drawn(run: Run, told: Callable[[str], object], lock: Lock | None = None) -> Run:
    """The run, with its figures, or without them, which is told, where they cannot be made: it is whole
    without them. Where it is locked, they are written only in the folder that is. Raises StorageError where
    that is another one."""
    try:
        loss_figure(run, lock.to_write if lock else None)
    except (FigureError, StorageError, RunFolderError) as error:
        if lock:
            lock.check()
        told(
            f"{error}; then hornbook resume {for_shell(run.folder)} draws its figures, without which the run "
            "is whole"
        )
    return run


def load(folder: str | Path | Run, which: str = "best") -> Model:
    """The model of a run, or of its folder: at the lowest validation loss, or smooth loss without one
    (`best`), or after the last update (`last`). Raises RunFolderError."""
    return Run(folder).model(which)
