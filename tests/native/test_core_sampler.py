"""Sampling against NumPy: the same random numbers, the same rule of choice, whatever the threads and
however it is split."""

import numpy as np
import pytest
import truth

K, H = 23, 18
flat = np.random.default_rng(2).standard_normal(truth.size(K, H)) * 0.4


def uniform(seed, purpose, stream, update, position):
    bits = np.random.Philox(
        key=np.array([seed, purpose], np.uint64), counter=np.array([position, stream, update, 0], np.uint64)
    )
    return float(bits.random_raw(1)[0] >> np.uint64(11)) * 2.0**-53


def choose(o, temperature, top_k, top_p, u):
    if temperature == 0:
        return int(np.argmax(o))
    p = np.exp((o - o.max()) / temperature)
    order = np.lexsort((np.arange(len(p)), -p))
    keep = order[: top_k or len(p)]
    if top_p < 1:
        total = np.cumsum(p[keep] / p[keep].sum())
        keep = keep[: int(np.searchsorted(total, top_p)) + 1]
    kept = np.zeros_like(p)
    kept[keep] = p[keep]
    return int(np.searchsorted(np.cumsum(kept), u * kept.sum(), side="right"))


def write(state, last, n, temperature=1.0, top_k=0, top_p=1.0, seed=0, position=0, purpose=0, update=0):
    U, W, b, V, c = truth.views(flat, K, H).values()
    ids = np.zeros((len(last), n), np.int64)
    for s in range(len(last)):
        h, x = state[s].copy(), last[s]
        for i in range(n):
            if x >= 0:
                h = np.tanh(U[x] + b + h @ W)
            x = ids[s, i] = choose(
                h @ V + c, temperature, top_k, top_p, uniform(seed, purpose, s, update, position + i)
            )
        state[s], last[s] = h, x
    return ids


def begin(S, dtype=np.float64):
    rng = np.random.default_rng(4)
    return rng.uniform(-0.5, 0.5, (S, H)).astype(dtype), np.array([-1, 3, 0, 22, 5][:S])


TASTES = [
    {},
    {"temperature": 0.0},
    {"temperature": 0.5},
    {"top_k": 3},
    {"top_p": 0.6},
    {"top_k": 9, "top_p": 0.8, "temperature": 1.7},
    {"top_k": 1},
    {"top_k": 100},
    {"top_p": 1e-9},
    {"temperature": 1e-300},
    {"temperature": 1e6},
]


@pytest.mark.parametrize("taste", TASTES, ids=str)
def test_the_characters_are_those_that_numpy_draws(level, taste):
    where = {"seed": 2**64 - 3, "purpose": 7, "update": 1234567, "position": 40}
    state, last = begin(5)
    state_, last_ = state.copy(), last.copy()
    got = level.Sampler64(K, H, flat).sample(state, last, 60, **taste, **where)
    want = write(state_, last_, 60, **taste, **where)
    assert (got == want).all()
    assert (last == last_).all()
    np.testing.assert_allclose(state, state_, atol=1e-12)


