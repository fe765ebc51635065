"""Flags and values that are mistyped, or called as other tools call them: what was meant is told."""

from __future__ import annotations

import inspect
from typing import get_args

import pytest
import typer

from hornbook.cli.main import COMMANDS, app
from hornbook.cli.mistyped import ELSEWHERE

FLAGS = {
    name: {flag for option in command.params for flag in option.opts}
    for name, command in typer.main.get_command(app).commands.items()
}
NUMBERS = [
    (name, "--" + parameter.name.replace("_", "-"))
    for name, command in COMMANDS.items()
    for parameter in inspect.signature(command, eval_str=True).parameters.values()
    if {int, float} & {*get_args(get_args(parameter.annotation)[0]), get_args(parameter.annotation)[0]}
]
DYNAMIC = ("--dynamic-lr", "--dynamic-decay", "--dynamic-segment")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (
            "train --learning-rate 0.1",
            "No such option: --learning-rate; here it is --lr; see hornbook train --help",
        ),
        ("train --learning_rate=0.1", "--learning_rate; here it is --lr;"),
        ("train --batch-size 3", "here it is --streams;"),
        ("train --batch_size 3", "here it is --streams;"),
        ("train --rnn-size 3", "here it is --hidden;"),
        ("train --hidden-size 3", "here it is --hidden;"),
        ("train --num-layers 3", "here it is --layers;"),
        ("train --seq-length 3", "here it is --seq-len;"),
        ("train --seq_len 3", "here it is --seq-len;"),
        ("train --dropout-rate 3", "here it is --dropout;"),
        ("train --optim adam", "here it is --optimizer;"),
        ("train --epoch 3", "No such option: --epoch; perhaps --epochs is meant;"),
        ("train --hiden 3", "No such option: --hiden; perhaps --hidden is meant;"),
        ("train --val 0.1", "No such option: --val; here it is --validation;"),
        ("resume runs/a --lr 1", "No such option: --lr; see hornbook resume --help"),
        ("resume runs/a --learning-rate 1", "No such option: --learning-rate; see"),
        ("tran", "No such command 'tran'; perhaps 'train' is meant; see hornbook --help"),
        ("sing", "No such command 'sing'; see hornbook --help"),
    ],
)
def test_what_was_meant_is_told(refused, typed, told):
    assert told in refused(*typed.split())


def test_each_name_of_other_tools_is_unknown_here_and_what_it_stands_for_is_known():
    known = set().union(*FLAGS.values())
    assert set(ELSEWHERE.values()) <= known
    assert not {
        name for name, ours in ELSEWHERE.items() if any({name, ours} <= flags for flags in FLAGS.values())
    }


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("--layers two", "--layers is 'two'; expected a whole number from 1 to 4"),
        ("--streams 1.5", "--streams is '1.5'; expected a whole number from 1 to 65,536"),
        ("--updates 1e3", "--updates is '1e3'; expected a whole number from 1 to"),
        ("--validation 10%", "--validation is '10%'; expected a number from 0 to below 1"),
        ("--lr 0,1", "--lr is '0,1'; expected a number above 0, at most"),
    ],
)
def test_what_is_no_number_is_told_with_what_was_expected(refused, book, typed, told):
    assert told in refused("train", book, *typed.split())


@pytest.mark.parametrize(("command", "flag"), NUMBERS, ids=" ".join)
def test_every_flag_that_takes_a_number_says_so(refused, book, run, command, flag):
    places = {"train": [book], "check": [book], "eval": [run, book], "inside": [run, book]}.get(
        command, [run]
    )
    more = ["--dynamic"] if flag in DYNAMIC else []
    message = refused(command, *places, *more, flag, "much")
    assert f"{flag} is 'much'; expected a " in message


def test_there_are_flags_that_take_numbers():
    assert len(NUMBERS) > 40
