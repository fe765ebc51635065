"""Settings: what to train and how, as frozen records; presets; TOML both ways. Validated once, here.

A record that exists is valid: every check runs when it is made. Nothing here knows files or engines.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

from hornbook.errors import SettingError, known

CELL_NAMES = ("vanilla",)
OPTIMIZER_NAMES = ("adagrad", "sgd")
ENGINE_NAMES = ("native", "reference")
DTYPE_NAMES = ("float32", "float64")
LARGEST_SEED = 2**63 - 1  # what a TOML integer holds

R = TypeVar("R", "ModelSettings", "TrainingSettings")


def integer(name: str, value: object, low: int, high: int) -> None:
    """Raise SettingError unless `value` is a whole number from low to high."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SettingError(f"{name} is {value!r}; expected a whole number from {low:,} to {high:,}")


def real(name: str, value: object, low: float, high: float) -> None:
    """Raise SettingError unless `value` is a number above low and not above high."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low < value <= high:
        raise SettingError(f"{name} is {value!r}; expected a number above {low:g}, at most {high:g}")


def choice(name: str, value: object, names: tuple[str, ...]) -> None:
    """Raise SettingError unless `value` is one of the names."""
    if value not in names:
        raise SettingError(known(name, str(value), names))


@dataclass(frozen=True)
class Clip:
    """What is done to a gradient before a step: `5` clips each entry to [-5, 5], `norm:1` scales the
    whole gradient down to a Euclidean norm of at most 1, `none` leaves it."""

    kind: str  # "value", "norm" or "none"
    limit: float = math.inf

    @classmethod
    def parse(cls, text: object) -> Clip:
        """Read `5`, `norm:1` or `none`; raises SettingError for anything else."""
        if text == "none":
            return cls("none")
        kind, _, number = text.rpartition(":") if isinstance(text, str) else ("", "", "")
        kind = kind if ":" in str(text) else "value"
        try:
            limit = float(number)
        except ValueError:
            limit = math.nan
        if kind not in ("norm", "value") or not 0 < limit < math.inf:
            raise SettingError(
                f"clip is {text!r}; expected a limit for each entry (5), for the norm (norm:1), or none"
            )
        return cls(kind, limit)


@dataclass(frozen=True)
class ModelSettings:
    """The shape of a network: `vocabulary` symbols (K), `hidden` units a layer (H), `layers` (L)."""

    vocabulary: int
    hidden: int = 100
    cell: str = "vanilla"
    layers: int = 1

    def __post_init__(self) -> None:
        integer("vocabulary", self.vocabulary, 1, 0x110000)
        integer("hidden", self.hidden, 1, 8192)
        choice("cell", self.cell, CELL_NAMES)
        integer("layers", self.layers, 1, 1)


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained. The defaults are the classic recipe.

    `updates` parameter steps, each reading `seq_len` characters (T) in each of `streams` (B); the
    gradient of `objective` (the sum or the mean over T) is clipped and goes to the `optimizer` with
    learning rate `lr`. Initial matrices are normal with deviation `init_scale`. A metrics row is kept
    every `log_every` updates, a sample of `sample_length` characters every `sample_every`; at the end
    `passage_length` characters are written from the best model. Raises SettingError.
    """

    preset: str = "classic"
    engine: str = "native"
    seq_len: int = 25
    streams: int = 1
    objective: str = "sum"
    optimizer: str = "adagrad"
    lr: float = 0.1
    clip: str = "5"
    init_scale: float = 0.01
    updates: int = 100_000
    seed: int = 0
    dtype: str = "float32"
    log_every: int = 100
    sample_every: int = 10_000
    sample_length: int = 200
    passage_length: int = 1000

    def __post_init__(self) -> None:
        choice("preset", self.preset, tuple(PRESETS))
        choice("engine", self.engine, ENGINE_NAMES)
        integer("seq-len", self.seq_len, 1, 1_000_000)
        integer("streams", self.streams, 1, 1)
        choice("objective", self.objective, ("sum", "mean"))
        choice("optimizer", self.optimizer, OPTIMIZER_NAMES)
        real("lr", self.lr, 0, 1e6)
        Clip.parse(self.clip)
        real("init-scale", self.init_scale, 0, 100)
        integer("updates", self.updates, 1, 10**12)
        integer("seed", self.seed, 0, LARGEST_SEED)
        choice("dtype", self.dtype, DTYPE_NAMES)
        integer("log-every", self.log_every, 1, 10**9)
        integer("sample-every", self.sample_every, 1, 10**12)
        integer("sample-length", self.sample_length, 1, 1_000_000)
        integer("passage-length", self.passage_length, 1, 10_000_000)


MODEL_FIELDS = frozenset(f.name for f in fields(ModelSettings))
PRESETS: dict[str, dict[str, Any]] = {
    # Vanilla RNN, AdaGrad, 100,000 updates: the defaults of the two records above.
    "classic": {},
}


def settings(
    vocabulary: int, preset: str = "classic", **changes: Any
) -> tuple[ModelSettings, TrainingSettings]:
    """The settings of a preset with some of them changed (a value of None changes nothing).

    A run of fewer than 2,000 updates logs at least twenty rows unless `log_every` says otherwise.
    Raises SettingError for an unknown preset or setting and for a value out of range.
    """
    choice("preset", preset, tuple(PRESETS))
    chosen = {**PRESETS[preset], **{k: v for k, v in changes.items() if v is not None}}
    if isinstance(chosen.get("clip"), int | float):
        chosen["clip"] = str(chosen["clip"])
    unknown = set(chosen) - MODEL_FIELDS - {f.name for f in fields(TrainingSettings)}
    if unknown:
        names = MODEL_FIELDS | {f.name for f in fields(TrainingSettings)} - {"preset", "vocabulary"}
        raise SettingError(known("setting", sorted(unknown)[0], names))
    model = ModelSettings(vocabulary, **{k: v for k, v in chosen.items() if k in MODEL_FIELDS})
    rest = {k: v for k, v in chosen.items() if k not in MODEL_FIELDS}
    training = TrainingSettings(preset=preset, **rest)
    if "log_every" not in chosen and training.updates < 20 * training.log_every:
        training = replace(training, log_every=max(1, training.updates // 20))
    return model, training


def to_table(record: ModelSettings | TrainingSettings) -> dict[str, Any]:
    """A settings record as a TOML table."""
    return asdict(record)


def from_table(kind: type[R], table: object) -> R:
    """A TOML table as a settings record; raises SettingError where a key is unknown or missing."""
    if not isinstance(table, Mapping):
        raise SettingError(f"expected a table of {kind.__name__}, got {type(table).__name__}")
    names = {f.name for f in fields(kind)}
    wrong = set(table) ^ names
    if wrong:
        raise SettingError(f"{kind.__name__}: the key {sorted(wrong)[0]!r} is unknown or missing")
    return kind(**table)
