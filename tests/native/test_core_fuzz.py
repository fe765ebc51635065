"""Whatever the core is handed: a right result, or one of four errors. Never a crash, and never a change by a
call that is refused.

A crash would end the process; pytest-xdist names the test it was in. The cases are the same each time.
"""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import truth
from hypothesis import given
from hypothesis import strategies as st
from spoilt import REFUSALS, Arguments, assert_same, call, fuzzed, some_spoilt, spoil

LIMIT = {np.float32: 1e-4, np.float64: 1e-11}

every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
sizes = st.tuples(st.integers(1, 70), st.integers(1, 70), st.integers(1, 30))  # K, H, T

# Networks of any size


def network(level: ModuleType, dtype: Any, K: int, H: int, T: int, **how: Any) -> tuple[Any, Arguments]:
    """A core, and a state that it was given."""
    rng = np.random.default_rng([K, H, T])
    P = truth.size(K, H)
    core = (level.Core32 if dtype is np.float32 else level.Core64)(K, H, T, **how)
    state = {
        "update": 3,
        "parameters": (rng.standard_normal(P) * 0.2).astype(dtype),
        "memory": rng.random((int(how.get("optimizer", "adagrad") == "adagrad"), P)).astype(dtype),
        "hidden": rng.uniform(-1, 1, H).astype(dtype),
        "smooth": 2.0,
        "best_smooth": 1.5,
        "best_update": 2,
        "best_parameters": rng.standard_normal(P).astype(dtype),
    }
    core.set_state(**state)
    return core, state


def window(dtype: Any, K: int, H: int, T: int) -> Arguments:
    """Something to read, and the states at both ends."""
    rng = np.random.default_rng([T, K, H])
    x, y = rng.integers(0, K, (2, T))
    state, dstate = rng.uniform(-0.9, 0.9, (2, H)).astype(dtype)
    return {"x": x, "y": y, "state": state, "dstate": dstate}


@every_dtype
@fuzzed
@given(sizes=sizes, data=st.data())
def test_reading_and_differentiating(level, dtype, sizes, data):
    K, H, T = sizes
    core, state = network(level, dtype, K, H, T)
    valid = {"parameters": state["parameters"], **window(dtype, K, H, T)}
    arguments, spoilt = some_spoilt(data, valid)
    got = call(core.loss_and_gradients, arguments, spoilt)
    arguments.pop("dstate")
    read = call(core.read, arguments, spoilt)
    assert_same(core.get_state(), state)
    if spoilt:
        return
    doubles = {k: v.astype(float) if v.dtype == dtype else v for k, v in valid.items()}
    want = truth.loss_and_gradients(*doubles.values(), K, H)
    for one, other in zip(got, want, strict=False):
        np.testing.assert_allclose(one, other, rtol=0, atol=LIMIT[dtype] * max(1, np.abs(other).max()))
    np.testing.assert_allclose(read[0], want[5], rtol=LIMIT[dtype], atol=LIMIT[dtype])
    np.testing.assert_array_equal(read[2], got[3])


@every_dtype
@fuzzed
@given(sizes=sizes, data=st.data())
def test_stepping(level, dtype, sizes, data):
    K, H, M = sizes
    core, state = network(level, dtype, K, H, 3)
    rng = np.random.default_rng(M)
    M = data.draw(st.sampled_from([0, M]))
    valid = {
        "parameters": state["parameters"],
        "ids": rng.integers(0, K, M),
        "state": rng.uniform(-1, 1, (M, H)).astype(dtype),
    }
    arguments, spoilt = some_spoilt(data, valid)
    got = call(core.step, arguments, spoilt)
    if got is not None:
        assert got[0].shape[1] == K
        assert got[1].shape[1] == H
    if not spoilt:
        U, W, b, V, c = truth.views(state["parameters"].astype(float), K, H).values()
        h = np.tanh(U[valid["ids"]] + b + valid["state"].astype(float) @ W)
        np.testing.assert_allclose(got[1], h, rtol=0, atol=LIMIT[dtype])
        np.testing.assert_allclose(got[0], h @ V + c, rtol=0, atol=10 * LIMIT[dtype])


HOW = st.fixed_dictionaries(
    {
        "optimizer": st.sampled_from(["adagrad", "sgd"]),
        "clip": st.sampled_from(["value", "norm", "none"]),
        "clip_limit": st.sampled_from([1e-300, 0.1, 5.0, 1e300, np.inf]),
        "objective_scale": st.sampled_from([1e-300, 0.1, 1.0, 1e6]),
    }
)


