"""Training: a generator of events. It prints nothing and writes nothing.

The loop over updates runs inside the engine; this one asks for those that lie before the next event,
in slices of about 50 ms, so that a wish to stop is seen in time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from hornbook.cells.cell import Array
from hornbook.config import ModelSettings, TrainingSettings
from hornbook.distribution import Choice
from hornbook.engines import ENGINES, Advance, Engine, Start, TrainingState
from hornbook.engines.interface import Floats, Integers, zero_state
from hornbook.errors import NotFiniteError
from hornbook.events import Checkpoint, Event, Finished, Logged, Progress, Sampled
from hornbook.philox import PASSAGE, SAMPLE, Source
from hornbook.sampling import start_after, write
from hornbook.schedules import rates
from hornbook.streams import Streams
from hornbook.text import Text

SLICE_SECONDS = 0.05
WARM = 500  # characters that bring a network into the text
JUDGED = 100  # the last of them, by whose loss it is judged


def never() -> bool:
    """Nobody asks for a stop."""
    return False


def training_events(
    text: Text,
    model: ModelSettings,
    training: TrainingSettings,
    stop: Callable[[], bool] = never,
) -> Iterator[Event]:
    """Train a network on a text: the events, as they happen.

    `stop` is asked after every slice; when it answers True the training ends after the update in hand,
    with a last Checkpoint and Finished. Raises TextError for a text shorter than T + 1 (at once), and
    NotFiniteError, after a Checkpoint, at a loss or gradient that is not finite.
    """
    Streams.of(len(text), training)
    state = TrainingState.initial(model, training)
    engine = ENGINES[training.engine](model, training, state, text.ids)
    return Training(text, training, engine, state, stop).events()


@dataclass
class Training:
    """One training under way."""

    text: Text
    settings: TrainingSettings
    engine: Engine
    state: TrainingState
    stop: Callable[[], bool]
    update: int = field(init=False)
    first_loss: float = math.nan
    best: tuple[float, int] = field(init=False)
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.update = self.state.update
        self.best = self.state.best_smooth_loss, self.state.best_update
        self.streams = Streams.of(len(self.text), self.settings)

    def seconds(self) -> float:
        """Since the first update."""
        return time.perf_counter() - self.started

    def events(self) -> Iterator[Event]:
        """All events from here to the end."""
        self.started = time.perf_counter()
        if self.update == 0:
            yield self.sampled()
        size = 1
        while self.update < self.settings.updates and not self.stop():
            begun = self.seconds()
            plan = rates(self.settings, self.update, self.until_event(size), self.settings.updates)
            result = self.engine.advance(plan)
            took = self.seconds() - begun
            yield from self.told(result, plan, begun, took)
            size = next_size(size, took, len(result.losses))
            if result.stopped:
                yield self.checkpoint()
                raise NotFiniteError(self.not_finite(result.stopped))
            if self.update % self.settings.sample_every == 0 or self.update == self.settings.updates:
                yield self.sampled()
                yield self.checkpoint()
        yield from self.ending()

    def until_event(self, size: int) -> int:
        """The updates in a slice of at most `size`, ending at the next event."""
        every = self.settings.sample_every
        return min(size, every - self.update % every, self.settings.updates - self.update)

    def told(self, result: Advance, plan: Floats, begun: float, took: float) -> Iterator[Event]:
        """The events of a slice: its metrics rows, and how far the training is."""
        done = len(result.losses)
        if not done:
            return
        if self.update == 0:
            self.first_loss = float(result.losses[0])
        speed = done * self.settings.seq_len * self.settings.streams / max(took, 1e-9)
        updates = self.update + 1 + np.arange(done)
        lowest = int(np.argmin(result.smooth_losses))
        if result.smooth_losses[lowest] < self.best[0]:
            self.best = float(result.smooth_losses[lowest]), int(updates[lowest])
        chosen = (updates % self.settings.log_every == 0) | (updates == self.settings.updates)
        for i in np.flatnonzero(chosen):
            yield self.logged(result, int(i), float(plan[i]), begun + took * float(i + 1) / done, speed)
        self.update += done
        yield Progress(
            self.update,
            self.settings.updates,
            self.update / self.streams.updates_per_epoch,
            float(result.smooth_losses[-1]),
            *self.best,
            begun + took,
            speed,
        )

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

    def sampled(self) -> Sampled:
        """A text from the current state and input character."""
        x, _ = self.streams.read(self.text.ids, self.update)
        state = self.engine.get_state().hidden[:, :, :1]
        if self.streams.starts_afresh(self.update):
            state = np.zeros_like(state)
        source = Source(self.settings.seed, SAMPLE, self.update)
        ids, _ = self.engine.sample(Start(state, x[0, :1]), self.settings.sample_length, Choice(), source)
        vocabulary = self.text.vocabulary
        return Sampled(self.update, vocabulary.shown(vocabulary.decode(ids[0])))

    def checkpoint(self) -> Checkpoint:
        """All that is needed to go on."""
        state = self.engine.get_state()
        return Checkpoint(state, self.reading(state), self.first_loss, self.seconds())

    def ending(self) -> Iterator[Event]:
        """The passage from the best model where all updates are made, and the end."""
        state = self.engine.get_state()
        complete = self.update == self.settings.updates
        passage = self.passage(state) if complete else ""
        if not complete:
            yield self.checkpoint()
        yield Finished(state, self.first_loss, passage, self.seconds(), complete)

    def passage(self, state: TrainingState) -> str:
        """What the best model writes."""
        best = self.engine.with_parameters(state.best_parameters)
        vocabulary = self.text.vocabulary
        source = Source(self.settings.seed, PASSAGE, state.best_update)
        length = self.settings.passage_length
        start = start_after(best, vocabulary, "", self.reading(state))
        return vocabulary.shown("".join(write(best, vocabulary, start, length, Choice(), source)))

    def reading(self, state: TrainingState) -> Array:  # (L, S, 1, H)
        """A state of the best model in the midst of the text, for writing to start in.

        Training meets the zero state once an epoch, and some networks cannot find from there to where
        they predict well, however much they read. So several readings are tried, one of which goes on
        from the state that training is in, and the one that ends with the lowest loss is taken.
        """
        best = self.engine.with_parameters(state.best_parameters)
        zero = zero_state(best.model, 1, state.parameters.dtype)
        length = min(WARM, len(self.text) - 1)
        here = int(self.streams.places(self.update)[0])
        starts = [(state.hidden[:, :, :1], here)] + [(zero, part * len(self.text) // 4) for part in range(4)]
        readings = [best.read(*self.window(place, length), before) for before, place in starts]
        return min(readings, key=lambda r: np.nan_to_num(r.nats[-JUDGED:].mean(), nan=np.inf)).state

    def window(self, place: int, length: int) -> tuple[Integers, Integers]:  # x, y (length, 1)
        """Characters to read from a place on, or as near to it as the text allows."""
        first = min(place, len(self.text) - 1 - length)
        ids = np.asarray(self.text.ids[first : first + length + 1], dtype=np.int64)[:, None]
        return ids[:-1], ids[1:]

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
