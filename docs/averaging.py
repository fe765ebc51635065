"""Makes docs/averaging.md: whether the mean of the parameters is a better model than the last ones.

`python docs/averaging.py TEXT=UPDATES ...` trains on the first nine tenths of each text as preset fluent
would in so many updates, in float32, with its rate falling to zero, to shares of itself, and not at all;
takes the means over several shares of the updates side by side; and reads the last tenth of the text with
each.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from hornbook import Text, read_text
from hornbook.averaging import EVERY, Average
from hornbook.calibration import possible
from hornbook.cells.cell import Array
from hornbook.engines import ENGINES, Engine, TrainingState
from hornbook.engines.interface import Floats, zero_state
from hornbook.fluent import advise
from hornbook.reading import always
from hornbook.schedules import rates
from hornbook.validation import HeldOut

PAGE = Path(__file__).parent / "averaging.md"
SCHEDULES = ("linear", "linear:0.1", "linear:0.3", "constant")
SHARES = (0.05, 0.1, 0.2, 0.4)  # of the updates, that a mean is over
INTRODUCTION = """# Does the mean of the last parameters write better?

Where the rate falls to zero it does not, for the last parameters have settled, unless a text is read often.
In a short training the mean (`--average`) is better at a rate that falls less or not at all, and better
than what has settled; in a longer one, and in a larger network, the rate has to fall. Where a text is read
often, a mean that goes further back is better: it holds less of what was learnt by heart since. Nats a
character on the last tenth of a text, after trainings on the rest as preset `fluent` chooses them for so
many updates, of the last parameters and of their means. `python docs/averaging.py TEXT=UPDATES …` makes the
rows again.

| text | network | updates | rate | the last | mean, share 0.05 | 0.1 | 0.2 | 0.4 |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def row(text: Text, updates: int, schedule: str) -> str:
    """One training, as a row of the table."""
    asked = {"preset": "fluent", "updates": updates, "validation": 0.1, "dtype": "float32", "average": 0}
    model, training = possible(text, **advise(text, {**asked, "schedule": schedule}).given)
    held_out = HeldOut.of(text.ids, training)
    assert held_out is not None
    ids = text.ids[: held_out.start]
    engine = ENGINES["native"](model, training, TrainingState.initial(model, training, ids), ids)
    means = trained(engine, rates(training, 0, updates, updates))
    found = [nats(engine.with_parameters(mean), held_out) for mean in means]
    network = f"{model.cell.upper()} {model.layers} × {model.hidden}"
    figures = " | ".join(f"{figure:.4f}" for figure in found)
    return f"| {text.name} | {network} | {updates:,} | {schedule} | {figures} |"


def trained(engine: Engine, due: Floats) -> Iterator[Array]:
    """Train at these rates; the last parameters (P,), and the means."""
    averages = [Average(share, engine.current()) for share in SHARES]
    for done in range(0, len(due), EVERY):
        engine.advance(due[done : done + EVERY])
        for average in averages:
            average.take(done + EVERY, engine.current())
    yield engine.current()
    for average in averages:
        yield average.parameters


def nats(engine: Engine, held_out: HeldOut) -> float:
    """What it needs for a character of all that is held out."""
    state = zero_state(engine.model, 1, engine.dtype)
    return held_out.whole(engine, state, always).nats_per_character


def main() -> None:
    """Train on each of the texts, and write the page."""
    made = []
    for asked in sys.argv[1:]:
        name, _, updates = asked.rpartition("=")
        for schedule in SCHEDULES:
            made.append(row(read_text(name), int(updates), schedule))
            print(made[-1], flush=True)
    PAGE.write_text(INTRODUCTION + "\n".join([*made, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
