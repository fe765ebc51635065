"""Scoring: what a model needs for each character of a text, in nats and bits, and what it expected there.

A text is read as one stream, from a state that does not depend on it, so that the probabilities of all texts
sum to one: the first character is foretold from that state alone, as in writing without a prompt, and each of
the others after all before it. A character that is not in the model's vocabulary costs ln(K + 1) nats, as if
it were one of K + 1 equally likely symbols, and is not read: the state stays as it was. Nothing here knows
files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from hornbook.baselines import ORDERS, KneserNey, compressed
from hornbook.cells.cell import Array
from hornbook.engines import Engine
from hornbook.markup import COLOURS, coloured, facts, surprise_class
from hornbook.reading import Numbers, Reals, check_known, costs
from hornbook.values import integer
from hornbook.vocabulary import UNITS, Vocabulary, code_row, shown

PASSAGE, SHORTEST = 100, 20  # characters
SHOWN = 1000  # characters in a notebook
TRAINING_LIMIT = 4_000_000  # characters of the training text that baselines read, its last ones


@dataclass(frozen=True)
class Passage:
    """A stretch of a text, where it starts, and what it costs on average."""

    start: int
    text: str
    bits_per_character: float


@dataclass(frozen=True)
class Score:
    """What a model needs for a text of N characters.

    `nats` is the cost of each character, -ln p. `ids` are the characters as the model numbers them, -1 for
    one that it does not know: that one costs ln(K + 1) nats. `baselines` are, by name, the bits per
    character that n-grams and compressors need for the same text; see `baselines_for`.
    """

    text: str
    ids: Numbers = field(repr=False)  # (N,)
    nats: Reals = field(repr=False)  # (N,)
    symbols: int  # K
    baselines: Mapping[str, float] = field(default_factory=dict)
    tokens: str = "chars"  # what stands for a character in `text`, as in a Vocabulary

    @property
    def unit(self) -> str:
        """What one of the N is called."""
        return UNITS[self.tokens]

    @property
    def characters(self) -> int:
        """The length of the text, N."""
        return len(self.nats)

    @cached_property
    def nats_per_character(self) -> float:
        """The mean cost of a character in nats."""
        return float(self.nats.mean())

    @property
    def bits_per_character(self) -> float:
        """The mean cost of a character in bits."""
        return self.nats_per_character / math.log(2)

    @property
    def perplexity(self) -> float:
        """Among how many equally likely characters the model would be as uncertain: exp of the nats per
        character; infinite where that is too large for a number."""
        return perplexity_of(self.nats_per_character)

    @cached_property
    def unknown_characters(self) -> int:
        """The characters that are not in the model's vocabulary."""
        return int((self.ids < 0).sum())

    def most_surprising(self, count: int = 3, length: int = PASSAGE) -> tuple[Passage, ...]:
        """The `count` passages of `length` characters with the highest cost, the highest first; no two of
        them overlap. Fewer where the text is too short; a text shorter than one passage is one."""
        return self.passages(count, length, -1)

    def least_surprising(self, count: int = 3, length: int = PASSAGE) -> tuple[Passage, ...]:
        """The `count` passages with the lowest cost, the lowest first; see `most_surprising`."""
        return self.passages(count, length, 1)

    def extremes(self) -> dict[str, tuple[Passage, ...]]:
        """What is shown of a text, by title: its most and its least surprising passages, of which no two
        overlap; up to three of each, fewer or shorter ones of a short text, and a very short one whole; their
        text as a person reads it."""
        length = min(PASSAGE, self.characters // 3)
        if length < SHORTEST:
            return {"The only passage": self.as_shown(self.most_surprising(1, self.characters))}
        count = min(3, (self.characters // length + 1) // 4)  # however the first ones lie, all find room
        most = self.most_surprising(count, length)
        least = self.passages(count, length, 1, most)
        found = {"The most surprising passages": most, "The least surprising passages": least}
        return {title: self.as_shown(passages) for title, passages in found.items()}

    def as_shown(self, passages: tuple[Passage, ...]) -> tuple[Passage, ...]:
        """Passages whose text is as a person reads it."""
        return tuple(replace(passage, text=shown(passage.text, self.tokens)) for passage in passages)

    def passages(
        self, count: int, length: int, sign: int, taken: tuple[Passage, ...] = ()
    ) -> tuple[Passage, ...]:
        """Passages in the order of `sign` times their cost, none of which overlaps with another or with
        those that are `taken`; of equals, the first."""
        count = integer("count", count, 0, 10**6)
        length = integer("length", length, 1, 10**9)
        length = min(length, self.characters)
        means = sign * windows(self.nats, length)
        found: list[Passage] = []
        for passage in taken:
            means[max(0, passage.start - length + 1) : passage.start + len(passage.text)] = math.inf
        while len(found) < count and not math.isinf(means.min()):
            start = int(np.argmin(means))
            bits = float(self.nats[start : start + length].mean()) / math.log(2)
            found.append(Passage(start, self.text[start : start + length], bits))
            means[max(0, start - length + 1) : start + length] = math.inf
        return tuple(found)

    def classes(self, start: int = 0, end: int | None = None) -> list[str]:
        """The colour class of each character of a part of the text; see `markup.surprise_class`."""
        bits = (self.nats[start:end] / math.log(2)).tolist()
        return list(map(surprise_class, bits, (self.ids[start:end] >= 0).tolist()))

    def figures(self) -> dict[str, str]:
        """The figures as they are shown."""
        return {
            f"{self.unit}s": f"{self.characters:,}",
            "unknown to the model": f"{self.unknown_characters:,}",
            f"bits per {self.unit}": f"{self.bits_per_character:.4f}",
            f"nats per {self.unit}": f"{self.nats_per_character:.4f}",
            "perplexity": perplexity_words(self.nats_per_character),
        }

    def _repr_html_(self) -> str:
        """The score in a notebook: its figures, its baselines, and the start of the text in colours."""
        baselines = {name: f"{bits:.3f}" for name, bits in self.baselines.items()}
        beside = facts(f"baselines, bits per {self.unit}", baselines) if baselines else ""
        excerpt = coloured(self.text[:SHOWN], self.classes(0, SHOWN))
        return f"<style>{COLOURS}</style>{facts('hornbook score', self.figures())}{beside}{excerpt}"

    def record(self) -> dict[str, Any]:
        """The score as a JSON record; costs in `baselines` are bits per character."""
        names = ("characters", "nats_per_character", "bits_per_character", "perplexity", "unknown_characters")
        told = {name: getattr(self, name) for name in names}
        finite = {name: value if math.isfinite(value) else None for name, value in told.items()}
        return {**finite, "baselines": dict(self.baselines)}

    def beside(self, training: str | None) -> Score:
        """The same score with its baselines; see `baselines_for`."""
        encoding = "latin-1" if self.tokens == "bytes" else "utf-8"
        return replace(self, baselines=baselines_for(self.text, training, encoding))


def perplexity_of(nats: float) -> float:
    """The perplexity of nats a character; infinite where that is too large for a number."""
    return math.exp(nats) if nats < 709 else math.inf


def perplexity_words(nats: float) -> str:
    """A perplexity as it is shown, in a few digits; a dash for costs below zero, as of a compressor whose
    file shrinks, which are those of no probabilities."""
    value = perplexity_of(nats)
    return "–" if nats < 0 else f"{value:,.2f}" if value < 1e6 else f"{value:.1e}"


def windows(nats: Reals, length: int) -> Reals:  # (N,) -> (N - length + 1,)
    """The mean cost of each window, rounded so that windows of the same costs are equal."""
    sums = np.cumsum(np.append(0.0, nats))
    return np.asarray(np.round((sums[length:] - sums[:-length]) / length, 9))


def score_text(engine: Engine, vocabulary: Vocabulary, text: str, state: Array) -> Score:  # (L, S, 1, H)
    """Score a text, read from a state. Raises TextError where it is empty, or has no character that the model
    knows."""
    ids = check_known(vocabulary, text)
    known = ids >= 0
    nats = np.full(len(ids), math.log(len(vocabulary) + 1))
    nats[known] = costs(engine, ids[known], state)
    return Score(text, ids, nats, len(vocabulary), tokens=vocabulary.tokens)


def baselines_for(text: str, training: str | None = None, encoding: str = "utf-8") -> dict[str, float]:
    """The bits per character that others need for a text: n-grams of orders 1 to 8, made from the training
    text (`1-gram` …); compressors on the text alone (`gzip` …) and after the training text (`gzip after
    training` …). Without a training text, the compressors alone. Of a training text of more than 4 million
    characters its last 4 million are taken. Compressors read both in an encoding. Raises TextError where the
    text is empty."""
    before = (training or "")[-TRAINING_LIMIT:]
    orders = min(ORDERS, len(before))
    found = {}
    if orders:
        nats = KneserNey.fit(code_row(before), orders).nats(code_row(text)).mean(axis=1)
        found = {f"{n + 1}-gram": float(cost) / math.log(2) for n, cost in enumerate(nats)}
    for file in compressed(before, text, encoding):
        found[file.compressor] = file.alone
        if before:
            found[f"{file.compressor} after training"] = file.after_training
    return found
