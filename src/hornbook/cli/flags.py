"""The flags of `train` that are settings, in the panels of its help; each stands here once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated

import typer

Panel = dict[str, tuple[type, str]]  # a flag: its type, and what it means in a line

PANELS: dict[str, Panel] = {
    "The network": {
        "cell": (str, "vanilla, gru or lstm."),
        "hidden": (int, "Hidden units a layer (classic 100, plain 128)."),
        "layers": (int, "Layers, 1 to 4 (1)."),
        "dropout": (float, "Share of each layer's outputs left out in training (0)."),
        "init": (str, "Initial matrices: normal, scaled or orthogonal."),
        "init_scale": (float, "Deviation of normal ones (0.01)."),
    },
    "Reading": {
        "streams": (int, "Places of the text read side by side (classic 1, plain 32)."),
        "seq_len": (int, "Characters per update in each stream (classic 25, plain 64)."),
        "order": (str, "text: as it stands; shuffled: in chunks, anew each epoch."),
        "chunk": (int, "Updates in a chunk of a shuffled text (16)."),
        "validation": (float, "Share of the text, its tail, held out to choose the best model (0)."),
    },
    "Learning": {
        "optimizer": (str, "adagrad, sgd, rmsprop or adam; adam with --weight-decay is AdamW."),
        "lr": (float, "Learning rate (classic 0.1, plain by the optimizer: adam 0.004)."),
        "schedule": (
            str,
            "The rate over time: constant, linear[:SHARE], cosine[:SHARE], step:UPDATES:FACTOR.",
        ),
        "warmup": (
            int,
            "Updates in which the rate rises (classic 0, plain 50; a twentieth of few updates).",
        ),
        "average": (float, "The model is the mean over this share of the updates, the last (0: the last)."),
        "objective": (str, "sum or mean of the losses of an update."),
        "clip": (str, "Gradients: each entry (5), the norm (norm:1), or none."),
        "input_rate": (
            float,
            "Times the rate for U, of which a character chooses a row (1, plain by adam 5).",
        ),
        "weight_decay": (float, "Share of the rate by which parameters shrink (0)."),
    },
    "How long": {
        "updates": (int, "Parameter steps (classic 100000, plain 10000)."),
        "epochs": (float, "Passes over the text, in place of --updates."),
        "minutes": (float, "Minutes for the whole command, in place of --updates."),
        "patience": (int, "End after so many evaluations without a new best (0: never)."),
    },
    "What is kept": {
        "log_every": (int, "Updates between rows of metrics (100; a twentieth of few updates)."),
        "sample_every": (int, "Updates between samples (classic 10000, plain 1000)."),
        "sample_length": (int, "Characters of a sample (200)."),
        "evaluate_every": (int, "Updates between evaluations (a twentieth of all)."),
    },
    "The machine": {
        "engine": (str, "What computes: native (C++) or reference (NumPy)."),
        "dtype": (str, "float32, float64, or mixed: float32 with products in bfloat16."),
        "threads": (int, "Threads of the native engine (0: one a core); they change no bit."),
        "seed": (int, "Where all random numbers start (0)."),
    },
}


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes keywords, with all these flags in place of them; those that are not typed are
    None."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[:-1]
    command.__signature__ = inspect.Signature([*own, *flags()])  # type: ignore[attr-defined]
    return command


def flags() -> list[inspect.Parameter]:
    """The flags as parameters of a command."""
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[kind | None, typer.Option(help=meaning, rich_help_panel=panel)],
        )
        for panel, settings in PANELS.items()
        for name, (kind, meaning) in settings.items()
    ]
