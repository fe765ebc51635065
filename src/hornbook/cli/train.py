"""`hornbook train`: text in, run folder out."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from hornbook.cli.conclusion import conclude
from hornbook.cli.flags import with_settings
from hornbook.cli.options import Encoding, Newlines, SaveEvery, Texts, Tokens, reading
from hornbook.cli.words import as_typed, warn
from hornbook.config import SAVE_SECONDS
from hornbook.errors import RunFolderError, SettingError
from hornbook.markup import counted

if TYPE_CHECKING:
    from hornbook.calibration import Arranged
    from hornbook.config import TrainingSettings
    from hornbook.continuing import Ancestor
    from hornbook.run_files import Config
    from hornbook.text import Text

SHOWN = 20  # new characters, in the line about them
Flag = typer.Option


class Clock(NamedTuple):
    """The moment from which minutes count, and what tells the seconds of them that figures will take."""

    begun: float
    figures: Callable[[], float]


@with_settings
def train(
    texts: Texts = None,
    preset: Annotated[
        str | None, Flag(help="A recipe by name: classic, classic-adam, classic-best, plain or fluent.")
    ] = None,
    config: Annotated[Path | None, Flag(help="Repeat the run whose config.toml this is.")] = None,
    start: Annotated[
        Path | None, Flag("--from", help="Go on from the best model of this run; its cell and sizes stay.")
    ] = None,
    out: Annotated[
        str | None, Flag(metavar="PATH", help="The run folder; without it a fresh one in ./runs.")
    ] = None,
    name: Annotated[str | None, Flag(help="The run folder's name in ./runs.")] = None,
    tokens: Tokens = None,
    newlines: Newlines = None,
    encoding: Encoding = None,
    save_every: SaveEvery = SAVE_SECONDS,
    quiet: Annotated[
        bool, Flag("--quiet", help="Print nothing but warnings and errors, and what --json prints.")
    ] = False,
    as_json: Annotated[bool, Flag("--json", help="Print one JSON event a line.")] = False,
    **typed: Any,
) -> None:
    """Train a network on a text and keep everything in a run folder.

    Without --preset the recipe is classic: a vanilla RNN of 100 units, 25 characters an update, AdaGrad
    at 0.1, 100,000 updates. Where --cell, --layers, --streams or --optimizer is another, it is plain, what
    is usual today: Adam, 32 streams of 64 characters, a rate that falls to zero. Ctrl-C stops after the
    update in hand and keeps what was learnt; hornbook resume goes on from there, to the bit.
    """
    from hornbook.advice import Advice
    from hornbook.calibration import warmup_words
    from hornbook.cli.display import choose_display
    from hornbook.cli.idle import idle
    from hornbook.cli.interrupts import Interrupts
    from hornbook.continuing import begin, first, overlap
    from hornbook.facade import train_into
    from hornbook.fluent import advise
    from hornbook.folders import choose_folder
    from hornbook.report.figures import rehearsed

    begun = time.perf_counter()
    if config and preset:
        raise SettingError("--config and --preset both say what the recipe is; give one of them")
    typed = {key: value for key, value in {"preset": preset, **typed}.items() if value is not None}
    config = config_file(config)
    old = repeated(config)
    check_typed(old, typed)
    ancestor = ancestor_of(start, old)
    text = open_text(texts, reading(encoding, newlines, tokens or kept_tokens(old, ancestor)), old, config)
    folder = choose_folder(text.name, out, name)
    said = typed
    typed = ancestor.usual(typed) if ancestor and not old else {**shape_of(old), **typed}
    text, typed = begin(ancestor, text, typed)
    by = Clock(begun, cache(rehearsed))
    advice = Advice({}) if old else advise(text, with_engine(typed), *by)
    arranged = again(old, config, typed, text, by) if old and config else anew(advice.given, text, by)
    tell_dtype(typed.get("dtype") or (old.training.dtype if old else None), arranged)
    remarks = (*idle(said, arranged[1]), warmup_words(arranged[1]), overlap(ancestor, text, arranged[1]))
    for sentence in filter(None, remarks):
        warn(sentence)
    words = [ancestor_words(ancestor, text)] if ancestor else []
    words += (
        [] if old else [preset_words(arranged[1]), *(f"  {as_typed(reason)}" for reason in advice.reasons)]
    )
    display = choose_display(arranged[1].seq_len, quiet, as_json, "\n".join(words))
    fresh = out is None and name is None
    place, interrupts = first(ancestor, text, arranged[1]), Interrupts()
    run = train_into(folder, text, arranged, display, interrupts, save_every, fresh, place, warn)
    conclude(run, silent=quiet or as_json, signal=interrupts.asked)


def anew(typed: dict[str, Any], text: Text, by: Clock) -> Arranged:
    """The settings and the plan of a new training."""
    from hornbook.calibration import arranged
    from hornbook.yardsticks import ahead

    return arranged(text, begun=by.begun, figures=by.figures, ahead=ahead, **with_engine(typed))


def again(old: Config, config: Path, typed: dict[str, Any], text: Text, by: Clock) -> Arranged:
    """The settings of the run that is to be repeated, with those that were typed; by its plan, unless it is
    typed how long."""
    from hornbook.calibration import LENGTHS, planned
    from hornbook.run_files import PLAN, read_plan

    table = table_of(old, typed)
    if not any(name in typed for name in LENGTHS):
        kept = (config.parent / PLAN).exists()
        if old.training.minutes and not kept:
            raise SettingError(
                f"{config} is of a run by --minutes {old.training.minutes:g}, and {PLAN} is not beside it, "
                "by which it is repeated; copy that too, or say how long: --minutes or --updates"
            )
        return planned(text, read_plan(config.parent) if kept else (), {**table, **typed})
    return anew({**table, **typed}, text, by)


def with_engine(typed: dict[str, Any]) -> dict[str, Any]:
    """Settings with the engine that trains where they name none."""
    return typed if "engine" in typed else {**typed, "engine": engine_here()}


def engine_here() -> str:
    """The engine that trains where none is named; it is told where that is not the fast one."""
    from hornbook.engines import NO_CORE, default_engine

    engine = default_engine()
    if engine != "native":
        warn(NO_CORE)
    return engine


def tell_dtype(asked: str | None, arranged: Arranged) -> None:
    """Tell where float32 is used in place of mixed."""
    from hornbook.calibration import dtype_words

    sentence = dtype_words(asked, *arranged[:2])
    if sentence:
        warn(sentence)


def repeated(config: Path | None) -> Config | None:
    """The config file of the run that is to be repeated."""
    if config is None:
        return None
    from hornbook.run_files import read_config

    return read_config(config)


def check_typed(old: Config | None, typed: dict[str, Any]) -> None:
    """Raise SettingError for settings that cannot be, before a text is opened, which may take long."""
    from hornbook.calibration import lengths
    from hornbook.config import settings

    length, rest = lengths(typed)
    length.pop("epochs", None)
    settings(1, **{**(table_of(old, typed) if old else {}), **rest, **length})


def table_of(old: Config, typed: dict[str, Any]) -> dict[str, Any]:
    """The settings of the run that is to be repeated, but for the text's; where it is typed how long, without
    its length and what is chosen by that: the rhythm of a run by time, a warm-up that was not typed."""
    from hornbook.calibration import LENGTHS
    from hornbook.config import RHYTHM, settings

    table = {**vars(old.model), **vars(old.training)}
    dropped = {"vocabulary"}
    if any(name in typed for name in LENGTHS):
        usual = settings(**{name: value for name, value in table.items() if name != "warmup"})[1]
        dropped |= {*LENGTHS, *(RHYTHM if usual.minutes or "minutes" in typed else ())}
        dropped |= {"warmup"} if usual.warmup == old.training.warmup else set()
    return {name: value for name, value in table.items() if name not in dropped}


def config_file(config: Path | None) -> Path | None:
    """The file that `--config` means: itself, or the one in the run folder that it names. Raises
    RunFolderError where it is not there."""
    if config is not None and not config.exists():
        raise RunFolderError(f"{config}: no such file; name a config.toml, or the run folder that it is in")
    return config / "config.toml" if config is not None and config.is_dir() else config


def ancestor_of(start: Path | None, old: Config | None) -> Ancestor | None:
    """The run that the training goes on from: the one that was typed, or that of the run that is to be
    repeated."""
    from hornbook.continuing import Ancestor

    if start is not None:
        return Ancestor.of(start)
    return Ancestor.again(old.training) if old else None


def shape_of(old: Config | None) -> dict[str, Any]:
    """The network of the run that is to be repeated."""
    return {name: value for name, value in vars(old.model).items() if name != "vocabulary"} if old else {}


def kept_tokens(old: Config | None, ancestor: Ancestor | None) -> str | None:
    """What the symbols were in the run that is to be repeated, or gone on from."""
    if ancestor:
        return ancestor.model.vocabulary.tokens
    return None if old is None else str(old.text["tokens"])


def open_text(texts: list[str] | None, how: dict[str, str], old: Config | None, config: Path | None) -> Text:
    """The text named on the command line, or that of the run that is to be repeated; what is strange
    about it is told."""
    from hornbook.run_files import same_text
    from hornbook.text import oddities, read_text

    if old is None or config is None or texts:
        text = read_text(*texts or [], **how)
    else:
        try:
            text = same_text(old, config.parent, **how)
        except RunFolderError as error:
            raise RunFolderError(f"{error}; name the text to train on, before --config") from error
    for sentence in oddities(text):
        warn(sentence)
    return text


def ancestor_words(ancestor: Ancestor, text: Text) -> str:
    """Where a training goes on from, and the symbols that are new there, in a line."""
    from hornbook.cli.words import visible

    new = ancestor.unseen(text.vocabulary)
    what = f"{counted(len(new), f'new {text.vocabulary.unit}')}" if new else "no new ones"
    some = f": {' '.join(map(visible, new[:SHOWN]))}{' …' if len(new) > SHOWN else ''}" if new else ""
    known = counted(len(text.vocabulary) - len(new), text.vocabulary.unit)
    return f"going on from {ancestor.run.folder}, which knows {known}; {what}{some}"


def preset_words(training: TrainingSettings) -> str:
    """Which recipe is taken, and what it is, in a line."""
    usual = " (what is usual today)" if training.preset == "plain" else ""
    schedule = "" if training.schedule == "constant" else f" {training.schedule}"
    streams = f"{training.streams} × " if training.streams > 1 else ""
    losses = f"the {training.objective} of {streams}{training.seq_len} losses"
    if training.streams * training.seq_len == 1:
        losses = "the loss of 1 symbol"
    return (
        f"preset {training.preset}{usual}: {training.optimizer} at {training.lr:g}{schedule}, "
        f"{losses}, clip {training.clip}"
    )
