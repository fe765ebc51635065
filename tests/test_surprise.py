"""The page of a score: whole, escaped, without anything fetched, and of a sensible size."""

from __future__ import annotations

import json
import re

import html5lib
import numpy as np
import pytest

from hornbook import Text
from hornbook.config import settings
from hornbook.model import Model
from hornbook.parameters import count
from hornbook.reading import guesses
from hornbook.report.surprise import GUESSES, SHOWN, surprise_page
from pages import Seen

EVIL = "<script>alert(1)</script>&amp;\"' <!-- ]]> </pre> </script>\n"
VOCABULARY = Text.from_string("the quick brown fox" + EVIL).vocabulary


def page_of(text, name="book", baselines=None):
    shape, training = settings(len(VOCABULARY), hidden=5)
    flat = np.random.default_rng(0).normal(0, 0.6, count(shape)).astype(np.float32)
    model = Model(shape, training, VOCABULARY, flat)
    score = model.score(text, baselines)
    found = guesses(model.engine, score.ids[:SHOWN], model.start().state, GUESSES)
    return model, score, surprise_page(score, found, VOCABULARY.symbols, name, "runs/a")


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def text_of(page):
    """The text as the page shows it, and the classes of its characters."""
    inner = page.split('<div id="text"')[1].split("</div>")[0]
    signs = re.findall(r"<i class=(\w+)>([^<]*)</i>", inner)
    return Seen("".join(sign for _, sign in signs)).text.replace("↵\n", "\n"), [kind for kind, _ in signs]


def test_a_text_full_of_scripts_shows_as_text():
    _, score, page = page_of(EVIL * 3, name=EVIL)
    assert [tag for tag, _ in Seen(page).tags].count("script") == 2  # its own: the data and the program
    assert "<script>alert" not in page
    assert text_of(page)[0] == score.text


def test_the_page_is_valid_html():
    html5lib.HTMLParser(strict=True).parse(
        page_of(EVIL * 3, name=EVIL, baselines="the quick brown fox " * 20)[2]
    )


def test_each_character_has_its_colour_and_its_guesses():
    model, score, page = page_of("the quick fox é")
    shown, classes = text_of(page)
    assert shown == score.text
    assert classes == score.classes()
    assert classes[-1] == "u"
    data, top = data_of(page), model.guesses(score.text, GUESSES)
    assert data["tenths"] == [round(10 * n / np.log(2)) for n in score.nats]
    for i, row in enumerate(top):
        signs = data["guesses"][i * GUESSES : (i + 1) * GUESSES]
        assert list(signs) == [symbol.replace(" ", "␣").replace("\n", "↵") for symbol, _ in row]
        percents = re.findall("..", data["percents"])[i * GUESSES : (i + 1) * GUESSES]
        assert [int(p) for p in percents] == pytest.approx([100 * p for _, p in row], abs=1)


def test_the_page_fetches_nothing():
    _, _, page = page_of("the quick fox", baselines="the quick brown fox " * 20)
    assert "://" not in page
    assert not {"src", "href", "srcset", "action"} & {key for _, found in Seen(page).tags for key in found}
    assert "url(" not in page
    assert "@import" not in page


def test_a_long_text_is_cut_and_that_is_said():
    _, score, page = page_of("the quick fox\n" * 3000)
    assert text_of(page)[0] == score.text[:SHOWN]
    assert "the first 20,000 of 42,000 characters" in page
    assert len(page.encode()) < 1_500_000
    assert "the first" not in page_of("the quick fox")[2]


def test_the_page_has_the_figures_the_baselines_and_the_passages():
    _, score, page = page_of("the quick fox " * 20, baselines="the quick brown fox " * 20)
    seen = Seen(page).text
    assert f"{score.bits_per_character:.4f}" in seen
    assert f"{score.baselines['3-gram']:.3f}" in seen
    assert score.most_surprising()[0].text in seen
    assert "Baselines" not in page_of("the quick fox")[2]


def test_the_page_knows_dark_mode_phones_and_the_keyboard():
    _, _, page = page_of("the quick fox")
    assert "prefers-color-scheme:dark" in page
    assert 'name="viewport"' in page
    assert 'tabindex="0"' in page
    assert '<html lang="en">' in page


def test_a_symbol_beyond_the_basic_plane_is_one_guess_in_the_data():
    text = Text.from_string("😀 a<b")
    shape, training = settings(len(text.vocabulary), hidden=3)
    model = Model(shape, training, text.vocabulary, np.zeros(count(shape), np.float32))
    score = model.score("😀a")
    page = surprise_page(
        score, guesses(model.engine, score.ids, model.start().state, 4), text.vocabulary.symbols, "t", "m"
    )
    assert len(data_of(page)["guesses"]) == 8
    assert data_of(page)["signs"] == ["😀", "a"]
