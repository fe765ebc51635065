"""`hornbook report` and `hornbook compare`."""

from __future__ import annotations

import shutil

import pytest

from hornbook.cli.compare import FOLDED, fitting


def test_a_report_is_written_into_the_run_and_named(hornbook, run):
    told = hornbook("report", run)
    assert told.code == 0
    assert told.out == f"{run / 'report.html'}\n"
    assert "<h1>A network learns to write from “book”</h1>" in (run / "report.html").read_text()


def test_all_formats_are_named_without_their_drawings(hornbook, run):
    told = hornbook("report", run, "--format", "all")
    assert told.out.splitlines() == [str(run / f"report.{form}") for form in ("html", "pdf", "md")]


def test_a_format_that_is_unknown_is_refused(refused, run):
    assert "the known ones are: all, html, md, pdf" in refused("report", run, "--format", "docx")


def test_what_is_no_run_is_refused(refused, folder):
    (folder / "empty").mkdir()
    assert "is not a run" in refused("report", "empty")
    assert "is not a run" in refused("compare", "empty")


@pytest.mark.parametrize("name", ["metrics.jsonl", "samples.jsonl"])
def test_a_damaged_run_is_refused_and_nothing_written(refused, run, name):
    (run / name).write_text("[1]\n")
    (run / "gradients.json").unlink(missing_ok=True)
    assert f"{name} is damaged" in refused("report", run)


ADVICE = {  # what is damaged, what the report lacks because of it, and what to do
    "summary.json": ("what the run reached in all", "hornbook resume {run} writes it anew"),
    "vocabulary.json": ("all that the best model does", "put it back from a copy, since no other file"),
    "best.safetensors": ("all that the best model does", "hornbook sample {run} --which last"),
}


@pytest.mark.parametrize("name", ADVICE)
def test_what_a_report_lacks_is_told_with_what_to_do(hornbook, run, name):
    (run / name).write_text("[1]\n")
    told = hornbook("report", run, "--format", "md")
    assert (told.code, told.out) == (0, f"{run / 'report.md'}\n")
    (warning,) = (line for line in told.err.splitlines() if line.startswith("warning: "))
    what, advice = ADVICE[name]
    assert warning.startswith(f"warning: the report lacks {what}: {run / name} is damaged")
    assert advice.format(run=run) in warning


def test_a_report_without_its_text_says_so(hornbook, run, trained):
    config = run / "config.toml"
    config.write_text(config.read_text().replace(str(trained.parent), "/gone"))
    told = hornbook("report", run, "--format", "md")
    assert told.code == 0
    assert "warning: the report lacks all that is read in the text: the text that " in told.err


def test_a_comparison_without_the_figures_of_a_run_says_so(hornbook, run, copy):
    (copy / "summary.json").write_text("[1]\n")
    told = hornbook("compare", run, copy)
    assert told.code == 0
    assert f"warning: the comparison lacks what {copy} reached: {copy / 'summary.json'} is" in told.err
    assert f"hornbook resume {copy} writes it anew" in told.err
    (row,) = (line for line in told.out.splitlines() if line.split()[:1] == ["other"] and "–" in line)
    assert row.split()[1:] == ["–"] * 5
    assert "What other reached could not be read: other/summary.json is damaged" in told.out


def test_runs_are_compared_here_and_on_a_page(hornbook, run, copy):
    config = copy / "config.toml"
    config.write_text(config.read_text().replace("lr = 0.1", "lr = 0.3"))
    told = hornbook("compare", run, copy)
    assert told.code == 0
    assert told.out.splitlines()[-1] == "compare.html"
    assert told.out.startswith("So much of the smooth loss is still its first value: ")
    assert "\nBest and last smooth loss in nats over " in told.out
    heads = next(line for line in told.out.splitlines() if line.startswith("  run")).split()
    assert heads == ["run", "best", "last", "bits", "done", "updates/s", "lr"]
    page = (run.parents[1] / "compare.html").read_text()
    assert "<svg" in page
    assert "lr 0.3" in page


def test_in_a_pipe_lines_are_folded_and_a_wide_table_is_turned(hornbook, book, folder):
    how = ("--seq-len", 5, "--sample-length", 300, "--quiet", "--validation", 0.1)
    other = (
        "--optimizer",
        "adam",
        "--schedule",
        "linear:0.25",
        "--clip",
        "norm:0.75",
        "--init",
        "orthogonal",
    )
    hornbook("train", book, *how, "--updates", 30, "--hidden", 8, "--out", "a")
    hornbook("train", book, *how, "--updates", 40, "--hidden", 9, *other, "--out", "b")
    told = hornbook("compare", "a", "b")
    assert told.code == 0
    assert max(map(len, told.out.splitlines())) <= FOLDED
    assert next(line.split() for line in told.out.splitlines() if "run" in line.split()) == ["run", "a", "b"]
    assert any(line.split() == ["schedule", "constant", "linear:0.25"] for line in told.out.splitlines())


