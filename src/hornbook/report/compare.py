"""Several runs in one figure and one table. Runs that differ only in their seed are one line, with a band."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hornbook.config import RHYTHM, ModelSettings, TrainingSettings
from hornbook.errors import InputError
from hornbook.markup import a_second, counted, printable
from hornbook.report.charts import COLOURS, chart, thinned
from hornbook.report.document import (
    Beside,
    Block,
    Document,
    Figure,
    Passage,
    Section,
    Table,
    note,
    say,
    spans,
)
from hornbook.report.subject import Reached, without_paths
from hornbook.report.wording import NOTHING, listed, percent
from hornbook.runs import Run
from hornbook.smoothing import first_share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ASIDE = {
    "preset",
    "vocabulary",
    "shards",
    "threads",
    "sample_length",
    "passage_length",
    "start_sha256",
    *RHYTHM,
}
REACHED = ("best", "last", "bits", "done", "updates/s")
NAMES = [f.name for kind in (ModelSettings, TrainingSettings) for f in fields(kind) if f.name not in ASIDE]
LEGEND = 66  # letters in a line of the legend
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))
Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Compared(Reached):
    """A run with what tells it from others."""

    name: str

    @cached_property
    def settings(self) -> dict[str, str]:
        """All settings that matter, and the text, as words."""
        config = self.run.config
        table = {**asdict(config.model), **asdict(config.training)}
        if config.training.minutes:
            table["updates"] = "by time"
        table["start"] = Path(config.training.start).name
        return {"text": str(config.text["name"]), **{name: str(table[name]) for name in NAMES}}

    @cached_property
    def text(self) -> tuple[object, ...]:
        """What is the same in runs that read the same text: its content, or what is known of it."""
        text, sources = self.run.config.text, self.run.config.sources
        return tuple(source.sha256 for source in sources) or (text["name"], text["characters"])

    @cached_property
    def identity(self) -> tuple[object, ...]:
        """What is the same in runs that differ only in their seed."""
        return (
            *((k, v) for k, v in self.settings.items() if k != "seed"),
            self.text,
            self.run.config.training.start_sha256,
        )

    @cached_property
    def first(self) -> float:
        """The share of the last smooth loss that is still its first value; 0 where that is little or there
        is none."""
        known = self.summary.get("last_smooth_loss") is not None
        return first_share(self.summary["updates"]) if known else 0.0

    @cached_property
    def curve(self) -> Reals:  # (rows, 2)
        """Updates and smooth losses in nats a character."""
        length = self.run.config.training.seq_len
        rows = [(row["update"], row["smooth_loss"] / length) for row in self.run.metrics]
        return np.array(rows, dtype=np.float64).reshape(-1, 2)


def comparison(runs: Sequence[Run]) -> Document:
    """The runs side by side. Raises InputError for none, RunFolderError for a damaged one, FigureError where
    matplotlib cannot draw."""
    if not runs:
        raise InputError("name at least one run to compare, such as runs/book")
    compared = [Compared(run, name) for run, name in zip(runs, names_of(runs), strict=True)]
    differing = [key for key in compared[0].settings if len({c.settings[key] for c in compared}) > 1]
    same = {key: value for key, value in compared[0].settings.items() if key not in differing}
    what = ("cell", "hidden", "seq_len", "optimizer", "lr", "updates")
    shared = [f"{key.replace('_', ' ')} {same[key]}" for key in what if key in same]
    opening = f"{counted(len(runs), 'run')} side by side"
    opening += f"; the same in all of them: {listed(shared)}." if shared and len(runs) > 1 else "."
    blocks = (
        say(opening),
        *remarks(compared),
        figure(compared, differing),
        table(compared, differing),
    )
    sections = [Section("Runs", blocks), *writing(compared)]
    return Document("Runs compared", opening.partition(";")[0], tuple(sections)).numbered()


def writing(compared: Sequence[Compared]) -> list[Section]:
    """What the best models of the finished runs write: that is their last sample."""
    lasts = [(one.name, row) for one in compared for row in one.run.samples[-1:]]
    passages = [Passage(name, spans(str(row["text"]))) for name, row in lasts if row["model"] == "best"]
    return [Section("What they write", (Beside(tuple(passages)),))] if passages else []


def remarks(compared: Sequence[Compared]) -> tuple[Block, ...]:
    """What a reader must know before reading the losses."""
    found = [
        note(f"What {one.name} reached could not be read: {without_paths(one.figures[1], one.run)}.")
        for one in compared
        if one.figures[1]
    ]
    if short := listed([f"{percent(one.first)} in {one.name}" for one in compared if one.first]):
        found.append(
            note(
                f"So much of the smooth loss is still its first value: {short}. There it lags behind what "
                "was learnt, and compares only with that of as many updates."
            )
        )
    if len({one.text for one in compared}) > 1:
        found.append(
            note(
                "These runs did not read the same text. One text is easier than another, so a lower loss on "
                "another text does not tell the better model."
            )
        )
    return tuple(found)


def names_of(runs: Sequence[Run]) -> list[str]:
    """The folders' names; where two are the same, with the folder above."""
    names = [run.folder.absolute().name for run in runs]
    return [
        name if names.count(name) == 1 else f"{run.folder.absolute().parent.name}/{name}"
        for run, name in zip(runs, names, strict=True)
    ]


