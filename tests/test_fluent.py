"""Preset fluent: every text and every length get settings that fit, and what is set stays."""

from __future__ import annotations

import time

import numpy as np
import pytest
from typer.testing import CliRunner

from hornbook import Run, SettingError, Text, read_text, resume, train, train_events
from hornbook.advice import Advice
from hornbook.calibration import arranged, possible
from hornbook.cli.display import Display
from hornbook.cli.main import app
from hornbook.cli.words import as_typed
from hornbook.config import ADVISED, OPTIMIZER_NAMES, usual_rates
from hornbook.events import Logged
from hornbook.facade import train_into
from hornbook.fluent import HIGHEST, MOST_DECAY, RATE, advise
from hornbook.parameters import multiplied
from hornbook.reach import EPOCHS, FRESH, LEAST, MEASURABLE, READ, TWICE, in_layers, straight
from hornbook.sizing import MIXED, ROUNDS, SIZES
from hornbook.streams import Streams
from hornbook.trial import Trial


def of(characters: int, kinds: int = 60) -> Text:
    """A text of so many characters, of so many kinds."""
    random = np.random.default_rng(7)
    letters = np.array([chr(0x4E00 + i) for i in range(kinds)])
    return Text.from_string("".join(letters[random.integers(0, kinds, characters)]))


def advised(text: Text, **changes):
    """What is chosen for a text, and the settings that this makes."""
    advice = advise(text, {"preset": "fluent", "engine": "native", **changes})
    chosen = advice.given
    assert advice.reasons
    rest = {name: value for name, value in chosen.items() if name not in ("minutes", "epochs")}
    return chosen, possible(text, **rest)


def beside_nothing(monkeypatch):
    """A machine on which samples, evaluations and the end take no time, however busy this one is."""
    monkeypatch.setattr(Trial, "seconds_of_the_end", lambda trial: 0.0)
    monkeypatch.setattr(Trial, "seconds_on_the_way", lambda trial, updates: 0.0)


@pytest.fixture
def speed(monkeypatch):
    """A machine on which an update of the trial takes so many seconds, and all else none."""
    beside_nothing(monkeypatch)

    def takes(seconds: float) -> None:
        monkeypatch.setattr(Trial, "seconds_of_an_update", lambda trial, left: seconds)

    return takes


def test_other_presets_are_left_alone():
    text = of(100)
    assert advise(text, {"hidden": 7}) == Advice({"hidden": 7})
    assert advise(text, {"preset": "plain", "lr": None}) == Advice({"preset": "plain"})


@pytest.mark.parametrize("length", [{"epochs": 1}, {"epochs": 200}, {"updates": 1}, {"updates": 100_000}])
@pytest.mark.parametrize("characters", [3, 20, 300, 5000, 200_000])
def test_every_text_can_be_trained_on(characters, length):
    text = of(characters, kinds=min(characters, 60))
    chosen, (_, training) = advised(text, **length)
    assert set(ADVISED) <= set(chosen)
    assert Streams.of(characters, training).updates_per_epoch >= 1
    assert training.streams * training.seq_len <= characters


@pytest.mark.parametrize("validation", [0.0, 0.1, 0.5])
def test_a_text_of_three_hundred_characters_trains_a_small_network(validation):
    events = list(train_events(of(300), "fluent", epochs=1, engine="reference", validation=validation))
    assert events[-1].complete


@pytest.mark.parametrize("said", [{"hidden": 77}, {"layers": 3}, {"cell": "lstm"}, {"dropout": 0.25},
                                  {"streams": 5}, {"seq_len": 33}, {"chunk": 2}, {"lr": 0.01},
                                  {"order": "text"}, {"dtype": "float32"}, {"schedule": "constant"},
                                  {"input_rate": 2.0}, {"weight_decay": 0.1},
                                  {"average": 0.3}], ids=str)  # fmt: skip
