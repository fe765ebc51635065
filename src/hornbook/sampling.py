"""Sampling: prompts, and text written out as it is made, up to a stop string.

How one symbol is chosen stands in `distribution`; drawing many is the engine's work.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hornbook.config import integer
from hornbook.distribution import Choice
from hornbook.engines import Engine, Start
from hornbook.engines.interface import zero_state
from hornbook.errors import PromptError, SettingError
from hornbook.philox import Source
from hornbook.text import Vocabulary

PIECE = 32  # characters drawn before the next are shown


def read_prompt(vocabulary: Vocabulary, prompt: str, unknown: str = "error") -> str:
    """The prompt as the model can read it. A character that it has never seen raises PromptError, or
    is left out where `unknown` is `skip`."""
    if unknown not in ("error", "skip"):
        raise SettingError(f"unknown is {unknown!r}; expected error or skip")
    if unknown == "skip":
        return "".join(c for c in prompt if c in vocabulary.numbers)
    for i, character in enumerate(prompt):
        if character not in vocabulary.numbers:
            raise PromptError(
                f"the model has never seen {character!r} (position {i} of the prompt); "
                "leave it out, or use --unknown skip"
            )
    return prompt


def start_after(engine: Engine, vocabulary: Vocabulary, prompt: str) -> Start:
    """Where writing starts: the zero state, or the state after all of the prompt but its last
    character, which is read next."""
    parameters = engine.get_state().parameters
    state = zero_state(engine.model, 1, parameters.dtype)
    ids = vocabulary.encode(prompt)
    for i in ids[:-1]:
        _, state = engine.step(np.array([i]), state)
    return Start(state, ids[-1:] if len(ids) else np.array([-1]))


def write(
    engine: Engine,
    vocabulary: Vocabulary,
    start: Start,
    length: int,
    choice: Choice,
    source: Source,
    stop: str = "",
) -> Iterator[str]:
    """Pieces of a text of `length` characters, or shorter: it ends before the stop string."""
    integer("length", length, 1, 10**9)
    pieces = drawn(engine, vocabulary, start, length, choice, source)
    return until(pieces, stop) if stop else pieces


def drawn(
    engine: Engine, vocabulary: Vocabulary, start: Start, length: int, choice: Choice, source: Source
) -> Iterator[str]:
    """Pieces of a text, each yielded as soon as it is drawn."""
    for done in range(0, length, PIECE):
        ids, start = engine.sample(start, min(PIECE, length - done), choice, source)
        yield vocabulary.decode(ids[0])


def until(pieces: Iterator[str], stop: str) -> Iterator[str]:
    """The pieces up to the first occurrence of `stop`, which may lie across several; what may be its
    beginning is held back."""
    held = ""
    for piece in pieces:
        held += piece
        place = held.find(stop)
        if place >= 0:
            yield held[:place]
            return
        told = max(0, len(held) - len(stop) + 1)
        yield held[:told]
        held = held[told:]
    yield held
