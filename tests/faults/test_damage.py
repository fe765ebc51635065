"""Files cut at any length and with any bytes in them: an error or a correct load, nothing else.

A quarter of a minute of the processor's time and a gigabyte more than before are what reading may take.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from readers import read_any_text, read_one, read_run

from conftest import LONG, run
from hornbook import records
from hornbook.rows import MOST_LINE, MOST_PLAN, MOST_ROWS
from hornbook.untrusted import MOST_JSON, MOST_TOML

GIGABYTE, SECONDS = 1 << 30, 15
ASLEEP = 300  # seconds by the clock, should it wait for something; other work may slow it down
ALARMS = (signal.SIGPROF, signal.SIGALRM)
CUTS = 400 if LONG else 12
EXAMPLES = 1500 if LONG else 25
RUNS = 10_000 if LONG else 150
LARGEST = MOST_ROWS if LONG else MOST_ROWS // 8  # bytes of a file of many rows
FLAGS = "--updates 30 --hidden 4 --seq-len 4 --log-every 10 --sample-every 15 --validation 0.01"
FILES = ("config.toml", "vocabulary.json", "metrics.jsonl", "samples.jsonl", "summary.json", "plan.jsonl")
WEIGHTS = ("best.safetensors", "last.safetensors", "previous.safetensors")
PIECES = (
    b"1e999", b"-1", b"NaN", b"nan", b"null", b"{}", b"[" * 3000, b"9" * 5000, b"\\u0000", b"\\ud800",
    b"true", b"\xff", b"\x00" * 9, b'"', b"\n", b"=", b"1152921504606846976", b"../../etc/passwd",
    b"/dev/zero", b"-inf",
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory, book):
    """A run with all files that there are; not to be changed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert run("train", book, *FLAGS.split(), "--quiet", "--out", folder)[0] == 0
    assert run("resume", folder, "--updates", "+10", "--quiet")[0] == 0
    assert read_run(folder) == 0
    assert all((folder / name).exists() for name in (*FILES, *WEIGHTS))
    return folder


@pytest.fixture(autouse=True)
def bounded():
    """Reading that takes more memory or time than it may is a failure."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (now + GIGABYTE, hard))
    before = [signal.signal(number, hung) for number in ALARMS]
    yield
    timed(0, 0)
    for number, handler in zip(ALARMS, before, strict=True):
        signal.signal(number, handler)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def timed(seconds: int, asleep: int) -> None:
    """Set the alarms, or none for zeros."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(asleep)


def hung(number, frame) -> None:
    """What an alarm does."""
    raise AssertionError("reading hangs")


def read_with(whole: Path, name: str, content: bytes, read: Callable[[Path], object] = read_run) -> None:
    """Read a run of which one file holds something else."""
    copy = whole.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(whole, copy)
    (copy / name).write_bytes(content)
    timed(SECONDS, ASLEEP)
    read(copy)
    timed(0, 0)


@pytest.fixture
def fuzzed(counted):
    """Counts the inputs that are read, and one that crashes."""
    inputs = count()

    @contextmanager
    def reading():
        next(inputs)
        try:
            yield
        except BaseException:
            counted("crashes")
            raise

    yield reading
    counted("inputs fuzzed", next(inputs))


@pytest.mark.parametrize("name", FILES + WEIGHTS)
def test_a_file_that_is_cut_is_refused_or_read(whole, name, fuzzed):
    content = (whole / name).read_bytes()
    for length in sorted({len(content) * part // CUTS for part in range(CUTS)}):
        with fuzzed():
            read_with(whole, name, content[:length])


changes = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 9), st.sampled_from(PIECES) | st.binary(max_size=3)),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("name", FILES + WEIGHTS)
def test_a_file_with_other_bytes_in_it_is_refused_or_read(whole, name, fuzzed):
    content = (whole / name).read_bytes()

    @settings(max_examples=EXAMPLES)
    @given(changes)
    def look(put):
        damaged = content
        for place, gone, piece in put:
            at = int(place * len(damaged))
            damaged = damaged[:at] + piece + damaged[at + gone :]
        with fuzzed():
            read_with(whole, name, damaged)

    look()


