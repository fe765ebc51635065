"""Units: features marked by hand under short texts, and correlations against NumPy's own."""

from __future__ import annotations

import numpy as np
import pytest

from hornbook.errors import SettingError, TextError
from hornbook.units import FEATURES, ROWS, Inside, UnitFinding, correlations, features

# A text, and under each character `#` where the feature is 1; a digit is its value.
MARKED = [
    ("inside quotes", 'He said "no" twice', "        ###       "),
    ("inside quotes", "“It’s the dogs’ day,” he said", "####################         "),
    ("inside quotes", "'I don't know,' said Al's cat", "##############               "),
    ("inside quotes", "“A ‘b’ c” d", "########   "),
    ("inside quotes", "\"A 'b' c\" d", "########   "),
    ("inside quotes", "「あ」い", "##  "),
    ("inside quotes", "“a\n\nb", "###  "),
    ("inside quotes", "rock 'n' roll at ' last", "     ##                "),
    ("inside quotes", "'oh, 'tis' so'", "#########     "),
    ("inside quotes", "'a ' b' c", "######   "),
    ("inside quotes", '"a \'b" c', "#####   "),
    ("inside quotes", "`I don't,' he said", "#########         "),
    ("inside brackets", "a (b [c] d) e", "  ########   "),
    ("inside brackets", "a) (b} c", "   #####"),
    ("inside brackets", "《石头记》云", "####  "),
    ("position in the line", "ab\ncd\n\ne", "12012001"),
    ("line break", "ab\ncd\n\ne", "  #  ## "),
    ("after a space", "a b\n\u3000c", " # ## "),
    ("capital", "An Äb1", "#  #  "),
    ("capital next", "An ÄB1", "  ##  "),
    ("digit", "a1 23", " # ##"),
    ("vowel", "Aeg éy", "##  ##"),
    ("inside a word", "It’s 3 a-b.", "####   # # "),
    ("position in the word", "It’s 3 ab.", "1234   12 "),
    ("sentence end", "Hi. Oh! Eh?", "  #   #   #"),
    ("sentence end next", "Hi. Oh! Eh?", " #   #   # "),
]


@pytest.mark.parametrize(("feature", "text", "marks"), MARKED)
def test_features_tell_what_is_so_after_each_character(feature: str, text: str, marks: str) -> None:
    values = [0 if mark == " " else 1 if mark == "#" else int(mark) for mark in marks]
    assert FEATURES[feature](text).tolist() == values


def test_every_feature_is_marked_in_one_of_these_texts_and_has_a_number_for_each_character() -> None:
    assert {feature for feature, _, _ in MARKED} == set(FEATURES)
    for values in features("“So,” (he said)\n\n‘2 Cats.’").values():
        assert values.shape == (26,)
        assert values.dtype == np.float64


def test_a_text_of_one_character_has_features_and_an_empty_one_has_none() -> None:
    for text in "'", '"', "’", "\n", "a":
        assert all(values.shape == (1,) for values in features(text).values())
    with pytest.raises(TextError, match="the text is empty"):
        features("")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [7, ROWS + 3])
def test_correlations_are_pearsons(n: int, dtype: type[np.floating]) -> None:
    rng = np.random.default_rng(0)
    hidden, measured = rng.normal(size=(n, 5)).astype(dtype) + 100, rng.integers(0, 3, (4, n)).astype(float)
    expected = np.corrcoef(measured, hidden.T.astype(np.float64))[:4, 4:]
    np.testing.assert_allclose(correlations(hidden, measured), expected, rtol=1e-9, atol=1e-12)


def test_what_never_changes_follows_nothing() -> None:
    hidden = np.array([[0.1, 0.3], [0.1, -0.2], [0.1, 0.6]])
    measured = np.array([[1.0, 0.0, 1.0], [0.3, 0.3, 0.3]])
    r = correlations(hidden, measured)
    assert r[0, 0] == 0
    assert r[0, 1] > 0.9
    assert r[1].tolist() == [0, 0]


TEXT = '"Yes," said he (of 2) to\nher. "No (3)!" Well.\n' * 9


@pytest.fixture
def hidden() -> np.ndarray:  # (N, 7)
    """Noise, but unit 2 tells whether quotes are open, and 5, by its sign turned, the place in the line."""
    found = np.random.default_rng(1).uniform(-1, 1, size=(len(TEXT), 7)).astype(np.float32)
    found[:, 2] = 0.9 * features(TEXT)["inside quotes"] + 0.1 * found[:, 2]
    found[:, 5] = -np.tanh(0.05 * features(TEXT)["position in the line"])
    return found


def test_the_units_that_follow_a_feature_are_found(hidden: np.ndarray) -> None:
    inside = Inside.look(TEXT, hidden)
    first, second = inside.units("inside quotes", 2)
    assert (first.unit, first.feature) == (2, "inside quotes")
    assert first.correlation > 0.95
    assert abs(second.correlation) < 0.5
    assert inside.units("position in the line", 1)[0].unit == 5
    assert inside.units("position in the line", 1)[0].correlation < -0.95


def test_the_features_that_a_unit_follows_are_found(hidden: np.ndarray) -> None:
    found = Inside.look(TEXT, hidden).followed(2, 3)
    assert len(found) == 3
    assert found[0].feature == "inside quotes"
    strengths = [abs(finding.correlation) for finding in found]
    assert strengths == sorted(strengths, reverse=True)


def test_the_best_units_come_feature_by_feature(hidden: np.ndarray) -> None:
    inside = Inside.look(TEXT, hidden)
    assert [finding.feature for finding in inside.best()] == list(FEATURES)
    assert len(inside.best(3)) == 3 * len(FEATURES)


def test_a_feature_that_the_text_never_shows_has_no_units(hidden: np.ndarray) -> None:
    plain = "a" * len(TEXT)
    assert Inside.look(plain, hidden).units("digit") == ()


def test_of_equal_correlations_the_lower_number_comes_first() -> None:
    inside = Inside(("digit",), np.array([[0.5, -0.5, 0.0, 0.7]]))
    assert inside.units("digit") == (
        UnitFinding(3, "digit", 0.7),
        UnitFinding(0, "digit", 0.5),
        UnitFinding(1, "digit", -0.5),
    )


@pytest.mark.parametrize("unit", [-1, 7, 1.5])
def test_a_unit_that_does_not_exist_is_refused(hidden: np.ndarray, unit: int) -> None:
    with pytest.raises(SettingError, match=r"unit is .*; expected a whole number from 0 to 6"):
        Inside.look(TEXT, hidden).followed(unit)


def test_an_unknown_feature_is_refused_with_the_known_ones(hidden: np.ndarray) -> None:
    with pytest.raises(SettingError, match="unknown feature 'mood'; the known ones are: after a space"):
        Inside.look(TEXT, hidden).units("mood")


def test_activations_that_do_not_fit_the_text_are_refused(hidden: np.ndarray) -> None:
    for wrong in hidden[1:], hidden[:, 0], hidden[None]:
        with pytest.raises(SettingError, match="expected a row for each of 414 characters"):
            Inside.look(TEXT, wrong)
    hidden[3, 4] = np.nan
    with pytest.raises(SettingError, match="not a number"):
        Inside.look(TEXT, hidden)
