"""PyTorch weights out and in: the same logits, and an error for what has no form here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hornbook import Model, SettingError, Vocabulary
from hornbook.cells import CELLS
from hornbook.cells.cell import Array
from hornbook.config import settings
from hornbook.engines import ENGINES
from hornbook.engines.interface import zero_state
from hornbook.parameters import count

torch = pytest.importorskip("torch")

SYMBOLS = "abcdefghi"
IDS = np.random.default_rng(3).integers(0, len(SYMBOLS), (40, 3))  # (T, B)
MODULES = {"vanilla": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
CLOSE = {"float32": 1e-6, "float64": 1e-14}  # relative to the largest logit

every_engine = pytest.mark.parametrize("engine", ENGINES)
every_cell = pytest.mark.parametrize("cell", CELLS)
every_depth = pytest.mark.parametrize("layers", [1, 3])
every_dtype = pytest.mark.parametrize("dtype", CLOSE)


def drawn(cell: str, layers: int, dtype: str, engine: str = "reference") -> Model:
    """A model with parameters drawn at random."""
    shape = {"cell": cell, "layers": layers, "hidden": 11, "dtype": dtype, "engine": engine}
    model, training = settings(len(SYMBOLS), "plain", **shape)
    flat = np.random.default_rng(7).normal(0, 0.25, count(model)).astype(dtype)
    return Model(model, training, Vocabulary(SYMBOLS), flat)


def our_logits(model: Model, ids: Array = IDS) -> Array:  # (T, B, K)
    """The logits after each of the characters."""
    state, rows = zero_state(model.settings, ids.shape[1], model.flat.dtype), []
    for row in ids:
        logits, state = model.engine.step(row, state)
        rows.append(logits)
    return np.array(rows)


def their_logits(network: Any, ids: Array = IDS) -> Array:  # (T, B, K)
    """The same of a module of ours."""
    with torch.no_grad():
        return np.asarray(network(torch.from_numpy(ids))[0])


def assert_close(ours: Array, theirs: Array) -> None:
    """The same but for rounding."""
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=CLOSE[str(ours.dtype)] * np.abs(theirs).max())


class Foreign(torch.nn.Module):
    """A character network as others write it: an embedding or one-hot rows, other names, two biases."""

    def __init__(self, cell: str, layers: int = 2, embedding: int = 0, **how: Any) -> None:
        super().__init__()
        torch.manual_seed(2)
        K = len(SYMBOLS)
        self.encoder = torch.nn.Embedding(K, embedding) if embedding else None
        self.core = MODULES[cell](embedding or K, 11, layers, **how)
        self.dropout = torch.nn.Dropout(0.5)
        self.decoder = torch.nn.Linear(11, K)
        for parameter in self.parameters():
            torch.nn.init.normal_(parameter, 0, 0.25)

    def forward(self, ids: Any) -> Any:
        onehot = torch.nn.functional.one_hot(ids, len(SYMBOLS)).to(self.decoder.weight.dtype)
        hidden, state = self.core(self.encoder(ids) if self.encoder else onehot)
        return self.decoder(self.dropout(hidden)), state

    def without_second_bias_of_n(self) -> Foreign:
        """The same with that part of a GRU's bias zero for which there is no place."""
        for layer in range(self.core.num_layers):
            getattr(self.core, f"bias_hh_l{layer}").data[2 * 11 :] = 0
        return self


@every_engine
@every_cell
@every_depth
@every_dtype
def test_a_model_and_its_module_give_the_same_logits(engine: str, cell: str, layers: int, dtype: str) -> None:
    model = drawn(cell, layers, dtype, engine)
    assert_close(our_logits(model), their_logits(model.to_torch()))


@every_cell
@every_depth
@every_dtype
def test_out_and_in_again_is_the_same_model(cell: str, layers: int, dtype: str) -> None:
    model = drawn(cell, layers, dtype)
    again = Model.from_torch(model.to_torch(), SYMBOLS)
    assert again.settings == model.settings
    assert again.vocabulary == model.vocabulary
    np.testing.assert_array_equal(again.flat, model.flat)
    assert again.training.dtype == dtype


@every_cell
def test_the_module_goes_on_from_a_state_as_torch_has_it(cell: str) -> None:
    network = drawn(cell, 2, "float64").to_torch()
    ids = torch.from_numpy(IDS)
    with torch.no_grad():
        whole, end = network(ids)
        first, state = network(ids[:17])
        second, last = network(ids[17:], state)
    assert torch.allclose(torch.cat([first, second]), whole, atol=1e-14)
    assert len(last) == len(end)


@every_cell
@every_dtype
@pytest.mark.parametrize("embedding", [0, 5])
def test_a_foreign_module_comes_in_with_both_its_biases(cell: str, dtype: str, embedding: int) -> None:
    module = Foreign(cell, embedding=embedding).to(getattr(torch, dtype)).eval()
    if cell == "gru":
        module.without_second_bias_of_n()
    model = Model.from_torch(module, Vocabulary(SYMBOLS))
    assert_close(our_logits(model), their_logits(module))
    assert len(model.sample(20, seed=1)) == 20