@every_dtype
@fuzzed
@given(sizes=sizes, how=HOW, n=st.integers(0, 6), data=st.data())
def test_advancing(level, dtype, sizes, how, n, data):
    K, H, T = sizes
    core, state = network(level, dtype, K, H, T, **how)
    kind = data.draw(st.sampled_from([np.uint8, np.uint16, np.uint32]))
    every = data.draw(st.sampled_from([1, 3, 2**63 - 1]))
    ids = np.random.default_rng(n).integers(0, K, data.draw(st.integers(T + 1, 4 * T + 2))).astype(kind)
    arguments, spoilt = some_spoilt(data, {"ids": ids, "rates": np.full(n, 0.01), "measure_every": every})
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
@given(sizes=sizes, data=st.data())
def test_setting_the_state(level, dtype, sizes, data):
    K, H, T = sizes
    core, state = network(level, dtype, K, H, T)
    given_, spoilt = some_spoilt(data, state)
    try:
        core.set_state(**given_)
    except REFUSALS:
        assert spoilt
        given_ = state
    assert_same(core.get_state(), given_)
    core.advance(np.zeros(3 * T + 1, np.uint8), np.full(4, 0.01))  # from whatever state it is in


@every_dtype
@fuzzed
@given(sizes=sizes, streams=st.integers(0, 5), n=st.integers(0, 8), data=st.data())
def test_drawing(level, dtype, sizes, streams, n, data):
    K, H, _ = sizes
    rng = np.random.default_rng(n)
    make = level.Sampler32 if dtype is np.float32 else level.Sampler64
    flat = (rng.standard_normal(truth.size(K, H)) * 0.3).astype(dtype)
    built, wrong = some_spoilt(data, {"vocabulary": K, "hidden": H, "parameters": flat})
    sampler = call(make, built, wrong)
    if sampler is None:
        return
    valid = {
        "state": rng.uniform(-1, 1, (streams, H)).astype(dtype),
        "last": rng.integers(-1, K, streams),
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
        assert n == 0 or spoilt or (valid["last"] == got[:, -1]).all()


@fuzzed
@given(data=st.data())
def test_building_a_core(level, data):
    valid = {"vocabulary": 5, "hidden": 4, "seq_len": 3, "optimizer": "sgd", "clip": "norm"}
    valid |= {"clip_limit": 1.0, "objective_scale": 1.0}
    arguments, spoilt = some_spoilt(data, valid)
    lasting = [arguments[key] for key in ("vocabulary", "hidden", "seq_len")]
    if not any(isinstance(value, int) and value > 2**20 for value in lasting):  # see the test below
        call(level.Core32, arguments, spoilt)


@every_dtype
@fuzzed
@given(n=st.integers(0, 70), data=st.data())
def test_the_functions_of_a_whole_array(level, dtype, n, data):
    x = np.random.default_rng(n).standard_normal(n).astype(dtype) ** 2
    for name in ("exp", "tanh", "sigmoid", "log"):
        value = spoil(data, x) if data.draw(st.booleans()) else x
        try:
            got = getattr(level, name)(value)
        except REFUSALS:
            assert value is not x
        else:
            assert got.shape == value.shape


HUGE = """
import resource, sys
import numpy as np
from hornbook.engines.native import load
level = load(sys.argv[1])
sampler = level.Sampler32(5, 4, np.zeros(65, np.float32))
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
for K in (5, 2**16, 2**31 - 1, 2**31):
    for H in (4, 2**12, 2**18):
        for T in (3, 2**20, 2**30):
            for make in (level.Core32, level.Core64):
                if (K, H, T) != (5, 4, 3):
                    try:
                        make(K, H, T)
                    except (ValueError, MemoryError):
                        continue
                    assert K * H + T * (K + H) < 2**30
for n in (2**38, 2**39):
    try:
        sampler.sample(np.zeros((1, 4), np.float32), np.zeros(1, np.int64), n)
        raise SystemExit("a terabyte in three gigabytes")
    except MemoryError:
        pass
state, last = np.zeros((900, 4), np.float32), np.zeros(900, np.int64)
assert sampler.sample(state, last, 2, threads=900).shape == (900, 2)
print("still here")
"""


@pytest.mark.huge
def test_sizes_beyond_all_memory_and_more_threads_than_it_has_room_for(level):
    name = level.__name__.rpartition("_")[2]
    done = subprocess.run([sys.executable, "-c", HUGE, name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "still here\n"), done.stderr
