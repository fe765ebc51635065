"""Validation: the held-out tail, read in lanes on the way and as one stream at the end."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.cells import CELLS
from hornbook.config import TrainingSettings, settings
from hornbook.engines import ENGINES, TrainingState
from hornbook.engines.interface import zero_state
from hornbook.engines.reference import ReferenceEngine
from hornbook.errors import TextError
from hornbook.reading import LEAD
from hornbook.scoring import score_text
from hornbook.streams import trained_on
from hornbook.text import Text
from hornbook.validation import (
    EARLY,
    LANE,
    MOST_LANES,
    HeldOut,
    Lanes,
    amount_allowed,
    read_lanes,
)

IDS = np.random.default_rng(5).integers(0, 6, 9000).astype(np.uint8)


def always() -> bool:
    return True


@pytest.fixture
def engine() -> Callable[..., Any]:
    """A reference engine whose parameters are far from zero."""

    def build(name: str = "reference", **changes: Any) -> Any:
        chosen = {"hidden": 7, "preset": "classic", "dtype": "float64", "init_scale": 0.5, "engine": name}
        model, training = settings(6, **{**chosen, **changes})
        return ENGINES[name](model, training, TrainingState.initial(model, training))

    return build


def one_by_one(engine: ReferenceEngine, ids: np.ndarray) -> np.ndarray:
    """The nats of each character of one stream, the first one from the zero state alone."""
    state, found, last = zero_state(engine.model, 1, np.float64), [], None
    for i in ids.astype(np.int64):
        logits, state = engine.step(last, state)
        found.append(np.logaddexp.reduce(logits[0]) - logits[0, i])
        last = np.array([i])
    return np.array(found)


# The tail


def test_the_tail_is_held_out_and_the_rest_is_trained_on() -> None:
    training = TrainingSettings(validation=0.1)
    assert trained_on(1001, training) == 901
    held_out = HeldOut.of(np.arange(1001), training)
    assert held_out is not None
    assert (held_out.start, len(held_out)) == (901, 100)


def test_without_validation_all_is_trained_on() -> None:
    assert trained_on(1001, TrainingSettings()) == 1001
    assert HeldOut.of(np.arange(1001), TrainingSettings()) is None


@pytest.mark.parametrize(("characters", "fits"), [(250, False), (260, True)])
def test_a_tail_too_short_for_one_window_is_refused_with_what_would_fit(characters: int, fits: bool) -> None:
    training = TrainingSettings(validation=0.1, seq_len=25)
    ids = np.zeros(characters, dtype=np.uint8)
    if fits:
        assert len(HeldOut.of(ids, training) or ()) == 26
        return
    told = r"needs at least 26; hold out at least `validation=0.104` or choose `seq_len=24` at most"
    with pytest.raises(TextError, match=rf"holds out 25 of 250 .* 25 {told}"):
        HeldOut.of(ids, training)


def test_a_larger_share_is_advised_only_where_enough_is_left_to_train_on() -> None:
    training = TrainingSettings(validation=0.05, seq_len=50, streams=16)
    with pytest.raises(TextError, match=r"at least 51; choose `seq_len=41` at most or give a longer text"):
        HeldOut.of(np.zeros(840, dtype=np.uint8), training)
    with pytest.raises(TextError, match=r"at least 51; hold out at least `validation=0\.06` or choose"):
        HeldOut.of(np.zeros(860, dtype=np.uint8), training)


# Lanes


@given(held=st.integers(1, 200_000), amount=st.integers(0, 10**7))
def test_lanes_lie_in_the_tail_apart_and_are_long_or_all_there_is(held: int, amount: int) -> None:
    count, length = HeldOut(np.broadcast_to(np.uint8(0), 500 + held), 500).lanes(amount)
    assert 1 <= count <= MOST_LANES
    assert length <= held // count
    assert length >= min(LANE, held)
    assert count * (length + EARLY) <= max(amount, LANE + EARLY)


def test_an_amount_that_is_enough_reads_all_but_what_does_not_fill_the_lanes() -> None:
    assert HeldOut(np.zeros(100_500), 500).lanes(10**9) == (64, 100_000 // 64)


@given(update=st.integers(1, 10**9))
def test_an_evaluation_costs_a_hundredth_of_the_work_so_far_or_half_of_that_or_one_lane(update: int) -> None:
    training = TrainingSettings(seq_len=50, streams=4)
    amount, allowed = amount_allowed(update, training), 0.03 * update * 50 * 4
    lanes = amount / (EARLY + LANE)
    assert lanes == 2 ** round(math.log2(lanes))
    assert allowed / 2 < amount + 1 <= max(allowed, EARLY + LANE) + 1


@pytest.mark.parametrize("cell", CELLS)
def test_a_lane_begins_early_and_counts_from_its_place_on(cell: str, engine) -> None:
    built = engine(cell=cell)
    held_out = HeldOut(IDS, 6500)
    lanes = held_out.lanes(2 * (EARLY + LANE))
    zero = zero_state(built.model, 1, np.float64)
    found = held_out.evaluate(built, zero, lanes)
    expected = [one_by_one(built, IDS[place - EARLY : place + LANE])[EARLY:] for place in (6500, 7750)]
    assert found.characters == 2 * LANE
    assert found.nats_per_character == pytest.approx(np.mean(expected), rel=1e-12)


def test_a_short_text_before_the_tail_is_all_that_is_read_early(engine) -> None:
    built = engine()
    found = HeldOut(IDS[:60], 30).evaluate(built, zero_state(built.model, 1, np.float64), Lanes(1, 30))
    assert found.characters == 30
    assert found.nats_per_character == pytest.approx(one_by_one(built, IDS[:60])[30:].mean(), rel=1e-12)


def test_lanes_are_read_in_blocks_as_at_once(engine) -> None:
    built, places = engine(), np.array([0, 700])
    nats = read_lanes(built, IDS, places, 600, zero_state(built.model, 2, np.float64))
    for m, place in enumerate(places):
        assert nats[:, m] == pytest.approx(one_by_one(built, IDS[place : place + 600])[1:], rel=1e-12)


# The whole


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("start", [3000, 2000, 700])
def test_the_whole_is_read_as_a_score_reads_it_after_what_stands_before_it(
    name: str, start: int, engine
) -> None:
    built = engine(name)
    text = Text.from_string("".join("abcdef"[i] for i in IDS))
    state = np.full((1, 1, 1, 7), 0.3)
    found = HeldOut(IDS, start).whole(built, state, always)
    before = IDS[max(0, start - LEAD) : start].astype(np.int64)[:, None]
    read = built.read(before, before, state).state
    score = score_text(built, text.vocabulary, text[start:9000], read)
    assert found == (pytest.approx(score.nats_per_character, rel=1e-12), 9000 - start)


def test_a_reading_that_is_broken_off_counts_what_was_read(engine) -> None:
    built = engine()
    found = HeldOut(IDS, 3000).whole(built, zero_state(built.model, 1, np.float64), lambda: False)
    assert found.characters == 4097  # a block, and the character that follows it
    nats = one_by_one(built, IDS[1000:7097])[2000:]
    assert found.nats_per_character == pytest.approx(nats.mean(), rel=1e-12)
    assert math.isfinite(found.nats_per_character)
