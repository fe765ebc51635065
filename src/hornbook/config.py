"""Settings: what to train and how, as frozen records; presets; TOML both ways. Validated once, here.

A record that exists is valid: every check runs when it is made. Nothing here knows files or engines.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

from hornbook.compound import Clip, Schedule
from hornbook.errors import SettingError, known
from hornbook.markup import counted
from hornbook.values import choice, integer, make_plain, plain, real, share, words

CELL_NAMES = ("vanilla", "gru", "lstm")
OPTIMIZER_NAMES = ("adagrad", "sgd", "rmsprop", "adam")
ADAMW = "; adam with `weight_decay` is AdamW"
ORDER_NAMES = ("text", "shuffled")
INIT_NAMES = ("normal", "scaled", "orthogonal")
ENGINE_NAMES = ("native", "reference")
DTYPE_NAMES = ("float32", "float64", "mixed")
LARGEST_SEED = 2**63 - 1  # what a TOML integer holds
MOST_UPDATES = 10**12
LONGEST = 1_000_000  # minutes
MOST_PASSES = 1e9  # through a text
WARMUP = 500  # updates, from the best model of another run under AdaGrad
SAVE_SECONDS = 30.0  # between two checkpoints, where nothing else is said

R = TypeVar("R", "ModelSettings", "TrainingSettings")


@dataclass(frozen=True)
class ModelSettings:
    """The shape of a network: `vocabulary` symbols (K), `hidden` units a layer (H), `layers` (L)."""

    vocabulary: int
    hidden: int = 100
    cell: str = "vanilla"
    layers: int = 1

    def __post_init__(self) -> None:
        make_plain(self)
        integer("vocabulary", self.vocabulary, 1, 0x110000)
        integer("`hidden`", self.hidden, 1, 8192)
        choice("cell", self.cell, CELL_NAMES)
        integer("`layers`", self.layers, 1, 4)


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained. The defaults are the classic recipe.

    `updates` parameter steps, each reading `seq_len` characters (T) in each of `streams` (B), in the
    `order` of the text, or in chunks of `chunk` updates, shuffled; the gradient of `objective` (the sum or
    the mean over T) is clipped and goes to the `optimizer` with learning rate `lr`, which follows the
    `schedule` after `warmup` updates of rising from zero, and is `input_rate` times as high for the first
    U, of which each character chooses a row. The model that is evaluated, that writes and is kept has the
    mean of the parameters over about the last `average` of the updates so far, a share (0: the last ones).
    `weight_decay` shrinks all parameters by its share of the rate; `dropout` is the share of each layer's
    outputs left out. `init` says how matrices start; `init_scale` is the deviation of `normal` ones.
    Gradients are summed in `shards` of the streams (of one each, at least), whatever the number of
    `threads` (0: one a core). A metrics row is kept every `log_every` updates, a sample of `sample_length`
    characters every `sample_every`; at the end `passage_length` characters are written from the best model.
    `validation` is the share of the text, its tail, that is held out; on it the network is evaluated every
    `evaluate_every` updates, and training ends after `patience` evaluations without a new best (0: never).
    In a training of so many `minutes` (0: of `updates`) the updates are those planned at its start; it ends
    early where the text has been read `most_epochs` times (0: however often). `dtype` is that of all
    numbers; `mixed` is float32, but the factors of the native engine's matrix products are rounded to
    bfloat16.
    `start` is the run folder whose best model, of this SHA-256, training goes on from; empty where it begins
    with initial values.
    Raises SettingError.
    """

    preset: str = "classic"
    engine: str = "native"
    seq_len: int = 25
    streams: int = 1
    order: str = "text"
    chunk: int = 16
    objective: str = "sum"
    optimizer: str = "adagrad"
    lr: float = 0.1
    input_rate: float = 1.0
    schedule: str = "constant"
    warmup: int = 0
    average: float = 0.0
    clip: str = "5"
    weight_decay: float = 0.0
    dropout: float = 0.0
    init: str = "normal"
    init_scale: float = 0.01
    updates: int = 100_000
    minutes: float = 0.0
    most_epochs: float = 0.0
    validation: float = 0.0
    patience: int = 0
    seed: int = 0
    dtype: str = "float32"
    shards: int = 1
    threads: int = 0
    log_every: int = 100
    sample_every: int = 10_000
    evaluate_every: int = 5_000
    sample_length: int = 200
    passage_length: int = 1000
    start: str = ""
    start_sha256: str = ""

    def __post_init__(self) -> None:
        make_plain(self)
        choice("preset", self.preset, tuple(PRESETS))
        choice("engine", self.engine, ENGINE_NAMES)
        integer("`seq_len`", self.seq_len, 1, 1_000_000)
        integer("`streams`", self.streams, 1, 65_536)
        choice("order", self.order, ORDER_NAMES)
        integer("`chunk`", self.chunk, 1, 10**9)
        choice("objective", self.objective, ("sum", "mean"))
        choice("optimizer", self.optimizer, OPTIMIZER_NAMES, ADAMW if self.optimizer == "adamw" else "")
        real("`lr`", self.lr, 0, 1e6)
        real("`input_rate`", self.input_rate, 0, 1e4)
        Schedule.parse(self.schedule)
        integer("`warmup`", self.warmup, 0, MOST_UPDATES)
        share("`average`", self.average)
        Clip.parse(self.clip)
        share("`weight_decay`", self.weight_decay)
        share("`dropout`", self.dropout)
        choice("init", self.init, INIT_NAMES)
        real("`init_scale`", self.init_scale, 0, 100)
        integer("`updates`", self.updates, 1, MOST_UPDATES)
        if self.minutes != 0:
            real("`minutes`", self.minutes, 0, LONGEST)
        if self.most_epochs != 0:
            real("most_epochs", self.most_epochs, 0, MOST_PASSES)
        share("`validation`", self.validation)
        integer("`patience`", self.patience, 0, 10**9)
        if self.patience and not self.validation:
            raise SettingError(
                "`patience` counts evaluations, and there are none; hold out a part of the text, such as "
                "`validation=0.1`"
            )
        integer("`seed`", self.seed, 0, LARGEST_SEED)
        choice("dtype", self.dtype, DTYPE_NAMES)
        integer("shards", self.shards, 1, 1024)
        integer("`threads`", self.threads, 0, 1024)
        integer("`log_every`", self.log_every, 1, 10**9)
        integer("`sample_every`", self.sample_every, 1, MOST_UPDATES)
        integer("`evaluate_every`", self.evaluate_every, 1, MOST_UPDATES)
        integer("`sample_length`", self.sample_length, 1, 1_000_000)
        integer("passage_length", self.passage_length, 1, 10_000_000)
        words("`start`", self.start)
        words("start_sha256", self.start_sha256)

    @property
    def array_dtype(self) -> str:
        """The type of parameters, states and optimizer memory."""
        return "float32" if self.dtype == "mixed" else self.dtype


