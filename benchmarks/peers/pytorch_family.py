"""PyTorch: `nn.RNN`, `nn.GRU` and `nn.LSTM` with the fused Adam, as their users write it for a CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.sizes import Network

KINDS = {"vanilla": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class CharacterNetwork(nn.Module):
    """The recurrent layers and the output layer."""

    def __init__(self, sizes: Network) -> None:
        super().__init__()
        self.rnn = KINDS[sizes.cell](sizes.vocabulary, sizes.hidden, sizes.layers)
        self.out = nn.Linear(sizes.hidden, sizes.vocabulary)

    def forward(self, x: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        hidden, state = self.rnn(x, state)
        return self.out(hidden), state


def detached(state: Any) -> Any:
    """A state from which no gradient flows back."""
    return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()


def make(ids: np.ndarray, sizes: Network, threads: int = 1) -> Callable[[int], float]:
    """The training loop."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network = CharacterNetwork(sizes)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3, fused=True)
    loss_of = nn.CrossEntropyLoss()
    K, B, T = sizes.vocabulary, sizes.streams, sizes.seq_len
    each = len(ids) // B
    text = torch.from_numpy(ids[: each * B].astype(np.int64)).reshape(B, each).T.contiguous()  # (N / B, B)
    one_hot = torch.eye(K)
    place, state = 0, None

    def run(updates: int) -> float:
        nonlocal place, state
        loss = torch.zeros(())
        for _ in range(updates):
            if place + T + 1 > each:
                place, state = 0, None
            x, y = one_hot[text[place : place + T]], text[place + 1 : place + T + 1]
            optimizer.zero_grad(set_to_none=True)
            logits, state = network(x, state)
            loss = loss_of(logits.view(-1, K), y.reshape(-1))
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0, foreach=True)
            optimizer.step()
            state = detached(state)
            place += T
        return float(loss.detach())

    return run


def make_writer(sizes: Network, threads: int = 1) -> Callable[[int], float]:
    """The loop that draws one character at a time in each stream."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network = CharacterNetwork(sizes).eval()
    one_hot = torch.eye(sizes.vocabulary)
    last, state = torch.zeros(sizes.streams, dtype=torch.int64), None

    @torch.inference_mode()
    def run(characters: int) -> float:
        nonlocal last, state
        for _ in range(characters):
            logits, state = network(one_hot[last][None], state)
            last = torch.multinomial(torch.softmax(logits[0], dim=1), 1)[:, 0]
        return float(last[0])

    return run
