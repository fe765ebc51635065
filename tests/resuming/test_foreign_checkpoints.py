"""Checkpoints that are not what they say, as somebody else could make them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_runs import further, rewritten

from hornbook import RunFolderError
from hornbook.checkpoints import read_checkpoint
from hornbook.runs import Run

CHANGES = {
    "no settings": lambda about, _: about.pop("settings"),
    "settings that are a list": lambda about, _: about.update(settings=[]),
    "a foreign setting": lambda about, _: about["settings"].update(heads=8),
    "a negative update": lambda about, _: about.update(update=-1),
    "a step of no plan": lambda about, _: about.update(ruled=-2),
    "a huge update": lambda about, _: about.update(update=10**30),
    "a word for a loss": lambda about, _: about.update(smooth_loss="low"),
    "no rows": lambda about, _: about.update(rows={}),
    "negative rows": lambda about, _: about["rows"].update({"metrics.jsonl": -1}),
    "lanes of nothing": lambda about, _: about["validation"].update(lanes=[0, 0]),
    "one lane": lambda about, _: about["validation"].update(lanes=[1]),
    "a truth for a count": lambda about, _: about["validation"].update(since=True),
    "no validation": lambda about, _: about.pop("validation"),
    "not a number": lambda _, tensors: tensors["best.W"].__setitem__((0, 0), np.nan),
    "infinite": lambda _, tensors: tensors["hidden"].__setitem__((0, 0, 0, 0), np.inf),
    "a memory that is no number": lambda _, tensors: tensors["memory0.V"].__setitem__((0, 0), np.nan),
    "an array less": lambda _, tensors: tensors.pop("memory0.U"),
    "another type": lambda _, tensors: tensors.update(V=tensors["V"].astype("float64")),
    "another shape": lambda _, tensors: tensors.update(hidden=tensors["hidden"][..., :-1]),
    "no hidden state of the best": lambda _, tensors: tensors.pop("best.hidden"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_checkpoint_that_is_not_what_it_says_is_refused(stopped, change):
    rewritten(stopped / "last.safetensors", change)
    with pytest.raises(RunFolderError, match=r"last\.safetensors is damaged"):
        further(stopped)


@pytest.mark.parametrize("name", ["best.safetensors", "last.safetensors"])
def test_weights_of_more_bytes_than_the_network_has_are_refused_before_they_are_read(stopped, name):
    with (stopped / name).open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(RunFolderError, match=r"it has 1,099,511,627,776 bytes, and no such file has more"):
        further(stopped) if name.startswith("last") else Run(stopped).model()


def test_an_undefined_validation_comes_back(stopped):
    rewritten(stopped / "last.safetensors", lambda about, _: about["validation"].update(nats=math.nan))
    best = read_checkpoint(stopped / "last.safetensors").start.best
    assert best
    assert math.isnan(best.nats)
