"""hornbook teaches a recurrent network to write like a book, one character at a time.

    import hornbook

    text = hornbook.read_text("book.txt")
    run = hornbook.train(text, preset="classic", updates=10_000)
    model = hornbook.load(run.folder)
    print(model.sample(500, temperature=0.8))
    gradients = model.gradients(text[:26])          # {"U": array (K, H), "W": …}

The names below are public, and `__version__`; each is imported when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` would be loaded before the command listens for Ctrl-C

if TYPE_CHECKING:
    from hornbook.config import ModelSettings, TrainingSettings, settings
    from hornbook.distribution import Choice
    from hornbook.errors import (
        CheckFailed,
        HornbookError,
        InputError,
        NotFiniteError,
        NotInstalledError,
        PromptError,
        RunFolderError,
        SettingError,
        StorageError,
        TextError,
        TrainingFailed,
    )
    from hornbook.evaluation import Evaluation
    from hornbook.events import (
        Checkpoint,
        Evaluated,
        Event,
        Finished,
        Logged,
        Planned,
        Progress,
        Sampled,
    )
    from hornbook.facade import load, resume, train, train_events
    from hornbook.gradients import GradientCheck, check_gradients
    from hornbook.model import Model
    from hornbook.runs import Run
    from hornbook.scoring import Score
    from hornbook.text import Text, read_text
    from hornbook.vocabulary import Vocabulary

_HOMES = {
    "config": ("ModelSettings", "TrainingSettings", "settings"),
    "distribution": ("Choice",),
    "errors": (
        "CheckFailed", "HornbookError", "InputError", "NotFiniteError", "NotInstalledError", "PromptError",
        "RunFolderError", "SettingError", "StorageError", "TextError", "TrainingFailed",
    ),
    "evaluation": ("Evaluation",),
    "events": (
        "Checkpoint", "Evaluated", "Event", "Finished", "Logged", "Planned", "Progress", "Sampled",
    ),
    "facade": ("load", "resume", "train", "train_events"),
    "gradients": ("GradientCheck", "check_gradients"),
    "model": ("Model",),
    "runs": ("Run",),
    "scoring": ("Score",),
    "text": ("Text", "read_text"),
    "vocabulary": ("Vocabulary",),
}  # fmt: skip

__all__ = [
    "CheckFailed",
    "Checkpoint",
    "Choice",
    "Evaluated",
    "Evaluation",
    "Event",
    "Finished",
    "GradientCheck",
    "HornbookError",
    "InputError",
    "Logged",
    "Model",
    "ModelSettings",
    "NotFiniteError",
    "NotInstalledError",
    "Planned",
    "Progress",
    "PromptError",
    "Run",
    "RunFolderError",
    "Sampled",
    "Score",
    "SettingError",
    "StorageError",
    "Text",
    "TextError",
    "TrainingFailed",
    "TrainingSettings",
    "Vocabulary",
    "check_gradients",
    "load",
    "read_text",
    "resume",
    "settings",
    "train",
    "train_events",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"hornbook.{home}"), name)
    if name == "__version__":
        return import_module("importlib.metadata").version("hornbook")
    raise AttributeError(f"module 'hornbook' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
