"""Settings: a record that exists is valid; presets; TOML both ways."""

from __future__ import annotations

import math
import tomllib
from dataclasses import FrozenInstanceError, fields
from typing import Any

import numpy as np
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from hornbook.cells import CELLS
from hornbook.compound import Clip, Schedule
from hornbook.config import (
    CELL_NAMES,
    DTYPE_NAMES,
    ENGINE_NAMES,
    LARGEST_SEED,
    LATER,
    OPTIMIZER_NAMES,
    PRESETS,
    ModelSettings,
    TrainingSettings,
    cores,
    from_table,
    settings,
    to_table,
)
from hornbook.engines import ENGINES
from hornbook.errors import SettingError
from hornbook.optimizers import OPTIMIZERS

CLIPS = st.one_of(
    st.just("none"),
    st.floats(1e-6, 1e6).map(str),
    st.floats(1e-6, 1e6).map(lambda limit: f"norm:{limit}"),
)
TRAININGS = st.builds(
    TrainingSettings,
    seq_len=st.integers(1, 1_000_000),
    objective=st.sampled_from(["sum", "mean"]),
    optimizer=st.sampled_from(OPTIMIZER_NAMES),
    lr=st.floats(1e-12, 1e6),
    clip=CLIPS,
    init_scale=st.floats(1e-9, 100),
    updates=st.integers(1, 10**12),
    seed=st.integers(0, LARGEST_SEED),
    dtype=st.sampled_from(DTYPE_NAMES),
    log_every=st.integers(1, 10**9),
)
MODELS = st.builds(ModelSettings, st.integers(1, 0x110000), hidden=st.integers(1, 8192))

BAD_MODELS = [
    {"vocabulary": 0},
    {"vocabulary": 0x110001},
    {"hidden": 0},
    {"hidden": -1},
    {"hidden": 8193},
    {"hidden": 1.5},
    {"hidden": True},
    {"hidden": "100"},
    {"cell": "transformer"},
    {"layers": 0},
    {"layers": 5},
]
BAD_TRAININGS = [
    {"start": 5},
    {"start_sha256": None},
    {"most_epochs": -1},
    {"most_epochs": math.nan},
    {"preset": "modern"},
    {"engine": "abacus"},
    {"seq_len": 0},
    {"seq_len": 1_000_001},
    {"streams": 0},
    {"order": "backwards"},
    {"chunk": 0},
    {"schedule": "random"},
    {"schedule": "step"},
    {"schedule": "step:0:0.5"},
    {"schedule": "step:10:0"},
    {"schedule": "step:10:2"},
    {"schedule": "linear:5"},
    {"schedule": "linear:-0.1"},
    {"schedule": "cosine:1"},
    {"schedule": "cosine:0.1:2"},
    {"schedule": "constant:0.1"},
    {"warmup": -1},
    {"weight_decay": -0.1},
    {"weight_decay": 1},
    {"dropout": 1},
    {"dropout": -0.1},
    {"dropout": math.nan},
    {"init": "zero"},
    {"shards": 0},
    {"threads": -1},
    {"objective": "median"},
    {"optimizer": "lion"},
    {"lr": 0},
    {"lr": -0.1},
    {"lr": math.nan},
    {"lr": math.inf},
    {"lr": 1e7},
    {"lr": "fast"},
    {"lr": True},
    {"input_rate": 0},
    {"input_rate": -1},
    {"input_rate": math.inf},
    {"clip": "hard"},
    {"clip": ""},
    {"clip": "0"},
    {"clip": "-5"},
    {"clip": "nan"},
    {"clip": "inf"},
    {"clip": "norm:"},
    {"clip": "norm:0"},
    {"clip": "none:5"},
    {"clip": "mean:5"},
    {"clip": 5},
    {"clip": None},
    {"init_scale": 0},
    {"init_scale": 101},
    {"updates": 0},
    {"updates": -3},
    {"updates": 10**12 + 1},
    {"updates": 100.0},
    {"seed": -1},
    {"seed": LARGEST_SEED + 1},
    {"dtype": "float16"},
    {"log_every": 0},
    {"sample_every": 0},
    {"sample_length": 0},
    {"passage_length": 0},
]


