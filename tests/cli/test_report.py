"""`hornbook report` and `hornbook compare`."""

from __future__ import annotations

import shutil

import pytest


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


@pytest.mark.parametrize("name", ["metrics.jsonl", "samples.jsonl", "summary.json"])
def test_a_damaged_run_is_refused_and_nothing_written(refused, run, name):
    (run / name).write_text("[1]\n")
    (run / "gradients.json").unlink(missing_ok=True)
    assert f"{name} is damaged" in refused("report", run)


def test_runs_are_compared_here_and_on_a_page(hornbook, run):
    other = shutil.copytree(run, run.with_name("other"))
    config = other / "config.toml"
    config.write_text(config.read_text().replace("lr = 0.1", "lr = 0.3"))
    told = hornbook("compare", run, other)
    assert told.code == 0
    assert told.out.splitlines()[-1] == "compare.html"
    heads = told.out.splitlines()[1].split()
    assert heads == ["run", "lr", "done", "best", "last", "bits", "updates/s"]
    page = (run.parents[1] / "compare.html").read_text()
    assert "<svg" in page
    assert "lr 0.3" in page


def test_the_page_goes_where_it_is_asked(hornbook, run, folder):
    assert hornbook("compare", run, "--out", "x.html").out.endswith("x.html\n")
    assert (folder / "x.html").is_file()


def test_a_page_that_cannot_be_written_says_so(hornbook, run):
    told = hornbook("compare", run, "--out", "no/such/x.html")
    assert told.code == 1
    assert "cannot be written" in told.err
