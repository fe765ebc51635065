"""PyTorch: `nn.RNN` with the fused AdaGrad, as its users write it for speed on a CPU."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from benchmarks.sizes import Sizes


class Network(nn.Module):
    """A vanilla RNN with its output layer."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.rnn = nn.RNN(sizes.vocabulary, sizes.hidden)
        self.out = nn.Linear(sizes.hidden, sizes.vocabulary)

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        states, h = self.rnn(x, h)
        return self.out(states), h


def make(ids: np.ndarray, sizes: Sizes, threads: int = 1) -> Callable[[int], float]:
    """The training loop."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network = Network(sizes)
    optimizer = torch.optim.Adagrad(network.parameters(), lr=0.1, eps=1e-8, fused=True)
    loss_of = nn.CrossEntropyLoss(reduction="sum")
    text = torch.from_numpy(ids.astype(np.int64))
    one_hot = torch.eye(sizes.vocabulary)
    T = sizes.seq_len
    place, h = 0, torch.zeros(1, sizes.hidden)

    def run(updates: int) -> float:
        nonlocal place, h
        loss = torch.zeros(())
        for _ in range(updates):
            if place + T + 1 > len(text):
                place, h = 0, torch.zeros(1, sizes.hidden)
            x, y = one_hot[text[place : place + T]], text[place + 1 : place + T + 1]
            optimizer.zero_grad(set_to_none=True)
            logits, h = network(x, h)
            loss = loss_of(logits, y)
            loss.backward()
            nn.utils.clip_grad_value_(network.parameters(), 5.0, foreach=True)
            optimizer.step()
            h = h.detach()
            place += T
        return float(loss.detach())

    return run


def make_writer(sizes: Sizes) -> Callable[[int], float]:
    """The loop that draws one character at a time."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = Network(sizes).eval()
    one_hot = torch.eye(sizes.vocabulary)
    last, h = torch.zeros(1, dtype=torch.int64), torch.zeros(1, sizes.hidden)

    @torch.inference_mode()
    def run(characters: int) -> float:
        nonlocal last, h
        for _ in range(characters):
            logits, h = network(one_hot[last], h)
            last = torch.multinomial(torch.softmax(logits[0], dim=0), 1)
        return float(last)

    return run
