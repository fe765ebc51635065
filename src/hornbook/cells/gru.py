"""GRU:  r = σ(u_r + v_r)    z = σ(u_z + v_z)    n = tanh(u_n + r∘v_n)    h' = (1 - z)∘n + z∘h

K. Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014, with the reset gate
after the product, as cuDNN and PyTorch have it; the gates stand in PyTorch's order, r z n. One bias, inside
u: it is PyTorch's GRU with `bias_hh` zero.
"""

from __future__ import annotations

import numpy as np

from hornbook.cells.cell import Array, Cell, State, blocks, logistic

Cache = tuple[Array, ...]


def step(u: Array, v: Array, state: State) -> tuple[State, Cache]:
    """The new h; the cache is the gates, v_n and the old h."""
    (h,) = state
    (u_r, u_z, u_n), (v_r, v_z, v_n) = blocks(u, 3), blocks(v, 3)
    r, z = logistic(u_r + v_r), logistic(u_z + v_z)
    n = np.tanh(u_n + r * v_n)
    return ((1 - z) * n + z * h,), (r, z, n, v_n, h)


def step_back(dstate: State, cache: Cache) -> tuple[Array, Array, tuple[Array]]:
    """From the gradient of h' to those of u and v, which differ in n, and what of h flows past v."""
    (dh,), (r, z, n, v_n, h) = dstate, cache
    dn = dh * (1 - z) * (1 - n * n)  # h' = (1 - z)∘n + z∘h     n = tanh(u_n + r∘v_n)
    dz = dh * (h - n) * z * (1 - z)  # h' = (1 - z)∘n + z∘h     z = σ(u_z + v_z)
    dr = dn * v_n * r * (1 - r)  # n = tanh(u_n + r∘v_n)        r = σ(u_r + v_r)
    du = np.concatenate([dr, dz, dn], axis=-1)
    dv = np.concatenate([dr, dz, dn * r], axis=-1)  # n = tanh(u_n + r∘v_n)
    return du, dv, (dh * z,)  # h' = (1 - z)∘n + z∘h


GRU = Cell("gru", gates=3, states=1, step=step, step_back=step_back)
