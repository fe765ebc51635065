"""Training: a generator of events. It prints nothing and writes nothing.

The loop over updates runs inside the engine; this one asks for those that lie before the next event,
in slices of about 50 ms, so that a wish to stop is seen in time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from hornbook.config import ModelSettings, TrainingSettings
from hornbook.engines import ENGINES, Advance, Engine, TrainingState
from hornbook.engines.interface import Floats
from hornbook.errors import NotFiniteError
from hornbook.events import Checkpoint, Evaluated, Event, Finished, Logged, Planned, Progress, Sampled
from hornbook.excerpts import Excerpts
from hornbook.plan import Plan
from hornbook.schedules import rates
from hornbook.selection import Selection
from hornbook.streams import Streams, trained_on
from hornbook.text import Text
from hornbook.validation import HeldOut

SLICE_SECONDS = 0.05


def never() -> bool:
    """Nobody asks for a stop."""
    return False


def training_events(
    text: Text,
    model: ModelSettings,
    training: TrainingSettings,
    stop: Callable[[], bool] = never,
    plan: Plan | None = None,
) -> Iterator[Event]:
    """Train a network on a text: the events, as they happen.

    `stop` is asked after every slice; when it answers True the training ends after the update in hand,
    with a last Checkpoint and Finished. `plan` says how many updates are made, in place of the settings.
    Raises TextError for a text, or a part of it to train on or to hold out, shorter than T + 1 (at once), and
    NotFiniteError, after a Checkpoint, at a loss or gradient that is not finite.
    """
    Streams.of(trained_on(len(text), training), training)
    HeldOut.of(text.ids, training)
    state = TrainingState.initial(model, training)
    ids = text.ids[: trained_on(len(text), training)]
    engine = ENGINES[training.engine](model, training, state, ids)
    return Training(text, training, engine, state, stop, plan or Plan(training.updates)).events()


@dataclass
class Training:
    """One training under way."""

    text: Text
    settings: TrainingSettings
    engine: Engine
    state: TrainingState
    stop: Callable[[], bool]
    plan: Plan
    update: int = field(init=False)
    first_loss: float = math.nan
    lowest: tuple[float, int] = field(init=False)  # smooth loss, and its update
    shown: int = -1  # the update after which the last sample was written
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.update = self.state.update
        self.lowest = self.state.best_smooth_loss, self.state.best_update
        self.selection = Selection.of(self.text.ids, self.settings)
        ids = self.text.ids[: trained_on(len(self.text), self.settings)]
        self.streams = Streams.of(len(ids), self.settings)
        self.excerpts = Excerpts(self.text.vocabulary, ids, self.settings, self.engine)

    def seconds(self) -> float:
        """Since the first update."""
        return time.perf_counter() - self.started

    def events(self) -> Iterator[Event]:
        """All events from here to the end."""
        self.started = time.perf_counter()
        if self.update == 0:
            yield self.sampled()
        yield from self.correction()
        size = 1
        while not (self.complete() or self.stop()):
            begun = self.seconds()
            plan = rates(self.settings, self.update, self.until_event(size), self.plan.total)
            result = self.engine.advance(plan)
            took = self.seconds() - begun
            row = yield from self.told(result, plan, begun, took)
            size = next_size(size, took, len(result.losses))
            if result.stopped:
                yield from self.failed(result.stopped, row)
            yield from self.correction()
            yield from self.marked(row, self.selection)
            if self.at(self.settings.sample_every):
                yield from self.show()
        yield from self.ending()

    def correction(self) -> Iterator[Planned]:
        """The change of plan that is due here."""
        step = self.plan.correction(self.update)
        if step:
            yield step

    def complete(self) -> bool:
        """Whether no update is to be made any more."""
        impatient = self.selection is not None and self.selection.out_of_patience()
        return self.update == self.plan.total or impatient

    def at(self, every: int) -> bool:
        """Whether what is due every so many updates is due after this one."""
        return self.update % every == 0 or self.update == self.plan.total

    def until_event(self, size: int) -> int:
        """The updates in a slice of at most `size`, ending at the next event."""
        rhythms = [self.settings.sample_every]
        if self.selection:
            rhythms.append(self.settings.evaluate_every)
        ends = [every - self.update % every for every in rhythms]
        return min(size, *ends, self.plan.next_step(self.update) - self.update)

    def told(
        self, result: Advance, plan: Floats, begun: float, took: float
    ) -> Generator[Logged, None, Logged | None]:
        """The metrics rows of a slice, but for its last update: that one's is handed back."""
        done = len(result.losses)
        if not done:
            return None
        if self.update == 0:
            self.first_loss = float(result.losses[0])
        speed = done * self.settings.seq_len * self.settings.streams / max(took, 1e-9)
        updates = self.update + 1 + np.arange(done)
        lowest = int(np.argmin(result.smooth_losses))
        if result.smooth_losses[lowest] < self.lowest[0]:
            self.lowest = float(result.smooth_losses[lowest]), int(updates[lowest])
        rows = [
            self.logged(result, int(i), float(plan[i]), begun + took * float(i + 1) / done, speed)
            for i in np.flatnonzero((updates % self.settings.log_every == 0) | (updates == updates[-1]))
        ]
        self.update += done
        yield from rows[:-1]
        return rows[-1]

    def logged(self, result: Advance, i: int, rate: float, seconds: float, speed: float) -> Logged:
        """The metrics row of update i of a slice."""
        update = self.update + i + 1
        return Logged(
            update,
            update / self.streams.updates_per_epoch,
            float(result.losses[i]),
            float(result.smooth_losses[i]),
            rate,
            float(result.norms[i]),
            int(result.clipped[i]),
            seconds,
            speed,
        )

    def marked(self, row: Logged | None, selection: Selection | None) -> Iterator[Event]:
        """What is told of the update in hand: its evaluation, its metrics row, how far the training is."""
        if row is None:
            return
        if selection and self.at(self.settings.evaluate_every):
            (nats, characters), best = selection.evaluate(self.engine)
            yield Evaluated(self.update, nats, characters, best.nats, best.update, self.seconds())
            yield replace(row, validation=nats if math.isfinite(nats) else None)
        elif self.at(self.settings.log_every):
            yield row
        yield Progress(
            self.update,
            self.plan.total,
            row.epoch,
            row.smooth_loss,
            *self.lowest,
            row.seconds,
            row.characters_per_second,
        )

    def current(self) -> TrainingState:
        """The state of the engine; its best parameters are the validation's, where there is one."""
        state = self.engine.get_state()
        return self.selection.chosen(state) if self.selection else state

    def sampled(self) -> Sampled:
        """A text from the current state."""
        self.shown = self.update
        return Sampled(self.update, self.excerpts.sample(self.engine.get_state()))

    def show(self) -> Iterator[Event]:
        """A sample, and all that is needed to go on."""
        yield self.sampled()
        yield self.checkpoint()

    def checkpoint(self) -> Checkpoint:
        """All that is needed to go on."""
        state = self.current()
        reading = self.excerpts.reading(state)
        return Checkpoint(state, reading, self.first_loss, self.seconds())

    def ending(self) -> Iterator[Event]:
        """The end; where all updates are made, with what the best model writes and needs."""
        if not self.complete():
            yield self.checkpoint()
            yield Finished(self.current(), self.first_loss, "", self.seconds(), complete=False)
            return
        if self.shown != self.update:
            yield from self.show()
        yield self.finished()

    def finished(self) -> Finished:
        """The end of all updates."""
        state, validation = self.current(), None
        reading = self.excerpts.reading(state)
        passage = self.excerpts.passage(state, reading)
        if self.selection:
            best = self.engine.with_parameters(state.best_parameters)
            validation = self.selection.held_out.whole(best, reading, self.plan.in_time)
        early = self.update != self.plan.total
        return Finished(
            state, self.first_loss, passage, self.seconds(), complete=True, validation=validation, early=early
        )

    def failed(self, what: str, row: Logged | None) -> Iterator[Event]:
        """The end at something that is not finite."""
        yield from self.marked(row, selection=None)
        yield self.checkpoint()
        raise NotFiniteError(self.not_finite(what))

    def not_finite(self, what: str) -> str:
        """What went wrong, and what to try."""
        settings = self.settings
        if self.update == 0:
            advice = f"--init-scale (it is {settings.init_scale:g}) or --seq-len (it is {settings.seq_len})"
        else:
            advice = f"--lr (it is {settings.lr:g})"
        return (
            f"the {what} of update {self.update + 1:,} is not finite, so training stopped before it; "
            f"try a lower {advice}"
        )


def next_size(size: int, took: float, done: int) -> int:
    """The updates of the next slice, so that it takes about 50 ms; at most four times as many."""
    fitting = int(done * SLICE_SECONDS / max(took, 1e-9))
    return max(1, min(fitting, 4 * size))
