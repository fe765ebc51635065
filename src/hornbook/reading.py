"""Reading: what a network makes of a text, a block at a time: what each character costs it, what it expected
there, and its hidden states. Nothing here knows files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hornbook.cells.cell import Array
from hornbook.distribution import Choice, probabilities
from hornbook.engines import Engine, Reading
from hornbook.engines.interface import zero_state
from hornbook.errors import TextError
from hornbook.text import Ids
from hornbook.values import integer
from hornbook.vocabulary import Vocabulary

BLOCK = 4096  # characters read at a time
LEAD = 2000  # characters that are read before a part of a text that is judged

Numbers = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]


def reading(engine: Engine, ids: Numbers | Ids, state: Array) -> Iterator[Reading]:  # (N,), (L, S, 1, H)
    """Read known characters from a state, a block at a time. What is told of the character after the last
    one means nothing."""
    for start in range(0, len(ids), BLOCK):
        part = np.asarray(ids[start : start + BLOCK + 1], dtype=np.int64)
        x, y = part[:BLOCK], part[1:]
        y = y if len(y) == len(x) else np.append(y, 0)
        read = engine.read(x[:, None], y[:, None], state)
        yield read
        state = read.state


def led(engine: Engine, before: Numbers | Ids, state: Array) -> Array:  # (n,), (L, S, 1, H) -> (L, S, 1, H)
    """The state in which the part of a text that follows known characters is read: a state, and then the last
    of these."""
    for read in reading(engine, before[-LEAD:], state):
        state = read.state
    return state


def always() -> bool:
    """Reading goes on to the end."""
    return True


def costs(engine: Engine, ids: Numbers, state: Array) -> Reals:  # (N,), (L, S, 1, H) -> (N,)
    """The nats of each of at least one known character."""
    return np.concatenate(list(cost_blocks(engine, ids, state)))


def cost_blocks(
    engine: Engine, ids: Numbers | Ids, state: Array, going_on: Callable[[], bool] = always
) -> Iterator[Reals]:  # (N,), (L, S, 1, H)
    """The same, block by block; of the first ones only, where after a block `going_on` says no."""
    logits, _ = engine.step(None, state)
    o = logits[0].astype(np.float64)
    yield np.logaddexp.reduce(o) - o[ids[:1]]
    left = len(ids) - 1
    for read in reading(engine, ids, state):
        yield read.nats[:left, 0]
        left -= len(read.nats)
        if not going_on():
            break


def hidden_states(engine: Engine, ids: Numbers, state: Array) -> Array:  # (N,), (L, S, 1, H) -> (N, H)
    """The hidden state of the top layer after each character; an unknown one (-1) leaves it as it was."""
    known = ids >= 0
    rows = [state[-1, 0], *(read.hidden[:, 0] for read in reading(engine, ids[known], state))]
    states = np.concatenate(rows)  # (known + 1, H)
    return states[1:] if known.all() else states[np.cumsum(known)]


@dataclass(frozen=True)
class Guesses:
    """What a model expected at each character of a text: the numbers of the likeliest symbols, the likeliest
    first, and their probabilities."""

    ids: Numbers  # (N, top)
    probabilities: Reals  # (N, top)


def guesses(engine: Engine, ids: Numbers, state: Array, top: int = 5) -> Guesses:  # (N,), (L, S, 1, H)
    """The `top` likeliest symbols (all, where there are no more) at each character of a text, in which -1 is
    unknown."""
    top = integer("top", top, 1, 0x110000)
    states = np.concatenate([state[-1, 0], hidden_states(engine, ids, state)])[:-1]
    found = [likeliest(engine, states[start : start + BLOCK], top) for start in range(0, len(ids), BLOCK)]
    return Guesses(np.concatenate([g.ids for g in found]), np.concatenate([g.probabilities for g in found]))


def likeliest(engine: Engine, hidden: Array, top: int) -> Guesses:  # (n, H)
    """The likeliest symbols after each hidden state; of equals, the lower number comes first."""
    state = zero_state(engine.model, len(hidden), hidden.dtype)
    state[-1, 0] = hidden
    logits, _ = engine.step(None, state)
    chances = probabilities(logits, Choice())
    order = np.argsort(-chances, axis=1, kind="stable")[:, :top]
    return Guesses(order, np.take_along_axis(chances, order, axis=1))


def check_known(vocabulary: Vocabulary, text: str) -> Numbers:  # -> (N,)
    """The numbers of the characters of a text, -1 for one that is unknown. Raises TextError where all are."""
    ids = vocabulary.find(text)
    if not (ids >= 0).any():
        raise TextError(nothing_known(text, vocabulary))
    return ids


def nothing_known(text: str, vocabulary: Vocabulary) -> str:
    """What is wrong with a text in which the model knows nothing."""
    if not text:
        return "there is nothing to read: the text is empty"
    return (
        "the model knows no character of this text; its vocabulary has "
        f"{len(vocabulary):,}: was it trained on another script, or is `encoding` wrong?"
    )