def naming(changes: dict[str, Any]) -> str:
    """What the message must name: the setting as Python spells it."""
    return next(iter(changes))


def test_the_defaults_are_the_classic_recipe() -> None:
    model, training = settings(80)
    assert (model.hidden, model.cell, model.layers) == (100, "vanilla", 1)
    assert (training.seq_len, training.streams, training.objective) == (25, 1, "sum")
    assert (training.optimizer, training.lr, training.clip) == ("adagrad", 0.1, "5")
    assert (training.init_scale, training.updates) == (0.01, 100_000)
    assert (training.sample_every, training.sample_length, training.passage_length) == (10_000, 200, 1000)


@pytest.mark.parametrize(
    ("changes", "preset"),
    [
        ({}, "classic"),
        ({"hidden": 200, "lr": 0.05, "seq_len": 50}, "classic"),
        ({"cell": "vanilla", "layers": 1, "streams": 1, "optimizer": "adagrad"}, "classic"),
        ({"cell": "lstm"}, "plain"),
        ({"layers": 2}, "plain"),
        ({"streams": 8}, "plain"),
        ({"optimizer": "sgd"}, "plain"),
    ],
)
def test_without_a_preset_it_is_classic_until_cell_layers_streams_or_optimizer_are_touched(
    changes: dict[str, Any], preset: str
) -> None:
    assert settings(80, **changes)[1].preset == preset
    assert settings(80, "classic", **changes)[1].preset == "classic"


@pytest.mark.parametrize(("optimizer", "lr"), [("adam", 4e-3), ("rmsprop", 1e-3), (None, 4e-3)])
def test_plain_takes_the_usual_rate_of_the_optimizer_unless_one_is_named(
    optimizer: str | None, lr: float
) -> None:
    assert settings(80, "plain", optimizer=optimizer)[1].lr == lr
    assert settings(80, "plain", optimizer=optimizer, lr=0.5)[1].lr == 0.5
    assert settings(80, "plain", optimizer=optimizer)[1].input_rate == (
        5 if optimizer in (None, "adam") else 1
    )
    assert settings(80, "plain", optimizer=optimizer, input_rate=2)[1].input_rate == 2


def test_names_are_understood_in_any_case() -> None:
    assert settings(80, "PLAIN", cell="GRU", optimizer="RMSprop", engine="Reference", schedule="Linear") == (
        settings(80, "plain", cell="gru", optimizer="rmsprop", engine="reference", schedule="linear")
    )
    assert settings(80, cell="Vanilla", optimizer="AdaGrad")[1].preset == "classic"


def test_a_preset_warms_up_in_a_twentieth_of_the_training_at_most_and_as_it_is_told() -> None:
    assert [settings(80, "plain", updates=n)[1].warmup for n in (10, 100, 999, 10_000)] == [0, 5, 49, 50]
    assert settings(80, "plain", updates=100, warmup=60)[1].warmup == 60
    assert settings(80)[1].warmup == 0
    assert settings(80, updates=60, start="runs/old")[1].warmup == 59
    assert settings(80, updates=600, start="runs/old")[1].warmup == 500
    assert settings(80, minutes=1.0, start="runs/old")[1].warmup == 500
    assert settings(80, "classic-adam", start="runs/old")[1].warmup == 0
    assert settings(80, start="runs/old", warmup=3)[1].warmup == 3


def test_a_warm_up_that_the_updates_have_no_room_for_is_refused_and_by_time_it_is_not() -> None:
    assert settings(80, updates=100, warmup=99)[1].warmup == 99
    with pytest.raises(
        SettingError, match=r"`warmup` is 100, but the training has 100 updates; .*`warmup=99`"
    ):
        settings(80, updates=100, warmup=100)
    assert settings(80, updates=100, minutes=1.0, warmup=100)[1].warmup == 100


