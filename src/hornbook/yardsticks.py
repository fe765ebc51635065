"""Yardsticks: what others need for the part of a text that a training holds out, so that its loss means
something: a 5-gram model with interpolated Kneser-Ney smoothing, and xz, both after the part that is trained
on. Of a long text the last 4 million characters of that part are read, and the first million held out.

They are no part of a training and of its seconds. What was measured once is kept in the user's cache folder,
by the SHA-256 of the text and the split; a training by time measures before it begins to plan, where that
takes a small share of its time, and goes without otherwise.
"""

from __future__ import annotations

import hashlib
import math
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from hornbook.baselines import COMPRESSORS, ngram_nats
from hornbook.cache import cache_folder, keep, key
from hornbook.config import TrainingSettings
from hornbook.errors import RunFolderError
from hornbook.locks import Lock
from hornbook.plan import Budget, Plan
from hornbook.run_files import SUMMARY
from hornbook.runs import Run
from hornbook.scoring import TRAINING_LIMIT
from hornbook.storage import write_json
from hornbook.streams import trained_on
from hornbook.text import Ids, Text
from hornbook.untrusted import read_json
from hornbook.vocabulary import code_row

ORDER = 5
NGRAM, XZ = f"{ORDER}-gram", "xz"
HELD_OUT_LIMIT = 1_000_000  # characters
SHARE = 0.05  # of a time that may go into measuring
SECONDS_A_BYTE = 2e-6  # that measuring takes, about
FORM = 1  # of what is kept
CACHE = "yardsticks"

Yardsticks = dict[
    str, Any
]  # by name the nats and bits of a character; how many were read before, and held out


def add(run: Run, text: Text, plan: Plan, lock: Lock) -> None:
    """Put the yardsticks into the summary of a run that has measured what it holds out; where its time is
    over, only those that are known. The run is the one that is locked. Raises StorageError."""
    summary, training = run.summary, run.config.training
    if summary.get("validation"):
        found = kept(text, training) if isinstance(plan, Budget) else measured(text, training)
        if found:
            summary["validation"]["baselines"] = found
            write_json(lock.to_write(SUMMARY), summary)


def lacking(run: Run) -> bool:
    """Whether a run that has measured what it holds out, and not by time, came to no yardsticks."""
    validation = run.summary.get("validation")
    return bool(validation and "baselines" not in validation and not run.config.training.minutes)


def ahead(text: Text, training: TrainingSettings) -> None:
    """Before a training by time: measure, where that takes a small share of the time."""
    size = max(len(text), sum(source.bytes for source in text.sources))
    read = sum(len(part) for part in parts(text, training)) / len(text)
    if training.validation and SECONDS_A_BYTE * size * read <= SHARE * 60 * training.minutes:
        measured(text, training)


def measured(text: Text, training: TrainingSettings) -> Yardsticks | None:
    """The yardsticks of a split of a text, from the cache, or else measured and put there; None where the
    part that is trained on is shorter than an n-gram."""
    before, held_out = parts(text, training)
    if len(before) < ORDER:
        return None
    found = kept(text, training)
    if found is None:
        found = measure(text, before, held_out)
        keep(place(text, training), found)
    return found


def parts(text: Text, training: TrainingSettings) -> tuple[Ids, Ids]:
    """What is read before, and what is held out."""
    end = trained_on(len(text), training)
    return text.ids[max(0, end - TRAINING_LIMIT) : end], text.ids[end : end + HELD_OUT_LIMIT]


def measure(text: Text, before: Ids, held_out: Ids) -> Yardsticks:
    """The yardsticks, by work."""
    files = encoded(text, before), encoded(text, before) + encoded(text, held_out)
    with ThreadPoolExecutor(2) as pool:  # xz lets go of Python's lock
        short, long = pool.map(lambda data: len(COMPRESSORS["xz"](data)), files)
    ngram = float(ngram_nats(before, held_out, ORDER)[-1])  # not beside xz: either takes much memory
    xz = 8 * (long - short) * math.log(2) / len(held_out)
    costs = {name: cost(nats) for name, nats in ((NGRAM, ngram), (XZ, xz))}
    return {**costs, "trained_on": len(before), "characters": len(held_out)}


def cost(nats: float) -> dict[str, float]:
    """A cost as it stands in a record."""
    return {"nats_per_character": nats, "bits_per_character": nats / math.log(2)}


def encoded(text: Text, ids: Ids) -> bytes:
    """A part of a text as a file would have it: UTF-8, or bytes as they are."""
    codes = code_row(text.vocabulary.symbols)[ids]
    if text.vocabulary.tokens == "bytes":
        return codes.astype(np.uint8).tobytes()
    return codes.tobytes().decode("utf-32-le").encode()


def kept(text: Text, training: TrainingSettings) -> Yardsticks | None:
    """The yardsticks of a split of a text, where the cache has them."""
    try:
        found = read_json(place(text, training))
        costs = [found[name][unit] for name in (NGRAM, XZ) for unit in cost(0)]
        counts = [found["trained_on"], found["characters"]]
        return found if all(isinstance(n, int | float) for n in costs + counts) else None
    except (RunFolderError, KeyError, TypeError):
        return None


def place(text: Text, training: TrainingSettings) -> Path:
    """The file in the cache for a split of a text."""
    about = {
        "form": FORM,
        "text": [source.sha256 for source in text.sources] or digest(text),
        "read": [text.encoding, text.newlines, text.vocabulary.tokens, len(text)],
        "split": trained_on(len(text), training),
        "limits": [ORDER, TRAINING_LIMIT, HELD_OUT_LIMIT],
    }
    return cache_folder(os.environ) / CACHE / f"{key(about)}.json"


def digest(text: Text) -> str:
    """The SHA-256 of a text that came from no file."""
    found = hashlib.sha256(text.vocabulary.symbols.encode())
    found.update(text.ids.tobytes())
    return found.hexdigest()
