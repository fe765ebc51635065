"""Training: a generator of events. It prints nothing and writes nothing.

The loop over updates runs inside the engine; this one asks for those that lie before the next event,
in slices of about 50 ms, so that a wish to stop is seen in time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import InitVar, dataclass, field, replace

import numpy as np

from hornbook.averaging import EVERY, Average
from hornbook.config import SAVE_SECONDS, ModelSettings, TrainingSettings
from hornbook.engines import ENGINES, Advance, Engine, TrainingState
from hornbook.engines.interface import Floats
from hornbook.errors import NotFiniteError
from hornbook.events import (
    AVERAGE,
    SMOOTH_LOSS,
    VALIDATION_LOSS,
    Checkpoint,
    Evaluated,
    Event,
    Finished,
    Logged,
    Planned,
    Progress,
    Sampled,
)
from hornbook.excerpts import Excerpts
from hornbook.plan import Plan
from hornbook.schedules import rates
from hornbook.selection import Selection
from hornbook.streams import Streams, trained_on
from hornbook.text import Text
from hornbook.validation import BrokenOff, HeldOut

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
    start: Checkpoint | None = None,
    save_every: float = SAVE_SECONDS,
) -> Iterator[Event]:
    """Train a network on a text: the events, as they happen.

    `stop` is asked after every slice; when it answers True the training ends after the update in hand,
    with a last Checkpoint and Finished. `plan` says how many updates are made, in place of the settings.
    From a checkpoint to `start` at, the training goes on to the bit as if it had never ended. Checkpoints
    follow each other in `save_every` seconds, and there is one at every end.
    Raises TextError for a text, or a part of it to train on or to hold out, shorter than T + 1 (at once), and
    NotFiniteError, after a Checkpoint, at a loss or gradient that is not finite.
    """
    Streams.of(trained_on(len(text), training), training)
    HeldOut.of(text.ids, training)
    ids = text.ids[: trained_on(len(text), training)]
    start = start or Checkpoint.initial(model, training, ids)
    engine = ENGINES[training.engine](model, training, start.state, ids)
    plan = plan or Plan(training.updates)
    return Training(text, training, engine, start, stop, plan, save_every).events()


@dataclass
class Training:
    """One training under way."""

    text: Text
    settings: TrainingSettings
    engine: Engine
    start: InitVar[Checkpoint]  # too large to be kept
    stop: Callable[[], bool]
    plan: Plan
    save_every: float  # seconds
    update: int = field(init=False)
    first_loss: float = field(init=False)
    lowest: tuple[float, int] = field(init=False)  # smooth loss, and its update
    shown: int = field(init=False)  # the update after which the last sample was written
    pending: Logged | None = field(init=False)  # the row of an update that is still to be evaluated
    selection: Selection | None = field(init=False)
    average: Average | None = field(init=False)
    started: float = field(init=False)  # the moment of the first update
    saved: float = field(init=False)  # seconds at the last checkpoint

    def __post_init__(self, start: Checkpoint) -> None:
        self.update, self.first_loss = start.state.update, start.first_loss
        self.lowest = start.state.best_smooth_loss, start.lowest_update
        self.shown, self.saved, self.pending = start.shown, start.seconds, start.pending
        self.selection = Selection.of(self.text.ids, self.settings, start.best)
        mean = start.state.parameters if start.average is None else start.average
        self.average = Average.of(self.settings, mean)
        ids = self.text.ids[: trained_on(len(self.text), self.settings)]
        self.streams = Streams.of(len(ids), self.settings)
        self.excerpts = Excerpts(self.text.vocabulary, ids, self.settings, self.engine)

    def seconds(self) -> float:
        """Since the first update, without the time between a stop and going on."""
        return time.perf_counter() - self.started

    def events(self) -> Iterator[Event]:
        """All events from here to the end."""
        self.started = time.perf_counter() - self.saved
        if self.shown < 0:
            yield self.sampled()
        yield from self.correction()
        yield from self.marked(self.pending, self.selection)
        size = 1
        while not (self.pending or self.complete() or self.stop()):
            begun = self.seconds()
            plan = rates(self.settings, self.update, self.until_event(size), self.plan.total)
            result = self.engine.advance(plan, self.settings.log_every)
            took = self.seconds() - begun
            row = yield from self.told(result, plan, begun, took)
            size = next_size(size, took, len(result.losses))
            if result.stopped:
                yield from self.failed(result.stopped, row)
            yield from self.correction()
            yield from self.marked(row, self.selection)
            if self.at(self.settings.sample_every):
                yield self.sampled()
            if self.seconds() - self.saved >= self.save_every and not self.complete():
                yield from self.saving()
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
        """Whether what is due every so many updates, and at an end, is due after this one."""
        return self.update % every == 0 or self.plan.ends(self.update)

    def until_event(self, size: int) -> int:
        """The updates in a slice of at most `size`, ending at the next event."""
        rhythms = [self.settings.sample_every]
        if self.selection:
            rhythms.append(self.settings.evaluate_every)
        if self.average:
            rhythms.append(EVERY)
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
        if self.average and self.update % EVERY == 0:
            self.average.take(self.update, self.engine.current())
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
        """What is told of the update in hand: its evaluation, its metrics row, how far the training is. Where
        a wish to stop breaks the evaluation off, all this is left for the training that goes on."""
        if row is None:
            return
        self.pending = None
        if selection and self.at(self.settings.evaluate_every):
            try:
                (nats, characters), best = selection.evaluate(
                    self.engine, self.model(), lambda: not self.stop()
                )
            except BrokenOff:
                self.pending = row
                return
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
            self.plan.seconds_left(),
        )

    def current(self) -> TrainingState:
        """The state of the engine; its best parameters are the validation's, where there is one, or the mean,
        where there is one."""
        state = self.engine.get_state()
        if self.average:
            mean = self.average.at(self.update, state.parameters)
            state = replace(state, best_parameters=mean, best_update=self.update)
        return self.selection.chosen(state) if self.selection else state

    def model(self) -> TrainingState:
        """The state of the engine; its parameters are the mean, where there is one."""
        state = self.engine.get_state()
        if not self.average:
            return state
        return replace(state, parameters=self.average.at(self.update, state.parameters))

    def best_by(self) -> str:
        """Whose lowest value the best update of the current state is, or that its parameters are a mean."""
        if self.selection and self.selection.best:
            return VALIDATION_LOSS
        return AVERAGE if self.average else SMOOTH_LOSS

    def sampled(self) -> Sampled:
        """A text from the current state."""
        self.shown = self.update
        return Sampled(self.update, self.excerpts.sample(self.model()))

    def saving(self) -> Iterator[Checkpoint]:
        """All that is needed to go on."""
        state = self.current()
        reading, seconds = self.excerpts.reading(state), self.seconds()
        best = self.selection.best if self.selection else None
        mean = self.average.parameters if self.average else None
        yield Checkpoint(
            state, reading, self.first_loss, seconds, self.lowest[1], self.shown, best, self.pending, mean
        )
        self.saved = self.seconds()

    def ending(self) -> Iterator[Event]:
        """The end; where all updates are made, with what the best model writes and needs."""
        complete = self.complete() and not self.pending
        if complete and self.shown != self.update:
            yield self.sampled()
        yield from self.saving()
        yield self.finished() if complete else self.stopped()

    def stopped(self) -> Finished:
        """The end before all is done."""
        best_by = self.best_by()
        return Finished(self.current(), self.first_loss, "", self.seconds(), complete=False, best_by=best_by)

    def finished(self) -> Finished:
        """The end of all updates; a stop while the held-out part is read is one before it."""
        state, validation = self.current(), None
        reading = self.excerpts.reading(state)
        passage = self.excerpts.passage(state, reading)
        if self.selection:
            best, held_out = self.engine.with_parameters(state.best_parameters), self.selection.held_out
            validation = held_out.whole(best, reading, self.going_on)
            if self.stop() and validation.characters < len(held_out):
                return self.stopped()
        early = self.update != self.plan.total
        return Finished(
            state,
            self.first_loss,
            passage,
            self.seconds(),
            complete=True,
            validation=validation,
            early=early,
            best_by=self.best_by(),
        )

    def going_on(self) -> bool:
        """Whether to read on in the held-out part."""
        return self.plan.in_time() and not self.stop()

    def failed(self, what: str, row: Logged | None) -> Iterator[Event]:
        """The end at something that is not finite."""
        yield from self.marked(row, selection=None)
        yield from self.saving()
        raise NotFiniteError(self.not_finite(what))

    def not_finite(self, what: str) -> str:
        """What went wrong, and what to try."""
        settings = self.settings
        if self.update == 0:
            advice = f"`init_scale` (it is {settings.init_scale:g}) or `seq_len` (it is {settings.seq_len})"
        else:
            advice = f"`lr` (it is {settings.lr:g})"
        return (
            f"the {what} of update {self.update + 1:,} is not finite, so training stopped before it; "
            f"try a lower {advice}"
        )


def next_size(size: int, took: float, done: int) -> int:
    """The updates of the next slice, so that it takes about 50 ms; at most four times as many."""
    fitting = int(done * SLICE_SECONDS / max(took, 1e-9))
    return max(1, min(fitting, 4 * size))
