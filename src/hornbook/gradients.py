"""The gradient check: every entry of an engine's gradients against two numerical ones.

How these are found stands in `perturbation`. At the classic initial values every tanh' is nearly 1, which
hides faults. So there are two cases: as the recipe has it, and at scale 0.1 in all parameters with a state
that is not zero.

    H hidden units   T characters   L layers   S states of the cell
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from hornbook.cells.cell import Array
from hornbook.config import ModelSettings, TrainingSettings, cores
from hornbook.engines import ENGINES, TrainingState
from hornbook.engines.interface import Integers, zero_state
from hornbook.errors import SettingError
from hornbook.markup import table
from hornbook.parameters import count, initial, shapes
from hornbook.perturbation import (
    DIFFERENCE_STEP,
    Case,
    batches,
    by_complex_step,
    by_differences,
    disturbed,
    enters_the_loss,
)
from hornbook.philox import CHECK, Source
from hornbook.streams import Streams
from hornbook.text import Text, check_text
from hornbook.verdicts import NOTES, ROUNDING, ROW_HEADINGS, Numbers, Row, compared

HARD_SCALE = 0.1
ORDERLY = 100  # hidden units up to which this scale serves
ALL_UP_TO = 50_000  # entries; larger networks are sampled
SAMPLED = 2_000  # entries of a parameter
QUICK, FEWEST = 8e9, 10  # multiplications of a quick check, some ten seconds; entries of a parameter
DISTURBED = (100, 101)  # the streams of random numbers of disturbances

Way = Callable[[Case, str, Integers], Array]  # a numerical gradient


@dataclass(frozen=True)
class GradientCheck:
    """The rows of a check, and what was checked."""

    rows: tuple[Row, ...]
    engine: str
    model: ModelSettings
    seq_len: int

    @property
    def passed(self) -> bool:
        """Whether every row keeps its limits."""
        return all(row.passed for row in self.rows)

    @property
    def wrong(self) -> bool:
        """Whether a row is out of its limits; one that is too chaotic to be checked is not passed either."""
        return any(row.wrong for row in self.rows)

    def _repr_html_(self) -> str:
        """The check in a notebook: a table a case."""
        cases = dict.fromkeys(row.case for row in self.rows)
        words = {case: [row.words() for row in self.rows if row.case == case] for case in cases}
        title = f"Gradients of the {self.engine} engine, {self.model.cell}, T {self.seq_len}"
        tables = [table(f"{title}: {case}", ROW_HEADINGS, rows) for case, rows in words.items()]
        return "\n".join([*tables, *(f"<p>{verdict} {note}</p>" for verdict, note in self.notes.items())])

    @property
    def notes(self) -> dict[str, str]:
        """What is to be said of verdicts that are no plain yes or no."""
        verdicts = {row.verdict for row in self.rows}
        return {verdict: note for verdict, note in NOTES.items() if verdict in verdicts}


def check_settings(model: object, training: object) -> None:
    """Raise SettingError unless these are the settings of a network and of its training."""
    if not (isinstance(model, ModelSettings) and isinstance(training, TrainingSettings)):
        got = f"{type(model).__name__} and {type(training).__name__}"
        raise SettingError(
            f"expected ModelSettings and TrainingSettings, as hornbook.settings gives them; got {got}"
        )


def check_gradients(
    text: Text,
    model: ModelSettings,
    training: TrainingSettings,
    everything: bool = False,
    told: Callable[[str, int, int], object] = lambda *_: None,
    quick: bool = False,
) -> GradientCheck:
    """Check the gradients of `training.engine` in float64 on the first T characters of a text.

    Networks of more than 50,000 parameters are checked on a seeded sample of 2,000 entries a parameter
    unless `everything` is asked for; a `quick` check takes fewer where these would take minutes.
    `told(what, done, total)` hears which gradient is being checked, in which case, and of the entries done in
    all. Raises TextError for what is no Text, or one
    shorter than T + 1, and SettingError for what are no settings.
    """
    check_text(text)
    check_settings(model, training)
    x, y = Streams(len(text), training.seq_len).read(text.ids, 0)
    training = replace(training, dtype="float64", objective="sum", streams=1)
    cases = [recipe(model, training, x, y), hard(model, training, x, y)]
    whole = everything or count(model) <= ALL_UP_TO
    chosen = choose(model, training.seed, x, count(model) if whole else SAMPLED)
    if quick and (share := QUICK / work(model, x, chosen)) < 1:
        most = share * max(len(entries) for entries in chosen.values())
        chosen = choose(model, training.seed, x, max(FEWEST, int(most)))
    total = len(cases) * sum(len(entries) for entries in chosen.values())
    rows: list[Row] = []
    done, what = 0, ""

    def tell(more: int) -> None:
        nonlocal done
        done += more
        told(what, done, total)

    for case in cases:
        state = TrainingState.of_parameters(case.parameters, model, training)
        engine = ENGINES[training.engine](model, training, state)
        with np.errstate(all="ignore"):  # what is not finite is found by its value
            loss, analytic, *_ = engine.loss_and_gradients(x, y, case.state)
        largest = {key: float(np.abs(g).max()) for key, g in analytic.items()}
        rounding = ROUNDING * min(len(x), max(largest.values()))  # explosion is no excuse for V
        doubtful = [disturbed(case, Source(training.seed, CHECK).generator(n)) for n in DISTURBED]
        for key, entries in chosen.items():
            what = f"gradient of {key}, {case.label} case"
            tell(0)  # before the first entries are done, which may take long
            numbers = numerical(case, key, entries, doubtful, tell)
            expected = analytic[key].ravel()[entries]
            rows.append(compared(case.label, key, expected, numbers, loss, largest[key], rounding))
    return GradientCheck(tuple(rows), training.engine, model, training.seq_len)


def recipe(model: ModelSettings, training: TrainingSettings, x: Integers, y: Integers) -> Case:
    """The network as training starts it."""
    parameters = initial(model, training, "float64")
    return Case("recipe", model, parameters, x, y, zero_state(model, 1, "float64"))


def hard(model: ModelSettings, training: TrainingSettings, x: Integers, y: Integers) -> Case:
    """A network that is far from linear, read from a state that is not zero."""
    source = Source(training.seed, CHECK)
    scale = HARD_SCALE * min(1.0, math.sqrt(ORDERLY / model.hidden))  # larger W are chaotic at 0.1
    parameters = scale * source.generator(0).standard_normal(count(model))
    state = zero_state(model, 1, "float64")
    state += source.generator(1).uniform(-0.5, 0.5, state.shape)
    return Case("hard", model, parameters, x, y, state)


def choose(model: ModelSettings, seed: int, x: Integers, most: int) -> dict[str, Integers]:
    """The entries of each parameter that are checked, `most` at most, as places in the flattened array.

    In a sample, half of the entries of U lie in rows that the characters read: all other gradients of
    U are zero.
    """
    chosen: dict[str, Integers] = {}
    for place, (key, shape) in enumerate(shapes(model).items()):
        size = int(np.prod(shape))
        if size <= most:
            chosen[key] = np.arange(size)
            continue
        generator = Source(seed, CHECK).generator(2 + place)
        pools = [np.arange(size)]
        if key == "U":
            read = np.unique(x)[:, None] * shape[1] + np.arange(shape[1])
            pools = [read.ravel(), np.setdiff1d(pools[0], read)]
        share = most // len(pools)
        picks = [generator.choice(pool, min(share, len(pool)), replace=False) for pool in pools]
        chosen[key] = np.sort(np.concatenate(picks))
    return chosen


def work(model: ModelSettings, x: Integers, chosen: dict[str, Integers]) -> int:
    """The multiplications in which numerical gradients read the text once: a network for each entry of U
    that is read, W or b. Those of V and c cost next to nothing."""
    size, width = np.prod(shapes(model)["U"]), shapes(model)["U"][1]
    networks = sum(len(entries) for key, entries in chosen.items() if key not in ("U", "V", "c"))
    networks += np.isin(chosen["U"] // width, x).sum()
    return int(networks * len(x) * (count(model) - size))


def numerical(
    case: Case, key: str, entries: Integers, doubtful: list[Case], tell: Callable[[int], None]
) -> Numbers:
    """The gradients of one parameter by differences and by the complex step, and those by which they may be
    doubted, the complex step's in `doubtful` networks."""

    def quietly(_: int) -> None:
        """What is computed once more has been told."""

    def wider(case: Case, key: str, entries: Integers) -> Array:
        return by_differences(case, key, entries, 2 * DIFFERENCE_STEP)

    differences, complex_steps = gradients_by((by_differences, by_complex_step), case, key, entries, tell)
    return Numbers(
        differences,
        complex_steps,
        lambda: gradients_by((wider,), case, key, entries, quietly)[0],
        lambda: np.array([gradients_by((by_complex_step,), c, key, entries, quietly)[0] for c in doubtful]),
    )


def gradients_by(
    ways: tuple[Way, ...], case: Case, key: str, entries: Integers, tell: Callable[[int], None]
) -> Array:  # (ways, M)
    """The gradients of one parameter in numerical ways."""
    found = np.zeros((len(ways), len(entries)))
    used = np.flatnonzero(enters_the_loss(case, key, entries))

    def work(part: slice) -> int:
        with np.errstate(all="ignore"):
            for gradients, way in zip(found, ways, strict=True):
                gradients[used[part]] = way(case, key, entries[used[part]])
        return len(used[part])

    with threadpool_limits(1), ThreadPoolExecutor(cores()) as pool:
        for more in pool.map(work, batches(case, key, len(used))):
            tell(more)
    tell(len(entries) - len(used))
    return found
