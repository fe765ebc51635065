"""PyTorch weights, out and in. PyTorch is imported here alone, and only when it is asked for.

    U, W  of layer l    rnn.weight_ih_l, rnn.weight_hh_l, transposed; the gates stand in the same order
    b     of layer l    rnn.bias_ih_l + rnn.bias_hh_l
    V, c                linear.weight, transposed, and linear.bias

PyTorch has two biases where one would do. Going out, ours is `bias_ih` and `bias_hh` is zero. Coming in, the
two are added, but for a GRU's n = tanh(u_n + r∘(v_n + bias_hh_n)): there the reset gate multiplies the second
bias, and no single one can stand for both.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from hornbook.cells.cell import Array
from hornbook.config import ModelSettings
from hornbook.errors import NotInstalledError, SettingError
from hornbook.parameters import count, name, views

KINDS = {"vanilla": "RNN", "gru": "GRU", "lstm": "LSTM"}  # cells and their classes in torch.nn
DTYPES = ("float32", "float64")


def torch() -> Any:
    """PyTorch. Raises NotInstalledError where it is missing."""
    try:
        import torch
    except ImportError as error:
        raise NotInstalledError("this needs PyTorch, which is not installed: pip install torch") from error
    return torch


@cache
def network_class() -> type[Any]:
    """The class of the modules that `to_torch` gives; made here, since its base is PyTorch's."""
    nn = torch().nn

    base: Any = nn.Module

    class CharacterNetwork(base):  # type: ignore[misc]
        """Symbol numbers (T, B) and a state give logits (T, B, K) and the state after them. The state is
        that of torch.nn's own class, zero where none is given; x is one-hot."""

        def __init__(self, settings: ModelSettings) -> None:
            super().__init__()
            K, H = settings.vocabulary, settings.hidden
            self.rnn = getattr(nn, KINDS[settings.cell])(K, H, settings.layers)
            self.linear = nn.Linear(H, K)

        def forward(self, ids: Any, state: Any = None) -> tuple[Any, Any]:
            weight = self.linear.weight
            x = nn.functional.one_hot(ids, len(weight)).to(weight.dtype)
            hidden, state = self.rnn(x, state)
            return self.linear(hidden), state

    return CharacterNetwork


def to_torch(settings: ModelSettings, flat: Array) -> Any:  # (P,)
    """A network as a `torch.nn.Module` with the parts `rnn` and `linear`, in the dtype of its parameters.
    Raises NotInstalledError."""
    network = network_class()(settings).to(getattr(torch(), str(flat.dtype)))
    named = views(settings, flat)
    with torch().no_grad():
        for key, weight in torch_names(network.rnn, network.linear).items():
            weight.copy_(torch().from_numpy(named[key].T.copy()))
        for layer in range(settings.layers):
            getattr(network.rnn, f"bias_hh_l{layer}").zero_()
    return network


def torch_names(rnn: Any, linear: Any) -> dict[str, Any]:
    """PyTorch's tensors by our names, `bias_hh` apart."""
    named = {"V": linear.weight, "c": linear.bias}
    for layer in range(rnn.num_layers):
        for letter, theirs in zip("UWb", ("weight_ih", "weight_hh", "bias_ih"), strict=True):
            named[name(letter, layer)] = getattr(rnn, f"{theirs}_l{layer}", None)
    return named


def from_torch(module: Any, symbols: int) -> tuple[ModelSettings, Array]:  # (P,)
    """The shape and the parameters of a module that holds one RNN, GRU or LSTM and one Linear behind it; an
    Embedding in front of it becomes a part of U. `symbols` is the size of its vocabulary. Raises
    NotInstalledError, and SettingError for a module that is no such network or has weights that are not
    finite."""
    rnn, linear, embedding = parts(module)
    settings = shape_of(rnn, linear, embedding, symbols)
    check_finite(module)
    flat = np.zeros(count(settings), dtype=dtype_of(linear))
    named = views(settings, flat)
    for key, weight in torch_names(rnn, linear).items():
        if weight is not None:  # a bias may be missing
            into_first = key == "U" and embedding is not None
            named[key][...] = (
                numbers(embedding.weight) @ numbers(weight).T if into_first else numbers(weight).T
            )
    for layer in range(settings.layers):
        if rnn.bias:
            named[name("b", layer)] += second_bias(rnn, layer)
    return settings, flat


