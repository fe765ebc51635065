"""Scoring: what a model needs for each character of a text, worked out again one character at a time."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from hornbook import SettingError, Text, TextError
from hornbook.baselines import compressed, ngram_nats
from hornbook.config import settings
from hornbook.distribution import Choice, probabilities
from hornbook.engines import ENGINES
from hornbook.model import Model
from hornbook.parameters import count
from hornbook.reading import BLOCK
from hornbook.scoring import Score, baselines_for, perplexity_words

VOCABULARY = Text.from_string("abcd \n").vocabulary
K = len(VOCABULARY)

every_engine = pytest.mark.parametrize("engine", ENGINES)


def model_of(engine="native", dtype="float64"):
    shape, training = settings(K, hidden=5, engine=engine, dtype=dtype)
    rng = np.random.default_rng(0)
    flat = rng.normal(0, 0.6, count(shape)).astype(dtype)
    return Model(shape, training, VOCABULARY, flat, rng.uniform(-1, 1, (1, 1, 1, 5)).astype(dtype))


MODEL = model_of()


def foretold(model, text):
    """One character at a time: the probabilities (N, K) before each, the hidden state (N, H) after each."""
    state, chances, hidden = model.start().state, [], []
    for character in text:
        logits, _ = model.engine.step(None, state)
        chances.append(probabilities(logits[0], Choice()))
        if character in VOCABULARY.numbers:
            _, state = model.engine.step(VOCABULARY.encode(character), state)
        hidden.append(state[-1, 0, 0])
    return np.array(chances), np.array(hidden)


def costs(model, text):
    """The nats of each character, one at a time."""
    return [
        -math.log(p[VOCABULARY.numbers[c]]) if c in VOCABULARY.numbers else math.log(K + 1)
        for c, p in zip(text, foretold(model, text)[0], strict=True)
    ]


def random_text(length, symbols="abcd \n"):
    return "".join(np.random.default_rng(length).choice(list(symbols), length))


def score_of(nats, text=None):
    """A score with these costs."""
    ids = np.zeros(len(nats), dtype=np.int64)
    return Score(text or "a" * len(nats), ids, np.array(nats, dtype=float), 6)


# What each character costs


@every_engine
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("text", ["a", "ab", "dab cab\nbad", "ab?cd!", "?!ab", "ab?"])
def test_each_character_costs_minus_the_log_of_its_probability_after_all_before_it(engine, dtype, text):
    model = model_of(engine, dtype)
    score = model.score(text)
    tolerance = {"float32": 2e-6, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(score.nats, costs(model, text), rtol=0, atol=tolerance)
    assert score.text == text
    assert score.characters == len(text)


@every_engine
@pytest.mark.parametrize("length", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 7])
def test_a_text_of_several_blocks_is_read_as_one_stream(engine, length):
    text = random_text(length)
    model = model_of(engine)
    np.testing.assert_allclose(model.score(text).nats, costs(model, text), rtol=0, atol=1e-11)


def test_the_first_character_is_foretold_from_the_state_in_which_writing_starts():
    V, c = MODEL.parameters["V"], MODEL.parameters["c"]
    for model, o in ((MODEL, MODEL.state[0, 0, 0] @ V + c), (replace(MODEL, state=None), c)):
        cost = np.log(np.exp(o).sum()) - o[VOCABULARY.numbers["b"]]
        assert model.score("b").nats[0] == pytest.approx(cost)
        assert model.guesses("b", 1)[0][0][0] == VOCABULARY.symbols[o.argmax()]
        assert model.sample(1, temperature=0) == VOCABULARY.symbols[o.argmax()]


def test_a_network_that_is_lost_in_the_zero_state_reads_well_from_its_own():
    model = replace(MODEL, flat=np.zeros_like(MODEL.flat))
    model.parameters["W"][...] = 40 * np.eye(5)  # it stays on the side of zero on which it is
    model.parameters["V"][:, VOCABULARY.numbers["a"]] = 9 * np.sign(model.state[0, 0, 0])
    assert model.score("aaaa").bits_per_character < 0.01
    assert replace(model, state=None).score("aaaa").bits_per_character == pytest.approx(math.log2(K))


@pytest.mark.parametrize("model", [MODEL, replace(MODEL, state=None)], ids=["its own state", "zero state"])
def test_the_probabilities_of_all_texts_of_three_characters_sum_to_one(model):
    symbols = VOCABULARY.symbols
    texts = [a + b + c for a in symbols for b in symbols for c in symbols]
    assert sum(math.exp(-model.score(text).nats.sum()) for text in texts) == pytest.approx(1, abs=1e-12)


def test_an_unknown_character_costs_as_one_of_k_plus_1_equal_symbols_and_is_not_read():
    score, without = MODEL.score("ab é字cd"), MODEL.score("ab cd")
    assert score.nats[[3, 4]].tolist() == [math.log(K + 1)] * 2
    np.testing.assert_allclose(np.delete(score.nats, [3, 4]), without.nats, atol=1e-14)
    assert score.unknown_characters == 2
    assert score.ids[[3, 4]].tolist() == [-1, -1]


@pytest.mark.parametrize("text", ["é字", "X", "\ud800", "xyz" * 5000])
def test_a_text_of_unknown_characters_alone_is_refused(text):
    for ask in (MODEL.score, MODEL.hidden, MODEL.guesses):
        with pytest.raises(TextError, match=r"knows no character of this text.* has 6"):
            ask(text)


def test_an_empty_text_is_refused():
    for ask in (MODEL.score, MODEL.hidden, MODEL.guesses):
        with pytest.raises(TextError, match="the text is empty"):
            ask("")


def test_half_a_character_is_unknown():
    assert MODEL.score("a\ud800b").unknown_characters == 1


# The figures


def test_bits_nats_and_perplexity_are_one_figure_in_three_forms():
    score = score_of([1.0, 2.0, 6.0])
    assert score.nats_per_character == 3
    assert score.bits_per_character == pytest.approx(3 / math.log(2))
    assert score.perplexity == pytest.approx(math.exp(3))
    assert 2**score.bits_per_character == pytest.approx(score.perplexity)


def test_a_model_that_knows_nothing_has_the_perplexity_of_its_vocabulary():
    shape, training = settings(K, hidden=5)
    blank = Model(shape, training, VOCABULARY, np.zeros(count(shape), np.float32))
    assert blank.score("abcd").perplexity == pytest.approx(K, rel=1e-6)


def test_the_record_has_the_keys_of_the_contract_and_is_json():
    record = MODEL.score("ab?").record()
    assert list(record) == [
        "characters",
        "nats_per_character",
        "bits_per_character",
        "perplexity",
        "unknown_characters",
        "baselines",
    ]
    assert (record["characters"], record["unknown_characters"], record["baselines"]) == (3, 1, {})
    assert json.loads(json.dumps(record)) == record


def test_a_perplexity_too_large_for_a_number_is_infinite_and_null_in_json():
    score = score_of([800.0])
    assert score.perplexity == math.inf
    assert score.record()["perplexity"] is None
    json.dumps(score.record(), allow_nan=False)


# Passages


def test_passages_are_the_windows_of_highest_and_lowest_mean_that_do_not_overlap():
    nats = [1, 1, 9, 9, 9, 1, 1, 5, 5, 5, 0, 0, 0]
    score = score_of(nats, "abcdefghijklm")
    most = score.most_surprising(2, 3)
    assert [(p.start, p.text) for p in most] == [(2, "cde"), (7, "hij")]
    assert most[0].bits_per_character == pytest.approx(9 / math.log(2))
    assert [(p.start, p.text) for p in score.least_surprising(1, 3)] == [(10, "klm")]


def test_no_more_passages_than_there_is_room_for():
    score = score_of([1.0, 2.0, 3.0, 4.0, 5.0])
    assert [p.start for p in score.most_surprising(9, 2)] == [3, 1]
    assert [p.text for p in score.most_surprising(9, 100)] == ["aaaaa"]
    assert score.most_surprising(0) == ()


def test_of_equal_windows_the_first_is_taken():
    nats = [0.1 + k % 7 / 10 for k in range(700)]
    assert score_of(nats).most_surprising(1, 7)[0].start == 0
    assert score_of(nats).least_surprising(1, 7)[0].start == 0


def test_against_a_search_by_hand():
    nats = np.random.default_rng(3).exponential(2, 300)
    found = score_of(nats).most_surprising(4, 20)
    starts = [p.start for p in found]
    means = [nats[i : i + 20].mean() for i in range(281)]
    assert starts[0] == int(np.argmax(means))
    for k, start in enumerate(starts):
        free = [i for i in range(281) if all(abs(i - s) >= 20 for s in starts[:k])]
        assert start == max(free, key=lambda i: means[i])


@pytest.mark.parametrize(
    ("length", "count", "size"), [(60, 1, 20), (250, 1, 83), (699, 1, 100), (700, 2, 100), (1500, 3, 100)]
)
def test_as_many_of_the_most_as_of_the_least_surprising_passages_are_shown_and_none_overlap(
    length, count, size
):
    for seed in range(20):
        score = score_of(np.random.default_rng(seed).exponential(2, length))
        most, least = score.extremes().values()
        assert len(most) == len(least) == count
        assert {len(p.text) for p in (*most, *least)} == {size}
        assert all(b - a >= size for a, b in pairwise(sorted(p.start for p in (*most, *least))))
        assert most == score.most_surprising(count, size)
        assert most[0].bits_per_character > least[0].bits_per_character


@pytest.mark.parametrize("length", [1, 59])
def test_a_very_short_text_is_one_passage_and_shown_once(length):
    ((title, (passage,)),) = score_of([1.0] * length).extremes().items()
    assert title == "The only passage"
    assert passage.text == "a" * length


def test_a_perplexity_is_a_few_digits_however_large():
    assert [perplexity_words(nats) for nats in (0.0, 3.0, 9.939, 116.449, 800.0, -1.0)] == [
        "1.00", "20.09", "20,723.01", "3.7e+50", "inf", "–",
    ]  # fmt: skip


def test_a_passage_has_at_least_a_character():
    with pytest.raises(SettingError, match="length is 0"):
        MODEL.score("ab").most_surprising(1, 0)


# Hidden states and guesses


@every_engine
@pytest.mark.parametrize("text", ["a", "dab cab", "?a?b?", random_text(BLOCK + 3)])
def test_hidden_states_are_those_after_each_character_and_stay_at_an_unknown_one(engine, text):
    model = model_of(engine)
    hidden = model.hidden(text)
    assert hidden.shape == (len(text), 5)
    np.testing.assert_allclose(hidden, foretold(model, text)[1], rtol=0, atol=1e-11)


@every_engine
@pytest.mark.parametrize("text", ["a", "dab cab", "?a?b?", random_text(BLOCK + 3)])
def test_guesses_are_the_likeliest_symbols_before_each_character_is_read(engine, text):
    model = model_of(engine)
    guesses, chances = model.guesses(text, 3), foretold(model, text)[0]
    assert len(guesses) == len(text)
    for row, p in zip(guesses, chances, strict=True):
        assert [s for s, _ in row] == [VOCABULARY.symbols[i] for i in np.argsort(-p)[:3]]
        np.testing.assert_allclose([q for _, q in row], np.sort(p)[::-1][:3], atol=1e-11)


def test_all_symbols_are_guessed_where_more_are_asked_for():
    (row,) = MODEL.guesses("a", 50)
    assert len(row) == K
    assert sum(p for _, p in row) == pytest.approx(1)


def test_the_chance_of_the_guess_that_came_true_is_what_it_cost():
    text = random_text(50)
    chances = [dict(row)[c] for row, c in zip(MODEL.guesses(text, K), text, strict=True)]
    np.testing.assert_allclose(-np.log(chances), MODEL.score(text).nats, atol=1e-12)


def test_at_least_one_guess_is_asked_for():
    with pytest.raises(SettingError, match="top is 0"):
        MODEL.guesses("a", 0)


# Baselines


def test_baselines_are_the_n_grams_of_the_training_text_and_the_compressors_in_bits():
    training, text = random_text(3000, "aab c"), random_text(500, "aab c") + "x"
    found = baselines_for(text, training)
    bits = ngram_nats(*([ord(c) for c in part] for part in (training, text))) / math.log(2)
    assert [found[f"{n}-gram"] for n in range(1, 9)] == pytest.approx(bits.tolist())
    for file in compressed(training, text):
        assert found[file.compressor] == file.alone
        assert found[f"{file.compressor} after training"] == file.after_training
    assert {"gzip", "bzip2", "xz", "zstd"} <= set(found)
    assert all(0 < value < 20 for value in found.values())


def test_without_a_training_text_there_are_compressors_alone():
    assert list(baselines_for("some text")) == ["gzip", "bzip2", "xz", "zstd"]


def test_a_short_training_text_has_fewer_orders():
    assert [name for name in baselines_for("abc", "aba") if "gram" in name] == ["1-gram", "2-gram", "3-gram"]


def test_of_a_long_training_text_the_end_is_taken(monkeypatch):
    monkeypatch.setattr("hornbook.scoring.TRAINING_LIMIT", 1000)
    assert baselines_for("abc", "x" * 5000 + "abc" * 400) == baselines_for("abc", ("abc" * 400)[-1000:])


def test_a_score_has_baselines_when_the_training_text_is_given():
    training, text = random_text(3000), random_text(100)
    score = MODEL.score(text, training)
    assert score.baselines == baselines_for(text, training)
    assert score.record()["baselines"] == score.baselines
    np.testing.assert_array_equal(score.nats, MODEL.score(text).nats)


# In a notebook


def test_in_a_notebook_a_score_is_its_figures_and_its_text_in_colours():
    score = MODEL.score("ab\n<b>?", "abcd" * 20)
    shown = score._repr_html_()
    assert f"{score.bits_per_character:.4f}" in shown
    assert f"{score.baselines['2-gram']:.3f}" in shown
    assert "<i class=u>&lt;</i>" in shown
    assert "<b>" not in shown
    assert len(MODEL.score("ab" * 50_000)._repr_html_()) < 30_000
