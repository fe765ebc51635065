"""A model: a network with its parameters and its vocabulary, for writing and for looking inside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from hornbook.cells.cell import Array
from hornbook.config import LARGEST_SEED, ModelSettings, TrainingSettings, settings
from hornbook.distribution import Choice
from hornbook.dynamic import Dynamic, evaluate_dynamic, learning
from hornbook.engines import ENGINES, Engine, Start, TrainingState, default_engine
from hornbook.engines.interface import Integers, zero_state
from hornbook.errors import TextError
from hornbook.evaluation import Evaluation, evaluate_text
from hornbook.markup import counted, facts
from hornbook.matching import CopyGuard, check_guard
from hornbook.parameters import views
from hornbook.philox import WRITE, Source
from hornbook.reading import check_known, guesses, hidden_states
from hornbook.sampling import read_prompt, start_after, write
from hornbook.scoring import Score, score_text
from hornbook.text import Text, characters_of
from hornbook.torch_weights import from_torch, to_torch
from hornbook.values import integer, words
from hornbook.vocabulary import Vocabulary


@dataclass(frozen=True)
class Model:
    """A trained network. `flat` holds all parameters (P,); `parameters` names them. `state` (L, S, 1, H)
    is the one in which writing and reading start: that of a reader in the midst of the training text.
    Training meets the zero state once an epoch, so some networks never learn to find out of it. None is the
    zero state."""

    settings: ModelSettings
    training: TrainingSettings
    vocabulary: Vocabulary
    flat: Array  # (P,)
    state: Array | None = None  # (L, S, 1, H)

    @cached_property
    def parameters(self) -> dict[str, Array]:
        """The parameters by name: U (K, G·H), W (H, G·H), b (G·H,), V (H, K), c (K,)."""
        return views(self.settings, self.flat)

    @cached_property
    def engine(self) -> Engine:
        """The engine that the model was trained with, holding these parameters."""
        return self.engine_of(self.training)

    def engine_of(self, training: TrainingSettings) -> Engine:
        """An engine in the dtype that the settings name."""
        flat = self.flat.astype(training.array_dtype)
        state = TrainingState.of_parameters(flat, self.settings, training)
        return ENGINES[training.engine](self.settings, training, state)

    def start(self, prompt: str = "", unknown: str = "error") -> Start:
        """Where writing starts after a prompt. Raises PromptError for a character that the model has
        never seen, unless `unknown` is `skip`."""
        read = read_prompt(self.vocabulary, prompt, unknown)
        return start_after(self.engine, self.vocabulary, read, self.state)

    def stream(
        self,
        length: int = 1000,
        *,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        prompt: str = "",
        unknown: str = "error",
        stop: str = "",
        seed: int = 0,
        number: int = 0,
        guard: CopyGuard | None = None,
    ) -> Iterator[str]:
        """Pieces of a text of `length` characters as they are written: it goes on from the prompt,
        which it does not repeat, and ends before the stop string. `number` counts texts of one seed. A
        guard, as `copy_guard` makes it, holds the text back from copying. Raises SettingError and
        PromptError at once, and SettingError where all that could follow would be a copy."""
        choice = Choice(temperature, top_k, top_p)
        seed = integer("`seed`", seed, 0, LARGEST_SEED)
        length = integer("`length`", length, 1, 10**9)
        number = integer("number", number, 0, LARGEST_SEED)
        words("`stop`", stop or "")
        check_guard(guard)
        read = read_prompt(self.vocabulary, prompt, unknown)
        start, source = self.start(read), Source(seed, WRITE, number)
        return write(self.engine, self.vocabulary, start, length, choice, source, stop, guard, read)

    def sample(
        self,
        length: int = 1000,
        *,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        prompt: str = "",
        unknown: str = "error",
        stop: str = "",
        seed: int = 0,
        number: int = 0,
        guard: CopyGuard | None = None,
    ) -> str:
        """A text of `length` characters, as `stream` writes it. Raises what that raises."""
        pieces = self.stream(
            length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            prompt=prompt,
            unknown=unknown,
            stop=stop,
            seed=seed,
            number=number,
            guard=guard,
        )
        return "".join(pieces)

    def copy_guard(self, training: str | Text, limit: int = 40) -> CopyGuard:
        """What holds a text back from copying more than `limit` characters in a row of a training text;
        to be handed to `stream` or `sample`. It takes about a second for a million characters to make.
        Raises SettingError for a limit below 1, TextError where the training text is empty."""
        ids = self.vocabulary.find(characters_of(training))
        return CopyGuard(np.where(ids < 0, len(self.vocabulary), ids), limit)

    def loss_and_gradients(self, characters: str | Text) -> tuple[float, dict[str, Array]]:
        """The loss in nats, summed over all characters but the first, which is only read, and its
        gradient by parameter name, in float64, from the zero state. Raises TextError for fewer than
        two characters or an unknown one."""
        ids = self.vocabulary.encode(characters_of(characters))
        if len(ids) < 2:
            raise TextError("gradients need at least two characters: one to read and one to predict")
        training = replace(self.training, dtype="float64", objective="sum", streams=1)
        engine, state = self.engine_of(training), zero_state(self.settings, 1, np.float64)
        loss, gradients, *_ = engine.loss_and_gradients(ids[:-1, None], ids[1:, None], state)
        return loss, gradients

    def gradients(self, characters: str | Text) -> dict[str, Array]:
        """The gradient of the loss of the characters by parameter name; see `loss_and_gradients`."""
        return self.loss_and_gradients(characters)[1]

    def score(self, text: str | Text, training: str | Text | None = None) -> Score:
        """What the model needs for each character of a text, read from `state`; with the training text,
        what n-grams and compressors need beside it. Raises TextError where the text is empty, or has no
        character that the model knows."""
        score = score_text(self.engine, self.vocabulary, characters_of(text), self.start().state)
        return score if training is None else score.beside(characters_of(training))

    def evaluate(self, text: str | Text, window: int = 0, before: str = "") -> Evaluation:
        """The mean cost of a character of a text, read as one stream from `state`, after the last 2,000
        characters of what stands `before` it; with a `window`, cut into windows of so many characters, each
        read from the zero state, all but its first one foretold.
        Raises TextError as `score` does, and SettingError for a window of one character."""
        return evaluate_text(
            self.engine,
            self.vocabulary,
            characters_of(text),
            self.start().state,
            window,
            characters_of(before),
        )

    def evaluate_dynamic(
        self,
        text: str | Text,
        before: str = "",
        *,
        lr: float = Dynamic.lr,
        decay: float = Dynamic.decay,
        segment: int = Dynamic.segment,
    ) -> Evaluation:
        """The mean cost of a character of a text, read as one stream as `evaluate` does, for the network as
        it goes on learning from the characters that it has scored; the model itself stays as it is. After
        each `segment` of so many characters it takes a step of rate `lr`, and goes back to what was trained
        by a share of `decay`. Raises TextError as `score` does, SettingError for a keyword out of range and
        where the loss ceases to be finite."""
        chosen, engine = Dynamic(lr, decay, segment), self.engine_of(learning(self.training))
        read, led = characters_of(text), characters_of(before)
        return evaluate_dynamic(engine, self.vocabulary, read, self.start().state, chosen, led)

    def guesses(self, text: str | Text, top: int = 5) -> list[list[tuple[str, float]]]:  # (N,) × (top,)
        """The `top` likeliest symbols and their probabilities at each character of a text, before it is
        read, from `state` on. Raises TextError as `score` does."""
        found = guesses(self.engine, self.known_ids(text), self.start().state, top)
        rows = zip(found.ids.tolist(), found.probabilities.tolist(), strict=True)
        symbols = self.vocabulary.symbols
        return [[(symbols[i], p) for i, p in zip(*row, strict=True)] for row in rows]

    def hidden(self, text: str | Text) -> Array:  # (N, H)
        """The hidden state of the top layer after each character of a text, read from `state`; a character
        that the model does not know leaves it as it was. Raises TextError as `score` does."""
        return hidden_states(self.engine, self.known_ids(text), self.start().state)

    def known_ids(self, text: str | Text) -> Integers:  # (N,)
        """The characters as the model numbers them, -1 for one that it does not know. Raises TextError
        where it knows none."""
        return check_known(self.vocabulary, characters_of(text))

    def to_torch(self) -> Any:
        """The network as a `torch.nn.Module`: symbol numbers (T, B) and a state of torch.nn's own form give
        logits (T, B, K) and the next state. Its parts are `rnn`, a torch.nn.RNN, GRU or LSTM, and `linear`.
        Raises NotInstalledError where PyTorch is missing."""
        return to_torch(self.settings, self.flat)

    @classmethod
    def from_torch(cls, module: Any, vocabulary: Vocabulary | str) -> Model:
        """A model of a PyTorch module that has one torch.nn.RNN, GRU or LSTM, one Linear behind it, and
        perhaps an Embedding before it; `vocabulary` are its symbols in order. The module's two biases are
        added. Raises NotInstalledError, and SettingError for a module that is no such network or has weights
        that are not finite, and for a GRU whose `bias_hh` is not zero in n, which a single bias cannot stand
        for: hold it at zero, from before its training on, by
        `torch.nn.init.zeros_(gru.bias_hh_l0.requires_grad_(False))`, for each layer."""
        symbols = vocabulary if isinstance(vocabulary, Vocabulary) else Vocabulary(vocabulary)
        shape, flat = from_torch(module, len(symbols))
        _, training = settings(len(symbols), "plain", dtype=str(flat.dtype), engine=default_engine())
        return cls(shape, training, symbols, flat)

    def _repr_html_(self) -> str:
        """The model in a notebook."""
        shape, training = self.settings, self.training
        named = {
            "cell": shape.cell, "hidden units": f"{shape.hidden:,}", "layers": shape.layers,
            "parameters": f"{self.flat.size:,}", "symbols": f"{shape.vocabulary:,}",
            "vocabulary": self.vocabulary.symbols[:100] + "…" * (shape.vocabulary > 100),
            "engine": f"{training.engine}, {training.dtype}",
        }  # fmt: skip
        return facts("hornbook model", named)

    def __repr__(self) -> str:
        shape, size = self.settings, self.flat.size
        layers = f"{counted(shape.layers, 'layer')} of {shape.hidden:,} hidden units"
        return f"<hornbook.Model {shape.cell}, {layers}, {size:,} parameters>"
