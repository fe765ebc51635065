"""The command by its name, its version, and the help of every command."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

import pytest

from hornbook import entry


def test_the_version_is_told(process):
    told = process("--version")
    assert told.code == 0
    assert told.out.startswith("hornbook 0.")


def test_the_command_is_installed_by_its_name():
    (command,) = (c for c in entry_points(group="console_scripts") if c.name == "hornbook")
    assert command.load() is entry.main


@pytest.mark.parametrize("command", [(), ("train",), ("check",), ("sample",), ("runs",)])
def test_every_command_has_help(hornbook: Callable[..., Any], command):
    told = hornbook(*command, "--help")
    assert told.code == 0
    assert "--help" in told.out


def test_the_help_tells_what_is_shorter_in_a_short_training(hornbook):
    out = hornbook("train", "--help").out
    for flag in ("--warmup", "--log-every"):
        (line,) = (line for line in out.splitlines() if f" {flag} " in line)
        assert "a twentieth of few updates" in line


def test_every_setting_of_the_contract_is_a_flag(hornbook):
    out = hornbook("train", "--help").out
    flags = "preset engine hidden seq-len lr optimizer clip init-scale updates epochs seed dtype log-every "
    flags += "sample-every sample-length out name config tokens newlines encoding quiet json"
    assert [flag for flag in flags.split(" ") if f"--{flag} " not in out] == []


@pytest.mark.parametrize("command", ["train", "resume"])
def test_help_says_that_json_is_printed_quietly_too(hornbook, command):
    assert "nothing but warnings and errors, and what --json prints" in hornbook(command, "--help").out
