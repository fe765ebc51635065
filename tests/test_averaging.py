"""The mean of the parameters: its weights, and that it is the model wherever a training shows one."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from hornbook.averaging import EVERY, Average
from hornbook.config import ModelSettings, TrainingSettings
from hornbook.distribution import Choice
from hornbook.engines import ENGINES, Engine, Start, TrainingState
from hornbook.events import Checkpoint, Evaluated, Finished, Sampled
from hornbook.philox import SAMPLE, Source
from hornbook.streams import Streams, trained_on
from hornbook.text import Text
from hornbook.training import training_events
from hornbook.validation import HeldOut

Chosen = Callable[..., tuple[ModelSettings, TrainingSettings]]
every_engine = pytest.mark.parametrize("engine", ENGINES)


def mean_weights(share: float, number: int) -> np.ndarray:
    """What each of so many parameter sets counts for: the product of what it comes in with, and of what the
    later ones leave of it."""
    a, n = 2 / share, np.arange(1, number + 1)
    taken = np.minimum(1, (a - 1) / (n + a - 2))
    left = np.append(np.cumprod((1 - taken)[:0:-1])[::-1], 1.0)
    return taken * left


def sets(engine: Engine, rate: float, updates: int) -> np.ndarray:
    """The parameters after every tenth update (n, P)."""
    found = []
    for _ in range(updates // EVERY):
        engine.advance(np.full(EVERY, rate))
        found.append(engine.get_state().parameters)
    return np.array(found)


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9])
def test_what_is_in_it_is_as_old_as_in_a_plain_mean_over_the_share(share):
    number = 2000
    weights = mean_weights(share, number)
    assert weights.sum() == pytest.approx(1)
    assert (np.diff(weights) > 0).all()
    age = (weights * np.arange(number)[::-1]).sum() / number
    assert age == pytest.approx(share / 2, rel=0.02)
    average = Average(share, np.zeros(1))
    values = np.random.default_rng(0).standard_normal((number, 1))
    for n, value in enumerate(values, 1):
        average.take(EVERY * n, value)
    np.testing.assert_allclose(average.at(EVERY * number, values[-1]), weights @ values, rtol=1e-12)


def test_before_the_tenth_update_it_is_the_parameters_themselves():
    average = Average(0.2, np.zeros(3))
    for update in range(1, EVERY):
        np.testing.assert_array_equal(average.at(update, np.full(3, update)), np.full(3, update))
    np.testing.assert_array_equal(average.parameters, np.zeros(3))


def test_between_two_that_are_taken_in_the_last_parameters_count_already():
    average = Average(0.2, np.zeros(1))
    average.take(10, np.ones(1))
    assert 1 < average.at(11, np.full(1, 2.0))[0] < 2
    assert average.at(10, np.full(1, 2.0))[0] == 1
    assert average.parameters[0] == 1


@every_engine
@pytest.mark.parametrize("updates", [70, 74])
def test_without_validation_it_is_the_best_model(prose: Text, small: Chosen, engine: str, updates: int):
    model, training = small(engine=engine, updates=updates, average=0.5, lr=0.5)
    events = list(training_events(prose, model, training))
    alone = ENGINES[engine](model, training, TrainingState.initial(model, training), prose.ids)
    found = sets(alone, 0.5, 70)
    mean = mean_weights(0.5, 7) @ found
    if updates == 74:
        alone.advance(np.full(4, 0.5))
        mean = mean + 3 / (7.4 + 2) * (alone.get_state().parameters - mean)
    end, checkpoint = events[-1], next(e for e in reversed(events) if isinstance(e, Checkpoint))
    assert isinstance(end, Finished)
    np.testing.assert_allclose(end.state.best_parameters, mean, rtol=1e-12)
    assert (end.state.best_update, end.best_by, checkpoint.best_by) == (updates, "average", "average")
    np.testing.assert_array_equal(checkpoint.state.best_parameters, end.state.best_parameters)
    np.testing.assert_array_equal(checkpoint.state.parameters, alone.get_state().parameters)


@every_engine
def test_it_is_what_writes_and_what_is_evaluated(prose: Text, small: Chosen, engine: str):
    model, training = small(
        engine=engine, updates=70, average=0.5, lr=0.5, validation=0.3, evaluate_every=35, sample_every=70
    )
    events = list(training_events(prose, model, training))
    ids = prose.ids[: trained_on(len(prose), training)]
    alone = ENGINES[engine](model, training, TrainingState.initial(model, training), ids)
    mean = alone.with_parameters(mean_weights(0.5, 7) @ sets(alone, 0.5, 70))
    held_out, state = HeldOut.of(prose.ids, training), alone.get_state()
    assert held_out
    evaluated = [event for event in events if isinstance(event, Evaluated)]
    lanes = held_out.lanes(0)
    there = held_out.evaluate(mean, state.hidden, lanes).nats_per_character
    assert evaluated[-1].nats_per_character == pytest.approx(there, rel=1e-12)
    bare = held_out.evaluate(alone.with_parameters(state.parameters), state.hidden, lanes)
    assert not math.isclose(there, bare.nats_per_character, rel_tol=1e-6)
    sample = [event for event in events if isinstance(event, Sampled)][-1]
    x, _ = Streams.of(len(ids), training).read(ids, 70)
    drawn, _ = mean.sample(Start(state.hidden, x[0]), 20, Choice(), Source(0, SAMPLE, 70))
    assert prose.vocabulary.decode(drawn[0]) == sample.text


@pytest.mark.parametrize("average", [-0.1, 1, math.nan, "much"])
def test_a_share_is_from_0_to_below_1(small: Chosen, average: object):
    with pytest.raises(ValueError, match="`average` is"):
        small(average=average)
