"""The gradient check: every entry of an engine's gradients against two numerical ones.

Central differences are taken at each time step and then summed, which is several times more exact
than differencing the sum. They are of fourth order, `(8 (f(θ + h) - f(θ - h)) - (f(θ + 2h) - f(θ - 2h)))
/ 12h`. The second-order form is cut off at h²/6 of the third derivative: in the hard case below 5e-9 at
T = 25 and 4e-8 at T = 100 for h = 3e-5, more than the limit allows, for a gradient that is right. This
one can take h ten times larger and is exact to 6e-11 there. The complex step `Im f(θ + iε) / ε` has no
cancellation and agrees to the last digits (Squire and Trapp, SIAM Review 40, 1998). Both go through the
reference's walk in time, many perturbed networks side by side: entry m of a batch is changed in row m
alone.

At the classic initial values every tanh' is nearly 1, which hides faults. So there are two cases: as
the recipe has it, and at scale 0.1 in all parameters with a state that is not zero.

    K symbols   H hidden units   G gates   T characters   L layers   M entries of a batch
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from hornbook.cells import CELLS
from hornbook.cells.cell import Array
from hornbook.config import ModelSettings, TrainingSettings
from hornbook.engines import ENGINES, TrainingState
from hornbook.engines.interface import Integers, zero_state
from hornbook.engines.reference import nats, walk
from hornbook.markup import table
from hornbook.parameters import count, initial, name, shapes, views
from hornbook.philox import CHECK, Source
from hornbook.streams import Streams
from hornbook.text import Text

DIFFERENCE_STEP = 3e-4  # of fourth order: rounding costs 2e-11 to 6e-11, the cut-off less
COMPLEX_STEP = 1e-20
CLOSE = 1e-6  # what the share of good entries is counted by
DIFFERENCE_LIMIT = 1e-9  # absolute, for a loss up to 100 nats; it grows with the loss
COMPLEX_LIMIT = 1e-13  # relative to the parameter's largest gradient
HARD_SCALE = 0.1
ORDERLY = 100  # hidden units up to which this scale serves
ALL_UP_TO = 50_000  # entries; larger networks are sampled
SAMPLED = 2_000  # entries of a parameter
BATCH_NUMBERS = 500_000  # numbers in a batch's largest array


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


@dataclass(frozen=True)
class Case:
    """A network in float64, the characters it reads, and the state it reads them from."""

    label: str
    model: ModelSettings
    parameters: Array  # (P,)
    x: Integers  # (T, 1)
    y: Integers  # (T, 1)
    state: Array  # (L, S, 1, H)

    @cached_property
    def named(self) -> dict[type, dict[str, Array]]:
        """The parameters by name, in real and in complex numbers."""
        return {kind: views(self.model, self.parameters.astype(kind)) for kind in (float, complex)}


def check_gradients(
    text: Text,
    model: ModelSettings,
    training: TrainingSettings,
    everything: bool = False,
    told: Callable[[int, int], None] | None = None,
) -> GradientCheck:
    """Check the gradients of `training.engine` in float64 on the first T characters of a text.

    Networks of more than 50,000 parameters are checked on a seeded sample of 2,000 entries a parameter
    unless `everything` is asked for. `told(done, total)` hears of the entries checked. Raises TextError
    for a text shorter than T + 1.
    """
    x, y = Streams(len(text), training.seq_len).read(text.ids, 0)
    training = replace(training, dtype="float64", objective="sum", streams=1)
    cases = [recipe(model, training, x, y), hard(model, training, x, y)]
    chosen = choose(model, training.seed, x, everything)
    total = len(cases) * sum(len(entries) for entries in chosen.values())
    rows: list[Row] = []
    done = 0

    def tell(more: int) -> None:
        nonlocal done
        done += more
        if told:
            told(done, total)

    for case in cases:
        state = TrainingState.of_parameters(case.parameters, model, training)
        engine = ENGINES[training.engine](model, training, state)
        loss, analytic, *_ = engine.loss_and_gradients(x, y, case.state)
        for key, entries in chosen.items():
            rows.append(check_parameter(case, key, entries, analytic[key].ravel(), loss, tell))
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


def choose(model: ModelSettings, seed: int, x: Integers, everything: bool) -> dict[str, Integers]:
    """The entries of each parameter that are checked, as places in the flattened array.

    In a sample, half of the entries of U lie in rows that the characters read: all other gradients of
    U are zero.
    """
    chosen: dict[str, Integers] = {}
    whole = everything or count(model) <= ALL_UP_TO
    for place, (key, shape) in enumerate(shapes(model).items()):
        size = int(np.prod(shape))
        if whole or size <= SAMPLED:
            chosen[key] = np.arange(size)
            continue
        generator = Source(seed, CHECK).generator(2 + place)
        pools = [np.arange(size)]
        if key == "U":
            read = np.unique(x)[:, None] * shape[1] + np.arange(shape[1])
            pools = [read.ravel(), np.setdiff1d(pools[0], read)]
        share = SAMPLED // len(pools)
        picks = [generator.choice(pool, min(share, len(pool)), replace=False) for pool in pools]
        chosen[key] = np.sort(np.concatenate(picks))
    return chosen


def check_parameter(
    case: Case,
    key: str,
    entries: Integers,
    analytic: Array,  # (entries of the parameter,)
    loss: float,
    tell: Callable[[int], None],
) -> Row:
    """The row of one parameter."""
    differences = np.zeros(len(entries))
    complex_steps = np.zeros(len(entries))
    used = np.flatnonzero(enters_the_loss(case, key, entries))

    def work(part: slice) -> int:
        differences[used[part]] = by_differences(case, key, entries[used[part]])
        complex_steps[used[part]] = by_complex_step(case, key, entries[used[part]])
        return len(used[part])

    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        for more in pool.map(work, batches(case, len(used))):
            tell(more)
    tell(len(entries) - len(used))
    expected = analytic[entries]
    largest = float(np.abs(analytic).max())
    difference = float(np.abs(expected - differences).max())
    step = float(np.abs(expected - complex_steps).max())
    close = np.abs(expected - differences) <= CLOSE
    limit = DIFFERENCE_LIMIT * max(1.0, loss / 100)
    relative = relative_to(step, largest)
    return Row(
        case.label,
        key,
        len(entries),
        float(close.mean()),
        difference,
        relative_to(difference, largest),
        step,
        relative,
        limit,
        bool(difference <= limit and relative <= COMPLEX_LIMIT),
    )


def enters_the_loss(case: Case, key: str, entries: Integers) -> npt.NDArray[np.bool_]:
    """Whether the loss reads an entry at all: the rows of U of other characters it does not, so there
    both numerical gradients are exactly zero."""
    if key != "U":
        return np.ones(len(entries), dtype=bool)
    return np.isin(entries // shapes(case.model)[key][1], case.x)


def relative_to(error: float, largest: float) -> float:
    """The error relative to the largest gradient; where all gradients are zero, the error itself."""
    return error / largest if largest else error


def batches(case: Case, entries: int) -> Iterator[slice]:
    """Parts of the entries, small enough for the cache."""
    T, widest = len(case.x), max(case.model.vocabulary, case.model.hidden)
    size = max(1, BATCH_NUMBERS // (T * widest))
    return (slice(at, at + size) for at in range(0, entries, size))


def by_differences(case: Case, key: str, entries: Integers) -> npt.NDArray[np.float64]:  # (M,)
    """The gradient by central differences, taken at each time step and then summed."""

    def across(h: float) -> Array:  # (T, M)
        above, below = (perturbed_losses(case, key, entries, step) for step in (h, -h))
        return np.asarray(above - below)

    h = DIFFERENCE_STEP
    return np.asarray((8 * across(h) - across(2 * h)).sum(axis=0) / (12 * h))


def by_complex_step(case: Case, key: str, entries: Integers) -> npt.NDArray[np.float64]:  # (M,)
    """The gradient by the complex step."""
    losses = perturbed_losses(case, key, entries, COMPLEX_STEP * 1j)
    return np.asarray(losses.imag.sum(axis=0) / COMPLEX_STEP)


def perturbed_losses(case: Case, key: str, entries: Integers, step: complex) -> Array:  # (T, M)
    """The loss of each character in M networks, in each of which one entry of parameter `key` is larger
    by `step`. What the entry does not touch is computed once for all of them."""
    named = case.named[type(step)]
    places = np.unravel_index(entries, shapes(case.model)[key])
    below: Array = case.x  # (T, 1)
    for layer in range(case.model.layers):
        below = perturbed_layer(case, named, layer, below, key, places, step)
    o = below @ named["V"]  # (T, 1 or M, K)
    o += named["c"]
    if key in ("V", "c"):
        factor = below[:, 0, places[0]] if key == "V" else 1  # h of o = h V + c
        return changed_column(o[:, 0], case.y[:, 0], places[-1], step * factor)
    return nats(o, np.broadcast_to(case.y, o.shape[:2]))


def changed_column(o: Array, y: Integers, columns: Integers, amount: Any) -> Array:  # (T, M)
    """The losses from o (T, K) when in network m one column of it is larger by an amount (T, M): of
    the sum in logsumexp, all but one term stays."""
    top = o.real.max(axis=1, keepdims=True)
    terms = np.exp(o - top)
    rest = terms.sum(axis=1, keepdims=True) - terms[:, columns]
    chosen = np.take_along_axis(o, y[:, None], axis=1) + amount * (y[:, None] == columns)
    return np.asarray(np.log(rest + np.exp(o[:, columns] - top + amount)) + top - chosen)


def perturbed_layer(
    case: Case,
    named: dict[str, Array],
    layer: int,
    below: Array,
    key: str,
    places: tuple[Integers, ...],
    step: complex,
) -> Array:  # (T, 1 or M, H)
    """The hidden states of one layer, where an entry of its U, W or b may be larger by `step`."""
    U, W, b = (named[name(letter, layer)] for letter in "UWb")
    mine = key in (name("U", layer), name("W", layer), name("b", layer))
    u = (below @ U if layer else U[below]) + b
    if mine and u.shape[1] == 1:
        u = np.repeat(u, len(places[0]), axis=1)
    if key == name("b", layer):
        add(u, places, step)
    if key == name("U", layer):
        factor = below[:, 0, places[0]] if layer else below == places[0]  # x of u = x U + b
        add(u, places, step * factor)
    rows = np.arange(u.shape[1])

    def product(h: Array) -> Array:
        v = h @ W
        if key == name("W", layer):
            v[rows, places[1]] += step * h[rows, places[0]]
        return v

    start = np.repeat(case.state[layer].astype(u.dtype), u.shape[1], axis=1)
    hidden, _, _ = walk(CELLS[case.model.cell], u, product, tuple(start))
    return hidden[1:]


def add(array: Array, places: tuple[Integers, ...], amount: Any) -> None:
    """Add `amount` (T, M) to array[:, m, column of entry m] in each row m."""
    array[:, np.arange(len(places[0])), places[-1]] += amount
