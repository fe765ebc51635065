"""Whatever a network is handed: a result, or one of four errors. Never a crash, and never a change by a call
that is refused."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import every_dtype, network, plan, shape, size, window
from spoilt import REFUSALS, assert_same, call, fuzzed, some_spoilt

from hornbook.cells import CELLS

# cell, K, H, L, T, B
sizes = st.tuples(
    st.sampled_from([*CELLS]),
    st.integers(1, 70),
    st.integers(1, 40),
    st.integers(1, 3),
    st.integers(1, 12),
    st.integers(1, 9),
)
HOW = st.fixed_dictionaries(
    {
        "optimizer": st.sampled_from(["sgd", "adagrad", "rmsprop", "adam"]),
        "clip": st.sampled_from(["value", "norm", "none"]),
        "clip_limit": st.sampled_from([1e-300, 0.1, 5.0, 1e300, np.inf]),
        "objective": st.sampled_from(["sum", "mean"]),
        "weight_decay": st.sampled_from([0.0, 0.1, 1e6]),
        "input_rate": st.sampled_from([1e-3, 1.0, 1e6]),
        "dropout": st.sampled_from([0.0, 1e-9, 0.5, 0.9999999]),
        "shards": st.integers(1, 5),
        "threads": st.integers(0, 3),
        "seed": st.sampled_from([0, 2**64 - 1]),
    }
)


@every_dtype
@fuzzed
@given(sizes=sizes, data=st.data())
def test_reading_and_differentiating(level, dtype, sizes, data):
    cell, K, H, L, T, B = sizes
    core, state = network(level, dtype, cell, K, H, L, T, B)
    valid = {"parameters": state["parameters"], **window(dtype, cell, K, H, L, T, B)}
    arguments, spoilt = some_spoilt(data, valid)
    got = call(core.loss_and_gradients, arguments, spoilt)
    arguments.pop("dstate")
    read = call(core.read, arguments, spoilt)
    assert_same(core.get_state(), state)
    if not spoilt:
        np.testing.assert_array_equal(read[2], got[2])
        assert read[0].sum() / B == pytest.approx(got[0], rel=1e-6)


@every_dtype
@fuzzed
@given(sizes=sizes, data=st.data())
def test_stepping(level, dtype, sizes, data):
    cell, K, H, L, T, M = sizes
    core, state = network(level, dtype, cell, K, H, L, T, 2)
    M = data.draw(st.sampled_from([0, M]))
    rng = np.random.default_rng(M)
    valid = {
        "parameters": state["parameters"],
        "ids": rng.integers(0, K, M),
        "state": rng.uniform(-1, 1, shape(cell, H, L, M)).astype(dtype),
    }
    arguments, spoilt = some_spoilt(data, valid)
    got = call(core.step, arguments, spoilt)
    if got is not None:
        assert got[0].shape == (len(arguments["ids"]), K)
        assert got[1].shape == arguments["state"].shape


@every_dtype
@fuzzed
@given(sizes=sizes, how=HOW, n=st.integers(0, 5), data=st.data())
def test_advancing(level, dtype, sizes, how, n, data):
    cell, K, H, L, T, B = sizes
    core, state = network(level, dtype, cell, K, H, L, T, B, **how)
    kind = data.draw(st.sampled_from([np.uint8, np.uint16, np.uint32]))
    arguments, spoilt = some_spoilt(data, plan(K, T, B, n, kind))
    got = call(core.advance, arguments, spoilt)
    if got is None:
        assert_same(core.get_state(), state)
        return
    made = len(got[0])
    assert made == len(arguments["rates"]) or got[4] in ("loss", "gradient")
    assert np.isfinite(got[0]).all()
    assert core.get_state()["update"] == state["update"] + made


@every_dtype
@fuzzed
@given(sizes=sizes, how=HOW, data=st.data())
def test_setting_the_state(level, dtype, sizes, how, data):
    cell, K, H, L, T, B = sizes
    core, state = network(level, dtype, cell, K, H, L, T, B, **how)
    given_, spoilt = some_spoilt(data, state)
    try:
        core.set_state(**given_)
    except REFUSALS:
        assert spoilt
        given_ = state
    assert_same(core.get_state(), given_)
    core.advance(**plan(K, T, B, 2))  # from whatever state it is in


@every_dtype
@fuzzed
@given(sizes=sizes, n=st.integers(0, 8), data=st.data())
def test_drawing(level, dtype, sizes, n, data):
    cell, K, H, L, _, M = sizes
    rng = np.random.default_rng(n)
    make = level.NetworkSampler32 if dtype is np.float32 else level.NetworkSampler64
    flat = (rng.standard_normal(size(cell, K, H, L)) * 0.3).astype(dtype)
    valid: dict[str, Any] = {"cell": cell, "vocabulary": K, "hidden": H, "layers": L, "parameters": flat}
    built, wrong = some_spoilt(data, valid)
    sampler = call(make, built, wrong)
    if sampler is None:
        return
    valid = {
        "state": rng.uniform(-1, 1, shape(cell, H, L, M)).astype(dtype),
        "last": rng.integers(-1, K, M),
        "n": n,
        "temperature": data.draw(st.sampled_from([0.0, 1e-320, 0.5, 1.0, 1e300])),
        "top_k": data.draw(st.integers(0, K + 1)),
        "top_p": data.draw(st.sampled_from([1e-300, 0.5, 0.999, 1.0])),
        "threads": data.draw(st.sampled_from([0, 1, 3])),
    }
    arguments, spoilt = some_spoilt(data, valid)
    if isinstance(arguments["n"], int) and arguments["n"] > 2**30:  # memory: see the test of its own
        return
    got = call(sampler.sample, arguments, spoilt or wrong)
    if got is not None:
        assert got.shape == (len(arguments["last"]), arguments["n"])
        assert ((got >= 0) & (got < K)).all()


@fuzzed
@given(how=HOW, data=st.data())
def test_building_a_network(level, how, data):
    valid = {"cell": "gru", "vocabulary": 5, "hidden": 4, "layers": 2, "seq_len": 3, "streams": 2, **how}
    arguments, spoilt = some_spoilt(data, valid)
    lasting = [arguments[key] for key in ("vocabulary", "hidden", "seq_len", "streams")]
    if not any(isinstance(value, int) and value > 2**20 for value in lasting):  # see the test below
        call(level.Network32, arguments, spoilt)


HUGE = """
import resource, sys
import numpy as np
from hornbook.engines.native import load
level = load(sys.argv[1])
sampler = level.NetworkSampler32("lstm", 5, 4, 1, np.zeros(185, np.float32))
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
for K in (5, 2**16, 2**31):
    for H in (4, 2**12, 2**18):
        for T, B in ((3, 2), (2**20, 3), (3, 2**20), (2**30, 2**30)):
            for L in (1, 64):
                if (K, H, T, L) != (5, 4, 3, 1):
                    try:
                        level.Network64("lstm", K, H, L, T, B)
                    except (ValueError, MemoryError):
                        continue
                    assert K * H + T * B * H * L < 2**30
try:
    sampler.sample(np.zeros((1, 2, 1, 4), np.float32), np.zeros(1, np.int64), 2**39)
    raise SystemExit("a terabyte in three gigabytes")
except MemoryError:
    pass
state, last = np.zeros((1, 2, 900, 4), np.float32), np.zeros(900, np.int64)
assert sampler.sample(state, last, 2, threads=900).shape == (900, 2)
print("still here")
"""


@pytest.mark.huge
def test_sizes_beyond_all_memory_and_more_threads_than_it_has_room_for(level):
    name = level.__name__.rpartition("_")[2]
    done = subprocess.run([sys.executable, "-c", HUGE, name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "still here\n"), done.stderr
