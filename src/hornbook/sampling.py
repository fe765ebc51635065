"""Sampling: prompts, and text written out as it is made, up to a stop string, and held back from copying.

How one symbol is chosen stands in `distribution`; drawing many is the engine's work.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hornbook.cells.cell import Array
from hornbook.distribution import Choice, draw, probabilities
from hornbook.engines import Engine, Start
from hornbook.engines.interface import Integers, zero_state
from hornbook.errors import PromptError, SettingError
from hornbook.matching import CopyGuard
from hornbook.philox import Source
from hornbook.values import integer, words
from hornbook.vocabulary import Vocabulary

PIECE = 128  # characters drawn before the next are shown; enough for the core to share the work of one stream
GUARDED = 32  # the same where some may be refused, and those after them drawn in vain


def read_prompt(vocabulary: Vocabulary, prompt: str, unknown: str = "error") -> str:
    """The prompt as the model can read it. A character that it has never seen raises PromptError, or
    is left out where `unknown` is `skip`. Raises SettingError for what is no text."""
    words("`prompt`", prompt)
    if unknown not in ("error", "skip"):
        raise SettingError(f"`unknown` is {unknown!r}; expected error or skip")
    if unknown == "skip":
        return "".join(c for c in prompt if c in vocabulary.numbers)
    for i, character in enumerate(prompt):
        if character not in vocabulary.numbers:
            raise PromptError(
                f"the model has never seen {character!r} (position {i} of the prompt); "
                "leave it out, or use `unknown='skip'`"
            )
    return prompt


def start_after(engine: Engine, vocabulary: Vocabulary, prompt: str, state: Array | None = None) -> Start:
    """Where writing starts: the state (L, S, 1, H), the zero state without one, or the state after all
    of the prompt but its last character, which is read next."""
    if state is None:
        state = zero_state(engine.model, 1, engine.dtype)
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
    guard: CopyGuard | None = None,
    prompt: str = "",
) -> Iterator[str]:
    """Pieces of a text of `length` characters, or shorter: it ends before the stop string. A guard holds
    it back from copying; the prompt counts as written. See `guarded` for what that raises."""
    length = integer("`length`", length, 1, 10**9)
    if guard is None:
        pieces = drawn(engine, vocabulary, start, length, choice, source)
    else:
        history = vocabulary.encode(prompt).tolist()
        pieces = guarded(engine, vocabulary, start, length, choice, source, guard, history)
    return until(pieces, stop) if stop else pieces


def drawn(
    engine: Engine, vocabulary: Vocabulary, start: Start, length: int, choice: Choice, source: Source
) -> Iterator[str]:
    """Pieces of a text, each yielded as soon as it is drawn."""
    for done in range(0, length, PIECE):
        ids, start = engine.sample(start, min(PIECE, length - done), choice, source)
        yield vocabulary.decode(ids[0])


def guarded(
    engine: Engine,
    vocabulary: Vocabulary,
    start: Start,
    length: int,
    choice: Choice,
    source: Source,
    guard: CopyGuard,
    history: list[int],
) -> Iterator[str]:
    """Pieces of a text that copies no more than the guard allows. It is the text that would be written
    without a guard up to the first character that is refused; in its place another is drawn, with the same
    random number, from what is allowed. Raises SettingError where nothing is, after all that was written."""
    done = 0
    while done < length:
        ids, after = engine.sample(start, min(GUARDED, length - done), choice, source)
        kept = unrefused(guard, history, ids[0])
        refused = kept < ids.shape[1]
        if refused:
            ids, after = engine.sample(start, kept, choice, source)
        history += ids[0].tolist()
        yield vocabulary.decode(ids[0])
        if refused:
            after = turned(engine, after, choice, source, guard, history)
            history += after.last.tolist()
            yield vocabulary.decode(after.last)
        done, start = done + kept + refused, after
        del history[: -guard.limit]


def unrefused(guard: CopyGuard, history: list[int], ids: Integers) -> int:
    """How many of the symbols may be written in a row."""
    written = [*history, *ids.tolist()]
    places = range(max(len(history), guard.limit), len(written))
    return next((i - len(history) for i in places if not guard.allowed(written[:i], written[i])), len(ids))


def turned(
    engine: Engine, start: Start, choice: Choice, source: Source, guard: CopyGuard, history: list[int]
) -> Start:
    """Where writing goes on after a symbol that is no copy: what is refused has probability zero before
    top-k and top-p choose. Raises SettingError where all symbols are refused."""
    logits, state = engine.step(None if start.last[0] < 0 else start.last, start.state)
    o = logits[0].astype(np.float64)
    refused = guard.forbidden(history)
    o[refused[refused < len(o)]] = -np.inf
    if np.isneginf(o).all():
        raise SettingError(
            f"`limit` is {guard.limit}; every symbol that could follow here would copy more than that from "
            "the training text, so this text ends; give a higher one"
        )
    drawn = draw(probabilities(o, choice), float(source.uniforms(0, start.position, 1)[0]))
    return Start(state, np.array([drawn]), start.position + 1)


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
