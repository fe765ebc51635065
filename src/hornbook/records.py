"""Records: what the JSON of a run has to hold, so that whoever reads it need not look again.

Numbers are such that they can be printed and drawn; whole ones have a limit, since JSON has none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hornbook.rows import Check

LARGEST = 2**63 - 1  # of a whole number, as TOML has it
WHOLE, NUMBER, MAYBE, TEXT, TRUTH = (
    "a whole number from 0",
    "a finite number",
    "a finite number or null",
    "a text",
    "true or false",
)
Form = Mapping[str, str]  # what a record has under each key
BEST_MODEL = "best"  # in the last sample of a run that has ended: the model that wrote it

METRIC: Form = {
    "update": WHOLE, "epoch": NUMBER, "loss": NUMBER, "smooth_loss": NUMBER, "lr": NUMBER,
    "gradient_norm": NUMBER, "clipped": WHOLE, "seconds": NUMBER, "characters_per_second": NUMBER,
}  # fmt: skip
EVALUATED: Form = {**METRIC, "validation": NUMBER}  # where that was measured
SAMPLE: Form = {"update": WHOLE, "text": TEXT, "model": TEXT}
STEP: Form = {"update": WHOLE, "remaining": WHOLE}
ASKED: Form = {"until": NUMBER, "ended": TRUTH}  # where a training was given more time or updates
SOURCE: Form = {"path": TEXT, "bytes": WHOLE, "sha256": TEXT, "characters": WHOLE}
VALIDATION: Form = {"nats_per_character": NUMBER, "characters": WHOLE, "bits_per_character": NUMBER}
GRADIENT: Form = {
    "case": TEXT, "parameter": TEXT, "entries": WHOLE, "share_within": NUMBER, "max_abs_difference": NUMBER,
    "max_rel_difference": NUMBER, "max_abs_complex": NUMBER, "max_rel_complex": NUMBER, "limit": NUMBER,
    "limit_complex": NUMBER, "judged_by": TEXT, "passed": TRUTH,
}  # fmt: skip
BEST_BY: Form = {"best_by": TEXT}  # which the summaries of earlier versions do not have
SUMMARY: Form = {
    "text": TEXT, "characters": WHOLE, "vocabulary": WHOLE, "cell": TEXT, "hidden": WHOLE, "layers": WHOLE,
    "parameters": WHOLE, "preset": TEXT, "optimizer": TEXT, "updates": WHOLE, "epochs": NUMBER,
    "seq_len": WHOLE, "streams": WHOLE, "characters_read": WHOLE, "seconds": NUMBER,
    "updates_per_second": NUMBER, "characters_per_second": NUMBER, "first_loss": MAYBE,
    "last_smooth_loss": MAYBE, "best_smooth_loss": MAYBE, "best_update": WHOLE,
    "best_nats_per_character": MAYBE, "best_bits_per_character": MAYBE, "engine": TEXT, "dtype": TEXT,
    "seed": WHOLE, "python": TEXT, "finished": TRUTH, "stopped_early": TRUTH,
}  # fmt: skip


def check(record: object, form: Form) -> None:
    """Raise ValueError unless a record has all that its form names."""
    if not isinstance(record, Mapping):
        raise ValueError("it is no record")
    for key, kind in form.items():
        if key not in record or not is_a(kind, record[key]):
            raise ValueError(f"{key} is missing or not {kind}")


def is_a(kind: str, value: object) -> bool:
    """Whether a value is of a kind."""
    if value is None or isinstance(value, bool):
        return kind == (MAYBE if value is None else TRUTH)
    if isinstance(value, int):
        low = 0 if kind == WHOLE else -LARGEST
        return kind in (WHOLE, NUMBER, MAYBE) and low <= value <= LARGEST
    if isinstance(value, float):
        return kind in (NUMBER, MAYBE) and math.isfinite(value)
    return isinstance(value, str) and kind == TEXT


def kept(record: Mapping[str, Any], form: Form) -> dict[str, Any]:
    """What a record has to hold by its form, without anything else. Raises ValueError."""
    check(record, form)
    return {key: record[key] for key in form}


def check_metric(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of metrics. Raises ValueError for what is none."""
    return kept(row, EVALUATED if "validation" in row else METRIC)


def check_sample(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of samples. Raises ValueError for what is none."""
    return kept(row, SAMPLE)


def rising(check: Check, until: int | None = None) -> Check:
    """A check of all rows of a file in turn, by that of each: their updates rise, and only the text by the
    best model, the last row, is of any update. Raises ValueError for what is out of turn too, and for what
    comes after a checkpoint of the update `until`, where that is given."""
    before, ended = -1, False

    def check_next(row: dict[str, Any]) -> dict[str, Any]:
        nonlocal before, ended
        row = check(row)
        if ended:
            raise ValueError("it comes after the text by the best model, which is the last row")
        ended = row.get("model") == BEST_MODEL
        if not ended and row["update"] <= before:
            raise ValueError(f"its update is {row['update']:,}, and that of the row before it {before:,}")
        if until is not None and (ended or row["update"] > until):
            raise ValueError("it was written after the checkpoint, so that rows before it are lost")
        before = row["update"]
        return row

    return check_next


def check_step(row: Mapping[str, Any]) -> dict[str, Any]:
    """A step of a plan. Raises ValueError for what is none."""
    step = kept(row, {**STEP, **{key: form for key, form in ASKED.items() if key in row}})
    if strange := sorted(set(row) - set(step)):
        raise ValueError(f"{strange[0]!r} is no key of a step")
    return step


def check_summary(summary: object) -> None:
    """Raise ValueError for what is no summary."""
    check(summary, SUMMARY)
    assert isinstance(summary, Mapping)
    if "best_by" in summary:
        check(summary, BEST_BY)
    if summary.get("validation") is not None:
        check(summary["validation"], VALIDATION)
