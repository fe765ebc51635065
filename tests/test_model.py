"""A model writes, and shows its parameters and gradients by name."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest

from hornbook import PromptError, SettingError, Text, TextError
from hornbook.config import settings
from hornbook.model import Model
from hornbook.parameters import count, shapes

SYMBOLS = Text.from_string("abcd \n").vocabulary
CASES = pytest.mark.parametrize


def model_of(scale=0.5, hidden=5, **changes):
    shape, training = settings(len(SYMBOLS), hidden=hidden, **changes)
    flat = np.random.default_rng(0).normal(0, scale, count(shape)).astype(training.dtype)
    return Model(shape, training, SYMBOLS, flat)


MODEL = model_of()


# Writing


def test_a_text_has_the_length_that_was_asked_for_and_known_symbols_only():
    assert len(MODEL.sample()) == 1000
    assert len(MODEL.sample(33)) == 33
    assert set(MODEL.sample(500)) <= set(SYMBOLS.symbols)


def test_the_same_seed_and_number_write_the_same_text_and_others_another():
    assert MODEL.sample(50, seed=1) == MODEL.sample(50, seed=1)
    texts = {MODEL.sample(50, seed=s, number=n) for s in range(3) for n in range(3)}
    assert len(texts) == 9


def test_the_stream_is_the_sample_in_pieces():
    pieces = list(MODEL.stream(300, seed=4))
    assert len(pieces) > 1
    assert "".join(pieces) == MODEL.sample(300, seed=4)


@CASES("cut", [1, 2, 7, 30])
def test_what_was_written_as_a_prompt_is_gone_on_from(cut):
    text = MODEL.sample(60, temperature=0)
    assert MODEL.sample(60 - cut, prompt=text[:cut], temperature=0) == text[cut:]


def test_the_first_character_without_a_prompt_follows_the_output_bias_alone():
    likeliest = SYMBOLS.symbols[int(MODEL.parameters["c"].argmax())]
    assert MODEL.sample(1, temperature=0) == likeliest


def test_the_prompt_is_not_repeated():
    assert len(MODEL.sample(10, prompt="abc")) == 10


def test_a_text_ends_before_its_stop_string():
    whole = MODEL.sample(300)
    stop = whole[90:93]
    assert MODEL.sample(300, stop=stop) == whole[: whole.find(stop)]


@CASES(
    ("how", "error"),
    [
        ({"temperature": -1}, SettingError),
        ({"top_k": -1}, SettingError),
        ({"top_p": 0}, SettingError),
        ({"seed": -1}, SettingError),
        ({"seed": 2**63}, SettingError),
        ({"length": 0}, SettingError),
        ({"length": 1.5}, SettingError),
        ({"unknown": "guess"}, SettingError),
        ({"prompt": "abz"}, PromptError),
    ],
)
def test_what_is_wrong_is_told_at_once_and_not_at_the_first_piece(how, error):
    with pytest.raises(error):
        MODEL.stream(**how)


def test_an_unseen_character_is_named_with_its_place_or_skipped():
    with pytest.raises(PromptError, match=r"'z' \(position 2 of the prompt\)"):
        MODEL.sample(5, prompt="abz")
    assert MODEL.sample(5, prompt="azb", unknown="skip") == MODEL.sample(5, prompt="ab")


def test_writing_does_not_change_the_model():
    before = MODEL.flat.copy()
    MODEL.sample(50, prompt="abc")
    assert (before == MODEL.flat).all()


# Parameters and gradients


def test_parameters_go_by_name_in_their_shapes():
    assert {key: value.shape for key, value in MODEL.parameters.items()} == {
        "U": (6, 5),
        "W": (5, 5),
        "b": (5,),
        "V": (5, 6),
        "c": (6,),
    }


def test_gradients_go_by_the_same_names_in_float64():
    gradients = MODEL.gradients("abcd abcd")
    assert {key: value.shape for key, value in gradients.items()} == shapes(MODEL.settings)
    assert all(value.dtype == np.float64 for value in gradients.values())


def test_the_loss_is_the_sum_over_all_characters_but_the_first():
    flat = model_of(scale=0)
    loss, gradients = flat.loss_and_gradients("abcda")
    assert loss == pytest.approx(4 * math.log(6))
    counts = np.array(["bcda".count(symbol) for symbol in SYMBOLS.symbols])
    np.testing.assert_allclose(gradients["c"], 4 / 6 - counts, atol=1e-15)


@CASES("dtype", ["float32", "float64"])
def test_gradients_are_those_of_the_loss(dtype):
    model, text, h = model_of(dtype=dtype), "abba d\ncab", 1e-5
    gradients = model.gradients(text)
    for key, place in (("U", 7), ("W", 12), ("b", 2), ("V", 8), ("c", 3)):
        losses = []
        for step in (h, -h):
            flat = model.flat.astype(np.float64)
            moved = Model(model.settings, model.training, SYMBOLS, flat)
            moved.parameters[key].flat[place] += step
            losses.append(moved.loss_and_gradients(text)[0])
        assert gradients[key].flat[place] == pytest.approx((losses[0] - losses[1]) / (2 * h), rel=1e-6)


def test_gradients_do_not_depend_on_how_the_model_was_trained():
    mean = model_of(objective="mean", clip="norm:1", seq_len=3)
    text = "abba d\ncab"
    assert all((mean.gradients(text)[key] == value).all() for key, value in MODEL.gradients(text).items())


@CASES(("text", "words"), [("", "at least two"), ("a", "at least two"), ("abz", "'z'")])
def test_gradients_need_two_known_characters(text, words):
    with pytest.raises(TextError, match=words):
        MODEL.gradients(text)


def test_a_model_tells_what_it_is():
    size = MODEL.flat.size
    assert repr(MODEL) == f"<hornbook.Model vanilla, 1 layer of 5 hidden units, {size} parameters>"
    assert "gru, 2 layers of 5 hidden units" in repr(model_of(cell="gru", layers=2))


@CASES(
    ("call", "named"),
    [
        (lambda: MODEL.sample(5, temprature=1), r"sample\(\).*'temprature'"),
        (lambda: MODEL.evaluate_dynamic("abc", rate=1), r"evaluate_dynamic\(\).*'rate'"),
    ],
)
def test_a_keyword_that_is_none_is_told_of_the_method_that_was_called(call, named):
    with pytest.raises(TypeError, match=named):
        call()


def test_a_sample_takes_the_keywords_of_a_stream():
    ours, streams = (inspect.signature(method).parameters for method in (Model.sample, Model.stream))
    assert ours == streams


def test_in_a_notebook_a_model_shows_itself_and_its_vocabulary_is_escaped():
    symbols = Text.from_string("<b>&\x1b").vocabulary
    shape, training = settings(len(symbols), hidden=5)
    shown = Model(shape, training, symbols, np.zeros(count(shape), np.float32))._repr_html_()
    assert f"<td>{count(shape):,}</td>" in shown
    assert "␛&amp;&lt;&gt;b" in shown
    assert "<b>" not in shown


# A Text in the place of a string


@CASES("name", ["score", "evaluate", "evaluate_dynamic", "guesses", "hidden", "gradients"])
def test_what_is_read_may_be_a_text_or_its_characters(name):
    characters = "abcd abcd\nab" * 3
    one, other = (getattr(MODEL, name)(text) for text in (characters, Text.from_string(characters)))
    assert repr(one) == repr(other)


def test_the_training_text_may_be_a_text_too():
    training = Text.from_string("abcd abcd\n" * 3)
    assert repr(MODEL.score("abcd", training)) == repr(MODEL.score("abcd", training[:]))
    assert MODEL.sample(50, guard=MODEL.copy_guard(training, 5)) == MODEL.sample(
        50, guard=MODEL.copy_guard(training[:], 5)
    )
