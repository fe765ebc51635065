"""What is said of a command line that is not understood: what was meant, where that can be seen."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Any

HERE = {  # what PyTorch, char-rnn, nanoGPT and others call the same thing
    "lr": ("learning-rate", "base-lr", "max-lr"),
    "streams": ("batch-size", "batchsize", "batch", "minibatch-size"),
    "seq-len": ("seq-length", "sequence-length", "block-size", "context-length", "bptt"),
    "hidden": ("rnn-size", "hidden-size", "hidden-dim", "n-hidden", "num-hidden", "units", "nhid", "n-embd"),
    "layers": ("num-layers", "n-layers", "n-layer", "nlayers"),
    "cell": ("model", "model-type", "rnn-type"),
    "dropout": ("dropout-rate", "drop", "dropout-p"),
    "optimizer": ("optim",),
    "schedule": ("scheduler", "lr-scheduler", "lr-schedule"),
    "warmup": ("warmup-iters", "warmup-steps"),
    "clip": ("grad-clip", "clip-grad", "clip-norm", "max-grad-norm"),
    "validation": ("val", "val-frac", "val-split", "validation-split"),
    "patience": ("early-stopping",),
    "updates": ("steps", "max-steps", "max-iters", "iters", "iterations", "num-steps"),
    "epochs": ("max-epochs", "num-epochs", "n-epochs"),
    "log-every": ("log-interval", "print-every"),
    "evaluate-every": ("eval-interval", "eval-every", "eval-val-every"),
    "from": ("init-from",),
    "out": ("out-dir", "output", "output-dir", "checkpoint-dir"),
    "seed": ("random-seed",),
    "length": ("num-tokens", "max-new-tokens"),
    "count": ("num-samples",),
    "prompt": ("primetext", "prime-text"),
    "temperature": ("temp",),
}
ELSEWHERE = {f"--{theirs}": f"--{ours}" for ours, names in HERE.items() for theirs in names}
HARDLY = 0.1  # of the likeness of two words, from 0 to 1
GUESS = re.compile(r"\. Did you mean (.*)\?$")


def mistake_words(error: Any) -> str:
    """What a mistake on the command line was, and what may have been meant. The error is one of Typer's."""
    if hasattr(error, "option_name") and hasattr(error, "possibilities"):
        return unknown_option(error)
    return GUESS.sub(r"; perhaps \1 is meant", str(error.format_message())).rstrip(".")


def unknown_option(error: Any) -> str:
    """An option that is not there, and what it is called here, or those that are like it."""
    there = {name for option in error.ctx.command.params for name in option.opts}
    dashed = error.option_name.lower().replace("_", "-")
    ours = {dashed, ELSEWHERE.get(dashed)} & there
    alike = nearest(error.option_name, set(error.possibilities or ()) - {"--help"})
    meant = f"; perhaps {' or '.join(alike)} is meant" if alike else ""
    return f"No such option: {error.option_name}{f'; here it is {ours.pop()}' if ours else meant}"


def nearest(typed: str, names: set[str]) -> list[str]:
    """Those of the names that are nearest to what was typed, and those hardly less near."""
    near = {name: SequenceMatcher(None, typed, name).ratio() for name in names}
    return sorted(name for name, ratio in near.items() if ratio > max(near.values()) - HARDLY)
