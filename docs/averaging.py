"""Makes docs/averaging.md: whether the mean of the weights over the end of a training is a better model.

`python docs/averaging.py TEXT ...` trains on each text as preset fluent would, in float32, once with its rate
falling to zero and once with it staying as it is, takes the mean of the parameters after every tenth update
of the last 5, 10, 20 and 40 % of the updates, and reads the last tenth of the text with each.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hornbook import Text, read_text
from hornbook.calibration import possible
from hornbook.cells.cell import Array
from hornbook.engines import ENGINES, Engine, TrainingState
from hornbook.engines.interface import Floats, zero_state
from hornbook.fluent import advise
from hornbook.schedules import rates
from hornbook.scoring import always
from hornbook.validation import HeldOut

PAGE = Path(__file__).parent / "averaging.md"
LENGTHS = (1000,)  # updates
SHARES = (0.05, 0.1, 0.2, 0.4)  # of them, that a mean is over
EVERY = 10  # updates
INTRODUCTION = """# Does the mean of the last weights write better?

Where the rate falls to zero it does not. Where the rate stays as it is, it does, and by more than the fall is
worth. Nats a character on the last tenth of a text, after trainings as preset `fluent` chooses them for so
many updates, of the last parameters and of the mean of those after every tenth update of the last part.
`python docs/averaging.py TEXT …` makes the table again.

| text | network | updates | rate | the last | mean of the last 5 % | 10 % | 20 % | 40 % |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def row(text: Text, updates: int, schedule: str) -> str:
    """One training, as a row of the table."""
    asked = {"preset": "fluent", "updates": updates, "validation": 0.1, "dtype": "float32"}
    model, training = possible(text, **advise(text, {**asked, "schedule": schedule}).given)
    engine = ENGINES["native"](model, training, TrainingState.initial(model, training, text.ids), text.ids)
    held_out = HeldOut.of(text.ids, training)
    assert held_out is not None
    means = trained(engine, rates(training, 0, updates, updates))
    found = [nats(engine.with_parameters(mean), held_out) for mean in means]
    network = f"{model.cell.upper()} {model.layers} × {model.hidden}"
    figures = " | ".join(f"{figure:.4f}" for figure in found)
    return f"| {text.name} | {network} | {updates:,} | {schedule} | {figures} |"


def trained(engine: Engine, due: Floats) -> Iterator[Array]:
    """Train at these rates; the last parameters (P,), and the means."""
    kept = []
    for done in range(0, len(due), EVERY):
        engine.advance(due[done : done + EVERY])
        if done >= (1 - max(SHARES)) * len(due):
            kept.append(engine.get_state().parameters)
    yield kept[-1]
    for share in SHARES:
        yield np.mean(kept[-round(share * len(due)) // EVERY :], axis=0)


def nats(engine: Engine, held_out: HeldOut) -> float:
    """What it needs for a character of all that is held out."""
    state = zero_state(engine.model, 1, engine.dtype)
    return held_out.whole(engine, state, always).nats_per_character


def main() -> None:
    """Train on each of the texts, and write the page."""
    made = [
        row(read_text(name), updates, schedule)
        for name in sys.argv[1:]
        for updates in LENGTHS
        for schedule in ("linear", "constant")
    ]
    PAGE.write_text(INTRODUCTION + "\n".join([*made, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
