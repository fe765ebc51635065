"""advance against NumPy: classic, long, split anywhere, clipped each way, stopped where a number is not
finite."""

import numpy as np
import pytest
import truth

from hornbook.text import read_text

K, H, T = 11, 13, 7

every_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def text(n=200, K=K, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, K, n).astype(dtype)


def start(core, flat, memories=1, hidden=None, update=0):
    H_ = hidden.size if hidden is not None else core[1]
    hidden = np.zeros(H_, flat.dtype) if hidden is None else hidden
    core[0].set_state(
        update, flat, np.zeros((memories, flat.size), flat.dtype), hidden, float("nan"), float("inf"), 0, flat
    )
    return core[0]


def make(level, dtype=np.float64, K=K, H=H, T=T, **settings):
    cls = level.Core64 if dtype == np.float64 else level.Core32
    return cls(K, H, T, **settings), H


def parameters(sigma=0.3, dtype=np.float64, K=K, H=H):
    return (np.random.default_rng(5).standard_normal(truth.size(K, H)) * sigma).astype(dtype)


def compare(level, n, rate, limit, K=K, H=H, T=T, sigma=0.3, N=200, ids=None, **settings):
    optimizer = settings.get("optimizer", "adagrad")
    flat, ids = parameters(sigma, K=K, H=H), text(N, K) if ids is None else ids
    core = start(make(level, K=K, H=H, T=T, **settings), flat, int(optimizer == "adagrad"))
    loss, smooth, norm, clipped, why = core.advance(ids, np.full(n, rate))
    numpy = truth.Trainer(
        K,
        H,
        T,
        optimizer,
        settings.get("clip", "value"),
        settings.get("clip_limit", 5.0),
        settings.get("objective_scale", 1.0),
    ).set(flat)
    rows, _ = numpy.advance(ids, np.full(n, rate))
    want = np.array(rows)
    assert why == ""
    assert len(loss) == n
    np.testing.assert_allclose(loss, want[:, 0], rtol=limit)
    np.testing.assert_allclose(smooth, want[:, 1], rtol=limit)
    np.testing.assert_allclose(norm, want[:, 2], rtol=limit)
    assert (clipped == want[:, 3]).all()
    state = core.get_state()
    for name, wanted in [
        ("parameters", numpy.flat),
        ("hidden", numpy.hidden),
        ("best_parameters", numpy.best),
    ]:
        assert np.abs(state[name] - wanted).max() / np.abs(wanted).max() < limit, name
    if optimizer == "adagrad":
        assert np.abs(state["memory"][0] - numpy.memory).max() / numpy.memory.max() < limit
    assert state["update"] == numpy.update
    assert state["best_update"] == numpy.best_update
    assert abs(state["best_smooth"] - numpy.best_smooth) < limit * numpy.best_smooth


def test_three_updates_of_the_classic_recipe_are_those_of_numpy(level):
    compare(level, 3, 0.1, 1e-10, K=80, H=100, T=25, sigma=0.01, N=1000)


@every_dtype
def test_a_first_step_of_adagrad_is_exact_but_for_rounding(level, dtype):
    """Its memory is g², and it starts from zero: the step is known without the gradient."""
    flat = parameters(dtype=dtype)
    named = truth.views(flat, K, H)
    named["b"][:] = named["c"][:] = 0
    core = start(make(level, dtype), flat)
    core.advance(text(), np.full(1, 0.1))
    state = core.get_state()
    for name in ("b", "c"):
        squares = truth.views(state["memory"][0].astype(np.float64), K, H)[name]
        step = np.abs(truth.views(state["parameters"].astype(np.float64), K, H)[name])
        assert squares.min() > 0
        np.testing.assert_allclose(
            step, 0.1 * np.sqrt(squares / (squares + 1e-8)), rtol=5 * np.finfo(dtype).eps
        )


def test_200_updates_of_adagrad_are_those_of_numpy(level):
    compare(level, 200, 0.01, 1e-9)