@pytest.fixture
def copy(run):
    """The run, under another name."""
    return shutil.copytree(run, run.with_name("other"))


def test_the_page_goes_where_it_is_asked(hornbook, run, copy, folder):
    assert hornbook("compare", run, copy, "--out", "x.html").out.endswith("x.html\n")
    assert (folder / "x.html").is_file()


def test_one_run_alone_or_the_same_one_twice_is_nothing_to_compare(refused, run, copy):
    assert f"{run} is one run; name two or more to compare" in refused("compare", run)
    again = run.parent / "." / copy.name / ".." / run.name
    assert "is named twice; name each run once" in refused("compare", run, copy, again)


def test_runs_on_other_texts_are_remarked_here_too(hornbook, run, copy, folder):
    (folder / "other.txt").write_text("other words " * 40)
    hornbook("train", "other.txt", "--hidden", 8, "--updates", 20, "--quiet", "--out", "other")
    assert "did not read the same text" in hornbook("compare", run, "other").out
    assert "did not read the same text" in (folder / "compare.html").read_text()
    assert "did not read the same text" not in hornbook("compare", run, copy).out


def test_what_is_done_is_told_a_line_each(hornbook, run):
    (run / "gradients.json").unlink(missing_ok=True)
    told = hornbook("report", run, "--format", "md")
    lines = told.err.splitlines()
    assert lines[0] == "checking the gradients"
    assert lines[-1] == "setting it as md"
    assert len(set(lines)) == len(lines) > 4


def test_a_run_that_cannot_be_written_to_is_refused_before_the_work(refused, run, monkeypatch):
    monkeypatch.setattr("hornbook.report.writer.refusal", lambda folder: "Read-only file system")
    monkeypatch.setattr("hornbook.report.writer.report_of", lambda *_: pytest.fail("worked in vain"))
    assert f"{run} cannot be written to: Read-only file system" in refused("report", run)


# Places


@pytest.mark.parametrize("command", ["score", "compare"])
@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ("no/such/x.html", "there is no folder"),
        (".", "a folder"),
        ("/dev/null", "which is no file"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_page_that_cannot_be_there_is_refused(refused, run, book, command, place, wrong):
    end = (book, "--html", place) if command == "score" else ("--out", place)
    message = refused(command, run, *end)
    assert wrong in message
    assert "name another file" in message


@pytest.mark.parametrize("command", ["score", "compare"])
def test_a_page_in_a_folder_that_cannot_be_written_to_is_refused(refused, run, book, command, monkeypatch):
    monkeypatch.setattr("hornbook.cli.places.refusal", lambda folder: "Permission denied")
    end = (book, "--html", "x.html") if command == "score" else ("--out", "x.html")
    assert "nothing can be written there: Permission denied" in refused(command, run, *end)


@pytest.mark.parametrize("command", ["score", "compare"])
def test_a_disk_that_is_full_is_no_fault_of_the_user(hornbook, run, copy, book, command, monkeypatch):
    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hornbook.storage.os.fsync", fail)
    end = (book, "--html", "x.html") if command == "score" else (copy, "--out", "x.html")
    told = hornbook(command, run, *end)
    assert told.code == 1
    assert "x.html cannot be written: No space left on device" in told.err


def test_a_page_goes_where_a_link_leads(hornbook, run, copy, folder):
    (folder / "far").mkdir()
    (folder / "x.html").symlink_to("far/y.html")
    assert hornbook("compare", run, copy, "--out", "x.html").code == 0
    assert (folder / "x.html").is_symlink()
    assert (folder / "far" / "y.html").is_file()


def test_a_table_wider_than_the_terminal_is_turned_so_that_each_run_is_a_column():
    heads, rows = (
        ("run", "best", "last", "optimizer"),
        (("a", "1.5", "1.6", "adagrad"), ("b", "2", "3", "sgd")),
    )
    assert fitting(heads, rows, 80) == (heads, rows)
    turned = ("run", "a", "b"), (("best", "1.5", "2"), ("last", "1.6", "3"), ("optimizer", "adagrad", "sgd"))
    assert fitting(heads, rows, 20) == turned


def test_names_of_runs_are_no_markup(hornbook, run, copy):
    names = ("x[bold]", ":smile:")
    for place, name in zip((run, copy), names, strict=True):
        place.rename(place.with_name(name))
    told = hornbook("compare", *(run.with_name(name) for name in names))
    assert told.code == 0
    assert [told.out.count(name) for name in names] == [3, 3]  # in the note, the table, and over the passage