def check_finite(module: Any) -> None:
    """Raise SettingError for a module with a weight that is no finite number, as a diverged training leaves
    them."""
    for key, weight in module.named_parameters():
        if not np.isfinite(numbers(weight)).all():
            raise SettingError(f"{key} of this module has values that are not finite; expected numbers only")


def numbers(weight: Any) -> Array:
    """A tensor as an array."""
    return np.asarray(weight.detach().cpu().double().numpy())


def dtype_of(linear: Any) -> str:
    """The dtype in which a module's weights are kept here: its own, or float32 for half precision."""
    found = str(linear.weight.dtype).removeprefix("torch.")
    return found if found in DTYPES else "float32"


def second_bias(rnn: Any, layer: int) -> Array:  # (G·H,)
    """`bias_hh`, to be added to `bias_ih`. Raises SettingError where it cannot be."""
    bias = numbers(getattr(rnn, f"bias_hh_l{layer}"))
    if rnn.mode == "GRU" and bias[2 * rnn.hidden_size :].any():
        raise SettingError(
            f"bias_hh_l{layer} of this GRU is not zero in n = tanh(u + r∘(v + bias_hh)), and hornbook's one "
            "bias, in u, cannot stand for what r multiplies; train it with that held at zero, which it is "
            f"after torch.nn.init.zeros_(gru.bias_hh_l{layer}.requires_grad_(False))"
        )
    return bias


def parts(module: Any) -> tuple[Any, Any, Any]:
    """The recurrent part of a module, its output layer and its embedding, if it has one. Raises SettingError
    unless they are all that it has."""
    nn = torch().nn
    if not isinstance(module, nn.Module):
        raise SettingError(f"expected a torch.nn.Module, got {type(module).__name__}")
    found: dict[type, list[Any]] = {kind: [] for kind in (nn.RNNBase, nn.Linear, nn.Embedding)}
    for part in module.modules():
        kind = next((kind for kind in found if isinstance(part, kind)), None)
        if kind is not None:
            found[kind].append(part)
        elif any(True for _ in part.parameters(recurse=False)):
            raise SettingError(
                f"{type(part).__name__} has weights, and hornbook's networks have no such part"
            )
    rnns, linears, embeddings = found.values()
    if len(rnns) != 1 or len(linears) != 1 or len(embeddings) > 1:
        raise SettingError(
            f"this module has {len(rnns)} recurrent parts, {len(linears)} Linear and {len(embeddings)} "
            "Embedding; expected one torch.nn.RNN, GRU or LSTM, one Linear and at most one Embedding"
        )
    return rnns[0], linears[0], embeddings[0] if embeddings else None


def shape_of(rnn: Any, linear: Any, embedding: Any, symbols: int) -> ModelSettings:
    """The settings of a network of these parts. Raises SettingError where they do not fit together, or do
    what no cell here does."""
    if rnn.bidirectional or rnn.proj_size or rnn.mode == "RNN_RELU":
        raise SettingError("the recurrent part is bidirectional, projected or a ReLU; expected a plain one")
    into = rnn.input_size if embedding is None else embedding.num_embeddings
    between = embedding is None or embedding.embedding_dim == rnn.input_size
    if not between or linear.in_features != rnn.hidden_size or not into == linear.out_features == symbols:
        raise SettingError(
            f"this module reads {into:,} symbols and foretells {linear.out_features:,}, and the vocabulary "
            f"has {symbols:,}; expected the same number, and layers that fit together"
        )
    cell = next(ours for ours, theirs in KINDS.items() if rnn.mode.startswith(theirs))
    return ModelSettings(symbols, rnn.hidden_size, cell, rnn.num_layers)
