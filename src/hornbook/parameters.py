"""Parameters: one flat buffer with named views into it, and their initial values.

The names are `U W b` (`U1 W1 b1` … from the second layer up), `V`, `c`. Gradients and optimizer
memory have the same shape, so clipping, every update rule and checkpoints are one line each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import count as count_from
from typing import Any

import numpy as np
import numpy.typing as npt

from hornbook.cells import CELLS
from hornbook.cells.cell import Array
from hornbook.config import ModelSettings, TrainingSettings
from hornbook.philox import INITIAL, Source

Shape = tuple[int, ...]
BLOCK = 1 << 20  # characters counted at a time
WHOLE_ROW = 0.5  # U of the first layer starts within ± so much, where W is orthogonal


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


def sizes(named: Mapping[str, Array]) -> dict[str, int | str]:
    """The sizes of a network by the shapes of its parameters, under the names of its settings; none where
    they are no network's."""
    W, V = named.get("W"), named.get("V")
    if W is None or V is None or W.ndim != 2 or V.ndim != 2 or W.shape[0] != V.shape[0] or not W.shape[0]:
        return {}
    H, K = V.shape
    cell = next((cell.name for cell in CELLS.values() if cell.gates * H == W.shape[1]), None)
    layers = next(layer for layer in count_from(1) if name("W", layer) not in named)
    return {} if cell is None else {"vocabulary": K, "hidden": H, "cell": cell, "layers": layers}


def name(letter: str, layer: int) -> str:
    """`U` in the first layer, `U1` in the second, and so on."""
    return f"{letter}{layer}" if layer else letter


def count(model: ModelSettings) -> int:
    """The number of parameters, P."""
    return sum(math.prod(shape) for shape in shapes(model).values())


def multiplied(model: ModelSettings) -> int:
    """The weights that each character is multiplied with, forwards: all matrices but the first U, of which it
    reads a row."""
    return sum(math.prod(shape) for key, shape in shapes(model).items() if len(shape) == 2 and key != "U")


def views(model: ModelSettings, flat: Array) -> dict[str, Array]:
    """Named views into a flat buffer (…, P): they share its memory, and its leading dimensions."""
    named, at = {}, 0
    for key, shape in shapes(model).items():
        size = math.prod(shape)
        named[key] = flat[..., at : at + size].reshape(*flat.shape[:-1], *shape)
        at += size
    return named


def flattened(named: Mapping[str, Array]) -> Array:  # (P,)
    """Named arrays, in the order of the buffer, as one."""
    return np.concatenate([array.ravel() for array in named.values()])


def initial(
    model: ModelSettings,
    training: TrainingSettings,
    dtype: npt.DTypeLike | None = None,
    ids: npt.NDArray[np.unsignedinteger[Any]] | None = None,  # (N,)
) -> Array:  # (P,)
    """Initial values, in the training's own type unless another is named: matrices as `training.init` has
    it, biases zero, but 1 for a cell's open gate. Where W is orthogonal and the text is known, c starts at
    the logarithms of its characters' frequencies: foretelling so much need not be learnt. They are drawn in
    float64 and rounded, so that both dtypes start from the same numbers."""
    flat, source = np.zeros(count(model), dtype=np.float64), Source(training.seed, INITIAL)
    cell, start = CELLS[model.cell], STARTS[training.init]
    for place, (key, view) in enumerate(views(model, flat).items()):
        if view.ndim == 2:
            gates = 1 if key == "V" else cell.gates
            view[...] = start(key, view.shape, gates, training.init_scale, source.generator(place))
        elif key != "c" and cell.open_gate is not None:
            view[model.hidden * cell.open_gate :][: model.hidden] = 1
        elif key == "c" and ids is not None and training.init == "orthogonal":
            view[...] = log_frequencies(ids, model.vocabulary)
    return flat.astype(dtype or training.array_dtype)


def log_frequencies(ids: npt.NDArray[np.unsignedinteger[Any]], symbols: int) -> Array:  # (N,) -> (K,)
    """ln((n + 1) / (N + K)) of each symbol that stands n times in a text (Laplace's rule of succession)."""
    blocks = (ids[start : start + BLOCK] for start in range(0, len(ids), BLOCK))
    counts = sum((np.bincount(block, minlength=symbols) for block in blocks), np.ones(symbols))
    return np.asarray(np.log(counts / counts.sum()))


def normal(key: str, shape: Shape, gates: int, scale: float, random: np.random.Generator) -> Array:
    """N(0, scale²)."""
    return np.asarray(scale * random.standard_normal(shape))


def scaled(key: str, shape: Shape, gates: int, scale: float, random: np.random.Generator) -> Array:
    """N(0, 1 / (2 n)) for U and W, N(0, 1 / n) for V, of n rows."""
    return np.asarray(random.standard_normal(shape) / math.sqrt(shape[0] * (1 if key == "V" else 2)))


def orthogonal(key: str, shape: Shape, gates: int, scale: float, random: np.random.Generator) -> Array:
    """W: for each gate a random orthogonal matrix (Saxe, McClelland and Ganguli, ICLR 2014). U and V: uniform
    within ±√(6 / (rows + columns of a gate)) (Glorot and Bengio, AISTATS 2010), but U of the first layer,
    of which one row is read at a time, within ±1/2 however many rows there are."""
    rows, width = shape[0], shape[1] // gates
    if key[0] != "W":
        limit = WHOLE_ROW if key == "U" else math.sqrt(6 / (rows + width))
        return random.uniform(-limit, limit, shape)
    turns = [np.linalg.qr(random.standard_normal((rows, rows))) for _ in range(gates)]
    return np.concatenate([q * np.sign(np.diag(r)) for q, r in turns], axis=1)


STARTS = {"normal": normal, "scaled": scaled, "orthogonal": orthogonal}
