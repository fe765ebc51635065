"""What must not change bits: threads, the parts of a call, the other streams."""

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from networks import every_cell, every_dtype, network, plan, shape, size, window
from spoilt import assert_same

TASKS = Path("/proc/self/task")
K, H, L, T, B = 21, 19, 2, 7, 9


def after(level, dtype, cell, updates=(6,), **how):
    """The state and what was said on the way, after so many updates in each call."""
    core, _ = network(level, dtype, cell, K, H, L, T, B, **{"dropout": 0.2, "clip": "norm"} | how)
    whole, said, done = plan(K, T, B, sum(updates)), [], 0
    for n in updates:
        part = {k: v[done : done + n] for k, v in whole.items() if k != "ids"}
        said.append(core.advance(whole["ids"], **part)[:4])
        done += n
    return {"said": np.concatenate(said, axis=1)} | core.get_state()


@every_cell
@every_dtype
@pytest.mark.parametrize("shards", [1, 2, 4, 20])
def test_threads_change_nothing(level, dtype, cell, shards):
    alone = after(level, dtype, cell, shards=shards, threads=1)
    for threads in (2, 3, 7):
        assert_same(alone, after(level, dtype, cell, shards=shards, threads=threads))


@every_cell
@every_dtype
def test_the_parts_of_an_advance_change_nothing(level, dtype, cell):
    whole = after(level, dtype, cell, shards=2, threads=2)
    assert_same(whole, after(level, dtype, cell, (1, 0, 2, 3), shards=2, threads=2))


@every_cell
def test_shards_change_the_order_of_sums_only(level, cell):
    one, three = (after(level, np.float64, cell, shards=shards, optimizer="sgd") for shards in (1, 3))
    for key, value in one.items():
        np.testing.assert_allclose(value, three[key], rtol=0, atol=1e-12, err_msg=key)


@every_cell
@every_dtype
def test_a_stream_is_read_alike_alone_and_among_others(level, dtype, cell):
    streams = 70  # more than one group
    core, state = network(level, dtype, cell, K, H, L, T, B, threads=2)
    seen = window(dtype, cell, K, H, L, 40, streams)
    del seen["dstate"]
    nats, hidden, last = core.read(state["parameters"], **seen)
    for m in (0, 1, 33, 69):
        own = {k: np.ascontiguousarray(v[..., m : m + 1]) for k, v in seen.items() if k != "state"}
        own["state"] = np.ascontiguousarray(seen["state"][:, :, m : m + 1])
        alone = core.read(state["parameters"], **own)
        np.testing.assert_array_equal(alone[0][:, 0], nats[:, m])
        np.testing.assert_array_equal(alone[1][:, 0], hidden[:, m])
        np.testing.assert_array_equal(alone[2][:, :, 0], last[:, :, m])


def drawn(level, dtype, cell, streams, parts, first=0, **how):
    """Characters of some streams, from the state they have, in parts; and where they end."""
    rng = np.random.default_rng(4)
    flat = (rng.standard_normal(size(cell, K, H, L)) * 0.5).astype(dtype)
    make = level.NetworkSampler32 if dtype is np.float32 else level.NetworkSampler64
    sampler = make(cell, K, H, L, flat)
    state = rng.uniform(-0.9, 0.9, shape(cell, H, L, 200)).astype(dtype)
    last = rng.integers(-1, K, 200)
    state = np.ascontiguousarray(state[:, :, first : first + streams])
    last, said, position = last[first : first + streams].copy(), [], 0
    for n in parts:
        said.append(sampler.sample(state, last, n, position=position, first_stream=first, seed=3, **how))
        position += n
    return np.concatenate(said, axis=1), state, last


@every_cell
@every_dtype
def test_threads_parts_and_other_streams_do_not_change_what_is_drawn(level, dtype, cell):
    many = drawn(level, dtype, cell, 200, [30], threads=1)
    for other in (
        drawn(level, dtype, cell, 200, [30], threads=3),
        drawn(level, dtype, cell, 200, [1, 0, 9, 20]),
    ):
        for one, two in zip(many, other, strict=True):
            np.testing.assert_array_equal(one, two)
    for m in (0, 77, 199):
        ids, state, last = drawn(level, dtype, cell, 1, [30], first=m)
        np.testing.assert_array_equal(ids[0], many[0][m])
        np.testing.assert_array_equal(state[:, :, 0], many[1][:, :, m])
        assert last[0] == many[2][m]


