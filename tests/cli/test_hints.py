"""Commands that messages tell can be pasted into a shell, whatever the folder's name."""

from __future__ import annotations

import re
import subprocess

import pytest

SMALL = ("--hidden", "8", "--seq-len", "5", "--updates", "20", "--sample-length", "20")
NAMES = ["my run", "it's", "-dash", "two\nlines", "a `b` \x1b[31m", "$HOME", "für elise"]


def pasted(command: str) -> list[str]:
    """The words of a command after `hornbook`, as a shell reads them."""
    told = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {command}"], capture_output=True, text=True, check=True
    )
    program, *words, rest = told.stdout.split("\0")
    assert (program, rest) == ("hornbook", "")
    return words


@pytest.mark.parametrize("name", NAMES)
def test_what_is_told_after_a_training_can_be_pasted(hornbook, book, name):
    told = hornbook("train", book, *SMALL, f"--out={name}")
    assert told.code == 0
    (hint,) = re.findall(r"more text: (hornbook sample .*)$", told.out, re.MULTILINE)
    sampled = hornbook(*pasted(hint), "--length", 30)
    assert (sampled.code, len(sampled.out)) == (0, 31)


@pytest.mark.parametrize("name", NAMES)
def test_what_an_error_advises_can_be_pasted(hornbook, run, folder, name):
    run.rename(folder / name)
    (folder / name / "best.safetensors").unlink()
    inside = f"./{name}" if name.startswith("-") else name
    (hint,) = re.findall(r"last reads it: (hornbook sample .*)$", hornbook("sample", inside).err)
    sampled = hornbook(*pasted(hint), "--length", 30)
    assert (sampled.code, len(sampled.out)) == (0, 31)
