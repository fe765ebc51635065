"""Whatever a core may be handed in place of what it expects."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

REFUSALS = (ValueError, TypeError, MemoryError, OverflowError)

fuzzed = hypothesis_settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])

Arguments = dict[str, Any]


# What is wrong with an argument


def misaligned(a):
    """The same numbers at an address that is no multiple of their size."""
    bytes_ = np.zeros(a.nbytes + 1, np.uint8)
    moved = bytes_[1:].view(a.dtype).reshape(a.shape)
    moved[...] = a
    return moved


def holding(value):
    """The array with one entry replaced."""

    def replaced(a):
        other = a.copy()
        if other.size:
            with np.errstate(over="ignore"):
                other.flat[other.size // 2] = value
        return other

    return replaced


OTHERS = [None, "text", b"text", 3.5, [], [1, 2], np.float64(1), np.zeros(3, object), np.array(["a"])]
UNFIT = [
    lambda a: a[:0],
    lambda a: a[None],
    lambda a: a.ravel()[1:].copy(),
    lambda a: np.append(a, a.ravel()[:1]),
    lambda a: a.astype(a.dtype.newbyteorder()),
    lambda a: a.astype(np.float16),
    lambda a: a.astype(np.int32),
    lambda a: a.astype(bool),
    lambda a: a.astype(complex),
    lambda a: np.repeat(a, 2, -1)[..., ::2],
    lambda a: np.asfortranarray(np.stack([a, a]).T),
    lambda a: np.broadcast_to(a.ravel()[:1], a.shape) if a.size else a,
    misaligned,
    *[lambda a, other=other: other for other in OTHERS],
]
NUMBERS = [np.nan, np.inf, -np.inf, 3e38, -1e300, 1e-310, -0.0]
IDS = [-1, -2, 70, 255, -(2**63), 2**63 - 1]
INTEGERS = [-(2**63), -(2**31), -1, 0, 2**31, 2**62, 2**63 - 1, 2**64 - 1, 2**64, 10**30, 1.5, "3", None]


def spoil(data: st.DataObject, value: Any) -> Any:
    """Something else in place of an argument."""
    if not isinstance(value, np.ndarray):
        return data.draw(st.sampled_from([*INTEGERS, *NUMBERS]))
    if data.draw(st.booleans()):
        return data.draw(st.sampled_from(UNFIT))(value)
    kept = [i for i in IDS if np.iinfo(value.dtype).min <= i <= np.iinfo(value.dtype).max] if (
        value.dtype.kind in "iu"
    ) else NUMBERS  # fmt: skip
    return holding(data.draw(st.sampled_from(kept)))(value)


def some_spoilt(data: st.DataObject, arguments: Arguments) -> tuple[Arguments, bool]:
    """The arguments with none to two of them spoilt, and whether any is."""
    names = data.draw(st.sets(st.sampled_from(sorted(arguments)), max_size=2))
    return {k: spoil(data, v) if k in names else v for k, v in arguments.items()}, bool(names)


def call(function: Any, arguments: Arguments, spoilt: bool) -> Any:
    """What a call gives, or None where spoilt arguments were refused."""
    try:
        return function(**arguments)
    except REFUSALS:
        assert spoilt, arguments
        return None


def assert_same(state: Arguments, other: Arguments) -> None:
    """The same arrays under the same names, to the bit."""
    for key, value in state.items():
        np.testing.assert_array_equal(value, other[key], err_msg=key)
