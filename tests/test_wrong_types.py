"""What is of a wrong type in a plain call from Python is told by an error of hornbook's own."""

from __future__ import annotations

import pytest

import hornbook
from hornbook import InputError, Model, Text, settings

TEXT = Text.from_string("the cat sat on the mat and so did we " * 20, name="cats")
SHAPE, TRAINING = settings(len(TEXT.vocabulary), hidden=5)
CALLS = [  # and what is said
    ("model.score(None)", "expected a string or a Text, got NoneType"),
    ("model.score(['the'])", "got list"),
    ("model.score(b'the')", "got bytes"),
    ("model.score('the', training=5)", "got int"),
    ("model.evaluate(None)", "got NoneType"),
    ("model.evaluate('the', before=None)", "got NoneType"),
    ("model.evaluate('the', window='3')", "`window` is '3'"),
    ("model.evaluate_dynamic(None)", "got NoneType"),
    ("model.evaluate_dynamic('the', before=5)", "got int"),
    ("model.guesses(None)", "got NoneType"),
    ("model.hidden(None)", "got NoneType"),
    ("model.gradients(b'the')", "got bytes"),
    ("model.copy_guard(None)", "got NoneType"),
    ("model.sample('3')", "`length` is '3'"),
    ("model.sample(5, prompt=None)", "`prompt` is None; expected a text"),
    ("model.sample(5, prompt=b'the')", "`prompt` is b'the'"),
    ("model.sample(5, stop=5)", "`stop` is 5"),
    ("model.sample(5, number='a')", "number is 'a'"),
    ("model.sample(5, number=-1)", "number is -1"),
    ("model.sample(5, guard=40)", "guard is 40; expected what the method copy_guard of a model gives"),
    ("model.start(None)", "`prompt` is None"),
    ("Model.from_torch(None, 'ab')", "expected a torch.nn.Module, got NoneType"),
    ("hornbook.Text.from_string(None)", "expected the characters as a string, got NoneType"),
    ("hornbook.Text.from_string(b'abc')", "got bytes"),
    ("hornbook.Text.from_string('abc', name=5)", "`name` is 5"),
    ("hornbook.Vocabulary(5)", "expected the symbols of a vocabulary as one string, such as 'abc', got int"),
    ("hornbook.Vocabulary(list('ab'))", "vocabulary as one string, such as 'abc', got list"),
    ("hornbook.read_text(None)", "the path of a text is None"),
    ("hornbook.read_text(['book.txt'])", "the path of a text is ['book.txt']"),
    ("hornbook.read_text('x', encoding=None)", "unknown encoding None"),
    ("hornbook.read_text(name=5)", "`name` is 5"),
    ("hornbook.load(None)", "expected the folder of a run, such as runs/book, got NoneType"),
    ("hornbook.load('x' * 300)", "is not a folder; name a run"),
    ("hornbook.Run(b'a')", "got bytes"),
    ("hornbook.resume(5)", "got int"),
    ("hornbook.train(TEXT, start=5)", "got int"),
    ("hornbook.train(TEXT, out=5)", "`out` is 5; expected a path"),
    (r"hornbook.train(TEXT, out='a\0b')", r"`out` is 'a\x00b'; expected a path"),
    (r"hornbook.train(TEXT, out='a\ud800b')", r"`out` is 'a\ud800b'; expected a path"),
    (r"hornbook.train(TEXT, name='a\0b')", "expected the name of one folder"),
    (r"hornbook.train(TEXT, name='a\ud800b')", "expected the name of one folder"),
    (r"hornbook.read_text('a\ud800b')", "is not a file name"),
    ("hornbook.read_text('')", "is not a file name"),
    ("hornbook.train(TEXT, name=5)", "`name` is 5; expected a text"),
    ("hornbook.check_gradients(TEXT, None, TRAINING)", "got NoneType and TrainingSettings"),
    ("hornbook.check_gradients(TEXT, TRAINING, SHAPE)", "got TrainingSettings and ModelSettings"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model of TEXT."""
    out = tmp_path_factory.mktemp("runs") / "cats"
    return hornbook.load(hornbook.train(TEXT, out=out, hidden=5, seq_len=4, updates=9, quiet=True))


@pytest.mark.parametrize(("call", "said"), CALLS, ids=[call for call, _ in CALLS])
def test_what_is_of_a_wrong_type_is_refused_in_words_of_hornbooks(model: Model, call: str, said: str) -> None:
    if "torch" in call:
        pytest.importorskip("torch")
    with pytest.raises(InputError) as refused:
        eval(call, {**globals(), "model": model})
    assert said in str(refused.value)


def test_no_stop_string_may_be_none_as_well_as_empty(model: Model) -> None:
    assert model.sample(5, stop=None) == model.sample(5)
