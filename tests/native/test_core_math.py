"""exp, tanh, sigmoid, log: within the stated bounds of the exact value, over the whole range."""

import numpy as np
import pytest

# Random bits hold signalling NaNs, of which NumPy warns when it widens them.
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in cast")

BOUND = {np.float32: 3, np.float64: 4}

every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def exact(name, x):
    x = x.astype(np.longdouble)
    with np.errstate(all="ignore"):
        if name == "sigmoid":
            e = np.exp(-np.abs(x))
            return np.where(x >= 0, 1, e) / (1 + e)
        return getattr(np, name)(x)


def ulps(got, want, dtype):
    """Distance in units of the last place of the exact value (denormals: the smallest denormal)."""
    with np.errstate(all="ignore"):
        rounded = want.astype(dtype)
        same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
        most = np.finfo(dtype).max
        got, rounded = np.clip(got, -most, most), np.clip(rounded, -most, most)
        place = np.spacing(np.abs(rounded)).astype(np.longdouble)
        return np.where(same, 0.5, np.abs(got.astype(np.longdouble) - np.clip(want, -most, most)) / place)


def arguments(name, dtype):
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2 ** (8 * np.dtype(dtype).itemsize) - 1, 400_000, dtype=np.uint64, endpoint=True)
    any_bits = bits.astype(f"u{np.dtype(dtype).itemsize}").view(dtype)
    info = np.finfo(dtype)
    edge = [
        0.0,
        -0.0,
        np.inf,
        -np.inf,
        np.nan,
        info.tiny,
        -info.tiny,
        info.smallest_subnormal,
        -info.smallest_subnormal,
        info.max,
        -info.max,
        1,
        -1,
    ]
    low, high = (-110, 95) if dtype is np.float32 else (-760, 715)
    near = [np.nextafter(dtype(1), dtype(s)) for s in (0, 2)]
    parts = [
        any_bits,
        rng.uniform(low, high, 400_000),
        rng.uniform(-12, 12, 400_000),
        rng.uniform(-1, 1, 400_000),
        rng.uniform(0.5, 2, 400_000),
    ]
    return np.concatenate([np.array(edge, dtype), np.array(near, dtype), *[p.astype(dtype) for p in parts]])


@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid", "log"])
@every_dtype
def test_a_function_is_within_its_bound_of_the_exact_value(level, dtype, name):
    x = arguments(name, dtype)
    got = getattr(level, name)(x)
    assert got.dtype == dtype
    error = ulps(got, exact(name, x), dtype)
    worst = np.nanargmax(error)
    print(f"\n{level.__name__} {np.dtype(dtype).name} {name}: {float(error[worst]):.2f} ulp at {x[worst]!r}")
    assert (np.isnan(got) == np.isnan(exact(name, x))).all()
    assert np.nanmax(error) <= BOUND[dtype]


@every_dtype
def test_one_over_a_root_is_within_its_bound_wherever_a_memory_may_be(level, dtype):
    info = np.finfo(dtype)
    powers = np.random.default_rng(2).uniform(np.log2(1e-8), np.log2(info.max), 400_000)
    x = np.minimum(2**powers, info.max).astype(dtype)
    error = np.abs(level.over_root(x) * np.sqrt(x.astype(np.longdouble)) - 1)
    print(f"\n{level.__name__} {np.dtype(dtype).name} over_root: 2^{float(np.log2(error.max())):.1f}")
    assert error.max() <= (2.0**-21 if dtype is np.float32 else 4 * info.eps)
    assert (level.over_root(np.array([np.inf, 1, 4], dtype)) == [0, 1, 0.5]).all()
    assert np.isnan(level.over_root(np.array([np.nan], dtype))).all()


@every_dtype
def test_tanh_is_odd_never_beyond_one_and_keeps_the_sign_of_zero(level, dtype):
    x = arguments("tanh", dtype)
    x = x[~np.isnan(x)]
    assert (level.tanh(-x) == -level.tanh(x)).all()
    assert (np.abs(level.tanh(x)) <= 1).all()
    zero = np.array([0.0, -0.0], dtype)
    assert (np.signbit(level.tanh(zero)) == [False, True]).all()


@every_dtype
def test_at_zero_one_and_infinity_the_values_are_exact(level, dtype):
    assert (level.exp(np.array([-np.inf, np.inf, 0], dtype)) == [0, np.inf, 1]).all()
    assert (level.sigmoid(np.array([-np.inf, np.inf, 0], dtype)) == [0, 1, 0.5]).all()
    assert (level.log(np.array([0, 1, np.inf], dtype)) == [-np.inf, 0, np.inf]).all()
