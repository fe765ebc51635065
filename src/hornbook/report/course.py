"""The sections Training, Evolution and Best model: how the losses fell, and what was written on the way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from hornbook.events import AVERAGE
from hornbook.markup import a_second, counted
from hornbook.report.charts import BLUE, INK, MUTED, RULE, RUST, chart, thinned
from hornbook.report.document import Block, Figure, Panel, Passage, Section, Span, note, say, strong
from hornbook.report.figures import best_smooth, best_validation, by_validation
from hornbook.report.subject import Subject
from hornbook.report.wording import loss_words, percent, still_first

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EVERY = 10_000  # updates between the samples that are shown
MOST_SAMPLES = 21
MOST_EPOCHS = 60  # marked in a figure
COMPARED = (
    " Validation reads more of what is held out as the training goes on, and only losses on the same part "
    "compare: so the best model’s need not be the lowest that is drawn."
)
Rows = list[dict[str, Any]]


def training(subject: Subject) -> Section:
    """Figure 1, and how fast it went."""
    rows = subject.metrics
    if not rows:
        return Section("Training", (note("No update was logged yet."),))
    return Section("Training", (told(subject), losses(subject), *conditions(subject)))


def told(subject: Subject) -> Block:
    """The course of the loss in words."""
    rows, length = subject.metrics, subject.run.config.training.seq_len
    clipped = sum(row.get("clipped", 0) > 0 for row in rows)
    speed = subject.summary.get("updates_per_second")
    return say(
        f"After {counted(subject.updates, 'update')} ({subject.updates / subject.updates_per_epoch:.2f} "
        f"epochs) the smooth loss stands at {loss_words(rows[-1]['smooth_loss'], length)}. "
        f"{still_first(subject.updates)}",
        f"{counted(len(rows), 'update')} of these were logged; in {clipped:,} of them at least one entry of "
        "a gradient was clipped.",
        f" The training made {a_second(speed)} updates a second." if speed else "",
    )


def losses(subject: Subject) -> Figure:
    """The loss of each logged update, and the smooth loss, side by side."""
    rows, length = subject.metrics, subject.run.config.training.seq_len
    unit = f"nats over {length} characters"
    marks = epochs(subject)
    updates = [row["update"] for row in rows]

    def left(axes: Axes) -> None:
        mark_epochs(axes, marks)
        axes.plot(updates, [row["loss"] for row in rows], color=BLUE, **line(rows))

    def right(axes: Axes) -> None:
        mark_epochs(axes, marks)
        axes.plot(updates, [row["smooth_loss"] for row in rows], color=INK, **line(rows, 1.2))
        mark_best(axes, best_smooth(subject.summary), subject.updates)

    ticks = f" Upright lines mark the {counted(len(marks), 'start')} of a new epoch." if marks else ""
    return Figure(
        (
            chart("loss", "Loss of each logged update", "update", unit, left, falls(rows, "loss")),
            chart("smooth-loss", "Smooth loss", "update", unit, right, falls(rows, "smooth_loss")),
        ),
        "Loss functions (loss to the left, smooth loss to the right) over "
        f"{counted(updates[-1], 'update')}.{ticks}",
    )


def falls(rows: Rows, key: str) -> str:
    """From where to where a loss goes."""
    return (
        f"A curve over {counted(rows[-1]['update'], 'update')}: the {key.replace('_', ' ')} goes from "
        f"{rows[0][key]:.1f} to {rows[-1][key]:.1f} nats."
    )


def line(rows: Rows, width: float = 0.6) -> dict[str, Any]:
    """How a curve is drawn: a single row as a point."""
    return {"linewidth": width, "marker": "." if len(rows) == 1 else ""}


def epochs(subject: Subject) -> list[int]:
    """The updates after which the text starts again; none where they are too many to tell apart."""
    found = range(subject.updates_per_epoch, subject.updates, subject.updates_per_epoch)
    return list(found) if len(found) <= MOST_EPOCHS else []


def mark_epochs(axes: Axes, marks: Iterable[int]) -> None:
    """An upright line where the text starts again."""
    for update in marks:
        axes.axvline(update, color=RULE, linewidth=0.6, linestyle=(0, (4, 3)))


def mark_best(axes: Axes, found: tuple[int, float] | None, last: int, digits: int = 2) -> None:
    """The update of the best model and its loss to so many digits, where they are known, in a figure of so
    many updates."""
    if found is None:
        return
    update, best = found
    axes.plot([update], [best], "o", color=RUST, markersize=3.5)
    axes.annotate(
        f"best {best:.{digits}f}\nat {update:,}",
        (update, best),
        textcoords="offset points",
        xytext=(0, 14),
        ha="right" if update > last / 2 else "left",
        color=RUST,
        fontsize=8,
    )


def conditions(subject: Subject) -> list[Block]:
    """The norm of the gradient, the learning rate where it changes, the validation where there is
    one, and the speed, as far as the rows have them."""
    rows = subject.metrics
    names = {"gradient_norm": "Norm of the gradient", "lr": "Learning rate"}
    names |= {"validation": "Validation", "characters_per_second": "Speed"}
    units = {
        "characters_per_second": "1,000 characters a second",
        "lr": "learning rate",
        "gradient_norm": "norm",
    }
    drawn = {}
    for key, title in names.items():
        points = [(row["update"], row[key]) for row in rows if isinstance(row.get(key), int | float)]
        if len({value for _, value in points}) > 1:
            best = best_validation(rows, subject.summary) if key == "validation" else None
            drawn[title] = curve(key, title, points, units.get(key, "nats"), best)
    if not drawn:
        return []
    constant = (
        "" if "Learning rate" in drawn else f" The learning rate was {rows[-1].get('lr', 0):g} throughout."
    )
    compared = COMPARED if "Validation" in drawn else ""
    what = ", ".join(title.lower() for title in drawn)
    return [
        Figure(
            tuple(drawn.values()),
            f"{what[0].upper()}{what[1:]} at the logged updates.{constant}{compared}",
        )
    ]


def curve(
    key: str,
    title: str,
    points: list[tuple[int, float]],
    unit: str,
    best: tuple[int, float] | None = None,
) -> Panel:
    """A figure of the metrics over the updates, and of the best model's among them."""
    scale = 1000 if key == "characters_per_second" else 1

    def draw(axes: Axes) -> None:
        shown = np.array(thinned(points))
        axes.plot(shown[:, 0], shown[:, 1] / scale, color=MUTED, linewidth=0.6)
        mark_best(axes, best, points[-1][0], digits=3)
        if key == "gradient_norm" and shown[:, 1].min() > 0:
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)

    (_, first), (_, last) = points[0], points[-1]
    what = title.lower() if unit in title.lower() else f"{title.lower()} ({unit})"
    alt = f"A curve over the updates: {what}, from {first / scale:.3g} to {last / scale:.3g}."
    return chart(key.replace("_", "-"), title, "update", unit, draw, alt)