def test_what_is_said_is_kept_and_given_no_reason(said):
    ((name, value),) = said.items()
    advice = advise(of(5000), {"preset": "FLUENT", "engine": "native", "epochs": 2, **said})
    chosen, reasons = advice.given, list(map(as_typed, advice.reasons))
    assert chosen[name] == value
    typed = [reason.partition(": ")[0] for reason in reasons]
    assert not any(f"--{name.replace('_', '-')} " in flags for flags in typed)


def test_each_choice_is_told_with_its_reason_in_a_line_that_can_be_typed():
    advice = advise(of(5000), {"preset": "fluent", "engine": "native", "epochs": 2})
    chosen, reasons = advice.given, list(map(as_typed, advice.reasons))
    typed = " ".join(reason.partition(": ")[0] for reason in reasons).split()
    assert {name[2:].replace("-", "_") for name in typed[::2]} == set(ADVISED)
    assert all(str(chosen[name[2:].replace("-", "_")]) == value
               for name, value in zip(typed[::2], typed[1::2], strict=True))  # fmt: skip


def test_the_reasons_name_keywords_in_python_and_flags_on_the_command_line(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hornbook.facade.loss_figure", lambda *_: [])
    (tmp_path / "book.txt").write_text(of(3000)[:])
    how = {"updates": 2, "hidden": 9, "engine": "reference", "out": "python"}
    train(read_text("book.txt"), preset="fluent", **how)
    shown = capfd.readouterr().out
    assert "`layers=1`: " in shown
    assert "`cell='gru'`: " in shown
    assert "--" not in shown
    command = ["train", "book.txt", "--preset", "fluent", "--updates", "2", "--hidden", "9", "--out", "typed"]
    shown = CliRunner().invoke(app, [*command, "--engine", "reference"]).stdout
    assert "--layers 1: " in shown
    assert "--cell gru: " in shown
    assert "`" not in shown


def test_a_longer_training_gets_a_larger_network_and_never_one_it_has_no_time_for():
    text, found = of(5000), []
    for updates in (10, 100, 1000, 10_000, 100_000, 10**6):
        _, (model, training) = advised(text, updates=updates)
        read = updates * training.streams * training.seq_len
        smallest = (model.layers, model.hidden) == SIZES[0]
        assert read >= READ * in_layers(model) or smallest
        found.append(multiplied(model))
    assert found == sorted(found)
    assert found[0] < found[-1]


def test_of_a_text_that_is_read_once_or_twice_more_is_read_for_each_weight():
    often, once = (advised(of(n), updates=2400)[1] for n in (300_000, 2_000_000))
    (model, training), read = once, 2400 * once[1].streams * once[1].seq_len
    assert read <= TWICE * 2_000_000
    assert read >= FRESH * in_layers(model)
    assert multiplied(often[0]) > multiplied(model)
    assert training.streams * training.seq_len * 2400 >= READ * in_layers(often[0])


def test_a_large_vocabulary_does_not_make_the_layers_small():
    few, many = (advised(of(200_000, kinds), updates=2400)[1][0] for kinds in (60, 4000))
    assert many.hidden == few.hidden


def test_the_more_often_a_text_is_read_the_more_is_left_out():
    text = of(5000)
    dropout = [advised(text, epochs=epochs)[0]["dropout"] for epochs in (1, 3, 6, 15, 40, 1000)]
    assert dropout == sorted(dropout)
    assert dropout[0] == 0 < dropout[-1]
    assert advised(text, epochs=2)[0]["weight_decay"] == 0
    shorter, longer = (advised(of(n), epochs=15)[0]["weight_decay"] for n in (200_000, 2_000_000))
    assert shorter > longer > 0


def test_the_fewer_the_updates_the_longer_the_steps_of_the_rows_that_wait_for_their_characters():
    text = of(50_000)
    how = {"layers": 1, "hidden": 256}
    rates = [advised(text, updates=updates, **how)[0]["input_rate"] for updates in (10, 2000, 5000, 10**6)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > rates[2] > rates[3] >= 1


def test_a_fast_machine_gets_a_larger_network_than_a_slow_one(speed):
    text, sizes = of(50_000), []
    for seconds in (1.0, 0.1, 0.01, 0.001):
        speed(seconds)
        chosen, (model, _) = advised(text)
        assert chosen["minutes"] == 3
        sizes.append(multiplied(model))
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_what_is_gone_of_the_time_and_what_figures_take_is_not_counted(machine):
    text, how = of(50_000), {"preset": "fluent", "engine": "native", "minutes": 3, "most_epochs": 0}
    machine(0.0, 1e-7)

    def read(gone: float = 0.0, figures: float = 0.0) -> float:
        advice = advise(text, how, time.perf_counter() - gone, lambda: figures)
        told = next(reason for reason in advice.reasons if "characters to read" in reason)
        chosen = {name: value for name, value in advice.given.items() if name != "minutes"}
        weights = multiplied(possible(text, **chosen)[0])
        return float(told.split(": ")[-1].split()[0].replace(",", "")) * weights

    whole = read()
    assert read(gone=135) == pytest.approx(whole / 4, rel=0.05)
    assert read(figures=135) == pytest.approx(whole / 4, rel=0.05)


def foretold(text: Text, begun: float | None = None, **changes) -> tuple[float, Advice]:
    """The characters that are foretold to be read."""
    advice = advise(text, {"preset": "fluent", "engine": "native", "most_epochs": 0, **changes}, begun)
    told = next(reason for reason in advice.reasons if "to read here" in reason)
    return float(told.split(": ")[-1].split()[0].replace(",", "")), advice


def test_where_no_time_is_left_one_update_of_the_smallest_network_is_foretold(speed):
    speed(0.01)
    read, advice = foretold(of(50_000), begun=time.perf_counter() - 9, minutes=0.01)
    assert read == advice.given["streams"] * advice.given["seq_len"]
    assert (advice.given["layers"], advice.given["hidden"]) == SIZES[0]


@pytest.fixture
def machine(monkeypatch):
    """A machine on which an update takes so many seconds, and for each weight, and what is beside it nothing,
    or so many at the end and on the way."""

    def takes(fixed: float, each: float, end: float = 0.0, way: float = 0.0) -> None:
        monkeypatch.setattr(
            Trial, "seconds_of_an_update", lambda trial, left: fixed + each * multiplied(trial.model)
        )
        monkeypatch.setattr(Trial, "seconds_of_the_end", lambda trial: end)
        monkeypatch.setattr(Trial, "seconds_on_the_way", lambda trial, updates: way)

    return takes


def test_a_small_network_is_not_taken_to_be_as_much_faster_as_it_has_fewer_weights(machine):
    machine(0.1, 1e-9)
    read, advice = foretold(of(50_000), minutes=1)
    assert multiplied(advised(of(50_000), minutes=1)[1][0]) < 10_000_000
    update = advice.given["streams"] * advice.given["seq_len"]
    assert read == pytest.approx(0.95 * 60 / 0.1 * update, rel=0.1)


def test_what_else_a_training_does_in_its_time_is_not_foretold_to_be_read(machine):
    found = []
    for beside in ({}, {"end": 30.0}, {"way": 57.0}):
        machine(0.1, 1e-9, **beside)
        found.append(foretold(of(50_000), minutes=1, hidden=32)[0])
    assert found[1] == pytest.approx(found[0] * 27 / 57, rel=0.1)
    assert found[2] == pytest.approx(found[0] / 2, rel=0.1)


def test_a_network_that_is_set_to_be_very_large_is_measured_by_a_smaller_one(monkeypatch, machine):
    machine(0.0, 1e-9)
    made, takes = set[int](), Trial.seconds_of_an_update
    monkeypatch.setattr(
        Trial,
        "seconds_of_an_update",
        lambda trial, left: made.add(trial.model.hidden) or takes(trial, left),
    )
    read, advice = foretold(of(50_000), minutes=1, hidden=4096, dtype="float32", init="scaled")
    assert max(made) == MEASURABLE
    update = advice.given["streams"] * advice.given["seq_len"]
    weights = multiplied(possible(of(50_000), preset="fluent", hidden=4096, layers=1)[0])
    assert read == pytest.approx(57 / (1e-9 * weights) * update, rel=0.3)


def test_two_networks_tell_what_any_update_takes_and_each_weight():
    assert straight([(100, 5.0)]) == (0.0, 0.05)
    assert straight([(100, 5.0), (100, 4.0)]) == (0.0, 0.04)
    assert straight([(300, 4.0), (100, 2.0)]) == pytest.approx((1.0, 0.01))
    assert straight([(300, 4.0), (100, 6.0)]) == (4.0, 0.0)  # the small one was disturbed
    assert straight([(300, 6.0), (100, 0.1)]) == (0.0, 0.02)


def test_where_hardly_any_time_is_left_mixed_is_measured_once(monkeypatch, mixed):
    mixed(lambda hidden: 2.0, seconds=0.01)
    measured, takes = list[str](), Trial.seconds_of_an_update

    def counted(trial: Trial, left: float) -> float:
        measured.append(trial.training.dtype)
        return takes(trial, left)

    monkeypatch.setattr(Trial, "seconds_of_an_update", counted)
    how = {"preset": "fluent", "engine": "native", "minutes": 3, "hidden": 256, "layers": 1}
    for gone, rounds in ((0, ROUNDS), (200, 1)):
        measured.clear()
        advise(of(5000), how, time.perf_counter() - gone)
        assert measured == ["float32", *["float32", "mixed"] * rounds]


@pytest.mark.parametrize("command", [False, True])
def test_the_figures_are_rehearsed_once(tmp_path, monkeypatch, speed, command):
    rehearsals = list[str]()
    for name in ("hornbook.facade.rehearsed", "hornbook.report.figures.rehearsed"):
        monkeypatch.setattr(name, lambda name=name: rehearsals.append(name) or 0.0)
    monkeypatch.setattr("hornbook.facade.loss_figure", lambda *_: [])
    speed(1e-3)
    how = {"preset": "fluent", "minutes": 1, "hidden": 4, "layers": 1, "engine": "reference"}
    (tmp_path / "page.txt").write_text("a sentence like any other, and another one.\n" * 5)
    if command:
        typed = [part for name, value in how.items() for part in (f"--{name}", str(value))]
        where = [str(tmp_path / "page.txt"), "--out", str(tmp_path / "run"), "--quiet"]
        assert CliRunner().invoke(app, ["train", *where, *typed]).exit_code == 0
    else:
        train(read_text(tmp_path / "page.txt"), out=tmp_path / "run", quiet=True, **how)
    assert len(rehearsals) == 1


def test_a_short_text_ends_a_training_by_time_before_it_is_learnt_by_heart(speed):
    text = of(80_000)
    speed(1e-5)
    advice = advise(text, {"preset": "fluent", "engine": "native", "validation": 0.1, "minutes": 2})
    training, plan = arranged(text, **advice.given)[1:]
    assert training.most_epochs == EPOCHS
    assert plan.total == round(EPOCHS * Streams.of(72_000, training).updates_per_epoch)
    told = next(why for why in advice.reasons if "minutes are over" in why)
    assert told.startswith("the training may end before its minutes are over: ")
    assert f"{EPOCHS} times at most" in told


def test_how_often_a_text_may_be_read_is_settled_though_it_is_not_foretold_to_come_so_far(speed):
    speed(50.0)
    advice = advise(of(80_000), {"preset": "fluent", "engine": "native", "minutes": 2})
    assert advice.given["most_epochs"] == EPOCHS
    assert not any("minutes are over" in why for why in advice.reasons)
    how = {"preset": "fluent", "engine": "native", "minutes": 2, "most_epochs": 0}
    assert advise(of(80_000), how).given["most_epochs"] == 0


def test_a_text_of_a_page_is_read_often_enough_to_learn_from_it(speed):
    speed(1e-5)
    text = of(300)
    advice = advise(text, {"preset": "fluent", "engine": "native", "minutes": 1})
    training, plan = arranged(text, **advice.given)[1:]
    assert LEAST <= plan.total <= 1.1 * LEAST
    passes = round(LEAST / Streams.of(300, training).updates_per_epoch)
    for held_out, more in (
        (0.0, "with `validation=0.1` the best"),
        (0.1, "by heart by then: the best model is"),
    ):
        how = {"preset": "fluent", "engine": "native", "minutes": 1, "validation": held_out}
        told = next(why for why in advise(text, how).reasons if "minutes are over" in why)
        assert f"{LEAST:,} updates at most" in told
        assert f"{passes} times through so short a text" in told or held_out
        assert more in told
        assert f"{EPOCHS} times" not in told
    read = plan.total * training.streams * training.seq_len
    told = next(reason for reason in advice.reasons if "characters to read" in reason)
    assert float(told.split(": ")[-1].split()[0].replace(",", "")) == pytest.approx(read, rel=0.3)


def test_a_run_that_goes_on_and_one_by_its_config_read_a_short_text_no_more_often(
    tmp_path, monkeypatch, speed
):
    monkeypatch.setattr("hornbook.facade.loss_figure", lambda *_: [])
    monkeypatch.setattr("hornbook.facade.rehearsed", lambda: 0.0)
    monkeypatch.setattr("hornbook.report.figures.rehearsed", lambda: 0.0)
    monkeypatch.setattr("hornbook.plan.FIRST", 0.0)  # the clock is looked at after the first updates
    speed(1e-5)
    (tmp_path / "page.txt").write_text("a sentence like any other, and another one.\n" * 5)
    text = read_text(tmp_path / "page.txt")
    how = {"preset": "fluent", "engine": "reference", "hidden": 4, "layers": 1, "seq_len": 8, "minutes": 20}
    planned = arranged(text, **advise(text, how).given)
    most = planned[2].total
    asked = iter([False] * 3)
    run = train_into(tmp_path / "run", text, planned, Display(8), lambda: next(asked, True), 1e6)
    assert run.summary["updates"] < most
    assert resume(run, quiet=True).summary["updates"] == most
    again = ["train", "--config", str(run.folder), "--minutes", "30", "--out", str(tmp_path / "again")]
    assert CliRunner().invoke(app, [*again, "--quiet"]).exit_code == 0
    assert Run(tmp_path / "again").summary["updates"] == most


# Reasons


def reasons_of(text: Text, **changes) -> dict[str, str]:
    """What is typed, and why."""
    advice = advise(text, {"preset": "fluent", "engine": "native", **changes})
    return {typed: why for typed, _, why in (as_typed(reason).partition(": ") for reason in advice.reasons)}


def test_where_the_text_is_read_in_order_there_are_no_chunks():
    assert not any("--chunk" in typed or "--order" in typed for typed in reasons_of(of(5000), order="Text"))
    assert "--chunk 1" in reasons_of(of(5000), order="Shuffled")


def test_pieces_are_told_by_their_characters():
    why = reasons_of(of(5000), epochs=0.5, seq_len=8, chunk=3)["--order shuffled"]
    assert why.startswith("pieces of 24 characters from all over the text")


def test_what_is_read_seldom_is_not_said_to_be_learnt_by_heart():
    often, seldom = "what is seen again is soon learnt by heart", "too seldom to be learnt by heart"
    once = reasons_of(of(5000), epochs=1)
    assert seldom in once["--dropout 0.0 --weight-decay 0.0"]
    twice = reasons_of(of(5000), epochs=2)
    assert often in twice["--dropout 0.1"]
    assert twice["--weight-decay 0.0"].endswith("too seldom for this to help")
    assert not any(seldom in why for why in reasons_of(of(5000), epochs=9).values())


def test_the_fewer_the_updates_the_less_the_rate_falls():
    found = [advised(of(5000), updates=updates)[1][1].schedule for updates in (10, 300, 3000, 10_000)]
    assert found == ["constant", "constant", "linear:0.1", "linear:0.03"]
    few, more = (reasons_of(of(5000), updates=updates) for updates in (10, 3000))
    assert few["--schedule constant"].startswith("the rate stays as it is")
    assert more["--schedule linear:0.1"].startswith("the rate falls evenly to 0.1 of itself")


def test_the_mean_of_a_text_that_is_read_often_goes_further_back():
    found = [advised(of(5000), epochs=epochs)[1][1].average for epochs in (1, 9, 11, 100)]
    assert found == [0.1, 0.1, 0.4, 0.4]


def test_a_rate_that_falls_to_zero_needs_no_mean():
    assert "falls to zero" in reasons_of(of(5000), epochs=2, schedule="Cosine")["--average 0.0"]
    for schedule in (None, "constant", "linear:0.1"):
        reasons = reasons_of(of(5000), epochs=2, schedule=schedule)
        assert "the mean of the parameters over about the last 10% of the updates" in reasons["--average 0.1"]
        assert not any("to zero" in why for why in reasons.values())


@pytest.mark.parametrize(
    ("characters", "changes", "told"),
    [
        (200_000, {}, ": enough to keep the cores busy, but so few that there are many updates"),
        (3000, {}, "the text has no room for more"),
        (
            200_000,
            {"validation": 0.0001},
            "the text has no room for more",
        ),  # than a window of what is held out
        (200_000, {"streams": 4}, "256 characters in an update: so few that there are many updates"),
        (3, {}, "1 character in an update: the text has no room for more"),
        (200_000, {"seq_len": 8}, ": enough to keep the cores busy, but so few that there are many updates"),
        (200_000, {"threads": 9}, "update: so few that there are many updates"),  # not as many as for each
    ],
    ids=str,
)
def test_why_a_text_is_read_by_so_many_streams(characters, changes, told):
    found = reasons_of(of(characters), epochs=1, **changes)
    (why,) = [why for typed, why in found.items() if "--streams" in typed or "--seq-len" in typed]
    assert why.endswith(told)


def test_the_cell_has_a_reason_of_its_own_and_sizes_that_are_set_have_none():
    chosen = reasons_of(of(5000), epochs=2, hidden=9, layers=1)
    assert "as much work" in chosen["--cell gru"]
    assert not any("the largest" in why for why in chosen.values())
    beside = reasons_of(of(5000), epochs=2, hidden=9)["--layers 2"]
    assert beside.startswith("the largest with --hidden 9 that there is: ")


WEIGHTS, READ_LITTLE = "weights a character of the text, more than 10", "characters a weight, fewer than"
LIMITS = {
    "a short text": (80_000, {"layers": 2, "minutes": 3}, 1e-5, "the text", WEIGHTS),
    "25 readings": (80_000, {"minutes": 3, "validation": 0.1}, 1e-5, "the text", f"{READ_LITTLE} {READ}"),
    "minutes": (120_000, {"minutes": 3}, 0.5, "the time", f"{READ_LITTLE} {READ}"),
    "minutes for two readings": (2_000_000, {"minutes": 3}, 0.5, "the time", f"{READ_LITTLE} {FRESH}"),
    "updates": (80_000, {"updates": 100}, 0.0, "the number of updates", f"{READ_LITTLE} {FRESH}"),
    "epochs": (80_000, {"epochs": 8}, 0.0, "the number of epochs", f"{READ_LITTLE} {READ}"),
}


@pytest.mark.parametrize(("characters", "how", "seconds", "limit", "lack"), LIMITS.values(), ids=LIMITS)
def test_the_reason_of_a_size_names_the_limit_that_a_larger_one_would_break(
    speed, characters, how, seconds, limit, lack
):
    speed(seconds)
    (why,) = [why for typed, why in reasons_of(of(characters), **how).items() if "--hidden" in typed]
    beside = " with --layers 2" if "layers" in how else ""
    assert why.startswith(f"the largest{beside} that {limit} suffices for (a larger one would have ")
    assert f" {lack}): " in why


def test_the_smallest_network_says_what_is_short_for_it():
    (why,) = [why for typed, why in reasons_of(of(300), epochs=300).items() if "--hidden 32" in typed]
    assert why.startswith("the smallest, though the text is short for it (16.6 weights a character")
    (why,) = [why for typed, why in reasons_of(of(5000), updates=1).items() if "--hidden 32" in typed]
    assert why.startswith("the smallest, though the number of updates is short for it (")


# Optimizers


@pytest.mark.parametrize("optimizer", OPTIMIZER_NAMES)
def test_every_optimizer_gets_its_usual_rate_and_learns_by_it(optimizer):
    text = Text.from_string("a sentence like any other, and another one.\n" * 100)
    how = {"epochs": 60, "layers": 1, "hidden": 24, "optimizer": optimizer.upper()}
    chosen, (_, training) = advised(text, **how)
    adam = optimizer == "adam"
    assert chosen["lr"] == (HIGHEST if adam else usual_rates(optimizer)["lr"])
    assert (chosen["input_rate"] == 1) is not adam
    assert 0 < training.weight_decay * training.lr <= MOST_DECAY * (HIGHEST if adam else RATE)
    losses = [event.loss for event in train_events(text, "fluent", **how) if isinstance(event, Logged)]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize(("hidden", "lr"), [(32, 0.012), (64, 0.012), (128, 0.006), (192, 0.004),
                                             (256, RATE), (384, RATE)])  # fmt: skip
def test_the_narrower_the_network_the_higher_its_rate_and_u_has_the_same_all_the_same(hidden, lr):
    chosen, _ = advised(of(5000), epochs=2, layers=1, hidden=hidden)
    assert chosen["lr"] == lr
    assert chosen["lr"] * chosen["input_rate"] == pytest.approx(30 * RATE, rel=0.05)
    why = reasons_of(of(5000), epochs=2, layers=1, hidden=hidden)[f"--lr {lr:g}"]
    assert ("fewer take longer steps" in why) is (hidden < 256)


def test_the_rate_of_u_follows_a_rate_that_is_set():
    assert advised(of(5000), epochs=2, layers=1, hidden=128, lr=0.009)[0]["input_rate"] == 10
    assert advised(of(5000), epochs=2, layers=1, hidden=128, lr=0.5)[0]["input_rate"] == 1
    assert advised(of(5000), epochs=2, layers=1, hidden=128, lr=0.001)[0]["input_rate"] == 30


# Mixed


@pytest.fixture
def mixed(monkeypatch):
    """A processor on which mixed is so many times as fast as float32, by the units of a layer."""
    beside_nothing(monkeypatch)

    def faster(gain, seconds: float = 1.0) -> None:
        def takes(trial: Trial, left: float) -> float:
            return seconds / (gain(trial.model.hidden) if trial.training.dtype == "mixed" else 1.0)

        monkeypatch.setattr("hornbook.sizing.why_not_mixed", lambda model, training: "")
        monkeypatch.setattr("hornbook.calibration.why_not_mixed", lambda model, training: "")
        monkeypatch.setattr(Trial, "seconds_of_an_update", takes)

    return faster


@pytest.mark.parametrize(("gain", "dtype"), [(1.7, "mixed"), (0.6, "float32")])
def test_mixed_is_taken_only_where_it_is_faster(mixed, gain, dtype):
    mixed(lambda hidden: gain)
    found = reasons_of(of(5000), epochs=2, hidden=256)
    assert f"{gain} times" in found[f"--dtype {dtype}"]


def test_mixed_is_measured_with_the_network_that_is_chosen(mixed):
    mixed(lambda hidden: {384: 1.4}.get(hidden, 2.0))
    assert "1.4 times" in reasons_of(of(500_000), updates=5000)["--dtype mixed"]
    assert advised(of(500_000), updates=5000)[0]["hidden"] == 384


def test_a_small_network_is_trained_in_float32_unmeasured(mixed):
    def never(hidden: int) -> float:
        raise AssertionError("measured")

    mixed(never)
    chosen, _ = advised(of(5000), epochs=2)
    assert (chosen["dtype"], chosen["hidden"] < MIXED) == ("float32", True)
    assert f"from {MIXED} units" in reasons_of(of(5000), epochs=2)["--dtype float32"]


def test_where_mixed_is_faster_the_network_is_the_larger_for_it(mixed):
    text, sizes = of(400_000), []
    for gain in (1.0, 4.0):
        mixed(lambda hidden, gain=gain: gain, seconds=0.05)
        model, training = advised(text)[1]
        assert training.dtype == ("mixed" if gain > 1 else "float32")
        sizes.append(multiplied(model))
        read = next(why for why in reasons_of(text).values() if "characters to read" in why)
        assert float(read.rsplit(", ", 1)[1].split()[0]) >= READ
    assert sizes[0] < sizes[1]


def test_where_bfloat16_is_missing_it_says_so(monkeypatch):
    monkeypatch.setattr("hornbook.sizing.why_not_mixed", lambda model, training: "this processor cannot")
    assert reasons_of(of(5000), epochs=2)["--dtype float32"] == "this processor cannot"


def test_wrong_settings_are_refused_as_ever():
    for wrong in ({"minutes": -1}, {"hidden": 0}, {"updates": 5, "minutes": 2}, {"colour": "red"}):
        with pytest.raises(SettingError):
            advise(of(5000), {"preset": "fluent", "engine": "native", **wrong})


def test_a_run_keeps_what_was_chosen_and_its_config_repeats_it_without_choosing(tmp_path, monkeypatch):
    text = tmp_path / "book.txt"
    text.write_text("a sentence like any other, and another one.\n" * 100)
    monkeypatch.setattr("hornbook.facade.loss_figure", lambda *_: [])
    run = train(read_text(text), "fluent", epochs=0.5, out=tmp_path / "run", quiet=True)
    assert run.config.training.preset == "fluent"
    assert run.config.model.cell == "gru"

    def never(*_: object) -> None:
        raise AssertionError("nothing is to be chosen again")

    monkeypatch.setattr("hornbook.fluent.advise", never)
    again = tmp_path / "again"
    config = str(tmp_path / "run" / "config.toml")
    result = CliRunner().invoke(app, ["train", "--config", config, "--out", str(again), "--quiet"])
    assert result.exit_code == 0, result.output
    best = "best.safetensors"
    assert (again / best).read_bytes() == (run.folder / best).read_bytes()


def test_that_there_is_no_core_is_told_once_and_not_where_an_engine_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("hornbook.engines.default_engine", lambda: "reference")
    text = tmp_path / "book.txt"
    text.write_text("a sentence like any other, and another one.\n" * 10)
    for number, (more, told) in enumerate([((), 1), (("--engine", "reference"), 0)]):
        out = str(tmp_path / str(number))
        command = ["train", str(text), "--preset", "fluent", "--updates", "2", "--out", out, "--quiet", *more]
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
        assert result.output.count("no native core") == told
