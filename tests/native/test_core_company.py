"""The core among others: trainings side by side, and nothing left behind."""

import ctypes
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import truth

TASKS = Path("/proc/self/task")

every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def trained(level, dtype, seed, together=None):
    """The state after some updates of a network of its own; where a barrier is given, all begin at once."""
    rng = np.random.default_rng(seed)
    K, H, T = 9, 21 + seed, 6
    flat = (rng.standard_normal(truth.size(K, H)) * 0.2).astype(dtype)
    core = (level.Core32 if dtype is np.float32 else level.Core64)(K, H, T)
    zero = np.zeros(H, dtype)
    core.set_state(0, flat, np.zeros((1, flat.size), dtype), zero, np.nan, np.inf, 0, flat)
    ids, rates = rng.integers(0, K, 500).astype(np.uint8), np.full(40, 0.05)
    if together:
        together.wait()
    for _ in range(20):
        core.advance(ids, rates)
    return core.get_state()


@every_dtype
def test_two_trainings_at_once_give_the_bits_of_each_alone(level, dtype):
    alone = [trained(level, dtype, seed) for seed in (0, 1)]
    together, barrier = [None, None], threading.Barrier(2)

    def work(seed):
        together[seed] = trained(level, dtype, seed, barrier)

    helpers = [threading.Thread(target=work, args=(seed,)) for seed in (0, 1)]
    for helper in helpers:
        helper.start()
    for helper in helpers:
        helper.join()
    for one, other in zip(together, alone, strict=True):
        for key, value in one.items():
            np.testing.assert_array_equal(value, other[key], err_msg=key)


def test_a_core_that_is_at_work_refuses_a_second_caller(level):
    rng = np.random.default_rng(0)
    flat, zero = rng.standard_normal(truth.size(60, 200)) * 0.05, np.zeros(200)
    core = level.Core64(60, 200, 50)
    core.set_state(0, flat, np.zeros((1, flat.size)), zero, np.nan, np.inf, 0, flat)
    ids, refused = rng.integers(0, 60, 2000).astype(np.uint8), []

    def advance():
        try:
            core.advance(ids, np.full(60, 0.01))
        except RuntimeError as error:
            refused.append(str(error))

    helpers = [threading.Thread(target=advance) for _ in range(8)]
    for helper in helpers:
        helper.start()
    for helper in helpers:
        helper.join()
    assert set(refused) <= {"this core is already at work in another thread"}
    assert core.get_state()["update"] == 60 * (8 - len(refused))


@pytest.mark.skipif(not TASKS.exists(), reason="this system does not list the threads of a process")
def test_no_thread_remains_after_training_and_drawing(level):
    rng = np.random.default_rng(0)
    flat = rng.standard_normal(truth.size(9, 8))
    before = set(os.listdir(TASKS))
    trained(level, np.float64, 0)
    level.Sampler64(9, 8, flat).sample(np.zeros((40, 8)), np.zeros(40, np.int64), 50, threads=5)
    deadline = time.monotonic() + 10  # a thread that has been joined is listed for a moment longer
    while set(os.listdir(TASKS)) - before and time.monotonic() < deadline:
        time.sleep(0.001)
    assert set(os.listdir(TASKS)) <= before


def arithmetic(dtype):
    """What another rounding, or denormals taken for zero, would change."""
    info, one = np.finfo(dtype), dtype(1)
    tiny = np.full(33, info.tiny)
    third = np.full(33, one) / dtype(3)
    return (tiny / dtype(4)).tobytes(), (tiny * dtype(0.5)).tobytes(), third.tobytes(), (-third).tobytes()


@every_dtype
def test_floating_point_is_as_it_was(level, dtype):
    rounding = ctypes.CDLL(None).fegetround
    before = arithmetic(dtype), rounding()
    assert np.frombuffer(before[0][0], dtype).all()  # denormals are numbers here
    trained(level, dtype, 0)
    rng = np.random.default_rng(0)
    flat = rng.standard_normal(truth.size(9, 8)).astype(dtype)
    make = level.Sampler32 if dtype is np.float32 else level.Sampler64
    make(9, 8, flat).sample(np.zeros((4, 8), dtype), np.zeros(4, np.int64), 50)
    assert (arithmetic(dtype), rounding()) == before
