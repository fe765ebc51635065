"""Dynamic evaluation: each segment is scored by parameters that have not seen it, and then learnt from."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from hornbook.config import settings
from hornbook.dynamic import Dynamic, record
from hornbook.engines.interface import zero_state
from hornbook.errors import SettingError, TextError
from hornbook.evaluation import Evaluation
from hornbook.model import Model
from hornbook.parameters import initial
from hornbook.vocabulary import Vocabulary
from problems import every_cell, every_engine

TEXT = "abacabadabacabaeabacabadabacaba" * 3 + "ab"
WORDS = Vocabulary("abcde")


def model_of(engine: str, cell: str = "gru", dtype: str = "float64", layers: int = 2) -> Model:
    """A network that was trained with dropout, many streams and Adam."""
    how = {"hidden": 6, "cell": cell, "layers": layers, "engine": engine, "dtype": dtype, "dropout": 0.3}
    shape, training = settings(5, "plain", weight_decay=0.1, **how)
    state = zero_state(shape, 1, dtype) + np.asarray(0.4, dtype)
    return Model(shape, training, WORDS, initial(shape, training), state)


def by_the_book(model: Model, text: str, how: Dynamic) -> float:
    """The mean nats of a character, with the update written out parameter by parameter."""
    parameters = {key: value.copy() for key, value in model.parameters.items()}
    means = {key: np.zeros_like(value) for key, value in parameters.items()}
    state, total = model.state, []
    for at in range(0, len(text) - 1, how.segment):
        flat = np.concatenate([value.ravel() for value in parameters.values()])
        one = replace(model.training, streams=1, objective="sum", dropout=0.0)
        engine = replace(model, flat=flat).engine_of(one)
        ids = WORDS.encode(text[at : at + how.segment + 1])[:, None]
        if not total:
            o = engine.step(None, state)[0][0]
            total.append(math.log(np.exp(o).sum()) - o[ids[0, 0]])
        loss, gradients, state, _ = engine.loss_and_gradients(ids[:-1], ids[1:], state)
        total.append(loss)
        for key, gradient in gradients.items():
            g, theta = gradient / (len(ids) - 1), parameters[key]
            means[key] = 0.99 * means[key] + 0.01 * g**2
            root = np.sqrt(means[key] / (1 - 0.99 ** (at // how.segment + 1)))
            parameters[key] = theta - how.lr * g / (root + 1e-8) + how.decay * (model.parameters[key] - theta)
    return sum(total) / len(text)


@every_engine
@every_cell
def test_it_is_what_the_formula_says(engine, cell):
    model, how = model_of(engine, cell), Dynamic(0.01, 0.2, 7)
    found = model.evaluate_dynamic(TEXT, **vars(how))
    assert found.characters == len(TEXT)
    assert found.nats_per_character == pytest.approx(by_the_book(model, TEXT, how), rel=1e-9)


@every_engine
def test_the_classic_network_learns_too(engine):
    shape, training = settings(5, "classic", hidden=6, engine=engine, dtype="float64", init_scale=0.7)
    model = Model(shape, training, WORDS, initial(shape, training), zero_state(shape, 1, "float64") + 0.4)
    how = Dynamic(0.01, 0.2, 7)
    expected = by_the_book(model, TEXT, how)
    assert model.evaluate_dynamic(TEXT, **vars(how)).nats_per_character == pytest.approx(expected, rel=1e-9)


@every_engine
def test_a_text_that_repeats_itself_costs_less_and_the_model_stays_as_it_was(engine):
    model = model_of(engine, dtype="float32")
    before, static = model.flat.copy(), model.evaluate(TEXT * 10).nats_per_character
    learnt = model.evaluate_dynamic(TEXT * 10, lr=0.01).nats_per_character
    assert learnt < static - 0.3
    np.testing.assert_array_equal(model.flat, before)
    assert model.evaluate(TEXT * 10).nats_per_character == static


@every_engine
def test_a_segment_is_scored_before_it_is_learnt_from(engine):
    model = model_of(engine)
    for text in (TEXT[:1], TEXT[:2], TEXT[:26]):
        static = model.evaluate(text).nats_per_character
        assert model.evaluate_dynamic(text, lr=1).nats_per_character == pytest.approx(static, rel=1e-12)
    assert model.evaluate_dynamic(TEXT[:27], lr=1) != model.evaluate(TEXT[:27])


def test_it_goes_back_to_what_was_trained():
    model = model_of("reference")
    static = model.evaluate(TEXT).nats_per_character
    near, far = (
        model.evaluate_dynamic(TEXT, lr=1e-3, decay=decay).nats_per_character for decay in (0.999, 0.0)
    )
    assert abs(near - static) < abs(far - static)


def test_unknown_characters_cost_what_they_do_in_a_score_and_are_not_read():
    model = model_of("reference")
    clean, found = model.evaluate_dynamic(TEXT), model.evaluate_dynamic("?" + TEXT[:40] + "ü" + TEXT[40:])
    total = clean.nats_per_character * clean.characters + 2 * math.log(6)
    assert (found.characters, found.unknown_characters) == (clean.characters + 2, 2)
    assert found.nats_per_character == pytest.approx(total / found.characters, rel=1e-12)


def test_what_stands_before_is_read_and_not_learnt_from():
    model, text = model_of("reference"), TEXT[:26]
    static = model.evaluate(text, before=TEXT)
    learnt = model.evaluate_dynamic(text, TEXT, lr=1).nats_per_character
    assert learnt == pytest.approx(static.nats_per_character, rel=1e-12)
    assert static != model.evaluate(text)


def test_what_cannot_be_evaluated_is_refused():
    model = model_of("reference")
    with pytest.raises(TextError, match="empty"):
        model.evaluate_dynamic("")
    with pytest.raises(TextError, match="knows no character"):
        model.evaluate_dynamic("xyz")
    with pytest.raises(SettingError, match="`lr` is 0; expected a number above 0"):
        model.evaluate_dynamic(TEXT, lr=0)
    with pytest.raises(SettingError, match="`decay` is 1; expected a number from 0 to below 1"):
        model.evaluate_dynamic(TEXT, decay=1)
    with pytest.raises(SettingError, match="`segment` is 0; expected a whole number from 1"):
        model.evaluate_dynamic(TEXT, segment=0)


@every_engine
def test_a_loss_that_is_not_finite_is_told(engine):
    model = model_of(engine)
    model.parameters["b"][:] = np.nan
    with pytest.raises(SettingError, match=r"`lr` is 0\.5, at which the loss is not finite any more"):
        model.evaluate_dynamic(TEXT, lr=0.5)


def test_the_record_says_how_it_was_made():
    told = record(Evaluation(10, 0, 1.0), Dynamic(0.1, 0.2, 30))
    assert (told["nats_per_character"], told["lr"], told["decay"], told["segment"]) == (1, 0.1, 0.2, 30)
