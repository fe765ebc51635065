"""Validation: what a network needs for the tail of a text that is held out.

On the way a part of it is read in lanes side by side, evenly spread, so that it is fast; at the end all of
it, as one stream, as `scoring` reads any text. Either way what stands before in the text is read first, and
does not count: the network is judged where it has found its place. How much is read on the way is a function
of the updates made, not of the clock, so that a run can be repeated; it grows by doubling, so that most
evaluations read the same characters as the one before, and can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hornbook.cells.cell import Array
from hornbook.config import TrainingSettings
from hornbook.engines import Engine
from hornbook.engines.interface import Floats, Integers
from hornbook.errors import TextError
from hornbook.events import Lanes, Validation
from hornbook.reading import LEAD, always, cost_blocks, led
from hornbook.streams import chunk_of, shortest, trained_on
from hornbook.text import Ids

SHARE = 0.01  # of the work so far that an evaluation may take
READING = 3  # characters that can be read in the time that training takes for one
EARLY = 200  # characters that a lane reads before those that count
LANE = 1000  # characters that count in a lane, at least
MOST_LANES = 64
BLOCK = 256  # time steps read at a time


class BrokenOff(Exception):
    """A reading on the way was not to go on; never seen by a user."""


@dataclass(frozen=True)
class HeldOut:
    """The tail of a text, from `start` on. Raises TextError where it has no room for `least` characters."""

    ids: Ids  # (N,) of the whole text
    start: int
    least: int = 1
    rest: int = 1  # characters that training needs before them

    @classmethod
    def of(cls, ids: Ids, training: TrainingSettings) -> HeldOut | None:
        """The part that a training holds out; None where it holds out nothing."""
        if not training.validation:
            return None
        rest = shortest(training.seq_len, training.streams, chunk_of(training))
        return cls(ids, trained_on(len(ids), training), training.seq_len + 1, rest)

    def __post_init__(self) -> None:
        if len(self) < self.least:
            raise TextError(
                f"`validation` holds out {len(self):,} of {len(self.ids):,} characters, but one window of "
                f"{self.least - 1:,} needs at least {self.least:,}; {' or '.join(self.ways())}"
            )

    def ways(self) -> list[str]:
        """What to do where there is no room for one window."""
        N, most = len(self.ids), len(self) - 1
        share = math.ceil(1000 * self.least / N) / 1000
        larger = [f"hold out at least `validation={share:g}`"] * (round(N * share) <= N - self.rest)
        return [*larger, *[f"choose `seq_len={most}` at most"] * (most > 0), "give a longer text"]

    def __len__(self) -> int:
        """The characters that are held out."""
        return len(self.ids) - self.start

    def lanes(self, amount: int) -> Lanes:
        """Lanes in which about so many characters are read, or all there are."""
        count = max(1, min(amount // (EARLY + LANE), len(self) // LANE, MOST_LANES))
        return Lanes(count, min(len(self) // count, max(amount // count - EARLY, LANE)))

    def evaluate(
        self, engine: Engine, state: Array, lanes: Lanes, going_on: Callable[[], bool] = always
    ) -> Validation:  # (L, S, 1, H)
        """What the engine needs for a character that counts in lanes, each read from the state. Raises
        BrokenOff as `read_lanes` does."""
        early = min(EARLY, self.start)
        places = self.start + len(self) // lanes.number * np.arange(lanes.number)
        states = np.repeat(state, lanes.number, axis=2)
        nats = read_lanes(engine, self.ids, places - early, early + lanes.length, states, going_on)
        counted = nats[early - 1 :]
        return Validation(float(counted.mean()), counted.size)

    def whole(self, engine: Engine, state: Array, going_on: Callable[[], bool]) -> Validation:
        """What the engine needs for a character, from all of them in one stream, which begins before them in
        the state (L, S, 1, H); from the first ones, where `going_on` says no."""
        before, held_out = self.ids[max(0, self.start - LEAD) : self.start], self.ids[self.start :]
        sums, read = [], 0
        for nats in cost_blocks(engine, held_out, led(engine, before, state), going_on):
            sums.append(float(nats.sum()))  # of a large text there is no room for all of them
            read += len(nats)
        return Validation(math.fsum(sums) / read, read)


def read_lanes(
    engine: Engine,
    ids: Ids | Integers,
    places: Integers,
    length: int,
    state: Array,
    going_on: Callable[[], bool] = always,
) -> Floats:  # (length - 1, M)
    """The nats of all characters but the first in lanes of so many from each place on, read from a state
    (L, S, M, H). Raises BrokenOff where between two blocks `going_on` says no."""
    rows: list[Floats] = []
    for first in range(0, length - 1, BLOCK):
        if rows and not going_on():
            raise BrokenOff
        steps = np.arange(first, min(first + BLOCK, length - 1) + 1)
        window = ids[places + steps[:, None]].astype(np.int64)
        read = engine.read(window[:-1], window[1:], state)
        rows.append(read.nats)
        state = read.state
    return np.concatenate(rows)


def amount_allowed(update: int, training: TrainingSettings) -> int:
    """The characters that an evaluation after so many updates may read: a hundredth of the work so far,
    rounded down to one lane, two, four, …"""
    allowed = int(SHARE * READING * update * training.seq_len * training.streams)
    doublings = max(1, allowed // (EARLY + LANE)).bit_length() - 1
    return (EARLY + LANE) << doublings
