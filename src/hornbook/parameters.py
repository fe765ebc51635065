"""Parameters: one flat buffer with named views into it, and their initial values.

The names are `U W b` (`U1 W1 b1` … from the second layer up), `V`, `c`. Gradients and optimizer
memory have the same shape, so clipping, every update rule and checkpoints are one line each.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from hornbook.cells import CELLS
from hornbook.cells.cell import Array
from hornbook.config import ModelSettings
from hornbook.philox import INITIAL, Source


def shapes(model: ModelSettings) -> dict[str, tuple[int, ...]]:
    """The shape of each parameter, in the order in which they lie in the buffer.

    `U (K, G·H)` in the first layer and `(H, G·H)` above it, `W (H, G·H)`, `b (G·H,)`, `V (H, K)`,
    `c (K,)`, with G the gates of the cell.
    """
    K, H = model.vocabulary, model.hidden
    width = CELLS[model.cell].gates * H
    named: dict[str, tuple[int, ...]] = {}
    for layer in range(model.layers):
        named[name("U", layer)] = (H if layer else K, width)
        named[name("W", layer)] = (H, width)
        named[name("b", layer)] = (width,)
    return named | {"V": (H, K), "c": (K,)}


def name(letter: str, layer: int) -> str:
    """`U` in the first layer, `U1` in the second, and so on."""
    return f"{letter}{layer}" if layer else letter


def count(model: ModelSettings) -> int:
    """The number of parameters, P."""
    return sum(math.prod(shape) for shape in shapes(model).values())


def views(model: ModelSettings, flat: Array) -> dict[str, Array]:
    """Named views into a flat buffer (…, P): they share its memory, and its leading dimensions."""
    named, at = {}, 0
    for key, shape in shapes(model).items():
        size = math.prod(shape)
        named[key] = flat[..., at : at + size].reshape(*flat.shape[:-1], *shape)
        at += size
    return named


def initial(model: ModelSettings, scale: float, seed: int, dtype: npt.DTypeLike) -> Array:  # (P,)
    """Initial values: the matrices normal with mean 0 and deviation `scale`, the biases zero. They
    are drawn in float64 and rounded, so that both dtypes start from the same numbers."""
    flat, source = np.zeros(count(model), dtype=np.float64), Source(seed, INITIAL)
    for place, view in enumerate(views(model, flat).values()):
        if view.ndim == 2:
            view[...] = scale * source.generator(place).standard_normal(view.shape)
    return flat.astype(dtype)
