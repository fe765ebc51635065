"""The section Inside: the hidden units that follow something a person can name, as coloured text."""

from __future__ import annotations

import numpy as np

from hornbook.report.document import TONES, Block, Passage, Section, Span, Spans, Table, note, runs_of, say
from hornbook.report.subject import Subject
from hornbook.units import Floats, Inside, UnitFinding, features

READ = 20_000  # characters
SHOWN = 480
COLOURED = 4  # units
SHORTEST = 100


def inside(subject: Subject) -> Section:
    """The table of features and their units, and the closest units over a passage."""
    text, model = subject.last_symbols[:READ], subject.model
    if model is None or len(text) < SHORTEST:
        why = subject.why_no_model if model is None else subject.why_no_text or "the text is too short"
        return Section("Inside", (note(f"Nothing to look into: {why}."),))
    hidden = model.hidden(text)
    found = Inside.look(text, hidden)
    return Section("Inside", tuple(blocks(found, text, hidden)))


def blocks(found: Inside, text: str, hidden: Floats) -> list[Block]:
    """What is said of the units."""
    best = top(found)
    told: list[Block] = [
        say(
            f"Each of the {hidden.shape[1]} hidden units is a number between −1 and 1 that changes with "
            f"every character. Over {len(text):,} characters from the text’s last tenth on, these follow "
            "something that a person can name most closely, by Pearson’s correlation r:"
        ),
        Table(
            "What units follow. A negative r: the unit falls where the feature rises.",
            ("feature", "unit", "r", "unit", "r"),
            tuple(row for feature in found.features if (row := cells(found, feature))),
        ),
    ]
    if best:
        told.append(
            say(
                "The closest of them, as they read; the colour is the unit’s value after each character:",
                *LEGEND,
            )
        )
    return told + [coloured(finding, text, hidden[:, finding.unit]) for finding in best]


LEGEND = (
    " ", Span("−1", tone=-TONES), " ", Span("−½", tone=-TONES // 2), " ", Span("0", tone=0), " ",
    Span("½", tone=TONES // 2), " ", Span("1", tone=TONES),
)  # fmt: skip


def cells(found: Inside, feature: str) -> tuple[str, ...]:
    """The two units that follow a feature most closely; nothing where none does."""
    units = found.units(feature, 2)
    pairs = [
        cell for unit in units for cell in (f"{unit.unit}", f"{unit.correlation:+.2f}".replace("-", "−"))
    ]
    return (feature, *pairs, *[""] * (4 - len(pairs))) if pairs else ()


def top(found: Inside) -> list[UnitFinding]:
    """The closest units, each of them and each feature once."""
    chosen: list[UnitFinding] = []
    for finding in sorted(found.best(3), key=lambda finding: -abs(finding.correlation)):
        new = finding.unit not in [f.unit for f in chosen] and finding.feature not in [
            f.feature for f in chosen
        ]
        if new and len(chosen) < COLOURED:
            chosen.append(finding)
    return chosen


def coloured(finding: UnitFinding, text: str, unit: Floats) -> Passage:  # (N,)
    """A unit over the stretch of the text in which its feature changes most."""
    start = liveliest(features(text)[finding.feature])
    start += text[start : start + SHOWN // 4].find("\n") + 1
    part = slice(start, start + SHOWN)
    r = f"{finding.correlation:+.2f}".replace("-", "−")
    return Passage(
        f"Unit {finding.unit} follows “{finding.feature}” (r = {r})",
        toned(text[part], unit[part]),
        name=f"unit-{finding.unit}",
    )


def liveliest(feature: Floats) -> int:  # (N,)
    """Where the stretch with the greatest variance of a feature begins."""
    last = max(1, len(feature) - SHOWN)
    return max(range(0, last, SHOWN // 4), key=lambda i: float(np.var(feature[i : i + SHOWN])))


def toned(text: str, unit: Floats) -> Spans:  # (N,)
    """A text in the tones of a unit's values."""
    tones = np.rint(TONES * np.clip(unit, -1, 1)).astype(int).tolist()
    return tuple(Span(piece, tone=tone) for piece, tone in runs_of(text, tones))
