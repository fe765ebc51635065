"""Units: what each hidden unit follows, among the things in a text that a person can name.

A feature is a number for each character of a text; h_i is the hidden state after character i was read, and
feature i tells what is so at that moment: whether character i left the reader inside quotes, whether it was a
space, whether the next character will be a capital. Units are matched with features by Pearson's correlation
(as Karpathy, Johnson and Fei-Fei found cells that track quotes and line length by eye, "Visualizing and
understanding recurrent networks", 2015). Activations are an argument: nothing here knows engines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hornbook.errors import SettingError, TextError, known
from hornbook.values import integer

Reals = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating[Any]]

QUOTES = {'"': '"', "'": "'", "`": "'", "“": "”", "‘": "’", "„": "“", "«": "»", "「": "」", "『": "』"}
BRACKETS = {"(": ")", "[": "]", "{": "}", "（": "）", "【": "】", "《": "》", "〈": "〉", "〔": "〕"}
VOWELS = frozenset("aeiouyáàâãäåæéèêëíìîïóòôõöøœúùûüýÿ")
SENTENCE_ENDS = frozenset(".!?…。！？")
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
PARAGRAPH = "\n\n"
ROWS = 8192  # hidden states that are turned into float64 at a time


@dataclass(frozen=True)
class UnitFinding:
    """How closely a hidden unit follows a feature: `correlation` is Pearson's r, from -1 to 1. A negative
    one tells that the unit falls where the feature rises."""

    unit: int
    feature: str
    correlation: float


def enclosed(text: str, pairs: Mapping[str, str]) -> Reals:  # -> (N,)
    """1 from an opening sign on until the character before its closing sign, else 0. Where signs are nested,
    a closing sign ends what was opened within. A blank line ends all: many a quotation is never closed."""
    inside, waiting = np.zeros(len(text)), list[str]()  # the closing signs that are awaited
    for i, c in enumerate(text):
        if c in waiting and closes(text, i):
            del waiting[len(waiting) - 1 - waiting[::-1].index(c) :]
        elif c in pairs and c not in waiting and opens(text, i):
            waiting.append(pairs[c])
        elif text[max(i - 1, 0) : i + 1] == PARAGRAPH:
            waiting.clear()
        inside[i] = bool(waiting)
    return inside


def opens(text: str, i: int) -> bool:
    """Whether an opening sign opens: a straight single quote does where no letter or digit stands before
    it and no space after it."""
    after = text[i + 1 : i + 2]
    return text[i] != "'" or not (text[max(i - 1, 0) : i].isalnum() or after.isspace() or not after)


def closes(text: str, i: int) -> bool:
    """Whether a closing sign closes: a single quote does, and is no apostrophe, where no letter or digit
    stands after it and no space before it."""
    return text[i] not in "'’" or not (text[i + 1 : i + 2].isalnum() or text[max(i - 1, 0) : i].isspace())


def where(text: str, holds: Callable[[str], bool]) -> Reals:  # -> (N,)
    """1 at the characters for which something holds, else 0."""
    answers = {c: holds(c) for c in set(text)}
    return np.array([answers[c] for c in text], dtype=np.float64)


def ahead(feature: Reals) -> Reals:  # (N,) -> (N,)
    """The same feature of the next character; 0 after the last."""
    return np.append(feature[1:], 0.0)


def since(marks: Reals) -> Reals:  # (N,) -> (N,)
    """How many characters ago a mark last stood, from 0; the start of the text is preceded by one."""
    here = np.arange(1, len(marks) + 1)
    return np.asarray(here - np.maximum.accumulate(np.where(marks > 0, here, 0)), dtype=np.float64)


def in_word(text: str) -> Reals:  # -> (N,)
    """How many characters of its word have been read at each character, from 1; 0 outside words. A word
    is a run of letters, with apostrophes inside it."""
    place = np.zeros(len(text))
    for word in WORD.finditer(text):
        place[word.start() : word.end()] = np.arange(1, word.end() - word.start() + 1)
    return place


FEATURES: dict[str, Callable[[str], Reals]] = {
    "inside quotes": lambda text: enclosed(text, QUOTES),
    "inside brackets": lambda text: enclosed(text, BRACKETS),
    "position in the line": lambda text: since(where(text, "\n".__eq__)),
    "line break": lambda text: where(text, "\n".__eq__),
    "after a space": lambda text: where(text, str.isspace),
    "capital": lambda text: where(text, str.isupper),
    "capital next": lambda text: ahead(where(text, str.isupper)),
    "digit": lambda text: where(text, str.isdigit),
    "vowel": lambda text: where(text, lambda c: c.lower() in VOWELS),
    "inside a word": lambda text: np.minimum(in_word(text), 1),
    "position in the word": in_word,
    "sentence end": lambda text: where(text, SENTENCE_ENDS.__contains__),
    "sentence end next": lambda text: ahead(where(text, SENTENCE_ENDS.__contains__)),
}


def features(text: str) -> dict[str, Reals]:  # -> (N,) each
    """Every feature of a text. Raises TextError where it is empty."""
    if not text:
        raise TextError("there is nothing to follow: the text is empty")
    return {name: measure(text) for name, measure in FEATURES.items()}


def correlations(hidden: Floats, measured: Reals) -> Reals:  # (N, H), (F, N) -> (F, H)
    """Pearson's correlation of every unit with every feature, in float64. What never changes follows
    nothing: its correlations are 0. Raises SettingError where the lengths differ or an activation is not
    finite."""
    check_hidden(hidden, measured.shape[1])
    f = measured - measured.mean(axis=1, keepdims=True)
    mean = hidden.mean(axis=0, dtype=np.float64)
    products, squares = np.zeros((len(f), hidden.shape[1])), np.zeros(hidden.shape[1])
    for start in range(0, len(hidden), ROWS):
        h = hidden[start : start + ROWS] - mean
        products += f[:, start : start + ROWS] @ h
        squares += (h * h).sum(axis=0)
    scale = np.sqrt(np.outer((f * f).sum(axis=1), squares))
    changing = np.outer(np.ptp(measured, axis=1) > 0, np.ptp(hidden, axis=0) > 0) & (scale > 0)
    return np.divide(products, scale, out=np.zeros_like(products), where=changing).clip(-1, 1)


def check_hidden(hidden: Floats, characters: int) -> None:
    """Raise SettingError unless there is a finite row of activations for each character."""
    if hidden.ndim != 2 or len(hidden) != characters:
        raise SettingError(
            f"hidden has shape {hidden.shape}; expected a row for each of {characters:,} characters"
        )
    if not np.isfinite(hidden).all():
        raise SettingError("an activation is infinite or not a number; these units cannot be looked into")


@dataclass(frozen=True)
class Inside:
    """What the hidden units of a network follow in a text, best a text that it was not trained on."""

    features: tuple[str, ...]  # (F,)
    correlations: Reals  # (F, H)

    @classmethod
    def look(cls, text: str, hidden: Floats) -> Inside:
        """Match units with features from a text of N characters and the activations (N, H) after each of
        them. Raises TextError where the text is empty, SettingError where `hidden` does not fit it."""
        measured = features(text)
        return cls(tuple(measured), correlations(hidden, np.array(list(measured.values()))))

    def units(self, feature: str, count: int = 5) -> tuple[UnitFinding, ...]:
        """The units that follow a feature most closely, the closest first; fewer where there are no more.
        Raises SettingError for an unknown feature."""
        if feature not in self.features:
            raise SettingError(known("feature", feature, self.features))
        row = self.correlations[self.features.index(feature)]
        return tuple(UnitFinding(int(u), feature, float(row[u])) for u in closest(row, count))

    def followed(self, unit: int, count: int = 5) -> tuple[UnitFinding, ...]:
        """The features that a unit follows most closely, the closest first. Raises SettingError for a unit
        that does not exist."""
        unit = integer("unit", unit, 0, self.correlations.shape[1] - 1)
        column = self.correlations[:, unit]
        return tuple(UnitFinding(unit, self.features[f], float(column[f])) for f in closest(column, count))

    def best(self, count: int = 1) -> tuple[UnitFinding, ...]:
        """The best `count` units of every feature, in the order of the features."""
        return tuple(finding for feature in self.features for finding in self.units(feature, count))


def closest(row: Reals, count: int) -> npt.NDArray[np.int64]:
    """The places of the `count` strongest correlations that are not 0, strongest first; of equals, the
    lower."""
    order = np.argsort(-np.abs(row), kind="stable")[:count]
    return np.asarray(order[row[order] != 0])