def repeated(start: bytes, piece: bytes, end: bytes, size: int) -> bytes:
    """A piece again and again, up to a size."""
    return start + piece * ((size - len(start) - len(end)) // len(piece)) + end


def rising(rest: bytes, size: int) -> bytes:
    """Rows of metrics up to a size, each of the next update, with so much else in them."""
    count = size // (len(rest) + 20)
    return b"".join(b'{"update":%d,%b\n' % (number, rest) for number in range(count))


def numbered(line: str, size: int) -> bytes:
    """Lines up to a size, with a number for each N in them."""
    count = size // (len(line) + 7 * line.count("N"))
    return "".join(f"{line.replace('N', str(number))}\n" for number in range(count)).encode()


PARTS = ".a" * 2400
ROW = json.dumps(dict.fromkeys(records.METRIC, 1), separators=(",", ":")).removeprefix('{"update":1,')
LARGE = {
    "keys of many parts": ("config.toml", lambda: numbered(f"N{PARTS} = 1", MOST_TOML)),
    "tables of many parts": ("config.toml", lambda: numbered(f"[N{PARTS}]", MOST_TOML)),
    "keys in a table": (
        "config.toml",
        lambda: b'x = {t = """\n' + numbered(f'""", N{PARTS} = [], tN = """', MOST_TOML - 99) + b'"""}',
    ),
    "tables": ("config.toml", lambda: numbered("[N.b.c]", MOST_TOML)),
    "tables in a line": ("config.toml", lambda: numbered("N.b.c = {}", MOST_TOML)),
    "lists": ("vocabulary.json", lambda: repeated(b"[", b"[],", b"[]]", MOST_JSON)),
    "records": ("summary.json", lambda: repeated(b"[", b'{"":{}},', b"[]]", MOST_JSON)),
    "short rows": ("metrics.jsonl", lambda: rising(ROW.encode(), LARGEST)),
    "rows with lists": (
        "metrics.jsonl",
        lambda: rising(f'{ROW[:-1]},"":[{"[]," * 20_000}[]]}}'.encode(), LARGEST // 4),
    ),
    "a row of lists": ("samples.jsonl", lambda: repeated(b'{"":[', b"[],", b"[]]}\n", MOST_LINE)),
    "a row of texts": ("samples.jsonl", lambda: repeated(b'{"":[', b'"",', b'""]}\n', MOST_LINE)),
    "a row without an end": ("samples.jsonl", lambda: b'"' + b'\\"' * (MOST_LINE // 2 + 1)),
    "empty rows": ("plan.jsonl", lambda: repeated(b"", b"{}\n", b"", MOST_PLAN)),
}


@pytest.mark.parametrize(("name", "content"), LARGE.values(), ids=LARGE)
def test_a_file_as_large_as_it_may_be_is_refused_or_read(whole, name, content, fuzzed):
    with fuzzed():
        read_with(whole, name, content(), lambda folder: read_one(folder, name))


def test_any_bytes_are_a_text_or_refused(tmp_path, fuzzed):
    @settings(max_examples=10 * EXAMPLES)
    @given(
        st.binary(max_size=300) | st.text(max_size=100).map(str.encode),
        st.sampled_from(("utf-8", "latin-1", "utf-16", "utf-7", "cp932", "idna", "utf-8-sig", "base64", "")),
        st.sampled_from(("lf", "keep")),
        st.sampled_from(("chars", "bytes")),
    )
    def look(content, encoding, newlines, tokens):
        (tmp_path / "text").write_bytes(content)
        timed(SECONDS, ASLEEP)
        with fuzzed():
            read_any_text(tmp_path / "text", encoding, newlines, tokens)
        timed(0, 0)

    look()


@pytest.mark.parametrize("target", [*FILES, "best.safetensors", "last.safetensors", "text"])
def test_a_fuzzer_that_watches_the_code_finds_no_crash(whole, tmp_path, target, counted):
    pytest.importorskip("atheris")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    seed = whole / target if target != "text" else whole.parent / "run" / "samples.jsonl"
    (corpus / "seed").write_bytes(seed.read_bytes())
    limits = (f"-runs={RUNS}", "-seed=1", f"-timeout={SECONDS}", "-rss_limit_mb=1500", "-max_len=20000")
    words = [sys.executable, Path(__file__).parent / "fuzz.py", whole, target, *limits, corpus]
    resource.setrlimit(resource.RLIMIT_AS, (resource.getrlimit(resource.RLIMIT_AS)[1],) * 2)
    told = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False, cwd=tmp_path)
    counted("crashes", int(told.returncode != 0))
    assert told.returncode == 0, told.stderr[-3000:]
    done = re.search(r"Done (\d+) runs", told.stderr)
    assert done
    assert int(done[1]) >= RUNS  # it may make one more
    counted("inputs fuzzed", int(done[1]))