@pytest.mark.parametrize(("symbols", "units"), [(300, 3), (137, 150), (129, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_so_they_are_in_networks_of_many_panels(level, dtype, symbols, units):
    rng = np.random.default_rng(9)
    weights = (rng.standard_normal(truth.size(symbols, units)) * min(0.5, 1.1 / units**0.5)).astype(dtype)
    state, last = rng.uniform(-0.5, 0.5, (3, units)).astype(dtype), np.array([1, 0, symbols - 1])
    U, W, b, V, c = truth.views(weights.astype(float), symbols, units).values()
    h, x, want = state.astype(float), last.copy(), []
    for _ in range(40):
        h = np.tanh(U[x] + b + h @ W)
        x = (h @ V + c).argmax(1)
        want.append(x)
    make = level.Sampler32 if dtype == np.float32 else level.Sampler64
    got = make(symbols, units, weights).sample(state, last, 40, temperature=0.0)
    assert (got == np.transpose(want)).all()
    np.testing.assert_allclose(state, h, atol=1e-4 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("position", [0, 2**64 - 2, 2**64 - 1])
def test_the_position_carries_over_where_64_bits_end(level, position):
    state, last = begin(1)
    state_, last_ = state.copy(), last.copy()
    got = level.Sampler64(K, H, flat).sample(state, last, 1, position=position, seed=5)
    assert (got == write(state_, last_, 1, position=position, seed=5)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_neither_threads_nor_parts_change_the_characters(level, dtype):
    sampler = (level.Sampler32 if dtype == np.float32 else level.Sampler64)(K, H, flat.astype(dtype))
    state, last = begin(5, dtype)
    whole = sampler.sample(state, last, 50, seed=3, threads=1)
    for threads in (0, 2, 3, 9):
        again, last_again = begin(5, dtype)
        parts = [
            sampler.sample(again, last_again, n, seed=3, threads=threads, position=p)
            for p, n in [(0, 1), (1, 20), (21, 0), (21, 29)]
        ]
        assert (np.concatenate(parts, 1) == whole).all()
        assert (again == state).all()
        assert (last_again == last).all()


def test_streams_drawn_in_groups_are_those_drawn_together(level):
    sampler = level.Sampler64(K, H, flat)
    state, last = begin(5)
    whole = sampler.sample(state, last, 20, seed=3)
    state, last = begin(5)
    parts = [
        sampler.sample(state[a:b].copy(), last[a:b].copy(), 20, seed=3, first_stream=a)
        for a, b in [(0, 2), (2, 5)]
    ]
    assert (np.concatenate(parts) == whole).all()


def test_in_float_the_first_characters_follow_the_probabilities(level):
    p32 = flat.astype(np.float32)
    state, last = np.repeat(begin(1, np.float32)[0], 4000, 0), np.full(4000, -1)
    first = level.Sampler32(K, H, p32).sample(state, last, 1, seed=9)[:, 0]
    named = truth.views(flat, K, H)
    o = begin(1)[0][0] @ named["V"] + named["c"]
    p = np.exp(o - o.max())
    p /= p.sum()
    count = np.bincount(first, minlength=K)
    assert ((count - 4000 * p) ** 2 / (4000 * p)).sum() < 60  # chi², 22 degrees of freedom


@pytest.mark.parametrize("symbols", [1, 2, 13, 80, 3000])
@pytest.mark.parametrize("temperature", [1.0, 0.3, 1e-40, 1e40])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_draw_near_the_edge_of_a_symbol_is_the_one_of_float64(level, symbols, temperature, dtype):
    parameters = np.zeros(truth.size(symbols, 1), dtype)
    parameters[-symbols:] = o = np.random.default_rng(6).standard_normal(symbols).astype(dtype)
    sampler = (level.Sampler32 if dtype == np.float32 else level.Sampler64)(symbols, 1, parameters)
    n = 4000
    got = sampler.sample(np.zeros((1, 1), dtype), np.array([-1]), n, temperature=temperature)
    u = [uniform(0, 0, 0, 0, i) for i in range(n)]
    assert got[0].tolist() == [choose(o.astype(np.float64), temperature, 0, 1.0, u_) for u_ in u]


REFUSED = [
    {"temperature": -1.0},
    {"temperature": float("nan")},
    {"temperature": float("inf")},
    {"top_k": -1},
    {"top_p": 0.0},
    {"top_p": 1.5},
    {"top_p": float("nan")},
    {"n": -1},
    {"n": 2**62},
    {"last": np.array([K, 0])},
    {"last": np.array([-2, 0])},
    {"state": begin(1)[0]},
    {"threads": -1},
]


@pytest.mark.parametrize("bad", REFUSED, ids=lambda bad: next(iter(bad)))
def test_what_cannot_be_drawn_is_refused(level, bad):
    sampler = level.Sampler64(K, H, flat)
    state, last = begin(2)
    with pytest.raises(ValueError):
        sampler.sample(**{"state": state, "last": last, "n": 3, **bad})


def test_parameters_of_another_size_are_refused(level):
    with pytest.raises(ValueError, match="parameters"):
        level.Sampler64(K, H, flat[1:])
