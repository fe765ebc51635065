"""JAX: the whole loop compiled, `jit(fori_loop(scan))`, the strongest way it has on a CPU.

Two forms: the cell and its output layer in the scan, as a recurrent network is usually written, and,
hoisted by hand, with the output layer as one product over all T after the scan.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.sizes import Sizes


def make(ids: np.ndarray, sizes: Sizes, hoisted: bool = False) -> Callable[[int], float]:
    """The training loop."""
    H, K, T = sizes.hidden, sizes.vocabulary, sizes.seq_len
    U, W, V = (
        0.01 * jax.random.normal(key, shape)
        for key, shape in zip(jax.random.split(jax.random.key(0), 3), [(K, H), (H, H), (H, K)], strict=True)
    )
    weights = {"U": U, "W": W, "b": jnp.zeros(H), "V": V, "c": jnp.zeros(K)}
    memory = jax.tree.map(jnp.zeros_like, weights)
    text = jnp.asarray(ids.astype(np.int32))
    per_epoch = (len(ids) - 1) // T

    def loss_of(w: dict[str, Any], x: Any, y: Any, h: Any) -> tuple[Any, Any]:
        def step(h: Any, u: Any) -> tuple[Any, Any]:
            h = jnp.tanh(u + h @ w["W"])
            return h, h if hoisted else h @ w["V"] + w["c"]

        h, o = jax.lax.scan(step, h, w["U"][x] + w["b"], unroll=T)
        if hoisted:
            o = o @ w["V"] + w["c"]
        losses = jax.nn.logsumexp(o, axis=1) - jnp.take_along_axis(o, y[:, None], axis=1)[:, 0]
        return losses.sum(), h

    def update(i: Any, carry: Any) -> Any:
        w, m, h, _ = carry
        place = (i % per_epoch) * T
        window = jax.lax.dynamic_slice(text, (place,), (T + 1,))
        h = jnp.where(i % per_epoch == 0, 0.0, h)
        (loss, h), g = jax.value_and_grad(loss_of, has_aux=True)(w, window[:-1], window[1:], h)
        g = jax.tree.map(lambda g: jnp.clip(g, -5, 5), g)
        m = jax.tree.map(lambda m, g: m + g * g, m, g)
        w = jax.tree.map(lambda w, g, m: w - 0.1 * g / jnp.sqrt(m + 1e-8), w, g, m)
        return w, m, h, loss

    @partial(jax.jit, donate_argnums=2)
    def many(first: Any, last: Any, carry: Any) -> Any:
        return jax.lax.fori_loop(first, last, update, carry)

    carry, done = (weights, memory, jnp.zeros(H), jnp.zeros(())), 0

    def run(updates: int) -> float:
        nonlocal carry, done
        carry = jax.block_until_ready(many(done, done + updates, carry))
        done += updates
        return float(carry[3])

    return run