MODEL_FIELDS = frozenset(f.name for f in fields(ModelSettings))
TRAINING_FIELDS = frozenset(f.name for f in fields(TrainingSettings))
PRESETS: dict[str, dict[str, Any]] = {
    # Vanilla RNN, AdaGrad, 100,000 updates: the defaults of the two records above.
    "classic": {},
    # A later edition of the same exercise.
    "classic-adam": {
        "optimizer": "adam", "lr": 0.001, "objective": "mean", "clip": "none", "init": "scaled",
    },
    # The classic network, text and updates, better taught.
    "classic-best": {
        "optimizer": "adam", "lr": 0.002, "input_rate": 6.0, "objective": "mean", "clip": "norm:1",
        "init": "orthogonal", "schedule": "linear",
    },
    # What is usual today, for every cell and optimizer.
    "plain": {
        "optimizer": "adam", "objective": "mean", "clip": "norm:1", "init": "orthogonal",
        "schedule": "cosine", "warmup": 50, "streams": 32, "seq_len": 64, "hidden": 128,
        "updates": 10_000, "sample_every": 1000,
    },
    # What writes best after minutes; `fluent` has the rest, by the text and the time.
    "fluent": {
        "cell": "gru", "layers": 2, "hidden": 256, "dropout": 0.3, "init": "orthogonal",
        "streams": 16, "seq_len": 64, "order": "shuffled", "chunk": 8, "objective": "mean",
        "optimizer": "adam", "lr": 3e-3, "input_rate": 30.0, "schedule": "linear:0.1", "warmup": 50,
        "average": 0.1, "clip": "norm:1",
        "dtype": "mixed", "updates": 10_000, "sample_every": 1000,
    },
}  # fmt: skip
ADVISED = (  # by fluent, where they are not set
    "cell", "layers", "hidden", "dropout", "streams", "seq_len", "order", "chunk", "lr", "schedule",
    "average", "input_rate", "weight_decay", "dtype",
)  # fmt: skip
RHYTHM = ("log_every", "sample_every", "evaluate_every")  # updates between two of them
NAMED = ("cell", "engine", "order", "objective", "optimizer", "schedule", "init", "dtype")  # in any case
LATER = frozenset(
    {"start", "start_sha256", "input_rate", "most_epochs", "average"}
)  # not in runs of earlier versions
UNTOUCHED = ("cell", "layers", "streams", "optimizer")  # as long as these are, the recipe is the classic one
# Of a mean objective, by the optimizer.
USUAL_RATES = {"adam": 4e-3, "rmsprop": 1e-3, "adagrad": 2e-2, "sgd": 1.0, "other": 1e-3}
USUAL_INPUT_RATES = {"adam": 5.0, "other": 1.0}


