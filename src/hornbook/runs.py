"""Runs: what a run folder holds, checked as it is read."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.cells.cell import Array
from hornbook.config import to_table
from hornbook.engines.interface import state_shape
from hornbook.errors import InputError, RunFolderError, TextError
from hornbook.events import AVERAGE, VALIDATION_LOSS
from hornbook.markup import facts, for_shell
from hornbook.model import Model
from hornbook.parameters import count, shapes, sizes, views
from hornbook.records import check_metric, check_sample, rising
from hornbook.rows import Check, Reader, sound_json_lines, thinned_rows
from hornbook.run_files import (
    BEST,
    CONFIG,
    FIGURE,
    LAST,
    METRICS,
    PREVIOUS,
    SAMPLES,
    VOCABULARY,
    Config,
    digest_of,
    most_bytes,
    read_config,
    read_summary,
    same_text,
    vocabulary_record,
)
from hornbook.smoothing import first_share
from hornbook.streams import trained_on
from hornbook.text import Text, renumbered
from hornbook.untrusted import read_json, read_tensors
from hornbook.values import choice
from hornbook.vocabulary import BYTES, UNITS, Vocabulary

WHICH = ("best", "last")


@contextmanager
def advising(what: str) -> Iterator[None]:
    """Add to what is wrong with a run what can be done."""
    try:
        yield
    except RunFolderError as error:
        raise RunFolderError(f"{error}; {what}" if what else str(error)) from error


class MisfitError(RunFolderError):
    """Weights are of another network than the settings of their run."""


class Run:
    """A run folder, read; of a Run, its folder again. Raises RunFolderError for a folder that is not one."""

    def __init__(self, folder: str | Path | Run) -> None:
        if not isinstance(folder, Run | str | os.PathLike):
            kind = type(folder).__name__
            raise RunFolderError(f"expected the folder of a run, such as runs/book, got {kind}")
        self.folder: Path = folder.folder if isinstance(folder, Run) else Path(folder)
        if not os.path.isdir(self.folder):  # a name that is too long is none
            raise RunFolderError(f"{folder} is not a folder; name a run, such as runs/book")
        path = self.folder / CONFIG
        with advising("put it back from a copy, since no other file holds it" if path.exists() else ""):
            self.config = read_config(path)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The symbols that the model knows, in order. Raises RunFolderError."""
        with advising("put it back from a copy, since no other file holds it"):
            return self.read_vocabulary()

    def read_vocabulary(self) -> Vocabulary:
        """The same, from its file."""
        path = self.folder / VOCABULARY
        symbols = read_json(path)
        if self.config.text["tokens"] == BYTES.tokens:
            if symbols != vocabulary_record(BYTES) or self.config.model.vocabulary != len(BYTES):
                raise RunFolderError(f"{path} is damaged or not hornbook's: it is no list of the 256 bytes")
            return BYTES
        if not isinstance(symbols, list) or not all(isinstance(s, str) and len(s) == 1 for s in symbols):
            raise RunFolderError(f"{path} is damaged or not hornbook's: it is no list of characters")
        if len(symbols) != self.config.model.vocabulary:
            raise RunFolderError(
                f"{path} has {len(symbols):,} symbols, but {CONFIG} says {self.config.model.vocabulary:,}"
            )
        try:
            return Vocabulary("".join(symbols))
        except InputError as error:
            raise RunFolderError(f"{path} is damaged: {error}") from error

    @property
    def summary(self) -> dict[str, Any]:
        """What the run reached so far; empty before its first checkpoint. Raises RunFolderError for one that
        is damaged."""
        with advising(f"nothing needs it: hornbook resume {for_shell(self.folder)} writes it anew"):
            return read_summary(self.folder)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The rows of metrics so far, of very many some; none where their file is gone."""
        return self.rows(METRICS, check_metric, thinned_rows)

    @property
    def samples(self) -> list[dict[str, Any]]:
        """The texts written so far; none where their file is gone."""
        return self.rows(SAMPLES, check_sample)

    def rows(self, name: str, check: Check, read: Reader = sound_json_lines) -> list[dict[str, Any]]:
        """The rows of a file that a training adds to, each checked, and their order."""
        path = self.folder / name
        rows, found, damage = read(path, rising(check)) if path.exists() else ([], 0, "")
        if damage:
            raise RunFolderError(row_damage(path, found, damage))
        return rows

    def model(self, which: str = "best") -> Model:
        """The model at the lowest validation loss, or without validation at the lowest smooth loss, or the
        mean of the last parameters in a training that takes it (`best`),
        or after the last update (`last`). Raises SettingError for another word, RunFolderError for weights
        that are damaged or of another shape."""
        choice("model", which, WHICH)
        there = [name for name in (BEST, LAST, PREVIOUS) if (self.folder / name).exists()]
        if not there:
            raise RunFolderError(f"{self.folder} has no weights yet: its training saved none so far")
        try:
            path, flat, state, symbols = self.network(which, there)
        except RunFolderError as error:
            raise RunFolderError(f"{error}; {self.way_out(which, there, error)}") from error
        self.check_vocabulary(path, symbols)
        return Model(self.config.model, self.config.training, self.vocabulary, flat, state)

    def network(self, which: str, there: list[str]) -> tuple[Path, Array, Array, object]:
        """The file of a model among those that are there, its parameters (P,), the state in which it writes
        (L, S, 1, H) and the digest of its symbols. Raises RunFolderError."""
        path = self.folder / (BEST if which == "best" else LAST if LAST in there else PREVIOUS)
        if path.name not in there:
            raise RunFolderError(f"{path} is gone")
        tensors, about = self.weights(path)
        flat = self.assemble(path, tensors, str(about.get("dtype")))
        return path, flat, self.reading(path, tensors.get("hidden")), about.get("vocabulary")

    def way_out(self, which: str, there: list[str], error: RunFolderError) -> str:
        """What can be done about an error of a model: read the other one, if that can be read, or go on from
        the checkpoint before the last."""
        other = "last" if which == "best" else "best"
        try:
            path, _, _, symbols = self.network(other, there)
            self.check_vocabulary(path, symbols)
        except RunFolderError:
            if isinstance(error, MisfitError):
                return f"mend {CONFIG}"
            if LAST in there and self.is_whole(PREVIOUS):
                return f"{PREVIOUS} is whole, and hornbook resume {for_shell(self.folder)} goes on from it"
            return "put it back from a copy, since no other model can be read"
        sample = f"hornbook sample {for_shell(self.folder)} --which {other}"
        return f"its {other} model is whole, and `which='{other}'` reads it: {sample}"

    def is_whole(self, name: str) -> bool:
        """Whether a file of weights can be read."""
        try:
            tensors, about = self.weights(self.folder / name)
            self.assemble(self.folder / name, tensors, str(about.get("dtype")))
        except RunFolderError:
            return False
        return True

    def check_vocabulary(self, path: Path, written: object) -> None:
        """Raise RunFolderError where weights are of other symbols than the vocabulary has, or in another
        order; those of earlier versions do not say of which they are."""
        if written not in (None, digest_of(self.vocabulary)):
            raise RunFolderError(
                f"{self.folder / VOCABULARY} has not the symbols, in their order, that {path.name} was "
                "trained with; put it back from a copy, since no other file holds it"
            )

    def weights(self, path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
        """The arrays of a file and the record about them. The last one has, for a moment, the name of the one
        before it, while a training puts the next one in its place."""
        most = most_bytes(self.config)
        try:
            return read_tensors(path, most)
        except RunFolderError as error:
            if path.name != LAST or not isinstance(error.__cause__, FileNotFoundError):
                raise
            return read_tensors(self.folder / PREVIOUS, most)

    def reading(self, path: Path, hidden: Array | None) -> Array:  # (L, S, 1, H)
        """The state in which writing starts, checked: the first stream's."""
        model, training = self.config.model, self.config.training
        usual = state_shape(model, training.streams), state_shape(model, 1)
        if hidden is None or not np.isfinite(hidden).all():
            raise RunFolderError(f"{path} is damaged: hidden is missing or not finite")
        if hidden.shape not in usual or hidden.dtype != training.array_dtype:
            raise MisfitError(f"{path} does not fit {CONFIG}: hidden is of another shape or dtype")
        return hidden[:, :, :1]

    def text(self) -> Text:
        """The text that the run was trained on, read again, in the run's vocabulary. Raises RunFolderError
        where it came from no file, is gone, or has changed since."""
        try:
            text = same_text(self.config, self.folder)
        except TextError as error:
            reason = str(error).rpartition("; ")[0]  # without the advice to name another
            raise RunFolderError(f"the text that {self.folder} was trained on is gone: {reason}") from error
        return self.as_numbered(text)

    def as_numbered(self, text: Text) -> Text:
        """The text in the vocabulary of a run that went on from another one and knows its symbols too; as it
        is for any other. Raises RunFolderError where that lacks one of its symbols."""
        if not self.config.training.start:
            return text
        try:
            return renumbered(text, self.vocabulary)
        except TextError as error:
            raise RunFolderError(f"{self.folder / VOCABULARY} is damaged: {error}") from error

    def read_in_training(self) -> str:
        """The part of the text that was trained on: all but what was held out. Raises as `text` does."""
        text = self.text()
        return text[: trained_on(len(text), self.config.training)]

    def held_out(self, lead: int) -> tuple[str, str]:
        """The part of the text that the run held out, and so many characters before it. Raises
        RunFolderError where it held out nothing, and as `text` does."""
        training = self.config.training
        if not training.validation:
            raise RunFolderError(f"{self.folder} held out nothing, trained without `validation`; name a text")
        text = self.text()
        start = trained_on(len(text), training)
        return text[start:], text[max(0, start - lead) : start]

    def assemble(self, path: Path, tensors: dict[str, Array], dtype: str) -> Array:  # (P,)
        """The flat buffer of named tensors, each checked."""
        model = self.config.model
        found, said = sizes(tensors), to_table(model)
        wrong = [key for key in found if found[key] != said[key]]
        if wrong:
            ours, theirs = (" and ".join(f"{key} = {of[key]}" for key in wrong) for of in (found, said))
            raise MisfitError(
                f"{path} does not fit {CONFIG}: its weights have {ours}, and that says {theirs}"
            )
        for key, shape in shapes(model).items():
            tensor = tensors.get(key)
            if tensor is None:
                raise RunFolderError(f"{path} is damaged: {key} is missing")
            if tensor.shape != shape or str(tensor.dtype) != dtype:
                raise MisfitError(f"{path} does not fit {CONFIG}: {key} is of another shape")
        flat = np.empty(count(model), dtype=self.config.training.array_dtype)
        for key, view in views(model, flat).items():
            view[...] = tensors[key]
        if not np.isfinite(flat).all():
            raise RunFolderError(f"{path} is damaged: it has weights that are not finite")
        return flat

    def _repr_html_(self) -> str:
        """The run in a notebook: its figures, or what is wrong with it, and the figure of its losses."""
        try:
            named = told(self.config, self.summary)
        except RunFolderError as error:
            named = {"problem": error}
        return facts(f"hornbook run {self.folder}", named) + self.picture()

    def picture(self) -> str:
        """The figure of the losses as an HTML image that needs no file; nothing where there is none."""
        try:
            drawn = b64encode((self.folder / FIGURE).read_bytes()).decode()
        except OSError:
            return ""
        return f'<img alt="loss and smooth loss over updates" src="data:image/svg+xml;base64,{drawn}">'

    def __repr__(self) -> str:
        return f"<hornbook.Run {self.folder}>"


