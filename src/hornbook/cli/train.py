"""`hornbook train`: text in, run folder out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hornbook.cli.options import Encoding, Newlines, Texts, Tokens, reading
from hornbook.errors import RunFolderError, SettingError

if TYPE_CHECKING:
    from hornbook.config import ModelSettings, TrainingSettings
    from hornbook.runs import Config, Run
    from hornbook.text import Text

INTERRUPTED = 130
Flag = typer.Option


def train(
    texts: Texts = None,
    preset: Annotated[str | None, Flag(help="A recipe by name: classic.")] = None,
    config: Annotated[Path | None, Flag(help="Repeat the run whose config.toml this is.")] = None,
    engine: Annotated[str | None, Flag(help="What computes: native (C++) or reference (NumPy).")] = None,
    hidden: Annotated[int | None, Flag(help="Hidden units (100).")] = None,
    seq_len: Annotated[int | None, Flag(help="Characters per update (25).")] = None,
    lr: Annotated[float | None, Flag(help="Learning rate (0.1).")] = None,
    optimizer: Annotated[str | None, Flag(help="adagrad or sgd.")] = None,
    clip: Annotated[str | None, Flag(help="Each entry (5), the norm (norm:1), or none.")] = None,
    init_scale: Annotated[float | None, Flag(help="Deviation of the initial matrices (0.01).")] = None,
    updates: Annotated[int | None, Flag(help="Parameter steps (100000).")] = None,
    epochs: Annotated[float | None, Flag(help="Passes over the text, in place of --updates.")] = None,
    seed: Annotated[int | None, Flag(help="Where all random numbers start (0).")] = None,
    dtype: Annotated[str | None, Flag(help="float32 or float64.")] = None,
    log_every: Annotated[int | None, Flag(help="Updates between rows of metrics (100).")] = None,
    sample_every: Annotated[int | None, Flag(help="Updates between samples (10000).")] = None,
    sample_length: Annotated[int | None, Flag(help="Characters of a sample (200).")] = None,
    out: Annotated[Path | None, Flag(help="The run folder; without it a fresh one in ./runs.")] = None,
    name: Annotated[str | None, Flag(help="The run folder's name in ./runs.")] = None,
    tokens: Tokens = None,
    newlines: Newlines = None,
    encoding: Encoding = None,
    quiet: Annotated[bool, Flag("--quiet", help="Print nothing but warnings and errors.")] = False,
    as_json: Annotated[bool, Flag("--json", help="Print one JSON event a line.")] = False,
) -> None:
    """Train a network on a text and keep everything in a run folder.

    The defaults are the classic recipe: a vanilla RNN of 100 units, 25 characters an update, AdaGrad
    at 0.1, 100,000 updates. Ctrl-C stops after the update in hand and keeps what was learnt.
    """
    from hornbook.cli.display import choose_display
    from hornbook.cli.interrupts import Interrupts
    from hornbook.facade import train_into
    from hornbook.recorder import choose_folder

    flags = {
        "preset": preset, "engine": engine, "hidden": hidden, "seq_len": seq_len, "lr": lr,
        "optimizer": optimizer, "clip": clip, "init_scale": init_scale, "updates": updates,
        "seed": seed, "dtype": dtype, "log_every": log_every, "sample_every": sample_every,
        "sample_length": sample_length,
    }  # fmt: skip
    config = config_file(config)
    old = repeated(config)
    flags = {**old_settings(old), **{k: v for k, v in flags.items() if v is not None}}
    flags.setdefault("engine", engine_here())
    text = open_text(texts, reading(encoding, newlines, tokens or kept_tokens(old)), old, config)
    model, training = resolve(text, flags, updates, epochs)
    folder = choose_folder(text.name, out, name)
    display = choose_display(training.seq_len, quiet, as_json)
    with Interrupts() as interrupts:
        run = train_into(folder, text, model, training, display, interrupts.stop)
    conclude(run, silent=quiet or as_json)


def engine_here() -> str:
    """The engine that trains where none is named; it is told where that is not the fast one."""
    from hornbook.engines import NO_CORE, default_engine

    engine = default_engine()
    if engine != "native":
        print(f"warning: {NO_CORE}", file=sys.stderr)
    return engine


def repeated(config: Path | None) -> Config | None:
    """The config file of the run that is to be repeated."""
    if config is None:
        return None
    from hornbook.runs import read_config

    return read_config(config)


def config_file(config: Path | None) -> Path | None:
    """The file that `--config` means: itself, or the one in the run folder that it names."""
    return config / "config.toml" if config is not None and config.is_dir() else config


def old_settings(old: Config | None) -> dict[str, Any]:
    """The settings of the run that is to be repeated."""
    if old is None:
        return {}
    table = {**vars(old.model), **vars(old.training)}
    del table["vocabulary"]
    return table


def kept_tokens(old: Config | None) -> str | None:
    """What the symbols were in the run that is to be repeated."""
    return None if old is None else str(old.text["tokens"])


def open_text(texts: list[str] | None, how: dict[str, str], old: Config | None, config: Path | None) -> Text:
    """The text named on the command line, or that of the run that is to be repeated; what is strange
    about it is told."""
    from hornbook.runs import same_text
    from hornbook.text import oddities, read_text

    if old is None or config is None or texts:
        text = read_text(*texts or [], **how)
    else:
        try:
            text = same_text(old, config.parent, **how)
        except RunFolderError as error:
            raise RunFolderError(f"{error}; name the text to train on, before --config") from error
    for sentence in oddities(text):
        print(f"warning: {sentence}", file=sys.stderr)
    return text


def resolve(
    text: Text, flags: dict[str, Any], updates: int | None, epochs: float | None
) -> tuple[ModelSettings, TrainingSettings]:
    """The settings, with epochs turned into updates."""
    from hornbook.config import real, settings
    from hornbook.streams import Streams

    model, training = settings(len(text.vocabulary), **flags)
    streams = Streams.of(len(text), training)
    if epochs is None:
        return model, training
    if updates is not None:
        raise SettingError("--updates and --epochs both say how long to train; give one of them")
    real("epochs", epochs, 0, 1e9)
    flags["updates"] = max(1, round(epochs * streams.updates_per_epoch))
    return settings(len(text.vocabulary), **flags)


def conclude(run: Run, silent: bool) -> None:
    """What was reached, what the best model writes, and what to do next. Exits 130 after Ctrl-C."""
    from hornbook.recorder import early_best

    summary = run.summary
    warning = early_best(summary)
    if warning:
        print(f"warning: {warning}", file=sys.stderr)
    if not silent:
        tell(run, summary)
    if not summary["finished"]:
        print(
            f"stopped after update {summary['updates']:,}; what was learnt is kept in {run.folder}\n"
            f"see it with: hornbook sample {run.folder}",
            file=sys.stderr,
        )
        raise typer.Exit(INTERRUPTED)


def tell(run: Run, summary: dict[str, Any]) -> None:
    """The figures and the passage of a run."""
    from hornbook.cli.words import loss_words, printable

    if summary["best_smooth_loss"] is None:
        return
    seq_len = summary["seq_len"]
    if summary["finished"]:
        print(f"\nThe best model, of update {summary['best_update']:,}, writes:\n")
        print(printable(run.samples[-1]["text"]))
    print(f"\nbest smooth loss  {loss_words(summary['best_smooth_loss'], seq_len)}")
    print(f"last smooth loss  {loss_words(summary['last_smooth_loss'], seq_len)}")
    print(
        f"{summary['updates']:,} updates in {summary['seconds']:.1f} s, "
        f"{summary['updates_per_second']:,.0f} updates/s, engine {summary['engine']}"
    )
    print(f"kept in {run.folder}   more text: hornbook sample {run.folder} --temperature 0.7")