def preset_for(changes: Mapping[str, Any]) -> str:
    """The preset where none is named: classic, as long as the settings that make it what it is are those
    of its own; else plain."""
    classic = {**to_table(ModelSettings(1)), **to_table(TrainingSettings())}
    return (
        "classic" if all(changes.get(name, classic[name]) == classic[name] for name in UNTOUCHED) else "plain"
    )


def settings(
    vocabulary: int, preset: str | None = None, **changes: Any
) -> tuple[ModelSettings, TrainingSettings]:
    """The settings of a preset with some of them changed (a value of None changes nothing); without a
    preset see `preset_for`.

    How often rows are logged, samples written and evaluations made goes by the length of the training, where
    it is not said, see `rhythm`, and so does the warm-up, see `usual_warmup`. Streams are summed in a shard
    for each core, at most, unless `shards` says otherwise. Raises SettingError for an unknown preset or
    setting, for a value out of range, and for a warm-up that `updates` have no room for.
    """
    changes = {k: lower(v) if k in NAMED else plain(v) for k, v in changes.items() if v is not None}
    preset = preset_for(changes) if preset is None else lower(preset)
    choice("preset", preset, tuple(PRESETS))
    chosen = {**PRESETS[preset], **changes}
    if isinstance(chosen.get("clip"), int | float):
        chosen["clip"] = str(chosen["clip"])
    if preset == "plain":
        chosen = usual_rates(chosen["optimizer"]) | chosen
    unknown = set(chosen) - MODEL_FIELDS - TRAINING_FIELDS
    if unknown:
        names = MODEL_FIELDS | TRAINING_FIELDS - {"preset", "vocabulary"}
        raise SettingError(known("setting", sorted(unknown)[0], names))
    model = ModelSettings(vocabulary, **{k: v for k, v in chosen.items() if k in MODEL_FIELDS})
    rest = {k: v for k, v in chosen.items() if k not in MODEL_FIELDS}
    training = TrainingSettings(preset=preset, **rest)
    fitting: dict[str, Any] = {**rhythm(training), "shards": min(training.streams, cores())}
    fitting["warmup"] = usual_warmup(training)
    training = replace(training, **{k: v for k, v in fitting.items() if k not in changes})
    if "updates" in changes:
        check_warmup(training)
    return model, training


def usual_warmup(training: TrainingSettings) -> int:
    """The warm-up where none is said: the preset's, but a twentieth of the updates at most. Under AdaGrad a
    training that goes on from a run rises over more, since the first steps are as long as the rate itself,
    however small the gradients are."""
    if not training.start or training.optimizer != "adagrad":
        return min(training.warmup, training.updates // 20)
    return WARMUP if training.minutes else min(WARMUP, training.updates - 1)


def check_warmup(training: TrainingSettings) -> None:
    """Raise SettingError where a training that goes by no clock ends before its warm-up does."""
    if not training.minutes and 0 < training.updates <= training.warmup:
        raise SettingError(
            f"`warmup` is {training.warmup:,}, but the training has {counted(training.updates, 'update')}; "
            f"give at most `warmup={training.updates - 1}`, or train longer"
        )


def usual_rates(optimizer: str) -> dict[str, float]:
    """The rates that are usual for an optimizer with a mean objective."""
    usual = {"lr": USUAL_RATES, "input_rate": USUAL_INPUT_RATES}
    return {name: rates.get(optimizer, rates["other"]) for name, rates in usual.items()}


def cores() -> int:
    """The cores that this process may use, where that is known; else those of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def lower(name: Any) -> Any:
    """A name in small letters."""
    return name.lower() if isinstance(name, str) else name


def rhythm(training: TrainingSettings) -> dict[str, int]:
    """The updates between two rows, samples and evaluations that fit the length of a training: twenty
    evaluations, at least twenty rows, and of a training by time some 300 rows and ten samples."""
    updates = training.updates
    fitting = {"evaluate_every": max(1, updates // 20)}
    if training.minutes:
        return fitting | {"log_every": max(1, updates // 300), "sample_every": max(1, updates // 10)}
    if updates < 20 * training.log_every:
        fitting["log_every"] = max(1, updates // 20)
    return fitting


def to_table(record: ModelSettings | TrainingSettings) -> dict[str, Any]:
    """A settings record as a TOML table."""
    return asdict(record)


def from_table(kind: type[R], table: object) -> R:
    """A TOML table as a settings record; raises SettingError where a key is unknown or missing, or a value
    is out of range."""
    if not isinstance(table, Mapping):
        raise SettingError(f"expected a table of {kind.__name__}, got {type(table).__name__}")
    names = {f.name for f in fields(kind)}
    wrong = (set(table) ^ names) - (LATER & names)
    if wrong:
        raise SettingError(f"{kind.__name__}: the key {sorted(wrong)[0]!r} is unknown or missing")
    try:
        return kind(**table)
    except SettingError as error:  # which names keywords, in backquotes; here they are keys
        raise SettingError(str(error).replace("`", "")) from error
