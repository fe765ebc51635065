"""What errors and warnings call the things that can be set: keywords in Python, flags on the command line."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import hornbook
from hornbook import HornbookError, Model, ModelSettings, Text, TrainingSettings
from hornbook.calibration import LENGTHS
from hornbook.cli.main import COMMANDS, app
from hornbook.cli.words import KEYWORD, as_typed
from hornbook.dynamic import Dynamic

FOLDER = Path(hornbook.__file__).parent
CATS = Text.from_string("the cat sat on the mat and so did we " * 20, name="cats")
SMALL = {"hidden": 5, "seq_len": 4, "updates": 20, "sample_length": 9, "passage_length": 30, "quiet": True}
NEXT = re.compile(rf"hornbook ({'|'.join(COMMANDS)})( TEXT)?( --[a-z-]+)? $")  # a word of it comes next
COMMAND = re.compile(r"(hornbook|pip's options) [^,;]*")  # what is typed at a terminal stands as it is
EACH = [  # of Python: a call that is refused, what it says; how the command line says the same
    ("train(CATS, patience=3)", "`validation=0.1`", "train cats.txt --patience 3", "--validation 0.1"),
    (
        "train(CATS, updates=9, minutes=1)",
        "`updates` and `minutes` both",
        "train cats.txt --updates 9 --minutes 1",
        "--updates and --minutes both",
    ),
    ("train(CATS, seq_len=0)", "`seq_len` is 0;", "train cats.txt --seq-len 0", "--seq-len is 0;"),
    ("train(CATS, clip=-1)", "`clip` is '-1';", "train cats.txt --clip -1", "--clip is '-1';"),
    ("resume('old', updates='x')", "`updates` is 'x';", "resume old --updates x", "--updates is 'x';"),
    ("load('old').sample(9, top_k=-1)", "`top_k` is -1;", "sample old --top-k -1", "--top-k is -1;"),
    ("load('old').copy_guard(CATS, 0)", "`limit` is 0;", "sample old --no-copy 0", "--no-copy is 0;"),
    (
        "load('old').evaluate_dynamic(CATS, lr=0)",
        "`lr` is 0;",
        "eval old cats.txt --dynamic --dynamic-lr 0",
        "--dynamic-lr is 0.0;",
    ),
    (
        "load('old').evaluate_dynamic(CATS, decay=1)",
        "`decay` is 1;",
        "eval old cats.txt --dynamic --dynamic-decay 1",
        "--dynamic-decay is 1.0;",
    ),
    (
        "train(CATS, out='a', name='b')",
        "`out` and `name` both",
        "train cats.txt --out a --name b",
        "--out and --name both",
    ),
    (
        "train(CATS, out='old')",
        "not empty; choose another `out`",
        "train cats.txt --out old",
        "not empty; choose another --out",
    ),
    (
        "train(CATS, out='cats.txt')",
        "is a file; choose another `out`",
        "train cats.txt --out cats.txt",
        "is a file; choose another --out",
    ),
    (
        "train(CATS, seq_len=400, streams=2)",
        "at most `streams=1` or at most `seq_len=369`",
        "train cats.txt --seq-len 400 --streams 2",
        "at most --streams 1 or at most --seq-len 369",
    ),
    (
        "train(CATS, seq_len=99, validation=0.1)",
        "`validation` holds out 74",
        "train cats.txt --seq-len 99 --validation 0.1",
        "--validation holds out 74",
    ),
    (
        "train(CATS, start='old', hidden=7)",
        "train without `start`",
        "train cats.txt --from old --hidden 7",
        "train without --from",
    ),
    (
        "train(read_text('greek.txt'), start='old')",
        "is `encoding` wrong? Train on it without `start`",
        "train greek.txt --from old",
        "is --encoding wrong? Train on it without --from",
    ),
    (
        "read_text('latin.txt')",
        "`encoding='latin-1'`, or train on it with `tokens='bytes'`",
        "train latin.txt",
        "--encoding latin-1, or train on it with --tokens bytes",
    ),
    (
        "resume('old', updates=30, minutes=1)",
        "`updates` and `minutes` both",
        "resume old --updates 30 --minutes 1",
        "--updates and --minutes both",
    ),
    ("resume('lost', updates=30)", "`force=True` goes on", "resume lost --updates 30", "--force goes on"),
    (
        "load('old').sample(9, prompt='é')",
        "or use `unknown='skip'`",
        "sample old --prompt é",
        "or use --unknown skip",
    ),
    (
        "load('old').score('αβγ')",
        "is `encoding` wrong?",
        "score old greek.txt",
        "is --encoding wrong?",
    ),
    ("Run('old').held_out(9)", "trained without `validation`", "eval old", "trained without --validation"),
    (
        "train(CATS, hidden=30, seq_len=400, lr=1, clip='none', init_scale=0.6, quiet=True)",
        "try a lower `init_scale` (it is 0.6) or `seq_len` (it is 400)",
        "train cats.txt --hidden 30 --seq-len 400 --lr 1 --clip none --init-scale 0.6 --quiet",
        "try a lower --init-scale (it is 0.6) or --seq-len (it is 400)",
    ),
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with texts and a run, and one whose rows are lost."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hornbook.facade.loss_figure", lambda *_: [])
    Path("cats.txt").write_text(CATS[:])
    Path("greek.txt").write_text("αβγ" * 200)
    Path("latin.txt").write_bytes("café au lait".encode("latin-1") * 20)
    for name in ("old", "lost"):
        hornbook.train(hornbook.read_text("cats.txt"), out=name, **SMALL)
    Path("lost", "metrics.jsonl").write_text("")


@pytest.mark.parametrize(("call", "said"), [row[:2] for row in EACH])
def test_in_python_an_error_names_keywords(call, said):
    with pytest.raises(HornbookError) as refused:
        eval(call, {"CATS": CATS, **{name: getattr(hornbook, name) for name in hornbook.__all__}})
    message = str(refused.value)
    assert said in message
    assert "--" not in COMMAND.sub("", message)


@pytest.mark.parametrize(("typed", "said"), [row[2:] for row in EACH])
def test_on_the_command_line_the_same_error_names_flags(typed, said):
    told = CliRunner().invoke(app, typed.split())
    assert told.exit_code in (1, 2)
    assert said in told.stderr
    assert "`" not in told.stderr


def test_a_warning_names_keywords_in_python_and_flags_on_the_command_line():
    Path("nul.txt").write_text("a\0b" * 100)
    with pytest.warns(UserWarning, match=r"and `tokens='bytes'` reads any file"):
        hornbook.train(hornbook.read_text("nul.txt"), out="a", **SMALL)
    typed = "train nul.txt --updates 9 --hidden 5 --seq-len 4 --quiet --out b"
    told = CliRunner().invoke(app, typed.split())
    assert "and --tokens bytes reads any file" in told.stderr


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [("patience", 3, "such as validation=0.1"), ("log_every", 0, "not hornbook's: log_every is 0; expected")],
)
def test_what_is_wrong_with_the_settings_of_a_run_names_their_keys(key, value, said):
    config = Path("old", "config.toml")
    config.write_text(re.sub(f"^{key} = .*", f"{key} = {value}", config.read_text(), flags=re.MULTILINE))
    assert said in CliRunner().invoke(app, ["runs", ".", "--json"]).stdout
    assert said in CliRunner().invoke(app, ["sample", "old"]).stderr
    with pytest.raises(HornbookError, match=re.escape(said)):
        hornbook.load("old")


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("a smaller `seq_len`", "a smaller --seq-len"),
        ("`validation=0.1`", "--validation 0.1"),
        ("`updates='+N'` or `force=True`", "--updates +N or --force"),
        ("without `start`", "without --from"),
        ("never seen '`'; use `unknown='skip'`", "never seen '`'; use --unknown skip"),
        ("`A`, `a b` and a_b=c stay", "`A`, `a b` and a_b=c stay"),
    ],
)
def test_a_keyword_in_backquotes_becomes_a_flag_and_nothing_else_does(sentence, shown):
    assert as_typed(sentence) == shown


def sentences() -> Iterator[str]:
    """All strings of the package but docstrings and those of the command line and of reports; what is put
    into one is *."""
    for path in sorted(FOLDER.rglob("*.py")):
        if {"cli", "report"} & set(path.relative_to(FOLDER).parts):
            continue
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        joined = [node for node in nodes if isinstance(node, ast.JoinedStr)]
        passed = {node.value for node in nodes if isinstance(node, ast.Expr)}  # docstrings
        passed |= {part for node in joined for part in node.values}
        for node in joined:
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in passed:
                yield node.value


def flags() -> set[str]:
    """All flags of all commands."""
    commands = typer.main.get_command(app).commands.values()
    return {flag for command in commands for parameter in command.params for flag in parameter.opts}


def keywords() -> set[str]:
    """All keywords of Python: of functions, methods and settings."""
    functions = (
        *(hornbook.train, hornbook.resume, hornbook.read_text, Model.sample, Model.stream, Model.start),
        *(Model.evaluate, Model.copy_guard, Dynamic, hornbook.load),
    )
    named = {name for function in functions for name in inspect.signature(function).parameters}
    return named | {f.name for kind in (ModelSettings, TrainingSettings) for f in fields(kind)} | {*LENGTHS}


def test_each_keyword_in_a_message_is_one_of_python_and_a_flag():
    found = {match[0] for sentence in sentences() for match in KEYWORD.finditer(sentence)}
    assert len(found) > 20
    assert {KEYWORD.fullmatch(keyword)[1] for keyword in found} <= keywords()
    assert {as_typed(keyword).split()[0] for keyword in found} <= flags()


def test_no_message_that_python_shares_names_a_flag():
    for sentence in sentences():
        assert not re.search(r"(^|[\s(])--[a-z]", COMMAND.sub("", sentence)), sentence


def test_each_path_in_a_command_that_is_told_can_be_pasted():
    found = []
    for path in sorted(FOLDER.rglob("*.py")):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        joined = (node.values for node in nodes if isinstance(node, ast.JoinedStr))
        for words, value in (pair for parts in joined for pair in pairwise(parts)):
            if isinstance(words, ast.Constant) and NEXT.search(words.value):
                found.append(ast.unparse(value.value))
    assert len(found) > 12
    assert [value for value in found if not value.startswith("for_shell(")] == []
