"""Sampling: prompts, text as it is made, stop strings."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hornbook.config import TrainingSettings
from hornbook.distribution import Choice
from hornbook.engines import ENGINES, Engine, TrainingState
from hornbook.errors import PromptError, SettingError
from hornbook.matching import CopyGuard
from hornbook.philox import WRITE, Source
from hornbook.sampling import PIECE, read_prompt, start_after, until, write
from hornbook.text import Text, Vocabulary

SOURCE = Source(7, WRITE)
VOCABULARY = Vocabulary("abc")

every_engine = pytest.mark.parametrize("engine", ENGINES)


@pytest.fixture
def writer(prose: Text, small: Callable[..., Any]) -> Callable[[str], Engine]:
    """A network of some character that has learnt nothing."""

    def build(engine: str) -> Engine:
        model, training = small(init_scale=0.8)
        return ENGINES[engine](model, training, TrainingState.initial(model, training))

    return build


def written(writer: Engine, text: Text, length: int, stop: str = "", choice: Choice | None = None) -> str:
    """A text without a prompt."""
    start = start_after(writer, text.vocabulary, "")
    return "".join(write(writer, text.vocabulary, start, length, choice or Choice(), SOURCE, stop))


# Prompts


def test_a_prompt_of_known_characters_is_read_as_it_is() -> None:
    assert read_prompt(VOCABULARY, "abacus"[:3]) == "aba"
    assert read_prompt(VOCABULARY, "") == ""


def test_a_character_that_was_never_seen_is_named_with_its_position() -> None:
    with pytest.raises(PromptError, match=r"never seen 'é' \(position 2 of the prompt\).*`unknown='skip'`"):
        read_prompt(VOCABULARY, "abé!")


def test_characters_that_were_never_seen_can_be_left_out() -> None:
    assert read_prompt(VOCABULARY, "a-b-é", unknown="skip") == "ab"
    assert read_prompt(VOCABULARY, "xyz", unknown="skip") == ""


def test_unknown_characters_are_an_error_or_left_out_and_nothing_else() -> None:
    with pytest.raises(SettingError, match="`unknown` is 'guess'; expected error or skip"):
        read_prompt(VOCABULARY, "a", unknown="guess")


@every_engine
def test_without_a_prompt_writing_starts_from_the_zero_state_alone(
    writer: Callable[[str], Engine], prose: Text, engine: str
) -> None:
    start = start_after(writer(engine), prose.vocabulary, "")
    assert not start.state.any()
    assert start.last.tolist() == [-1]
    assert start.position == 0


@every_engine
def test_a_prompt_is_read_and_its_last_character_is_left_to_be_read(
    writer: Callable[[str], Engine], prose: Text, engine: str
) -> None:
    reader = writer(engine)
    start = start_after(reader, prose.vocabulary, "Alice")
    state = np.zeros_like(start.state)
    for character in "Alic":
        _, state = reader.step(prose.vocabulary.encode(character), state)
    np.testing.assert_array_equal(start.state, state)
    assert prose.vocabulary.decode(start.last) == "e"
    one = start_after(reader, prose.vocabulary, "A")
    assert not one.state.any()
    assert prose.vocabulary.decode(one.last) == "A"


# Text as it is made


@every_engine
@pytest.mark.parametrize("length", [1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 3])
def test_a_text_has_the_length_asked_for(
    writer: Callable[[str], Engine], prose: Text, engine: str, length: int
) -> None:
    text = written(writer(engine), prose, length)
    assert len(text) == length
    assert set(text) <= set(prose.vocabulary.symbols)


@every_engine
def test_a_shorter_text_is_the_beginning_of_a_longer_one(
    writer: Callable[[str], Engine], prose: Text, engine: str
) -> None:
    assert written(writer(engine), prose, 100).startswith(written(writer(engine), prose, 45))


@every_engine
def test_the_same_seed_writes_the_same_and_another_seed_another(
    writer: Callable[[str], Engine], prose: Text, engine: str
) -> None:
    made = writer(engine)
    start = start_after(made, prose.vocabulary, "Al")
    one, same, other = (
        "".join(write(made, prose.vocabulary, start, 80, Choice(), Source(seed, WRITE))) for seed in (1, 1, 2)
    )
    assert one == same != other


@every_engine
def test_pieces_come_while_the_text_is_made(
    writer: Callable[[str], Engine], prose: Text, engine: str
) -> None:
    made = writer(engine)
    pieces = write(made, prose.vocabulary, start_after(made, prose.vocabulary, ""), 10**9, Choice(), SOURCE)
    assert len(next(iter(pieces))) <= PIECE


@every_engine
def test_the_choice_is_made_at_every_character(
    writer: Callable[[str], Engine], prose: Text, engine: str
) -> None:
    likeliest = written(writer(engine), prose, 70, choice=Choice(0))
    assert written(writer(engine), prose, 70, choice=Choice(top_k=1)) == likeliest
    assert written(writer(engine), prose, 70) != likeliest


@pytest.mark.parametrize("length", [0, -1, 10**9 + 1, 1.5, True])
def test_a_length_out_of_range_is_refused_at_once(
    writer: Callable[[str], Engine], prose: Text, length: int
) -> None:
    made = writer(TrainingSettings().engine)
    start = start_after(made, prose.vocabulary, "")
    with pytest.raises(SettingError, match=r"`length` is .*; expected a whole number from 1"):
        write(made, prose.vocabulary, start, length, Choice(), SOURCE)


# Stop strings


@every_engine
def test_a_text_ends_before_the_stop_string(
    writer: Callable[[str], Engine], prose: Text, engine: str
) -> None:
    whole = written(writer(engine), prose, 200)
    for at, length in ((0, 1), (0, 5), (30, 4), (50, 45), (90, 100), (199, 1)):
        stop = whole[at : at + length]
        assert written(writer(engine), prose, 200, stop) == whole[: whole.index(stop)]


@every_engine
def test_a_stop_string_that_does_not_come_changes_nothing(
    writer: Callable[[str], Engine], prose: Text, engine: str
) -> None:
    whole = written(writer(engine), prose, 120)
    assert written(writer(engine), prose, 120, "no such sentence") == whole
    assert written(writer(engine), prose, 120, whole[60:] + "!") == whole


@given(st.data(), st.text("ab", min_size=1, max_size=14), st.lists(st.integers(0, 14), max_size=6))
@settings(max_examples=300)
def test_wherever_the_pieces_end_the_text_ends_before_the_stop_string(
    data: st.DataObject, whole: str, cuts: list[int]
) -> None:
    at = data.draw(st.integers(0, len(whole) - 1))
    inside = st.integers(at + 1, len(whole)).map(lambda end: whole[at:end])
    stop = data.draw(st.one_of(inside, st.text("ab", min_size=1, max_size=7)))
    ends = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(ends)]
    assert "".join(until(iter(pieces), stop)) == whole.partition(stop)[0]


@pytest.mark.parametrize("size", range(1, 8))
def test_a_stop_string_may_be_longer_than_a_piece(size: int) -> None:
    pieces = ["abcdefg"[i : i + size] for i in range(0, 7, size)]
    assert "".join(until(iter(["x", *pieces, "y"]), "abcdefg")) == "x"


def test_nothing_is_drawn_after_the_stop_string() -> None:
    pieces = iter(["one ", "two ", "three"])
    assert "".join(until(pieces, "two")) == "one "
    assert list(pieces) == ["three"]


def test_what_cannot_begin_the_stop_string_is_not_held_back_longer_than_it_is() -> None:
    shown = until(iter(["abcdefgh", "ij"]), "xyz")
    assert next(shown) == "abcdef"


# Held back from copying


def guarded(
    writer: Engine, text: Text, training: str, limit: int, prompt: str = "", choice: Choice | None = None
) -> str:
    """A text of 200 characters that may not copy more than `limit` characters of a training text."""
    vocabulary = text.vocabulary
    guard, start = CopyGuard(vocabulary.encode(training), limit), start_after(writer, vocabulary, prompt)
    pieces = write(writer, vocabulary, start, 200, choice or Choice(), SOURCE, guard=guard, prompt=prompt)
    return "".join(pieces)


def longest_copy(text: str, training: str) -> int:
    """The length of the longest substring of a text that stands in the training text."""
    ends = range(len(text) + 1)
    return max(end - start for end in ends for start in range(end + 1) if text[start:end] in training)


@every_engine
def test_a_guard_that_never_refuses_changes_nothing(
    writer: Callable[[str], Engine], prose: Text, engine: str
) -> None:
    made = writer(engine)
    assert guarded(made, prose, prose[:], 40) == written(made, prose, 200)
    assert guarded(made, prose, written(made, prose, 200), 10**9) == written(made, prose, 200)


@every_engine
@pytest.mark.parametrize("limit", [1, 2, 7, 31, 32, 33, 50])
def test_no_more_than_the_limit_is_copied_and_until_then_the_text_is_the_same(
    writer: Callable[[str], Engine], prose: Text, engine: str, limit: int
) -> None:
    made = writer(engine)
    unguarded = written(made, prose, 200)
    text = guarded(made, prose, unguarded, limit)
    assert len(text) == 200
    assert longest_copy(text, unguarded) == limit
    assert text[:limit] == unguarded[:limit]
    assert text[limit] != unguarded[limit]


@every_engine
def test_a_prompt_counts_as_written(writer: Callable[[str], Engine], prose: Text, engine: str) -> None:
    made, prompt = writer(engine), prose[:30]
    start = start_after(made, prose.vocabulary, prompt)
    unguarded = "".join(write(made, prose.vocabulary, start, 200, Choice(), SOURCE))
    text = guarded(made, prose, prompt + unguarded, 32, prompt)
    assert text[:2] == unguarded[:2]
    assert text[2] != unguarded[2]


@every_engine
@pytest.mark.parametrize("choice", [Choice(0), Choice(top_k=1), Choice(top_p=1e-9)])
def test_what_is_refused_is_left_out_before_the_likeliest_are_chosen(
    writer: Callable[[str], Engine], prose: Text, engine: str, choice: Choice
) -> None:
    made = writer(engine)
    unguarded = written(made, prose, 200, choice=choice)
    text = guarded(made, prose, unguarded, 5, choice=choice)
    assert text[:5] == unguarded[:5]
    *_, state = iter_states(made, prose.vocabulary.encode(text[:5]))
    logits, _ = made.step(None, state)
    second = int(np.argsort(-logits[0])[1])
    assert text[5] == prose.vocabulary.symbols[second]


def iter_states(engine: Engine, ids: Any) -> list[Any]:
    """The states after each of some symbols."""
    states = [np.zeros_like(start_after(engine, Vocabulary("a"), "").state)]
    for i in ids:
        states.append(engine.step(np.array([i]), states[-1])[1])
    return states


@every_engine
def test_where_every_symbol_would_be_a_copy_the_text_ends_with_an_error(
    writer: Callable[[str], Engine], prose: Text, engine: str
) -> None:
    made, symbols = writer(engine), prose.vocabulary.symbols
    everything = "".join(a + b for a in symbols for b in symbols)
    guard, start = CopyGuard(prose.vocabulary.encode(everything), 1), start_after(made, prose.vocabulary, "")
    pieces = write(made, prose.vocabulary, start, 200, Choice(), SOURCE, guard=guard)
    shown = []
    with pytest.raises(SettingError, match=r"`limit` is 1; every symbol .* give a higher one"):
        shown.extend(pieces)  # what came before is kept
    assert "".join(shown) == written(made, prose, 1)


@every_engine
def test_a_stop_string_ends_a_guarded_text_too(
    writer: Callable[[str], Engine], prose: Text, engine: str
) -> None:
    made = writer(engine)
    training = written(made, prose, 200)
    text = guarded(made, prose, training, 4)
    guard, start = CopyGuard(prose.vocabulary.encode(training), 4), start_after(made, prose.vocabulary, "")
    stop = text[90:97]
    pieces = write(made, prose.vocabulary, start, 200, Choice(), SOURCE, stop, guard)
    assert "".join(pieces) == text[: text.index(stop)]
