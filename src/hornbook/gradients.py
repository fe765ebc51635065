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
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from hornbook.cells.cell import Array
from hornbook.config import ModelSettings, TrainingSettings, cores
from hornbook.engines import ENGINES, TrainingState
from hornbook.engines.interface import Integers, zero_state
from hornbook.errors import SettingError
from hornbook.markup import table
from hornbook.parameters import count, initial, shapes
from hornbook.perturbation import Case, batches, by_complex_step, by_differences, enters_the_loss
from hornbook.philox import CHECK, Source
from hornbook.streams import Streams
from hornbook.text import Text, check_text

CLOSE = 1e-6  # what the share of good entries is counted by
DIFFERENCE_LIMIT = 1e-9  # absolute, for a loss up to 100 nats; it grows with the loss
COMPLEX_LIMIT = 1e-13  # relative to the parameter's largest gradient
ROUNDING = 1e-15  # relative to the largest gradient of all: where a parameter's own cancel, no error
HARD_SCALE = 0.1
ORDERLY = 100  # hidden units up to which this scale serves
ALL_UP_TO = 50_000  # entries; larger networks are sampled
SAMPLED = 2_000  # entries of a parameter
QUICK, FEWEST = 8e9, 10  # multiplications of a quick check, some ten seconds; entries of a parameter

ROW_HEADINGS = ("gradient", "entries", "≤ 1e-6", "differences", "rel.", "complex", "rel.", "passes")


@dataclass(frozen=True)
class Row:
    """The errors of one parameter's gradient in one case. Relative errors are the largest absolute
    error over the largest gradient of the parameter."""

    case: str  # "recipe" or "hard"
    parameter: str
    entries: int
    share_within: float  # of the entries, with an absolute error of at most 1e-6
    max_abs_difference: float
    max_rel_difference: float
    max_abs_complex: float
    max_rel_complex: float
    limit: float  # of max_abs_difference
    passed: bool

    def record(self) -> dict[str, Any]:
        """The row as it stands in JSON."""
        record = asdict(self)
        record["share_within_1e-6"] = record.pop("share_within")
        return record

    def words(self) -> list[str]:
        """The row as it is shown, under ROW_HEADINGS."""
        errors = (
            self.max_abs_difference,
            self.max_rel_difference,
            self.max_abs_complex,
            self.max_rel_complex,
        )
        return [
            self.parameter,
            f"{self.entries:,}",
            f"{100 * self.share_within:.4g} %",
            *(f"{error:.1e}" for error in errors),
            "yes" if self.passed else "no",
        ]


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

    def _repr_html_(self) -> str:
        """The check in a notebook: a table a case."""
        cases = dict.fromkeys(row.case for row in self.rows)
        words = {case: [row.words() for row in self.rows if row.case == case] for case in cases}
        title = f"Gradients of the {self.engine} engine, {self.model.cell}, T {self.seq_len}"
        return "\n".join(table(f"{title}: {case}", ROW_HEADINGS, rows) for case, rows in words.items())


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
        loss, analytic, *_ = engine.loss_and_gradients(x, y, case.state)
        largest = {key: float(np.abs(g).max()) for key, g in analytic.items()}
        rounding = ROUNDING * max(largest.values())
        for key, entries in chosen.items():
            what = f"gradient of {key}, {case.label} case"
            tell(0)  # before the first entries are done, which may take long
            numbers = numerical(case, key, entries, tell)
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
    case: Case, key: str, entries: Integers, tell: Callable[[int], None]
) -> tuple[Array, Array]:  # (M,) each
    """The gradients of one parameter by differences and by the complex step."""
    differences, complex_steps = np.zeros((2, len(entries)))
    used = np.flatnonzero(enters_the_loss(case, key, entries))

    def work(part: slice) -> int:
        differences[used[part]] = by_differences(case, key, entries[used[part]])
        complex_steps[used[part]] = by_complex_step(case, key, entries[used[part]])
        return len(used[part])

    with threadpool_limits(1), ThreadPoolExecutor(cores()) as pool:
        for more in pool.map(work, batches(case, key, len(used))):
            tell(more)
    tell(len(entries) - len(used))
    return differences, complex_steps


def compared(
    label: str,
    key: str,
    expected: Array,  # (M,)
    numbers: tuple[Array, Array],  # (M,) by differences, by the complex step
    loss: float,
    largest: float,
    rounding: float,
) -> Row:
    """The row of one parameter: its analytic gradient beside the numerical ones. `largest` is its largest
    gradient; an error below `rounding` is none."""
    differences, complex_steps = (np.abs(expected - found) for found in numbers)
    difference, step = float(differences.max()), float(complex_steps.max())
    limit = DIFFERENCE_LIMIT * max(1.0, loss / 100)
    return Row(
        label,
        key,
        len(expected),
        float((differences <= CLOSE).mean()),
        difference,
        relative_to(difference, largest),
        step,
        relative_to(step, largest),
        limit,
        difference <= limit and step <= max(COMPLEX_LIMIT * largest, rounding),
    )


def relative_to(error: float, largest: float) -> float:
    """The error relative to the largest gradient; where all gradients are zero, the error itself."""
    return error / largest if largest else error