def test_presets_are_what_they_say() -> None:
    plain = settings(80, cell="gru")[1]
    assert (plain.objective, plain.clip, plain.init, plain.schedule) == (
        "mean",
        "norm:1",
        "orthogonal",
        "cosine",
    )
    model, adam = settings(80, "classic-adam")
    assert (model.hidden, model.cell, adam.streams, adam.seq_len) == (100, "vanilla", 1, 25)
    assert (adam.optimizer, adam.lr, adam.objective) == ("adam", 0.001, "mean")
    assert (adam.init, adam.clip, adam.schedule) == ("scaled", "none", "constant")
    model, best = settings(80, "classic-best")
    assert (model.hidden, model.cell, best.streams, best.seq_len, best.updates) == (
        *(100, "vanilla", 1, 25),
        100_000,
    )
    assert (best.optimizer, best.lr, best.input_rate) == ("adam", 0.002, 6.0)
    assert (best.schedule, best.clip) == ("linear", "norm:1")


def test_streams_are_summed_in_no_more_shards_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hornbook.config.cores", lambda: 4)
    assert [settings(80, streams=n)[1].shards for n in (1, 3, 32)] == [1, 3, 4]
    assert settings(80, streams=32, shards=16)[1].shards == 16


def test_the_cores_are_those_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {3, 5, 6}, raising=False)
    assert cores() == settings(80, streams=32)[1].shards == 3
    monkeypatch.delattr("os.sched_getaffinity")
    assert cores() == 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("constant", Schedule("constant")),
        ("linear", Schedule("linear")),
        ("cosine", Schedule("cosine")),
        ("linear:0.3", Schedule("linear", share=0.3)),
        ("cosine:0.1", Schedule("cosine", share=0.1)),
        ("step:5000:0.5", Schedule("step", 5000, 0.5)),
    ],
)
def test_a_schedule_is_written_as_a_name_or_as_its_steps(text: str, expected: Schedule) -> None:
    assert Schedule.parse(text) == expected


def test_the_names_in_settings_are_the_names_in_the_registries() -> None:
    assert set(CELL_NAMES) == set(CELLS)
    assert set(ENGINE_NAMES) == set(ENGINES)
    assert set(OPTIMIZER_NAMES) == set(OPTIMIZERS)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_valid_and_remembers_its_name(preset: str) -> None:
    assert settings(80, preset)[1].preset == preset


@pytest.mark.parametrize("changes", BAD_MODELS, ids=str)
def test_a_network_that_cannot_be_is_refused_by_name(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=naming(changes)):
        ModelSettings(**{"vocabulary": 80} | changes)


@pytest.mark.parametrize("changes", BAD_TRAININGS, ids=str)
def test_a_training_that_cannot_be_is_refused_by_name(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=naming(changes)):
        TrainingSettings(**changes)


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.float32, np.float64], ids=lambda kind: kind.__name__)
def test_a_number_of_numpys_is_the_same_number(kind: type[np.number[Any]]) -> None:
    whole = {"hidden": 7, "updates": 9, "seed": 3} if issubclass(kind, np.integer) else {}
    changes = {**whole, "lr": 2, "clip": 5, "minutes": 4}
    model, training = settings(80, **{name: kind(value) for name, value in changes.items()})
    records = {**to_table(model), **to_table(training)}
    assert {name: type(value) for name, value in records.items()} == {
        name: type(value) if name not in ("lr", "minutes") else type(kind(1).item())
        for name, value in {**to_table(ModelSettings(1)), **to_table(TrainingSettings())}.items()
    }
    assert (float(records["clip"]), records["lr"], records["minutes"]) == (5, 2, 4)
    assert {name: records[name] for name in whole} == whole
    assert tomllib.loads(tomli_w.dumps(to_table(training))) == to_table(training)


@pytest.mark.parametrize("value", [np.float64(3), np.bool_(True), np.array([3]), np.int64(0)], ids=repr)
def test_what_is_no_such_number_is_refused_in_numpys_words_too(value: object) -> None:
    with pytest.raises(SettingError, match=r"hidden.* is .*; expected a whole number"):
        settings(80, hidden=value)