def test_200_updates_of_the_classic_size_are_those_of_numpy(level):
    # On a text: at random symbols nothing is learnt, and the first steps magnify any rounding a millionfold.
    book = read_text()
    compare(level, 200, 0.01, 1e-9, K=len(book.vocabulary), H=100, T=25, sigma=0.01, ids=book.ids)


def test_200_updates_of_sgd_are_those_of_numpy(level):
    compare(level, 200, 0.01, 1e-9, optimizer="sgd")


SETTINGS = [
    {"clip": "norm", "clip_limit": 2.0},
    {"clip": "norm", "clip_limit": 1e9},
    {"clip": "none"},
    {"clip_limit": 0.1},
    {"objective_scale": 1 / 7},
    {"optimizer": "sgd", "clip": "norm", "clip_limit": 1.5},
    {"optimizer": "sgd", "clip": "none", "objective_scale": 1 / 7},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_clipping_objective_and_optimizer_are_those_of_numpy(level, settings):
    compare(level, 60, 0.01, 1e-9, **settings)


def test_a_text_that_ends_is_begun_again_from_the_zero_state(level):
    compare(level, 12, 0.01, 1e-10, N=3 * T + 5)  # three updates an epoch
    compare(level, 5, 0.01, 1e-10, N=T + 1)


def same(a, b):
    return all(
        np.array_equal(a[k], b[k], equal_nan=True)
        if isinstance(a[k], np.ndarray)
        else a[k] == b[k] or (a[k] != a[k] and b[k] != b[k])
        for k in a
    )


@every_dtype
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32])
def test_split_anywhere_is_the_same_to_the_bit(level, dtype, kind):
    flat, ids, rates = parameters(dtype=dtype), text(dtype=kind), np.linspace(0.1, 0.01, 40)
    whole = start(make(level, dtype), flat)
    results = whole.advance(ids, rates)
    rng = np.random.default_rng(0)
    parts, again, done = [], start(make(level, dtype), flat), 0
    while done < 40:
        n = int(rng.integers(0, 9))
        parts.append(again.advance(ids, rates[done : done + n])[:4])
        done += n
        if rng.random() < 0.5:  # through a fresh core too
            state = again.get_state()
            again = make(level, dtype)[0]
            again.set_state(**state)
            assert same(again.get_state(), state)
    for i in range(4):
        assert np.array_equal(np.concatenate([p[i] for p in parts]), results[i])
    assert same(again.get_state(), whole.get_state())


@every_dtype
@pytest.mark.parametrize("clip", ["value", "norm", "none"])
@pytest.mark.parametrize("optimizer", ["adagrad", "sgd"])
def test_which_gradients_are_measured_changes_no_bit(level, dtype, optimizer, clip):
    flat, ids, rates = parameters(dtype=dtype), text(), np.full(30, 0.02)
    states = []
    for every in (1, 3, 2**63 - 1):
        settings = {"optimizer": optimizer, "clip": clip, "clip_limit": 0.1}
        core = start(make(level, dtype, **settings), flat, memories=int(optimizer == "adagrad"))
        for part in (rates[:7], rates[7:8], rates[8:]):
            core.advance(ids, part, every)
        states.append(core.get_state())
    assert same(states[0], states[1])
    assert same(states[0], states[2])


@pytest.mark.parametrize("H_", [1, 2, 4, 5, 9, 16, 17, 100, 129])
@pytest.mark.parametrize("K_", [2, 9, 65, 300])
@every_dtype
def test_a_state_put_in_comes_out_to_the_bit(level, dtype, H_, K_):
    rng = np.random.default_rng(1)
    P = truth.size(K_, H_)
    core = make(level, dtype, K_, H_, 3)[0]
    parameters, best = rng.standard_normal((2, P)).astype(dtype)
    state = {
        "update": 9,
        "parameters": parameters,
        "memory": rng.random((1, P)).astype(dtype),
        "hidden": rng.uniform(-1, 1, H_).astype(dtype),
        "smooth": 3.5,
        "best_smooth": 3.25,
        "best_update": 4,
        "best_parameters": best,
    }
    core.set_state(**state)
    assert same(core.get_state(), state)


