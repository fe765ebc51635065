"""`--tokens bytes`: any file at all, from training to the report."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hornbook import Run
from hornbook.vocabulary import BYTES

SMALL = ("--hidden", "8", "--seq-len", "5", "--updates", "120", "--sample-length", "20", "--quiet")
PNG = b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(900)
FILES = {
    "an image": PNG,
    "NULs": bytes(200) + b"\x01",
    "every byte": bytes(range(256)) * 2,
    "invalid UTF-8": b"\xff\xfe\x80\xc3(" * 60,
    "Chinese": "不分南北西東\n".encode() * 30,
    "line ends of Windows": b"\xef\xbb\xbfone\r\ntwo\r\n" * 20,
}


@pytest.fixture
def image(folder: Path) -> Path:
    """A file that is no text."""
    path = folder / "image.png"
    path.write_bytes(PNG)
    return path


@pytest.fixture
def run(hornbook, image: Path) -> Path:
    """A run on it."""
    assert hornbook("train", "--tokens", "bytes", image, *SMALL, "--out", "runs/image").code == 0
    return Path("runs/image")


def piped(*args: object) -> bytes:
    """What the command writes into a pipe."""
    command = [sys.executable, "-m", "hornbook", *map(str, args)]
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_any_file_is_trained_on_sampled_and_scored(hornbook, folder, content):
    (folder / "any.bin").write_bytes(content)
    told = hornbook("train", "--tokens", "bytes", "any.bin", *SMALL, "--out", "run")
    assert (told.code, told.out) == (0, "")
    run = Run("run")
    assert run.config.text == {
        "name": "any", "tokens": "bytes", "encoding": "", "newlines": "", "characters": len(content),
    }  # fmt: skip
    assert run.vocabulary == BYTES
    assert json.loads(Path("run/vocabulary.json").read_text()) == list(range(256))
    assert all(len(BYTES.typed(row["text"])) in (20, 1000) for row in run.samples)
    told = hornbook("score", "run", "any.bin", "--no-baselines", "--json")
    assert json.loads(told.out)["characters"] == len(content)
    assert json.loads(told.out)["unknown_characters"] == 0
    assert (
        "each byte stands here as its character in Latin-1"
        in hornbook("inside", "run", "any.bin", "--unit", 3).out
    )
    assert re.search(r"over \d+ bytes? ", hornbook("inside", "run", "any.bin").out)


def test_a_sample_in_a_pipe_is_the_prompt_and_the_bytes_and_nothing_else(run):
    written = piped("sample", run, "--length", 300, "--prompt", "é")
    assert len(written) == len("é".encode()) + 300
    assert written.startswith("é".encode())
    model = Run(run).model()
    expected = model.sample(300, prompt=BYTES.typed("é"))
    assert written[2:] == expected.encode("latin-1")


def test_several_samples_in_a_pipe_follow_each_other(run):
    assert len(piped("sample", run, "--length", 70, "--count", 3)) == 210


def test_a_prompt_is_its_bytes_even_where_they_are_not_utf_8(run):
    command = [sys.executable, "-m", "hornbook", "sample", str(run), "--length", "5", "--prompt", b"\xff\xc3"]
    assert subprocess.run(command, capture_output=True, check=True).stdout.startswith(b"\xff\xc3")


def test_a_stop_string_is_its_bytes(run):
    whole = piped("sample", run, "--length", 300)
    stop = whole.partition(b"\n")[0] if b"\n" in whole else whole[:100]
    found = subprocess.run(
        [sys.executable, "-m", "hornbook", "sample", str(run), "--length", "300", "--stop", "\n"],
        capture_output=True,
        check=True,
    ).stdout
    assert found == (stop if b"\n" in whole else whole)


def test_on_a_terminal_bytes_are_shown_as_utf_8(hornbook, folder, monkeypatch):
    (folder / "many.txt").write_text("不分南北西東\n" * 200)
    settings = ("--updates", "2000", "--quiet", "--hidden", "40", "--seq-len", "21", "--sample-length", "20")
    assert hornbook("train", "--tokens", "bytes", "many.txt", *settings, "--out", "run").code == 0
    monkeypatch.setattr("hornbook.cli.sample.terminal", lambda: True)
    told = hornbook("sample", "run", "--length", 400, "--prompt", "不分")
    assert told.out.startswith("不分")
    assert "\n不分南北西東\n不分南北西東\n" in told.out
    assert told.out.endswith("\n")


def test_what_is_no_utf_8_is_shown_by_a_sign(hornbook, run, monkeypatch):
    monkeypatch.setattr("hornbook.cli.sample.terminal", lambda: True)
    told = hornbook("sample", run, "--length", 400, "--count", 2)
    assert "\N{REPLACEMENT CHARACTER}" in told.out
    assert "--- 2 of 2 ---" in told.out
    assert not any(0xD800 <= ord(c) < 0xE000 for c in told.out)


def test_a_run_on_bytes_is_repeated_from_its_config(hornbook, run):
    assert hornbook("train", "--config", run, "--quiet", "--out", "again").code == 0
    assert Run("again").vocabulary == BYTES
    assert Run("again").samples == Run(run).samples
    Path("other.bin").write_bytes(PNG[::-1])
    assert hornbook("train", "other.bin", "--config", run, "--quiet", "--out", "other").code == 0
    assert Run("other").vocabulary == BYTES


def test_bytes_from_standard_input_are_kept_as_they_are(hornbook):
    assert hornbook("train", "-", "--tokens", "bytes", *SMALL, "--out", "a", stdin=PNG).code == 0
    assert Path("a/text.bin").read_bytes() == PNG
    assert hornbook("train", "--config", "a", "--quiet", "--out", "b").code == 0
    assert Run("a").samples == Run("b").samples


def test_a_score_beside_n_grams_and_compressors_counts_bytes(hornbook, run, image):
    told = hornbook("score", run, image, "--html", "page.html")
    page = Path("page.html").read_text(encoding="utf-8")
    assert "bits per byte" in page
    assert "per character" not in page
    assert (told.code, "900" in told.out, "bits/byte" in told.out) == (0, False, True)
    assert f"{len(PNG)} bytes" in told.out
    assert "Latin-1" in Path("page.html").read_text(encoding="utf-8")
    told = hornbook("score", run, image, "--json")
    assert json.loads(told.out)["baselines"]["gzip"] == pytest.approx(8, abs=0.5)


def test_what_is_held_out_of_bytes_is_evaluated(hornbook, image):
    held = ("--validation", "0.3", "--cell", "gru", "--streams", 2)
    assert hornbook("train", "--tokens", "bytes", image, *held, *SMALL, "--out", "run").code == 0
    for text, characters in (((), round(0.3 * len(PNG))), ((image,), len(PNG))):
        told = hornbook("eval", "run", *text, "--json")
        assert told.code == 0
        assert json.loads(told.out)["characters"] == pytest.approx(characters, abs=1)


def test_the_report_says_bytes_and_can_be_written_in_every_form(hornbook, run):
    told = hornbook("report", run, "--format", "all")
    assert told.code == 0
    text = (run / "report.md").read_text(encoding="utf-8")
    assert "one byte at a time" in text
    assert f"{len(PNG)} bytes" in text
    assert "hornbook train image.png --tokens bytes" in text


def test_the_gradients_are_checked_on_bytes(hornbook, image):
    rows = json.loads(
        hornbook("check", "--tokens", "bytes", image, "--hidden", 3, "--seq-len", 4, "--json").out
    )
    assert all(row["passed"] for row in rows)
    assert rows[0]["entries"] == 256 * 3


@pytest.mark.parametrize("flags", [("--encoding", "latin-1"), ("--newlines", "keep")])
def test_bytes_with_an_encoding_or_newlines_are_refused(refused, image, flags):
    assert "leave these out" in refused("train", "--tokens", "bytes", image, *flags)


def test_a_score_of_bytes_with_an_encoding_is_refused(refused, run, image):
    assert "leave these out" in refused("score", run, image, "--encoding", "latin-1")


def test_other_tokens_are_refused(refused, image):
    assert "the known ones are: bytes, chars" in refused("train", image, "--tokens", "words")


def test_a_file_that_is_no_text_is_told_of_bytes(refused, image):
    assert "--tokens bytes" in refused("train", image)


def test_tokens_that_are_none_in_a_config_are_refused(refused, run):
    config = run / "config.toml"
    config.write_text(config.read_text().replace('tokens = "bytes"', 'tokens = "words"'))
    assert "unknown tokens 'words'" in refused("sample", run)


@pytest.mark.parametrize("damage", [["a", "b"], list(range(255)), {}, [*range(255), "ÿ"]])
def test_a_vocabulary_of_bytes_that_is_damaged_is_refused(refused, run, damage):
    (run / "vocabulary.json").write_text(json.dumps(damage))
    assert "no list of the 256 bytes" in refused("sample", run)
