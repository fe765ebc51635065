"""JAX: the whole loop compiled, with the input and output layers hoisted out of the scan by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.sizes import Network
from hornbook.cells import CELLS

RATE, FIRST, SECOND, EPSILON = 2e-3, 0.9, 0.999, 1e-8  # Adam


def vanilla(u: Any, v: Any, _state: Any) -> Any:
    return (jnp.tanh(u + v),)


def gru(u: Any, v: Any, state: Any) -> Any:
    (h,) = state
    (u_r, u_z, u_n), (v_r, v_z, v_n) = jnp.split(u, 3, axis=-1), jnp.split(v, 3, axis=-1)
    r, z = jax.nn.sigmoid(u_r + v_r), jax.nn.sigmoid(u_z + v_z)
    n = jnp.tanh(u_n + r * v_n)
    return ((1 - z) * n + z * h,)


def lstm(u: Any, v: Any, state: Any) -> Any:
    i, f, g, o = jnp.split(u + v, 4, axis=-1)
    c = jax.nn.sigmoid(f) * state[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


STEPS = {"vanilla": vanilla, "gru": gru, "lstm": lstm}


def weights_of(sizes: Network) -> dict[str, Any]:
    """All weights, by layer."""
    K, H, G = sizes.vocabulary, sizes.hidden, CELLS[sizes.cell].gates
    keys = iter(jax.random.split(jax.random.key(0), 2 * sizes.layers + 1))

    def normal(*shape: int) -> Any:
        return jax.random.normal(next(keys), shape) / np.sqrt(H)

    layers = [
        {"U": normal(H if layer else K, G * H), "W": normal(H, G * H), "b": jnp.zeros(G * H)}
        for layer in range(sizes.layers)
    ]
    return {"layers": layers, "V": normal(H, K), "c": jnp.zeros(K)}


def loss_of(w: dict[str, Any], x: Any, y: Any, states: Any, cell: str) -> tuple[Any, Any]:
    """The mean loss of x, y (T, B), and the states after them."""
    below, after = x, []
    for layer, (named, state) in enumerate(zip(w["layers"], states, strict=True)):
        u = (below @ named["U"] if layer else named["U"][below]) + named["b"]

        def step(state: Any, u: Any, W: Any = named["W"]) -> tuple[Any, Any]:
            state = STEPS[cell](u, state[0] @ W, state)
            return state, state[0]

        state, below = jax.lax.scan(step, state, u)
        after.append(state)
    o = below @ w["V"] + w["c"]
    losses = jax.nn.logsumexp(o, axis=-1) - jnp.take_along_axis(o, y[..., None], axis=-1)[..., 0]
    return losses.mean(), after


def adam(w: Any, g: Any, m: Any, n: Any, i: Any) -> Any:
    """One step, the gradient clipped to a norm of 1."""
    length = jnp.sqrt(sum(jnp.sum(x * x) for x in jax.tree.leaves(g)))
    g = jax.tree.map(lambda g: g * jnp.minimum(1.0, 1.0 / (length + 1e-6)), g)
    m = jax.tree.map(lambda m, g: FIRST * m + (1 - FIRST) * g, m, g)
    n = jax.tree.map(lambda n, g: SECOND * n + (1 - SECOND) * g * g, n, g)
    rate = RATE * jnp.sqrt(1 - SECOND**i) / (1 - FIRST**i)
    w = jax.tree.map(lambda w, m, n: w - rate * m / (jnp.sqrt(n) + EPSILON), w, m, n)
    return w, m, n


def make(ids: np.ndarray, sizes: Network) -> Callable[[int], float]:
    """The training loop."""
    B, T, S = sizes.streams, sizes.seq_len, CELLS[sizes.cell].states
    each = len(ids) // B
    text = jnp.asarray(ids[: each * B].astype(np.int32).reshape(B, each).T)  # (N / B, B)
    per_epoch = (each - 1) // T
    weights = weights_of(sizes)
    zeros = jax.tree.map(jnp.zeros_like, weights)
    start = [tuple(jnp.zeros((B, sizes.hidden)) for _ in range(S)) for _ in range(sizes.layers)]

    def update(i: Any, carry: Any) -> Any:
        w, m, n, states, _ = carry
        window = jax.lax.dynamic_slice(text, ((i % per_epoch) * T, 0), (T + 1, B))
        states = jax.tree.map(lambda s: jnp.where(i % per_epoch == 0, 0.0, s), states)
        (loss, states), g = jax.value_and_grad(loss_of, has_aux=True)(
            w, window[:-1], window[1:], states, sizes.cell
        )
        return *adam(w, g, m, n, i + 1.0), states, loss

    @partial(jax.jit, donate_argnums=2)
    def many(first: Any, last: Any, carry: Any) -> Any:
        return jax.lax.fori_loop(first, last, update, carry)

    carry, done = (weights, zeros, jax.tree.map(jnp.copy, zeros), start, jnp.zeros(())), 0

    def run(updates: int) -> float:
        nonlocal carry, done
        carry = jax.block_until_ready(many(done, done + updates, carry))
        done += updates
        return float(carry[4])

    return run
