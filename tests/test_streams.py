"""Streams: which characters each update reads, and where the state starts again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.errors import TextError
from hornbook.streams import Streams


def classic_places(characters: int, seq_len: int, updates: int) -> list[int]:
    """Where each update of the classic loop starts: a pointer that moves on, and goes back to the start
    when fewer than T + 1 characters are left."""
    places, at = [], 0
    for _ in range(updates):
        if at + seq_len + 1 > characters:
            at = 0
        places.append(at)
        at += seq_len
    return places


@given(seq_len=st.integers(1, 12), extra=st.integers(1, 60), updates=st.integers(1, 30))
def test_one_stream_reads_what_the_classic_loop_reads(seq_len: int, extra: int, updates: int) -> None:
    characters = seq_len + extra
    ids = np.arange(characters, dtype=np.uint8)
    streams = Streams(characters, seq_len)
    for update, at in enumerate(classic_places(characters, seq_len, updates)):
        x, y = streams.read(ids, update)
        assert x[:, 0].tolist() == list(range(at, at + seq_len))
        assert y[:, 0].tolist() == list(range(at + 1, at + seq_len + 1))
        assert streams.starts_afresh(update) == (at == 0)


@given(seq_len=st.integers(1, 9), streams=st.integers(1, 5), extra=st.integers(1, 90))
def test_an_epoch_reads_each_stream_once_and_no_character_twice(
    seq_len: int, streams: int, extra: int
) -> None:
    characters = streams * seq_len + extra
    order = Streams(characters, seq_len, streams)
    ids = np.arange(characters, dtype=np.uint16)
    reads = [order.read(ids, update) for update in range(order.updates_per_epoch)]
    inputs = np.concatenate([x for x, _ in reads])  # (updates · T, B)
    targets = np.concatenate([y for _, y in reads])
    assert np.unique(inputs).size == inputs.size
    assert (targets == inputs + 1).all()
    assert (np.diff(inputs, axis=0) == 1).all()
    assert order.stream_length - len(inputs) < seq_len
    assert targets.max() < characters


def test_what_is_read_has_one_row_a_character_and_one_column_a_stream() -> None:
    x, y = Streams(13, 3, 2).read(np.arange(13, dtype=np.uint8), 1)
    assert x.tolist() == [[3, 9], [4, 10], [5, 11]]
    assert y.tolist() == [[4, 10], [5, 11], [6, 12]]
    assert x.dtype == y.dtype == np.int64


def test_a_text_of_t_plus_1_characters_is_one_update_an_epoch() -> None:
    streams = Streams(26, 25)
    assert streams.updates_per_epoch == 1
    assert all(streams.starts_afresh(update) for update in range(3))


def test_one_more_character_makes_one_more_update_only_when_it_is_the_target_of_a_full_one() -> None:
    assert [Streams(n, 25).updates_per_epoch for n in (26, 50, 51, 75, 76)] == [1, 1, 2, 2, 3]


@pytest.mark.parametrize(("seq_len", "streams", "least"), [(25, 1, 26), (1, 1, 2), (25, 4, 101)])
def test_a_shorter_text_is_refused_with_the_length_that_would_do(
    seq_len: int, streams: int, least: int
) -> None:
    assert Streams(least, seq_len, streams).updates_per_epoch == 1
    with pytest.raises(TextError, match=rf"has {least - 1} characters?.* needs at least {least};"):
        Streams(least - 1, seq_len, streams)


def test_the_number_of_the_update_may_be_very_large() -> None:
    streams = Streams(100, 25)
    x, _ = streams.read(np.arange(100, dtype=np.uint8), 10**15 + 1)
    assert x[0, 0] == 25 * ((10**15 + 1) % 3)


@given(
    seq_len=st.integers(1, 5),
    chunk=st.integers(1, 4),
    streams=st.integers(1, 4),
    extra=st.integers(1, 80),
    epoch=st.integers(0, 3),
)
def test_shuffled_an_epoch_reads_whole_chunks_in_an_order_of_its_own_each_once(
    seq_len: int, chunk: int, streams: int, extra: int, epoch: int
) -> None:
    characters = streams * chunk * seq_len + extra
    order = Streams(characters, seq_len, streams, chunk, seed=5)
    updates = range(epoch * order.updates_per_epoch, (epoch + 1) * order.updates_per_epoch)
    places = np.array([order.places(update) for update in updates])  # (updates, B)
    turns = places.reshape(-1, chunk, streams)
    assert (np.diff(turns, axis=1) == seq_len).all()
    first = np.sort(turns[:, 0].ravel())
    assert (np.diff(first) >= chunk * seq_len).all()
    assert ((first - first[0]) % (chunk * seq_len) == 0).all()
    assert first[0] >= 0
    assert places.max() + seq_len < characters
    assert len(first) == order.chunks // streams * streams
    assert [order.starts_afresh(update) for update in updates] == [
        i % chunk == 0 for i in range(len(updates))
    ]


def test_chunks_begin_anywhere_so_that_no_two_epochs_cut_the_text_alike() -> None:
    order = Streams(1001, 5, 2, 4)  # 50 chunks of 20 characters fill it
    first = {int(order.places(epoch * order.updates_per_epoch)[0]) % 20 for epoch in range(300)}
    assert first == set(range(20))


def test_the_seed_and_the_epoch_decide_the_order_of_chunks() -> None:
    def epoch_of(seed: int, epoch: int) -> list[int]:
        order = Streams(1000, 5, 1, 2, seed)
        each = order.updates_per_epoch
        return [int(order.places(update)[0]) for update in range(epoch * each, (epoch + 1) * each)]

    assert epoch_of(0, 0) == epoch_of(0, 0)
    assert epoch_of(0, 0) != epoch_of(0, 1)
    assert epoch_of(0, 0) != epoch_of(1, 0)


@pytest.mark.parametrize(
    ("sizes", "advice"),
    [
        ((50, 25, 4, 0), "at most `streams=1` or at most `seq_len=12`"),
        ((20, 25, 1, 0), "at most `seq_len=19`"),
        ((4, 25, 4, 0), "`streams=1` with at most `seq_len=3`"),
        ((4, 25, 4, 2), "`streams=1` and `chunk=1` with at most `seq_len=3`"),
        ((200, 25, 2, 8), "at most `seq_len=12` or at most `chunk=3`"),
    ],
)
def test_a_text_that_is_too_short_is_told_the_largest_settings_that_fit(
    sizes: tuple[int, int, int, int], advice: str
) -> None:
    with pytest.raises(TextError) as error:
        Streams(*sizes)
    assert str(error.value).endswith(f"give a longer text or {advice}")


@pytest.mark.parametrize("characters", [0, 1])
def test_a_text_that_is_too_short_for_any_settings_is_told_no_smaller_ones(characters: int) -> None:
    with pytest.raises(TextError, match=r"needs at least 26; give a longer text$"):
        Streams(characters, 25)