@every_cell
def test_a_module_without_biases_comes_in(cell: str) -> None:
    module = Foreign(cell, bias=False).eval()
    assert_close(our_logits(Model.from_torch(module, SYMBOLS)), their_logits(module))


def test_half_precision_comes_in_as_float32() -> None:
    model = Model.from_torch(Foreign("lstm").to(torch.bfloat16), SYMBOLS)
    assert model.flat.dtype == np.float32


def test_a_gru_whose_second_bias_is_not_zero_in_n_is_refused_and_told_why() -> None:
    with pytest.raises(SettingError, match=r"bias_hh_l0 of this GRU is not zero in n .*r multiplies"):
        Model.from_torch(Foreign("gru"), SYMBOLS)


HOLD = "torch.nn.init.zeros_(gru.bias_hh_l0.requires_grad_(False))"


@pytest.mark.parametrize("optimizer", ["Adam", "SGD"])
def test_a_gru_comes_in_after_a_training_by_the_line_that_the_readme_and_the_error_tell(
    optimizer: str,
) -> None:
    module = Foreign("gru", layers=1)
    with pytest.raises(SettingError, match=re.escape(HOLD)):
        Model.from_torch(module, SYMBOLS)
    assert HOLD in (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    exec(HOLD, {"torch": torch, "gru": module.core})
    learner = getattr(torch.optim, optimizer)(module.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(3):
        learner.zero_grad()
        logits, _ = module(torch.from_numpy(IDS[:-1]))
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), torch.from_numpy(IDS[1:]).flatten())
        loss.backward()
        learner.step()
    assert_close(our_logits(Model.from_torch(module.eval(), SYMBOLS)), their_logits(module))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["encoder.weight", "core.bias_hh_l1", "decoder.weight"])
def test_weights_that_are_not_finite_are_refused_by_name(name: str, value: float) -> None:
    module = Foreign("lstm", embedding=5)
    module.get_parameter(name).data.view(-1)[3] = value
    with pytest.raises(SettingError, match=f"{name} of this module has values that are not finite"):
        Model.from_torch(module, SYMBOLS)


class Two(torch.nn.Module):
    """Two recurrent parts."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = torch.nn.GRU(9, 9), torch.nn.GRU(9, 9)
        self.out = torch.nn.Linear(9, 9)


@pytest.mark.parametrize(
    ("module", "what"),
    [
        (lambda: torch.nn.Linear(9, 9), "0 recurrent parts, 1 Linear and 0 Embedding; expected one"),
        (lambda: torch.nn.LSTM(9, 9), "1 recurrent parts, 0 Linear"),
        (Two, "2 recurrent parts"),
        (lambda: Foreign("lstm", bidirectional=True), "bidirectional"),
        (lambda: Foreign("lstm", proj_size=3), "projected"),
        (lambda: Foreign("vanilla", nonlinearity="relu"), "ReLU"),
        (lambda: torch.nn.Sequential(Foreign("lstm"), torch.nn.LayerNorm(9)), "LayerNorm has weights"),
        (lambda: torch.nn.Sequential(torch.nn.LSTM(9, 11), torch.nn.Linear(5, 9)), "fit together"),
        (lambda: torch.nn.Sequential(torch.nn.LSTM(9, 9), torch.nn.Linear(9, 5)), "foretells 5"),
    ],
)
def test_a_module_that_is_no_such_network_is_refused(module: Any, what: str) -> None:
    with pytest.raises(SettingError, match=what):
        Model.from_torch(module(), SYMBOLS)


def test_a_vocabulary_of_another_size_is_refused() -> None:
    with pytest.raises(SettingError, match="reads 9 symbols and foretells 9, and the vocabulary has 3"):
        Model.from_torch(Foreign("lstm"), "abc")


MISSING = """
import sys
sys.modules["torch"] = None  # an import of it fails
import numpy as np
from hornbook import HornbookError, Model, Vocabulary, settings
from hornbook.parameters import count
model, training = settings(3, engine="reference")
built = Model(model, training, Vocabulary("abc"), np.zeros(count(model), np.float32))
for go in (built.to_torch, lambda: Model.from_torch(None, "abc")):
    try:
        go()
    except ImportError as error:
        print(isinstance(error, HornbookError), error)
"""


def test_without_torch_both_say_what_to_install() -> None:
    done = subprocess.run([sys.executable, "-c", MISSING], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("True this needs PyTorch") and "pip install torch" in line for line in lines)


def test_a_model_is_used_without_importing_torch() -> None:
    program = MISSING.partition("for go")[0] + "print(len(built.sample(5)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "5\n"
