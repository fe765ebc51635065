"""What is drawn from: logits made into the probabilities of the next symbol, and one symbol drawn.

In this order: temperature, top-k, top-p; what remains is scaled to sum to one. All in float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hornbook.cells.cell import Array
from hornbook.errors import SettingError
from hornbook.values import integer, make_plain, real

Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """How the next symbol is chosen: logits are divided by `temperature` (0 takes the likeliest), then
    the `top_k` likeliest are kept (0: all), then the smallest set of the likeliest whose probability
    reaches `top_p` (1: all; Holtzman et al., "The curious case of neural text degeneration", ICLR
    2020). Raises SettingError for a value out of range."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        make_plain(self)
        number = isinstance(self.temperature, int | float) and not isinstance(self.temperature, bool)
        if not number or not 0 <= self.temperature <= 100:
            raise SettingError(f"`temperature` is {self.temperature!r}; expected a number from 0 to 100")
        integer("`top_k`", self.top_k, 0, 0x110000)
        real("`top_p`", self.top_p, 0, 1)


def probabilities(logits: Array, choice: Choice) -> Probabilities:  # (…, K) -> (…, K)
    """The probabilities of the next symbol from its logits."""
    o = np.asarray(logits, dtype=np.float64)
    if choice.temperature == 0:
        return np.asarray(np.eye(o.shape[-1])[o.argmax(axis=-1)])
    o = o - o.max(axis=-1, keepdims=True)
    with np.errstate(over="ignore"):  # a temperature near zero: all but the likeliest end at -inf
        p = np.exp(o / choice.temperature)
    if choice.top_k or choice.top_p < 1:
        p = keep_likeliest(p, choice)
    return np.asarray(p / p.sum(axis=-1, keepdims=True))


def keep_likeliest(p: Probabilities, choice: Choice) -> Probabilities:
    """Set to zero what top-k and top-p leave out; of equals, the lower number comes first."""
    order = np.argsort(-p, axis=-1, kind="stable")
    ranked = np.take_along_axis(p, order, axis=-1)
    if choice.top_k:
        ranked[..., choice.top_k :] = 0
    ranked /= ranked.sum(axis=-1, keepdims=True)
    if choice.top_p < 1:
        reached = np.cumsum(ranked, axis=-1)[..., :-1] >= choice.top_p
        ranked[..., 1:][reached] = 0
    kept = np.empty_like(p)
    np.put_along_axis(kept, order, ranked, axis=-1)
    return kept


def draw(p: Probabilities, uniform: float) -> int:
    """The symbol at which the cumulative probabilities (K,) first exceed a uniform number."""
    cumulative = np.cumsum(p)
    place = int(np.searchsorted(cumulative, uniform * cumulative[-1], side="right"))
    return min(place, int(np.flatnonzero(p)[-1]))
