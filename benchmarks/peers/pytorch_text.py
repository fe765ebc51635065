"""PyTorch: a GRU that learns a text in so many minutes, as its users write it for a CPU.

An embedding, `nn.GRU` of 256 units, dropout, a linear layer; 32 streams of 64 characters, the state carried;
AdamW at 0.003 that falls to zero with the time; the norm of the gradients at most 1; the best of twenty
evaluations.
"""

from __future__ import annotations

import copy
import time
from typing import Any

import numpy as np
import torch
from torch import nn

HIDDEN, STREAMS, SEQ_LEN, RATE, DROPOUT = 256, 32, 64, 3e-3, 0.3
EVALUATIONS = 20
READ, LANES = 256, 64  # characters at a time, in an evaluation, and streams on the way
LAST = 0.97  # of the time is for learning


class Writer(nn.Module):
    """The network."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, HIDDEN)
        self.rnn = nn.GRU(HIDDEN, HIDDEN)
        self.dropout = nn.Dropout(DROPOUT)
        self.out = nn.Linear(HIDDEN, vocabulary)

    def forward(self, x: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        hidden, state = self.rnn(self.embedding(x), state)
        return self.out(self.dropout(hidden)), state


@torch.inference_mode()
def nats(network: Writer, text: torch.Tensor, lanes: int = 1) -> float:
    """What the network needs for a character of a text, read as one stream, or in lanes side by side."""
    network.eval()
    each = len(text) // lanes
    side_by_side = text[: each * lanes].reshape(lanes, each).T
    state, total = None, 0.0
    for start in range(0, each - 1, READ):
        part = side_by_side[start : start + READ + 1]
        logits, state = network(part[:-1], state)
        total += float(nn.functional.cross_entropy(logits.flatten(0, 1), part[1:].flatten(), reduction="sum"))
    network.train()
    return total / (lanes * (each - 1))


def learn(ids: np.ndarray, vocabulary: int, held_out: int, minutes: float, threads: int) -> dict[str, float]:
    """Train on all but the last `held_out` characters; the best model's nats a character on those."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    text = torch.from_numpy(ids.astype(np.int64))
    training, tail = text[:-held_out], text[-held_out:]
    each = len(training) // STREAMS
    streams = training[: each * STREAMS].reshape(STREAMS, each).T.contiguous()
    network = Writer(vocabulary)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, fused=True)
    begun, seconds = time.perf_counter(), LAST * 60 * minutes
    best, least, due, updates, place, state = copy.deepcopy(network), float("inf"), 1, 0, 0, None
    while (gone := (time.perf_counter() - begun) / seconds) < 1:
        if place + SEQ_LEN + 1 > each:
            place, state = 0, None
        optimizer.param_groups[0]["lr"] = RATE * (1 - gone)
        x, y = streams[place : place + SEQ_LEN], streams[place + 1 : place + SEQ_LEN + 1]
        optimizer.zero_grad(set_to_none=True)
        logits, state = network(x, state)
        nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten()).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0, foreach=True)
        optimizer.step()
        state, place, updates = state.detach(), place + SEQ_LEN, updates + 1
        if gone >= due / EVALUATIONS:
            due += 1
            found = nats(network, tail[: max(len(tail) // 4, 2 * LANES)], LANES)
            if found < least:
                best, least = copy.deepcopy(network), found
    found = min(nats(best, tail), nats(network, tail))
    return {
        "nats": found,
        "characters": float(updates * STREAMS * SEQ_LEN),
        "seconds": time.perf_counter() - begun,
    }