def groups(compared: Sequence[Compared]) -> list[list[Compared]]:
    """The runs that were logged, together where they differ only in their seed."""
    found: dict[object, list[Compared]] = {}
    for one in compared:
        if len(one.curve):
            found.setdefault(one.identity, []).append(one)
    return list(found.values())


def figure(compared: Sequence[Compared], differing: Sequence[str]) -> Block:
    """The smooth loss over updates, a line for each group."""
    found = groups(compared)
    if not found:
        return note("None of these runs has logged an update yet.")
    labels = [label(group, differing) for group in found]
    lines = sum(name.count("\n") + 1 for name in labels)
    length = common_length(compared)
    unit = f"nats over {length} characters" if length > 1 else "nats a character"

    def draw(axes: Axes) -> None:
        for place, (group, name) in enumerate(zip(found, labels, strict=True)):
            style = {"color": COLOURS[place % 5], "linestyle": DASHES[place // 5 % 4]}
            updates, mean, low, high = together(group)
            shown = name.replace("$", r"\$")  # no formula
            axes.plot(updates, length * mean, linewidth=1.2, label=shown, **style)
            if len(group) > 1:
                axes.fill_between(
                    updates, length * low, length * high, color=style["color"], alpha=0.2, linewidth=0
                )
        axes.figure.legend(loc="outside lower left", fontsize=8)

    lasts = listed(
        [
            f"{' '.join(name.split())}: {length * together(group)[1][-1]:.2f}"
            for group, name in zip(found, labels, strict=True)
        ]
    )
    many = any(len(group) > 1 for group in found)
    bands = " Runs that differ only in their seed are one line, their mean, in a band of all."
    alt = f"A line for each kind of run, at its end at {lasts}."
    return Figure(
        (chart("compare", "Smooth loss", "update", unit, draw, alt, (4.6, 2.8 + 0.16 * lines)),),
        "Smooth loss over updates." + bands * many,
    )


def common_length(compared: Sequence[Compared]) -> int:
    """The characters over which losses are told: T where it is the same in all runs, else one."""
    lengths = {one.run.config.training.seq_len for one in compared}
    return lengths.pop() if len(lengths) == 1 else 1


def label(group: Sequence[Compared], differing: Sequence[str]) -> str:
    """What a group is called, in lines that fit the figure: its runs, and the settings by which it differs
    from others."""
    one = group[0]
    parts = [f"{key.replace('_', ' ')} {one.settings[key]}" for key in differing if key != "seed"]
    many = f" and {len(group) - 3} more" if len(group) > 3 else ""
    names = printable(", ".join(run.name for run in group[:3])) + many
    of = f"run{'s' if len(group) > 1 else ''} {names}"  # the word first: matplotlib hides labels like "_a"
    return textwrap.fill(": ".join(filter(None, (of, ", ".join(parts)))), LEGEND)


def together(group: Sequence[Compared]) -> tuple[Reals, Reals, Reals, Reals]:  # (rows,) each
    """The updates that all runs of a group have logged; the mean, lowest and highest smooth loss there."""
    shared = set.intersection(*(set(one.curve[:, 0].tolist()) for one in group))
    updates = np.array(thinned(sorted(shared or group[0].curve[:, 0].tolist())))
    losses = np.array([np.interp(updates, one.curve[:, 0], one.curve[:, 1]) for one in group])
    return updates, losses.mean(axis=0), losses.min(axis=0), losses.max(axis=0)


def table(compared: Sequence[Compared], differing: Sequence[str]) -> Table:
    """What each run reached, and by what settings it differs."""
    length = common_length(compared)
    unit = f"nats over {length} characters" if length > 1 else "nats a character"
    validated = any(one.summary.get("validation") for one in compared)
    told = "Nats a character that the best model needs for what was held out; best" if validated else "Best"
    return Table(
        f"{told} and last smooth loss in {unit}, the best one in bits a character, speed, and the settings "
        "that differ.",
        ("run", *["held out"] * validated, *REACHED, *(key.replace("_", " ") for key in differing)),
        tuple(
            (
                one.name,
                *[validation(one)] * validated,
                *reached(one, length),
                *(one.settings[key] for key in differing),
            )
            for one in compared
        ),
    )


def validation(one: Compared) -> str:
    """What the best model needs for a character of what was held out, in nats."""
    found = one.summary.get("validation")
    return f"{found['nats_per_character']:.3f}" if found else NOTHING


def reached(one: Compared, length: int) -> tuple[str, ...]:
    """The cells of what a run reached; dashes before its first checkpoint, and where it is not
    known."""
    summary, seq_len = one.summary, one.run.config.training.seq_len
    best, last = summary.get("best_smooth_loss"), summary.get("last_smooth_loss")
    if best is None or last is None:
        return (NOTHING,) * 5
    nats, scale = best / seq_len, length / seq_len
    return (
        f"{best * scale:.2f}" if length > 1 else f"{nats:.3f}",
        f"{last * scale:.2f}" if length > 1 else f"{last * scale:.3f}",
        f"{nats / math.log(2):.3f}",
        f"{summary['updates']:,}",
        a_second(summary["updates_per_second"]),
    )
