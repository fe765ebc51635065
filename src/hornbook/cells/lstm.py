"""LSTM:  i = σ(a_i)    f = σ(a_f)    g = tanh(a_g)    o = σ(a_o)        a = u + v
       c' = f∘c + i∘g        h' = o∘tanh(c')

S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9 (1997), with the forget gate
of F. Gers et al. (2000), whose bias starts at 1; the gates stand in PyTorch's order, i f g o.
"""

from __future__ import annotations

import numpy as np

from hornbook.cells.cell import Array, Cell, State, blocks, logistic

Cache = tuple[Array, ...]


def step(u: Array, v: Array, state: State) -> tuple[State, Cache]:
    """The new h and c; the cache is the gates, the old c and tanh of the new one."""
    _, c_before = state
    a_i, a_f, a_g, a_o = blocks(u + v, 4)
    i, f, g, o = logistic(a_i), logistic(a_f), np.tanh(a_g), logistic(a_o)
    c = f * c_before + i * g
    t = np.tanh(c)
    return (o * t, c), (i, f, g, o, c_before, t)


def step_back(dstate: State, cache: Cache) -> tuple[Array, Array, tuple[None, Array]]:
    """From the gradients of h' and c' to those of u and v, which are the same, and of c."""
    (dh, dc), (i, f, g, o, c_before, t) = dstate, cache
    do = dh * t * o * (1 - o)  # h' = o∘tanh(c')    o = σ(a_o)
    dc = dc + dh * o * (1 - t * t)  # h' = o∘tanh(c')
    di = dc * g * i * (1 - i)  # c' = f∘c + i∘g     i = σ(a_i)
    df = dc * c_before * f * (1 - f)  # c' = f∘c + i∘g     f = σ(a_f)
    dg = dc * i * (1 - g * g)  # c' = f∘c + i∘g     g = tanh(a_g)
    da = np.concatenate([di, df, dg, do], axis=-1)
    return da, da, (None, dc * f)  # a = u + v     c' = f∘c + i∘g


LSTM = Cell("lstm", gates=4, states=2, step=step, step_back=step_back, open_gate=1)