def row_damage(path: Path, found: int, damage: str) -> str:
    """What to say where a row of a file is damaged, after so many that are not."""
    return (
        f"{path} is damaged or not hornbook's, in row {found + 1:,}: {damage}; put it back from a copy, or "
        f"go on without that row and those after it: hornbook resume {for_shell(path.parent)} --force"
    )


def told(config: Config, summary: dict[str, Any]) -> dict[str, object]:
    """What is told of a run in a table; None for what is not known yet."""

    def number(key: str, form: str) -> str | None:
        return None if summary.get(key) is None else format(summary[key], form)

    share = first_share(summary["updates"]) if summary.get("last_smooth_loss") is not None else 0.0
    by = {VALIDATION_LOSS: ", by validation", AVERAGE: ", as a mean"}.get(str(summary.get("best_by")), "")
    ended = {None: "no checkpoint yet", True: "finished", False: "stopped"}[summary.get("finished")]
    return {
        "text": f"{config.text['name']}, {config.text['characters']:,} {UNITS[config.text['tokens']]}s",
        "model": f"{config.model.cell}, {config.model.hidden:,} hidden units",
        "training": f"{config.training.optimizer}, learning rate {config.training.lr:g}",
        "state": ended,
        "updates": number("updates", ",d"),
        f"best smooth loss, nats over {config.training.seq_len}": number("best_smooth_loss", ".3f"),
        f"best update{by}": number("best_update", ",d"),
        "last smooth loss": number("last_smooth_loss", ".3f"),
        "of which is still its first value": f"{share:.0%}" if share else None,
        "seconds": number("seconds", ",.1f"),
        "characters/s": number("characters_per_second", ",.0f"),
    }


def ways_on(folder: Path) -> str:
    """What can be done with a run that has no whole checkpoint, as the end of a sentence: its best model may
    be there, and whole."""
    try:
        read_tensors(folder / BEST)
    except RunFolderError:
        return ""
    return f", or go on from its best model: hornbook train TEXT --from {for_shell(folder)}"
