"""Continued training: a network goes on from the best model of another run, on a text that may have
characters which that one has never seen.

The vocabulary is that of both, in the order of the code points. What the old model knows stays as it is, to
the bit; a new character gets a row of U and a column of V as the recipe draws them, and a bias so low that
the model expects hardly any of the new ones anywhere: with N for the new characters and O for the old ones,

    Σ_N exp(h V + c) ≤ s Σ_O exp(h V + c)      s = 0.005

in all states h that it meets while it writes, so the loss of a text of old characters rises by ln(1 + s) at
most in these, which is less than 0.005 nats a character.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.cells.cell import Array
from hornbook.config import UNTOUCHED, TrainingSettings, lower
from hornbook.engines import ENGINES, TrainingState
from hornbook.errors import RunFolderError, SettingError, TextError
from hornbook.events import Checkpoint
from hornbook.model import Model
from hornbook.parameters import initial, views
from hornbook.run_files import BEST, is_text_of
from hornbook.runs import Run
from hornbook.streams import trained_on
from hornbook.text import Text, renumbered
from hornbook.untrusted import reading
from hornbook.validation import HeldOut
from hornbook.vocabulary import Vocabulary

FIXED = ("cell", "hidden", "layers")
SHARE = 0.005  # of what is expected, for all new characters together
WRITTEN = 1000  # characters that the old model writes, to see its states
READ = 20_000  # characters of the new text, to see what it costs


@dataclass(frozen=True)
class Ancestor:
    """The run that a training goes on from, its best model, and the SHA-256 of that one's file."""

    run: Run
    model: Model
    sha256: str

    @classmethod
    def of(cls, start: str | Path | Run, sha256: str = "") -> Ancestor:
        """The run in a folder. Raises RunFolderError where there is none, it has no model yet, or its model
        is not the one with that SHA-256."""
        run = start if isinstance(start, Run) else Run(start)
        model, path = run.model(), run.folder / BEST
        with reading(path):
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        if sha256 and found != sha256:
            raise RunFolderError(f"{path} has changed since this training went on from it")
        return cls(run, model, found)

    @classmethod
    def again(cls, training: TrainingSettings) -> Ancestor | None:
        """The run that another training went on from, as it was then; None where it went on from none.
        Raises RunFolderError where it is gone or has changed."""
        if not training.start:
            return None
        try:
            return cls.of(training.start, training.start_sha256)
        except RunFolderError as error:
            raise RunFolderError(
                f"the run that this training went on from is not there as it was: {error}; name the one to "
                "go on from with `start`"
            ) from error

    def joined(self, text: Text) -> Text:
        """The text, numbered by the vocabulary of both. Raises TextError where the old model knows none of
        its characters."""
        old, new = self.model.vocabulary, text.vocabulary
        if (old.find(new.symbols) < 0).all():
            raise TextError(
                f"{self.run.folder} knows no character of {text.name}, so there is nothing to go on "
                "from: is it another script, or is `encoding` wrong? Train on it without `start`"
            )
        return renumbered(text, old.together(new))

    def unseen(self, vocabulary: Vocabulary) -> str:
        """The symbols of a vocabulary that the old model does not know."""
        return "".join(symbol for symbol in vocabulary.symbols if symbol not in self.model.vocabulary.numbers)

    def kept(self, text: Text, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The settings that come from the old run, and where that is. Raises SettingError, naming each,
        where the changes or the text have others."""
        old = {name: getattr(self.model.settings, name) for name in FIXED}
        then = {**old, "tokens": self.model.vocabulary.tokens}
        asked = {name: lower(value) for name, value in changes.items()} | {"tokens": text.vocabulary.tokens}
        wrong = [name for name in then if asked.get(name) not in (None, then[name])]
        if wrong:
            raise SettingError(
                f"{' and '.join(f'{name} is {asked[name]}' for name in wrong)}, but {self.run.folder} has "
                f"{' and '.join(str(then[name]) for name in wrong)}, which stays when a training goes on "
                "from it; leave that out, or train without `start`"
            )
        return {**old, "start": str(self.run.folder.absolute()), "start_sha256": self.sha256}

    def usual(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The changes, with what is taken where they do not say: the old run's type of numbers and, as long
        as nothing is changed that would call for another, its preset."""
        then, said = self.run.config.training, {k: v for k, v in changes.items() if v is not None}
        usual: dict[str, Any] = {"dtype": then.dtype}
        if not any(name in said for name in UNTOUCHED if name not in FIXED):
            usual["preset"] = then.preset
        return usual | said

    def start(self, text: Text, training: TrainingSettings) -> Checkpoint:
        """Before the first update. The smooth loss starts with what the network needs for parts of all the
        text: a single loss, which may be a low one by chance, would be the best for long."""
        model = replace(self.model.settings, vocabulary=len(text.vocabulary))
        flat, reading = self.parameters(text.vocabulary, training), self.model.start().state
        state = TrainingState.of_parameters(flat, model, training)
        whole = HeldOut(text.ids[: trained_on(len(text), training)], 1)
        engine, reading = ENGINES[training.engine](model, training, state), reading.astype(flat.dtype)
        read = whole.evaluate(engine, reading, whole.lanes(READ))
        state = replace(state, smooth_loss=training.seq_len * read.nats_per_character)
        return Checkpoint(state, reading, math.nan, 0.0)

    def parameters(self, vocabulary: Vocabulary, training: TrainingSettings) -> Array:  # (P,)
        """Where the training starts: what the old model knows, and the rows and columns of new symbols."""
        model = replace(self.model.settings, vocabulary=len(vocabulary))
        flat, known = initial(model, training), vocabulary.find(self.model.vocabulary.symbols)
        named, old = views(model, flat), self.model.parameters
        for key, values in old.items():
            if key == "V":
                named["V"][:, known] = values
            elif key in ("U", "c"):
                named[key][known] = values
            else:
                named[key][...] = values
        new = np.delete(np.arange(len(vocabulary)), known)
        if len(new):
            named["c"][new] = self.low(named["V"][:, new])
        return flat

    def low(self, V: Array) -> float:  # (H, new)
        """The bias of new symbols with these columns of V."""
        h = self.model.hidden(self.model.sample(WRITTEN)).astype(np.float64)
        old = log_sum_exp(h @ self.model.parameters["V"] + self.model.parameters["c"])
        return math.log(SHARE) + float((old - log_sum_exp(h @ V)).min())


def begin(ancestor: Ancestor | None, text: Text, changes: Mapping[str, Any]) -> tuple[Text, dict[str, Any]]:
    """The text and the changes of settings of a training, which goes on from a run, or from none. Raises
    SettingError and TextError where it cannot go on from that."""
    if ancestor is None:
        return text, dict(changes)
    kept = ancestor.kept(text, changes)
    return ancestor.joined(text), {**changes, **kept}


def first(ancestor: Ancestor | None, text: Text, training: TrainingSettings) -> Checkpoint | None:
    """Where a training that goes on from a run starts."""
    return ancestor.start(text, training) if ancestor else None


def overlap(ancestor: Ancestor | None, text: Text, training: TrainingSettings) -> str:
    """What to say of a training that holds out what the run that it goes on from was trained on; empty where
    it does not, or that read another text."""
    if ancestor is None or not is_text_of(ancestor.run.config, text):
        return ""
    then = ancestor.run.config.training
    seen, now = trained_on(len(text), then), trained_on(len(text), training)
    if seen <= now:
        return ""
    fewer = f"hold out no more than it did: `validation={then.validation:g}`"
    return (
        f"{ancestor.run.folder} was trained on {seen - now:,} of the {len(text) - now:,} characters that are "
        "held out here, so the loss on them is lower than on what is new; "
        f"{fewer if then.validation else 'go on from a run that held them out'}"
    )


def log_sum_exp(o: Array) -> Array:  # (n, K) -> (n,)
    """log Σ exp(o) over the symbols."""
    return np.asarray(np.logaddexp.reduce(o.astype(np.float64), axis=1))
