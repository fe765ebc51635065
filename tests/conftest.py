"""What the tests share: small texts, small networks, and how hypothesis is run."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from hornbook.config import ModelSettings, TrainingSettings, settings
from hornbook.engines import ENGINES, Engine, TrainingState
from hornbook.engines.cores import PAIRS_VARIABLE
from hornbook.engines.native import ISA_VARIABLE
from hornbook.text import Text

# Where the tests are started in the background or under nohup, SIGINT or SIGHUP is ignored, and every child
# would inherit that.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

hypothesis.settings.register_profile(
    "hornbook", deadline=None, max_examples=60, derandomize=True, database=None
)
hypothesis.settings.load_profile("hornbook")

PROSE = (
    "Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to "
    "do: once or twice she had peeped into the book her sister was reading, but it had no pictures or "
    "conversations in it, “and what is the use of a book,” thought Alice “without pictures or "
    "conversations?”\n"
    "So she was considering in her own mind (as well as she could, for the hot day made her feel very sleepy "
    "and stupid), whether the pleasure of making a daisy-chain would be worth the trouble of getting up and "
    "picking the daisies, when suddenly a White Rabbit with pink eyes ran close by her.\n"
)

Settings = tuple[ModelSettings, TrainingSettings]


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder that is not the user's, for this process and those that it starts."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture
def prose() -> Text:
    """Some 590 characters of a book."""
    return Text.from_string(PROSE, "prose")


@pytest.fixture
def small(prose: Text) -> Callable[..., Settings]:
    """The settings of a small network for `prose`, with some of them changed."""

    def build(**changes: Any) -> Settings:
        chosen = {
            "preset": "classic",
            "hidden": 7,
            "seq_len": 5,
            "dtype": "float64",
            "updates": 25,
            "log_every": 5,
        }
        chosen |= {"sample_every": 10, "sample_length": 20, "passage_length": 30}
        return settings(len(prose.vocabulary), **chosen | changes)

    return build


@pytest.fixture
def start(prose: Text) -> Callable[..., Engine]:
    """An engine that has made no update yet, on `prose` or another text."""

    def build(chosen: Settings, engine: str | None = None, text: Text = prose) -> Engine:
        model, training = chosen
        return ENGINES[engine or training.engine](
            model, training, TrainingState.initial(model, training), text.ids
        )

    return build


@pytest.fixture
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """An engine's name; where a level of processor stands behind it, the core of that level is used, and
    where a way of mixing stands behind that, that one."""
    name, *chosen = request.param.split()
    for variable, value in zip((ISA_VARIABLE, PAIRS_VARIABLE), chosen, strict=False):
        monkeypatch.setenv(variable, value)
    return name
