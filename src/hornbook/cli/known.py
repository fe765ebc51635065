"""A text that a model has been trained on: what it needs for that is no measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hornbook.cli.words import warn

if TYPE_CHECKING:
    from hornbook.text import Text

WORD_FOR_WORD = 400  # characters that no two texts share by chance, and
FEWEST = 40  # that few do
PLACES = 9  # where a text is compared, evenly
BLOCK = 1 << 22  # characters of a training text that are searched at once


def warn_if_known(text: str, training: Text | str, characters: int, more: str = "") -> None:
    """Tell where a text, or a part of it, stands in the first so many characters of a training text, which
    were trained on; `more` ends the sentence."""
    if stands_in(text, training, characters):
        warn(
            "this text, or a part of it, stands in the run's training text, so it costs the model less than "
            f"a new one{more}"
        )


def stands_in(text: str, training: Text | str, characters: int) -> bool:
    """Whether one of some passages of a text stands word for word in the first so many characters of another.
    A few words may do so by chance."""
    passages = passages_of(text)
    return any(
        passage in training[start : min(start + BLOCK + WORD_FOR_WORD, characters)]
        for start in range(0, characters if passages else 0, BLOCK)
        for passage in passages
    )


def passages_of(text: str) -> set[str]:
    """Passages from all over a text, the whole text where it is no longer than one; none of a short text."""
    last = max(0, len(text) - WORD_FOR_WORD)
    starts = (last * place // (PLACES - 1) for place in range(PLACES))
    return {text[start : start + WORD_FOR_WORD] for start in starts} if len(text) >= FEWEST else set()
