"""Sizes at which a network's blocks, chunks and panels end: more streams than a block has rows, more rows
than one pass of a product, symbols by the thousand; the rest is in test_family."""

import numpy as np
import pytest
from networks import every_cell, every_dtype, network, window

from hornbook.config import ModelSettings, TrainingSettings
from hornbook.engines import TrainingState
from hornbook.engines.reference import ReferenceEngine
from hornbook.parameters import views

LIMIT = {np.float32: 2e-5, np.float64: 1e-12}

# K, H, L, T, B, shards
SIZES = [
    (5, 9, 2, 2, 700, 2),  # one shard's rows at one time are more than a pass
    (11, 20, 1, 90, 5, 1),  # several blocks of time
    (4437, 17, 1, 2, 3, 3),
    (80, 48, 2, 40, 8, 5),  # shards of unequal size
    (1, 1, 4, 3, 2, 7),  # more shards than streams
    (130, 65, 1, 7, 9, 2),
]


def truth(cell, K, H, L, flat, window, objective):
    """What the reference makes of it in float64."""
    model = ModelSettings(K, H, cell, L)
    how = TrainingSettings(engine="reference", dtype="float64", objective=objective)
    engine = ReferenceEngine(model, how, TrainingState.of_parameters(flat.astype(float), model, how))
    wide = [a.astype(float) if a.dtype.kind == "f" else a for a in window.values()]
    return engine.loss_and_gradients(*wide), engine.read(*wide[:3])


def error(got, want):
    return np.abs(got.astype(float) - want).max() / max(np.abs(want).max(), 1e-300)


@every_cell
@every_dtype
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("objective", ["sum", "mean"])
def test_gradients_and_reading_agree_with_the_reference(level, cell, dtype, size, objective):
    K, H, L, T, B, shards = size
    core, state = network(level, dtype, cell, K, H, L, 3, 2, shards=shards, objective=objective)
    flat, seen = state["parameters"], window(dtype, cell, K, H, L, T, B)
    want, reading = truth(cell, K, H, L, flat, seen, objective)
    loss, g, last, first = core.loss_and_gradients(flat, **seen)
    limit = LIMIT[dtype]
    assert abs(loss - want.loss) <= limit * want.loss
    assert error(last, want.state) < limit
    assert error(first, want.dstate) < limit
    for name, gradient in views(ModelSettings(K, H, cell, L), g).items():
        assert error(gradient, want.gradients[name]) < limit, name
    del seen["dstate"]
    nats, hidden, after = core.read(flat, **seen)
    assert error(nats, reading.nats) < limit
    assert error(hidden, reading.hidden) < limit
    assert error(after, reading.state) < limit