def test_the_best_parameters_kept_late_are_those_kept_at_once(level):
    flat, ids = parameters(dtype=np.float32), text()
    lazy, eager = start(make(level, np.float32), flat), start(make(level, np.float32), flat)
    lazy.advance(ids, np.full(150, 0.05))
    best, lowest = None, np.inf
    for _ in range(150):
        _, smooth, _, _, _ = eager.advance(ids, np.array([0.05]))
        if smooth[0] < lowest:
            lowest, best = smooth[0], eager.get_state()
    state = lazy.get_state()
    assert np.array_equal(state["best_parameters"], best["parameters"])
    assert state["best_update"] == best["update"]
    assert state["best_smooth"] == lowest


def test_a_norm_is_measured_as_seldom_as_asked(level):
    flat, ids = parameters(), text()
    _, _, norm, clipped, _ = start(make(level), flat).advance(ids, np.full(10, 0.01), 4)
    _, _, always, counts, _ = start(make(level), flat).advance(ids, np.full(10, 0.01))
    measured = np.array([3, 7, 9])  # and of the last update of a call
    assert (np.flatnonzero(np.isfinite(norm)) == measured).all()
    assert (norm[measured] == always[measured]).all()
    assert (clipped[measured] == counts[measured]).all()
    assert (clipped[:3] == -1).all()


def test_rows_of_u_that_are_never_read_stay(level):
    flat, ids = parameters(), np.array([1, 2, 3] * 20, np.uint8)
    core = start(make(level), flat)
    core.advance(ids, np.full(9, 0.1))
    before, after = truth.views(flat, K, H)["U"], truth.views(core.get_state()["parameters"], K, H)["U"]
    assert (before[4:] == after[4:]).all()
    assert (before[1:4] != after[1:4]).all()


def stop(
    level, why, done, dtype=np.float32, settings=None, flat=None, rates=(0.1,) * 5, hidden=None, ids=None
):
    flat = parameters(dtype=dtype) if flat is None else flat
    settings = settings or {}
    memories = int(settings.get("optimizer", "adagrad") == "adagrad")
    core = start(
        make(level, dtype, **settings), flat, memories, hidden, update=1 if hidden is not None else 0
    )
    twin = start(
        make(level, dtype, **settings), flat, memories, hidden, update=1 if hidden is not None else 0
    )
    ids = text() if ids is None else ids
    results = core.advance(ids, np.array(rates))
    assert results[4] == why
    assert [len(r) for r in results[:4]] == [done] * 4
    twin.advance(ids, np.array(rates)[:done])
    assert same(core.get_state(), twin.get_state())
    again = core.advance(ids, np.array(rates))
    assert again[4] == why
    assert len(again[0]) == 0
    assert same(core.get_state(), twin.get_state())


@every_dtype
@pytest.mark.parametrize("clip", ["value", "norm", "none"])
@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_parameters_that_are_not_finite_stop_before_the_first_update(level, dtype, clip, optimizer):
    for value in (np.nan, np.inf):
        flat = parameters(dtype=dtype)
        truth.views(flat, K, H)["V"][2, 3] = value
        stop(level, "loss", 0, dtype, {"clip": clip, "optimizer": optimizer}, flat)


def test_a_wild_step_stops_at_the_update_after_it(level):
    flat, rates = parameters(dtype=np.float32), np.array([0.01, 0.01, 3e38, 0.01, 0.01])
    core = start(make(level, np.float32), flat)
    results = core.advance(text(), rates)
    assert results[4] in ("loss", "gradient")
    assert len(results[0]) == 3
    assert np.isfinite(core.get_state()["smooth"])


@pytest.mark.parametrize("clip", ["value", "norm", "none"])
@every_dtype
def test_a_gradient_that_overflows_stops_though_the_loss_is_finite(level, clip, dtype):
    """W small forward (states near zero through tanh's slope 1), V·huge: the loss is finite, dh overflows."""
    flat = np.zeros(truth.size(K, H), dtype)
    v = truth.views(flat, K, H)
    v["V"][:] = 0.9 * np.finfo(dtype).max
    v["V"][:, 1::2] *= -1
    stop(level, "gradient", 0, dtype, {"clip": clip}, flat)  # h = 0: the logits are all 0