def evolution(subject: Subject) -> Section:
    """The samples, the first one from the untrained network."""
    chosen = milestones(subject.samples)
    if not chosen:
        return Section("Evolution", (note("No sample was written yet."),))
    length = subject.run.config.training.sample_length
    return Section(
        "Evolution",
        (
            say(
                f"What the network writes as it learns: {counted(length, 'character')} at update 0 and "
                "after every so many updates, each drawn from the probabilities as they then were.",
                *marks(subject),
            ),
            *(sample(subject, row) for row in chosen),
        ),
    )


def marks(subject: Subject) -> tuple[Any, ...]:
    """What the marks in a passage mean, where there are any."""
    if subject.corpus is None:
        return ()
    if not subject.spaced:
        return (" Words are not marked: the text does not set them apart by spaces.",)
    return (" Words of two letters or more that stand in the training text are ", strong("marked"), ".")


def milestones(samples: Rows) -> Rows:
    """The samples at update 0 and at every 10,000th, with the last; all of them in a shorter run.
    Where they are too many, some of them, evenly."""
    if not samples:
        return []
    rounded = [row for row in samples if row["update"] % EVERY == 0]
    chosen = samples if samples[-1]["update"] < EVERY else rounded
    if chosen and chosen[-1] is not samples[-1]:
        chosen = [*chosen, samples[-1]]
    return thinned(chosen, MOST_SAMPLES - 1)


def sample(subject: Subject, row: dict[str, Any]) -> Passage:
    """A sample with its real words marked."""
    return Passage(
        f"Update {row['update']:,}", subject.marked(row["text"]), words_under(subject, row["text"])
    )


def words_under(subject: Subject, text: str) -> str:
    """How many words of a text are real."""
    real, every = subject.real(text)
    if not (every and subject.corpus and subject.spaced):
        return ""
    return f"{real} of {counted(every, 'word')} real ({percent(real / every)})"


def chosen_by(summary: dict[str, Any], seq_len: int) -> tuple[str | Span, ...]:
    """By which loss the best model was chosen, and this, where it is known; losses are sums over so many
    characters."""
    validation = summary.get("validation")
    if by_validation(summary) and not validation:
        return ("The best model is the one with the lowest loss on what was held out",)
    if summary.get("best_by") == AVERAGE:
        return ("The best model is the mean of the last parameters",)
    if not validation:
        words = loss_words(summary["best_smooth_loss"], seq_len)
        return "The best model is the one with the lowest smooth loss, ", strong(words)
    nats, bits = validation["nats_per_character"], validation["bits_per_character"]
    return (
        "The best model is the one with the lowest loss on what was held out: for all "
        f"{validation['characters']:,} characters of that it needs ",
        strong(f"{nats:.3f} nats, {bits:.3f} bits a character"),
    )


def best_model(subject: Subject) -> Section:
    """Which update, which loss, and what it writes."""
    summary, known = subject.summary, not subject.why_no_summary
    if subject.model is None or (known and summary.get("best_smooth_loss") is None):
        return Section(
            "Best model", (note(f"There is no best model yet: {subject.why_no_model or 'no loss'}."),)
        )
    chosen = chosen_by(summary, subject.run.config.training.seq_len) if known else ()
    reached = f", reached by update {summary['best_update']:,}. " if known else ""
    of = f", of update {summary['best_update']:,}" if known else ""
    return Section(
        "Best model",
        (
            say(*chosen, f"{reached}The {len(subject.passage):,} characters that it writes:"),
            Passage(
                f"The best model{of}",
                subject.marked(subject.passage),
                words_under(subject, subject.passage),
            ),
        ),
    )
