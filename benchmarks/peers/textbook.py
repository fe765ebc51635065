"""Textbook NumPy: the loop over t with one-hot vectors that every course hands out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.sizes import Sizes


def make(ids: np.ndarray, sizes: Sizes) -> Callable[[int], float]:
    """The training loop of min-char-rnn, in float32."""
    H, K, T = sizes.hidden, sizes.vocabulary, sizes.seq_len
    random = np.random.default_rng(0)
    Wxh = (random.standard_normal((H, K)) * 0.01).astype(np.float32)
    Whh = (random.standard_normal((H, H)) * 0.01).astype(np.float32)
    Why = (random.standard_normal((K, H)) * 0.01).astype(np.float32)
    bh, by = np.zeros((H, 1), np.float32), np.zeros((K, 1), np.float32)
    weights = [Wxh, Whh, Why, bh, by]
    memory = [np.zeros_like(w) for w in weights]
    text = ids.tolist()

    def gradients(inputs: list[int], targets: list[int], hprev: np.ndarray):
        xs, hs, ps = {}, {-1: hprev}, {}
        loss = 0.0
        for t in range(len(inputs)):
            xs[t] = np.zeros((K, 1), np.float32)
            xs[t][inputs[t]] = 1
            hs[t] = np.tanh(Wxh @ xs[t] + Whh @ hs[t - 1] + bh)
            y = Why @ hs[t] + by
            e = np.exp(y - y.max())
            ps[t] = e / e.sum()
            loss += -np.log(ps[t][targets[t], 0])
        dWxh, dWhh, dWhy, dbh, dby = (np.zeros_like(w) for w in weights)
        dhnext = np.zeros_like(hprev)
        for t in reversed(range(len(inputs))):
            dy = ps[t].copy()
            dy[targets[t]] -= 1
            dWhy += dy @ hs[t].T
            dby += dy
            dh = Why.T @ dy + dhnext
            da = (1 - hs[t] * hs[t]) * dh
            dbh += da
            dWxh += da @ xs[t].T
            dWhh += da @ hs[t - 1].T
            dhnext = Whh.T @ da
        grads = [dWxh, dWhh, dWhy, dbh, dby]
        for g in grads:
            np.clip(g, -5, 5, out=g)
        return loss, grads, hs[len(inputs) - 1]

    place, h = 0, np.zeros((H, 1), np.float32)

    def run(updates: int) -> float:
        nonlocal place, h
        loss = 0.0
        for _ in range(updates):
            if place + T + 1 > len(text):
                place, h = 0, np.zeros((H, 1), np.float32)
            loss, grads, h = gradients(text[place : place + T], text[place + 1 : place + T + 1], h)
            for w, g, m in zip(weights, grads, memory, strict=True):
                m += g * g
                w -= np.float32(0.1) * g / np.sqrt(m + np.float32(1e-8))
            place += T
        return float(loss)

    return run