def test_a_refusal_says_what_was_given_and_what_is_allowed() -> None:
    with pytest.raises(SettingError) as hidden:
        ModelSettings(80, hidden=-5)
    assert str(hidden.value) == "`hidden` is -5; expected a whole number from 1 to 8,192"
    with pytest.raises(SettingError) as lr:
        TrainingSettings(lr=-0.5)
    assert str(lr.value) == "`lr` is -0.5; expected a number above 0, at most 1e+06"


@pytest.mark.parametrize(
    ("changes", "listed"),
    [
        ({"optimizer": "lion"}, OPTIMIZER_NAMES),
        ({"engine": "abacus"}, ENGINE_NAMES),
        ({"cell": "transformer"}, CELL_NAMES),
        ({"preset": "modern"}, tuple(PRESETS)),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(
    changes: dict[str, str], listed: tuple[str, ...]
) -> None:
    with pytest.raises(SettingError) as error:
        settings(80, **changes)
    assert all(name in str(error.value) for name in listed)


def test_an_unknown_setting_is_answered_with_the_known_ones() -> None:
    with pytest.raises(SettingError, match=r"unknown setting 'hiden'.*hidden.*seq_len"):
        settings(80, hiden=5)


def test_a_setting_of_none_changes_nothing() -> None:
    assert settings(80, hidden=None, lr=None) == settings(80)


@pytest.mark.parametrize(
    ("updates", "log_every"), [(1, 1), (19, 1), (40, 2), (1999, 99), (2000, 100), (5000, 100)]
)
def test_a_short_run_logs_at_least_twenty_rows(updates: int, log_every: int) -> None:
    assert settings(80, updates=updates)[1].log_every == log_every


def test_a_log_interval_that_was_asked_for_is_kept_in_a_short_run() -> None:
    assert settings(80, updates=50, log_every=30)[1].log_every == 30


def test_settings_cannot_be_changed_once_made() -> None:
    with pytest.raises(FrozenInstanceError):
        ModelSettings(80).hidden = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", Clip("none", math.inf)),
        ("5", Clip("value", 5.0)),
        ("0.25", Clip("value", 0.25)),
        ("1e-3", Clip("value", 1e-3)),
        ("value:5", Clip("value", 5.0)),
        ("norm:1", Clip("norm", 1.0)),
    ],
)
def test_clipping_is_written_as_a_limit_a_norm_or_none(text: str, expected: Clip) -> None:
    assert Clip.parse(text) == expected


@given(MODELS, TRAININGS)
def test_settings_come_back_from_toml_as_they_were(model: ModelSettings, training: TrainingSettings) -> None:
    document = tomli_w.dumps({"model": to_table(model), "training": to_table(training)})
    read = tomllib.loads(document)
    assert from_table(ModelSettings, read["model"]) == model
    assert from_table(TrainingSettings, read["training"]) == training


@pytest.mark.parametrize("kind", [ModelSettings, TrainingSettings])
def test_a_table_with_a_key_missing_or_unknown_is_refused(
    kind: type[ModelSettings] | type[TrainingSettings],
) -> None:
    model, training = settings(80)
    table = to_table(model if kind is ModelSettings else training)
    for field in (field for field in fields(kind) if field.name not in LATER):
        less = {key: value for key, value in table.items() if key != field.name}
        with pytest.raises(SettingError, match=f"'{field.name}' is unknown or missing"):
            from_table(kind, less)
    with pytest.raises(SettingError, match="'colour' is unknown or missing"):
        from_table(kind, table | {"colour": 1})


def test_what_earlier_versions_did_not_have_may_be_missing() -> None:
    table = {key: value for key, value in to_table(TrainingSettings()).items() if key not in LATER}
    assert from_table(TrainingSettings, table) == TrainingSettings()


@pytest.mark.parametrize("table", [None, 5, "hidden", ["hidden"]], ids=str)
def test_what_is_no_table_is_refused(table: object) -> None:
    with pytest.raises(SettingError, match="expected a table of ModelSettings"):
        from_table(ModelSettings, table)


@pytest.mark.parametrize("changes", BAD_TRAININGS, ids=str)
def test_a_table_with_a_value_out_of_range_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=naming(changes)):
        from_table(TrainingSettings, to_table(TrainingSettings()) | changes)
