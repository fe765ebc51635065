"""Evaluation: a text as one stream, and by windows of fixed length."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from hornbook.cells import CELLS
from hornbook.config import settings
from hornbook.engines.interface import zero_state
from hornbook.errors import SettingError, TextError
from hornbook.evaluation import Evaluation
from hornbook.model import Model
from hornbook.parameters import initial
from hornbook.vocabulary import Vocabulary

TEXT = "abacabadabacabaeabacabadabacaba" * 9 + "ab"
WORDS = Vocabulary("abcde")


@pytest.fixture(params=CELLS)
def model(request):
    shape, training = settings(
        5, "classic", hidden=6, cell=request.param, engine="reference", dtype="float64", init_scale=0.7
    )
    state = zero_state(shape, 1, "float64") + 0.4
    return Model(shape, training, WORDS, initial(shape, training), state)


def foretold(model: Model, window: str) -> list[float]:
    """The nats of all characters of a window but the first, read from the zero state."""
    ids = WORDS.encode(window)[:, None]
    zero = zero_state(model.settings, 1, np.float64)
    return model.engine.read(ids[:-1], ids[1:], zero).nats[:, 0].tolist()


def test_one_stream_is_what_a_score_gives(model):
    found, score = model.evaluate(TEXT), model.score(TEXT)
    assert (found.characters, found.unknown_characters, found.window) == (len(TEXT), 0, 0)
    assert found.nats_per_character == pytest.approx(score.nats_per_character, rel=1e-12)
    assert found.bits_per_character == pytest.approx(score.bits_per_character, rel=1e-12)
    assert found.perplexity == pytest.approx(score.perplexity, rel=1e-12)


@pytest.mark.parametrize("before", ["ab", "a?b" * 99, TEXT * 9])
def test_what_stands_before_is_read_and_does_not_count(model, before):
    found = model.evaluate(TEXT, before=before)
    read = before.replace("?", "")[-2000:]
    state = model.engine.read(*[WORDS.encode(read)[:, None]] * 2, model.state).state
    assert found.characters == len(TEXT)
    assert found.nats_per_character == pytest.approx(
        replace(model, state=state).evaluate(TEXT).nats_per_character, rel=1e-12
    )


@pytest.mark.parametrize("window", [2, 3, 50, 93, 280, 281, 282, 1000])
def test_windows_foretell_all_but_their_first_character_from_the_zero_state(model, window):
    parts = [TEXT[i : i + window] for i in range(0, len(TEXT), window)]
    costs = [cost for part in parts if len(part) > 1 for cost in foretold(model, part)]
    found = model.evaluate(TEXT, window)
    assert (found.characters, found.window) == (len(costs), window)
    assert found.nats_per_character == pytest.approx(np.mean(costs), rel=1e-12)


@pytest.mark.parametrize("window", [0, 40])
def test_unknown_characters_cost_what_they_do_in_a_score_and_are_not_read(model, window):
    found, clean = model.evaluate("?" + TEXT[:99] + "ü" + TEXT[99:], window), model.evaluate(TEXT, window)
    assert (found.characters, found.unknown_characters) == (clean.characters + 2, 2)
    total = clean.nats_per_character * clean.characters + 2 * math.log(6)
    assert found.nats_per_character == pytest.approx(total / found.characters, rel=1e-12)


def test_what_cannot_be_evaluated_is_refused(model):
    with pytest.raises(TextError, match="empty"):
        model.evaluate("")
    with pytest.raises(TextError, match="knows no character"):
        model.evaluate("xyz", 2)
    with pytest.raises(TextError, match="at least two characters"):
        model.evaluate("axyz", 2)
    with pytest.raises(SettingError, match="`window` is 1; expected a whole number from 2"):
        model.evaluate(TEXT, 1)


def test_a_record_holds_null_for_what_is_not_finite():
    record = Evaluation(10, 0, 800.0).record()
    assert record["perplexity"] is None
    assert record["nats_per_character"] == 800
    assert "window" not in record
    assert Evaluation(10, 0, 1.0, 256).record()["window"] == 256
