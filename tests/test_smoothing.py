"""How much of a smooth loss is still its first value, and where that is told."""

from __future__ import annotations

import numpy as np
import pytest

from hornbook import Progress, Text, train, train_events
from hornbook.cli.display import progress_line
from hornbook.events import Logged
from hornbook.report.wording import still_first
from hornbook.smoothing import first_share


def test_the_share_is_that_of_the_first_loss_in_the_smooth_loss_of_an_engine():
    how = {"hidden": 3, "seq_len": 4, "updates": 50, "log_every": 1}
    rows = [e for e in train_events(Text.from_string("a text to read " * 9), **how) if isinstance(e, Logged)]
    losses = np.array([row.loss for row in rows])
    later = 0.001 * losses[1:] @ 0.999 ** np.arange(48, -1, -1)
    assert rows[-1].smooth_loss - later == pytest.approx(first_share(50) * losses[0])


@pytest.mark.parametrize(("updates", "percent"), [(0, 100), (1, 100), (1100, 33), (4600, 1)])
def test_it_is_told_of_few_updates(updates, percent):
    assert round(100 * first_share(updates)) == percent
    assert still_first(updates).startswith(f"Of the smooth loss {percent} % is still its first value")


@pytest.mark.parametrize("updates", [4700, 100_000, 10**12])
def test_it_is_not_told_of_many(updates):
    assert first_share(updates) == 0
    assert still_first(updates) == ""


def test_a_notebook_tells_it(tmp_path):
    run = train(Text.from_string("a text to read " * 9), hidden=3, seq_len=4, updates=50, out=tmp_path / "a",
                quiet=True)  # fmt: skip
    assert "of which is still its first value" in run._repr_html_()
    assert "95%" in run._repr_html_()


def test_the_line_of_a_short_training_tells_it_and_that_of_a_long_one_never():
    short, long = (
        progress_line(Progress(1100, updates, 0.25, 70.0, 69.5, 990, 4.0, 12_345.6), 25)
        for updates in (2000, 100_000)
    )
    assert "bits a character), 33% is its first value  12," in short
    assert "first value" not in long
