"""Every level, both dtypes, awkward sizes: loss, states and each gradient by name against NumPy."""

import numpy as np
import pytest
import truth

LIMIT = {np.float32: 2e-5, np.float64: 1e-12}

every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def core_of(level, dtype):
    return level.Core32 if dtype is np.float32 else level.Core64


def error(got, want):
    return np.abs(got.astype(float) - want).max() / max(np.abs(want).max(), 1e-300)


@every_dtype
@pytest.mark.parametrize("T", [1, 3, 25])
@pytest.mark.parametrize("K", [2, 65, 4437])
@pytest.mark.parametrize("H", [1, 7, 100, 129])
def test_reading_and_differentiating_agree_with_numpy(level, dtype, H, K, T):
    rng = np.random.default_rng([H, K, T])
    sigma = min(0.1, 1.2 / H**0.5)  # a spectral radius well above 1 is chaos: no two roundings stay together
    flat = (rng.standard_normal(truth.size(K, H)) * sigma).astype(dtype)
    x, y = rng.integers(0, K, T), rng.integers(0, K, T)
    x[-1] = x[0]
    state, dstate = rng.uniform(-0.9, 0.9, H).astype(dtype), rng.standard_normal(H).astype(dtype)
    core = core_of(level, dtype)(K, H, 5, objective_scale=0.5)
    loss, g, states, last, back = core.loss_and_gradients(flat, x, y, state, dstate)
    want = truth.loss_and_gradients(
        flat.astype(float), x, y, state.astype(float), dstate.astype(float), K, H, 0.5
    )
    limit = LIMIT[dtype]
    assert abs(loss - want[0]) / want[0] < limit
    assert error(states, want[2]) < limit
    assert error(last, want[3]) < limit
    assert error(back, want[4]) < limit
    for name, wanted in truth.views(want[1], K, H).items():
        assert error(truth.views(g, K, H)[name], wanted) < limit, name
    nats, hidden, after = core.read(flat, x, y, state)
    assert error(nats, want[5]) < limit
    assert error(hidden, want[2]) < limit
    assert error(after, want[3]) < limit
    logits, after = core.step(flat, x, np.repeat(state[None], T, 0))
    U, W, b, V, c = truth.views(flat.astype(float), K, H).values()
    h = np.tanh(U[x] + b + state.astype(float) @ W)
    assert error(after, h) < limit
    assert error(logits, h @ V + c) < limit


MORE_SIZES = [
    (50, 60, 400),
    (300, 90, 10),
    (800, 80, 25),
    (16, 16, 16),
    (17, 18, 19),
    (33, 8, 7),
    (12, 5, 4),
    (137, 200, 100),
]


@every_dtype
@pytest.mark.parametrize(("H", "K", "T"), MORE_SIZES)
def test_so_they_do_at_sizes_around_a_vector_and_beyond_a_panel(level, dtype, H, K, T):
    test_reading_and_differentiating_agree_with_numpy(level, dtype, H, K, T)


@every_dtype
def test_so_they_do_with_any_width_of_the_last_panel(level, dtype):
    for H in range(1, 150):  # and of V's
        test_reading_and_differentiating_agree_with_numpy(level, dtype, H, 151 - H, 4)


def test_a_long_text_is_read_in_blocks_as_it_is_at_once(level):
    rng = np.random.default_rng(3)
    K, H, n = 20, 30, 1000
    flat = rng.standard_normal(truth.size(K, H)) * 0.1
    x, y, state = rng.integers(0, K, n), rng.integers(0, K, n), rng.uniform(-1, 1, H)
    nats, hidden, after = level.Core64(K, H, 5).read(flat, x, y, state)
    want = truth.loss_and_gradients(flat, x, y, state, np.zeros(H), K, H)
    assert error(nats, want[5]) < 1e-11
    assert error(hidden, want[2]) < 1e-11
    assert error(after, want[3]) < 1e-11