def large_sampler(level, dtype, cell, pairs=""):
    """A sampler whose network is worth dividing over three cores, and where its one stream stands."""
    layers, hidden, symbols = 3, {"vanilla": 210, "gru": 130, "lstm": 117}[cell], 83
    rng = np.random.default_rng(6)
    flat = (rng.standard_normal(size(cell, symbols, hidden, layers)) / hidden**0.5).astype(dtype)
    make = level.NetworkSampler32 if dtype is np.float32 else level.NetworkSampler64
    start = rng.uniform(-0.9, 0.9, shape(cell, hidden, layers, 1)).astype(dtype)
    return make(cell, symbols, hidden, layers, flat, pairs), start


def written(sampler, start, last, parts, threads):
    """One stream's characters, drawn in parts, and where it ends."""
    state, last, said, position = start.copy(), np.array([last]), [], 0
    for n in parts:
        said.append(sampler.sample(state, last, n, position=position, threads=threads, seed=3))
        position += n
    return np.concatenate(said, axis=1), state, last


def assert_all_write_alike(sampler, start):
    """Whatever the threads, and however the text is divided, be its first character read or not."""
    for last in (-1, 5):
        alone = written(sampler, start, last, [150], 1)
        for threads, parts in [(2, [150]), (3, [70, 1, 79]), (9, [80, 70]), (2, [64, 86])]:
            for one, other in zip(alone, written(sampler, start, last, parts, threads), strict=True):
                np.testing.assert_array_equal(one, other)


@every_cell
@every_dtype
def test_a_stream_that_several_cores_write_together_is_the_same(level, dtype, cell):
    assert_all_write_alike(*large_sampler(level, dtype, cell))
    for way in level.pairs() if dtype is np.float32 else ():
        assert_all_write_alike(*large_sampler(level, dtype, cell, pairs=way))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no thread to a core")
def test_so_it_is_where_the_threads_have_one_core_for_all(level):
    sampler, start = large_sampler(level, np.float32, "gru")
    mine = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(mine)})
        assert_all_write_alike(sampler, start)
    finally:
        os.sched_setaffinity(0, mine)


def test_two_callers_may_write_with_one_sampler(level):
    sampler, start = large_sampler(level, np.float32, "lstm")
    alone, texts = written(sampler, start, 5, [150], 1), []

    def write():
        texts.append(written(sampler, start, 5, [150], 2))

    helpers = [threading.Thread(target=write) for _ in range(4)]
    for helper in helpers:
        helper.start()
    for helper in helpers:
        helper.join()
    assert len(texts) == 4
    for text in texts:
        for one, other in zip(alone, text, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.skipif(not TASKS.exists(), reason="this system does not list the threads of a process")
def test_no_thread_remains(level):
    before = set(os.listdir(TASKS))
    after(level, np.float32, "lstm", shards=4, threads=4)
    drawn(level, np.float32, "lstm", 200, [5], threads=4)
    deadline = time.monotonic() + 10  # a thread that has been joined is listed for a moment longer
    while set(os.listdir(TASKS)) - before and time.monotonic() < deadline:
        time.sleep(0.001)
    assert set(os.listdir(TASKS)) <= before


def test_a_network_that_is_at_work_refuses_a_second_caller(level):
    core, _ = network(level, np.float64, "gru", 60, 100, 1, 30, 8, shards=2, threads=2)
    arguments, refused = plan(60, 30, 8, 20), []

    def advance():
        try:
            core.advance(**arguments)
        except RuntimeError as error:
            refused.append(str(error))

    helpers = [threading.Thread(target=advance) for _ in range(8)]
    for helper in helpers:
        helper.start()
    for helper in helpers:
        helper.join()
    assert set(refused) <= {"this core is already at work in another thread"}
    assert core.get_state()["update"] == 3 + 20 * (8 - len(refused))


@every_cell
@every_dtype
@pytest.mark.parametrize("threads", [1, 3])
def test_what_is_not_finite_stops_before_its_update(level, dtype, cell, threads):
    core, _ = network(level, dtype, cell, K, H, L, T, B, shards=3, threads=threads, optimizer="sgd")
    good = plan(K, T, B, 3)
    core.advance(**good)
    before = core.get_state()
    huge = before | {"parameters": np.full_like(before["parameters"], np.finfo(dtype).max)}
    core.set_state(**huge)
    losses, _, _, _, why = core.advance(**good)
    assert (len(losses), why) == (0, "loss")
    assert_same(huge, core.get_state())
    core.set_state(**before)
    assert len(core.advance(**good)[0]) == 3