@pytest.mark.parametrize("clip", ["value", "none"])
def test_a_huge_gradient_that_is_finite_goes_on(level, clip):
    """Squares of the gradient overflow float, the norm does not: exact all the same."""
    flat = np.zeros(truth.size(K, H), np.float32)
    v = truth.views(flat, K, H)
    v["V"][:] = 1e25
    v["V"][:, 1::2] *= -1
    ids = text()
    core = start(make(level, np.float32, clip=clip), flat)
    _, _, norm, clipped, why = core.advance(ids, np.full(1, 0.1))
    want = truth.loss_and_gradients(
        flat.astype(float), ids[:T].astype(int), ids[1 : T + 1].astype(int), np.zeros(H), np.zeros(H), K, H
    )[1]
    assert why == ""
    assert abs(norm[0] / np.linalg.norm(want) - 1) < 1e-5
    if clip == "value":
        assert clipped[0] == (abs(want) > 5).sum()
    assert np.isfinite(core.get_state()["parameters"]).all()


BAD = [
    ({"vocabulary": 0}, "vocabulary"),
    ({"hidden": 0}, "hidden"),
    ({"seq_len": 0}, "seq_len"),
    ({"optimizer": "adam"}, "optimizer"),
    ({"clip": "x"}, "clip"),
    ({"clip_limit": float("nan")}, "clip_limit"),
    ({"objective_scale": 0.0}, "objective_scale"),
    ({"vocabulary": 2**31, "hidden": 2**18}, "2\\^36"),
]


@pytest.mark.parametrize(("settings", "names"), BAD, ids=str)
def test_settings_that_cannot_be_are_refused_by_name(level, settings, names):
    with pytest.raises(ValueError, match=names):
        level.Core32(**{"vocabulary": 3, "hidden": 4, "seq_len": 5, **settings})


def test_texts_and_rates_that_cannot_be_are_refused(level):
    core = start(make(level), parameters())
    with pytest.raises(ValueError, match="ids"):
        core.advance(np.full(100, K, np.uint8), np.full(2, 0.1))
    with pytest.raises(ValueError, match="at least"):
        core.advance(text(T), np.full(2, 0.1))
    with pytest.raises(ValueError, match="rates"):
        core.advance(text(), np.array([np.nan]))
    with pytest.raises(ValueError, match="measure_every"):
        core.advance(text(), np.full(2, 0.1), 0)
    with pytest.raises(TypeError):
        core.advance(text().astype(np.int32), np.full(2, 0.1))


X, FLAT, ZERO = np.array([0, 1]), parameters(), np.zeros(H)
UNFIT = {
    "parameters of another size": (FLAT[1:], X, X, ZERO, ZERO),
    "an id below 0": (FLAT, X - 1, X, ZERO, ZERO),
    "an id beyond the vocabulary": (FLAT, X, X + K, ZERO, ZERO),
    "more to read than to predict": (FLAT, X, X[:1], ZERO, ZERO),
    "nothing to read": (FLAT, X[:0], X[:0], ZERO, ZERO),
    "a state of another size": (FLAT, X, X, ZERO[1:], ZERO),
    "a gradient of the state of another size": (FLAT, X, X, ZERO, ZERO[1:]),
}


@pytest.mark.parametrize("unfit", UNFIT.values(), ids=UNFIT)
def test_arrays_that_do_not_fit_are_refused(level, unfit):
    core = start(make(level), FLAT)
    with pytest.raises(ValueError):
        core.loss_and_gradients(*unfit)
    with pytest.raises(ValueError):
        core.read(*unfit[:3], unfit[3] if unfit[4].size == H else ZERO[1:])


def test_a_step_that_does_not_fit_is_refused(level):
    core = start(make(level), FLAT)
    with pytest.raises(ValueError):
        core.step(FLAT, np.array([K]), ZERO[None])
    with pytest.raises(ValueError):
        core.step(FLAT, np.array([0]), ZERO)
