"""The subject of a report: everything that its sections ask of a run, each thing read or computed once.

What is not there (a text that was moved, weights that were never saved) is None, with the reason beside it,
so that every section can say what is missing and show the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hornbook.errors import HornbookError
from hornbook.markup import for_shell
from hornbook.model import Model
from hornbook.originality import WORD, Corpus, has_spaces
from hornbook.report.document import Span, Spans
from hornbook.run_files import read_summary
from hornbook.runs import Run
from hornbook.streams import Streams, trained_on
from hornbook.text import Text
from hornbook.vocabulary import UNITS, shown

LARGEST = 4_000_000  # characters of a text that are searched; a longer one is searched to there
HELD_OUT = 10  # the last part in so many


@dataclass(frozen=True)
class Reached:
    """A run, with what it reached."""

    run: Run

    @cached_property
    def figures(self) -> tuple[dict[str, Any], str]:
        """What the run reached, and why that is not known; see `figures_of`."""
        return figures_of(self.run)

    @property
    def summary(self) -> dict[str, Any]:
        """What the run reached; empty before its first checkpoint, and where it is damaged."""
        return self.figures[0]


@dataclass(frozen=True)
class Subject(Reached):
    """A run, asked for its report."""

    @property
    def why_no_summary(self) -> str:
        """Why it is not known what the run reached; empty before its first checkpoint."""
        return without_paths(self.figures[1], self.run)

    @cached_property
    def metrics(self) -> list[dict[str, Any]]:
        """The logged updates."""
        return self.run.metrics

    @cached_property
    def samples(self) -> list[dict[str, Any]]:
        """The texts that were written on the way, by the model as it then was."""
        return [row for row in self.run.samples if row.get("model") != "best"]

    @cached_property
    def passage(self) -> str:
        """What the best model wrote at the end, or, where the training was stopped, writes now."""
        written = [row["text"] for row in self.run.samples if row.get("model") == "best"]
        if written or self.model is None:
            return str(written[-1]) if written else ""
        return self.shown(self.model.sample(self.run.config.training.passage_length))

    @cached_property
    def updates(self) -> int:
        """The updates made so far, as far as they are known."""
        logged = self.metrics[-1]["update"] if self.metrics else 0
        return max(int(self.summary.get("updates", 0)), int(logged))

    @cached_property
    def name(self) -> str:
        """What the text is called."""
        return str(self.run.config.text["name"])

    @cached_property
    def opened(self) -> tuple[Text | None, str]:
        """The text, or why it cannot be read."""
        try:
            return self.run.text(), ""
        except HornbookError as error:
            return None, str(error)

    @property
    def text(self) -> Text | None:
        """The text, where it can be read."""
        return self.opened[0]

    @property
    def why_no_text(self) -> str:
        """Why the text cannot be read, without the path at which it was looked for."""
        return without_paths(self.opened[1], self.run)

    @cached_property
    def weights(self) -> tuple[Model | None, str]:
        """The best model, or why there is none."""
        try:
            return self.run.model("best"), ""
        except HornbookError as error:
            return None, str(error)

    @property
    def model(self) -> Model | None:
        """The best model, where it was saved."""
        return self.weights[0]

    @property
    def why_no_model(self) -> str:
        """Why there is no model."""
        return without_paths(self.weights[1], self.run)

    @cached_property
    def symbols(self) -> str:
        """The text that was trained on, as far as it is searched, with a character for each symbol; empty
        where it cannot be read."""
        return "" if self.text is None else self.text[: min(self.trained_on, LARGEST)]

    @cached_property
    def characters(self) -> str:
        """The same as a person reads it."""
        return self.shown(self.symbols)

    def shown(self, symbols: str) -> str:
        """A text with a character for each symbol as a person reads it."""
        return shown(symbols, self.tokens)

    @property
    def tokens(self) -> str:
        """What a symbol is: `chars` or `bytes`."""
        return str(self.run.config.text["tokens"])

    @property
    def unit(self) -> str:
        """What a symbol is called."""
        return UNITS[self.tokens]

    @cached_property
    def last_symbols(self) -> str:
        """What the run held out, or where it did not the last tenth of the text, for the model to read."""
        if self.holds_out and self.text is not None:
            return self.text[self.trained_on : min(self.trained_on + LARGEST, len(self.text))]
        return self.symbols[len(self.symbols) - len(self.symbols) // HELD_OUT :]

    @property
    def holds_out(self) -> bool:
        """Whether a part of the text was not trained on."""
        return self.run.config.training.validation > 0

    @property
    def trained_on(self) -> int:
        """How many symbols of the text were trained on."""
        return trained_on(self.run.config.text["characters"], self.run.config.training)

    @cached_property
    def last_part(self) -> str:
        """What a person wrote, to set beside what the model writes: what was held out, or the last tenth."""
        return self.shown(self.last_symbols)

    @cached_property
    def first_parts(self) -> str:
        """All of the text but that."""
        end = len(self.symbols) - (0 if self.holds_out else len(self.symbols) // HELD_OUT)
        return self.shown(self.symbols[:end])

    @cached_property
    def corpus(self) -> Corpus | None:
        """The text as what samples are compared with."""
        return Corpus(self.characters, self.last_part) if self.characters else None

    @cached_property
    def spaced(self) -> bool:
        """Whether the text sets its words apart, so that words can be counted."""
        return has_spaces(self.characters[:200_000])

    @cached_property
    def updates_per_epoch(self) -> int:
        """The updates from one start of the text to the next."""
        config = self.run.config
        return Streams.of(self.trained_on, config.training).updates_per_epoch

    @cached_property
    def fixed(self) -> bool:
        """Whether the text holds code or columns: one line in twelve has four spaces in a row."""
        lines = [line for line in self.characters[:500_000].splitlines() if line]
        return sum("    " in line for line in lines) * 12 > len(lines)

    def marked(self, text: str) -> Spans:
        """A text with its real words marked: those of two characters or more that stand in the training text.
        (Most single letters stand there, so they tell nothing.)"""
        if not self.spaced or self.corpus is None:
            return (Span(text),)
        known, found, last = self.corpus.vocabularies[0], list[Span](), 0
        for word in WORD.finditer(text):
            if len(word[0]) > 1 and word[0] in known:
                found += [Span(text[last : word.start()], "faint"), Span(word[0], "word")]
                last = word.end()
        return tuple(span for span in [*found, Span(text[last:], "faint")] if span.text)

    def real(self, text: str) -> tuple[int, int]:
        """How many of a text's words of two characters or more are real, and how many there are."""
        known = self.corpus.vocabularies[0] if self.corpus else frozenset()
        found = [word for word in WORD.findall(text) if len(word) > 1]
        return sum(word in known for word in found), len(found)


def figures_of(run: Run) -> tuple[dict[str, Any], str]:
    """The summary of a run, empty before its first checkpoint; where it is damaged it is empty too, and the
    reason stands beside it. Rows and models tell more of a run, and nothing needs it: a run that goes on
    writes it anew."""
    try:
        return read_summary(run.folder), ""
    except HornbookError as error:
        return {}, str(error)


def without_paths(message: str, run: Run) -> str:
    """A message as it can stand in a report that others read: no path of this machine."""
    for path in (*(source.path for source in run.config.sources), str(run.folder)):
        if "/" in path:
            name = path.rstrip("/").rpartition("/")[2]
            message = message.replace(for_shell(path), for_shell(name)).replace(path, name)
    return message
