"""The three formats: whole, valid, on their own; a text full of markup shows as text in each."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import html5lib
import pytest

from hornbook.errors import InputError, SettingError, StorageError
from hornbook.report.charts import in_a_file
from hornbook.report.document import Beside, Block, Document, Passage, Section, Span, Table, spans
from hornbook.report.html import page
from hornbook.report.markdown import markdown, plain
from hornbook.report.toned import columns, lines, toned_svg
from hornbook.report.typst import pdf
from hornbook.report.writer import write_report

NASTY = (
    "<script>alert(1)</script>",
    "</blockquote></style><!-- & &amp; \"'",
    '#panic("x") #let a = 1',
    "$x^2$ \\alpha *b* _i_ @ref `c` ~",
    "[l](http://nowhere.example) | a | ![i](j)",
    "\\u{41} {{ }} {0} %s = head",
    "- item\n# head\n> quote\n\n1. one",
    "天地玄黄 ünï  two   spaces\n\n\nlines",
    "\x00\x07\x1b\u202e\ufffe\ud800",
)


BREAK = "\u200b"  # where a long row of signs may be broken
A4_WIDTH, MARGIN = 595.3, 82.2 - 2  # points
needs_pdftotext = pytest.mark.skipif(
    not shutil.which("pdftotext"), reason="pdftotext is missing (apt-get install poppler-utils)"
)


def words_of(html: str) -> str:
    """What a browser would show of a page."""
    tree = html5lib.parse(html, namespaceHTMLElements=False)
    return "".join(tree.find("body").itertext())


def of_one(block: Block) -> Document:
    """A document of one block."""
    return Document("t", "s", (Section("one", (block,)),)).numbered()


def of(text: str) -> Document:
    """A document with a text in every place where a text can stand."""
    blocks = (
        Passage(text, (Span(text), Span(text, "word"), Span(text, tone=2)), text, "name"),
        Passage(text, (Span(text), Span(text, "word")), text),
        Table(text, ("", text), ((text, text),)),
    )
    return Document(text, text, (Section(text, blocks),)).numbered()


@pytest.fixture(scope="module")
def html(document):
    return page(document)


def test_a_page_is_valid_html(html):
    html5lib.HTMLParser(strict=True).parse(html)


@pytest.mark.skipif(not shutil.which("tidy"), reason="HTML Tidy is not installed (apt-get install tidy)")
def test_a_page_passes_html_tidy(html):
    done = subprocess.run(
        ["tidy", "-errors", "-quiet", "-utf8"], input=html, capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if "trimming empty <span>" not in line]
    assert complaints == []


def test_a_page_fetches_nothing_and_runs_nothing(html):
    shown = words_of(html)
    outside = re.findall(r"[a-z]+://[^\s\"'<)]*", html)
    assert all(address in shown for address in outside)  # only what stands in the text itself
    assert not re.search(r"<(script|link|iframe|img|object|embed|base)\b|@import|url\((?!#)|\bon\w+=", html)
    assert len(html.encode()) < 1_500_000


def test_a_page_of_a_text_without_addresses_has_none():
    assert "://" not in page(of("no address here"))


def test_each_identifier_stands_once_and_each_reference_has_one(html):
    found = re.findall(r'\bid="([^"]+)"', html)
    assert len(found) == len(set(found))
    assert set(re.findall(r'(?:href="#|url\(#|labelledby=")([^")]+)', html)) <= set(found)


@pytest.mark.parametrize("text", NASTY)
def test_any_text_shows_as_text_on_a_page(text):
    html = page(of(text))
    html5lib.HTMLParser(strict=True).parse(html)
    assert "<script" not in html
    shown = text.replace("\x00", "␀").replace("\x07", "␇").replace("\x1b", "␛")
    assert re.sub("[\u202e\ufffe\ud800]", "\ufffd", shown) in words_of(html)


@pytest.mark.parametrize("text", NASTY)
def test_any_text_can_be_set_as_pdf(text):
    made = pdf(of(text))
    assert made.startswith(b"%PDF")
    assert b"%%EOF" in made[-20:]


@needs_pdftotext
@pytest.mark.parametrize("text", NASTY[:6])
def test_any_text_shows_as_text_in_a_pdf(text):
    done = subprocess.run(["pdftotext", "-", "-"], input=pdf(of(text)), capture_output=True, check=True)
    assert "".join(text.split()) in "".join(done.stdout.decode().replace(BREAK, "").split())


def places(document: Document) -> list[tuple[float, float, str]]:
    """Where each word of a PDF begins and ends across the page, in points, and the word."""
    done = subprocess.run(
        ["pdftotext", "-bbox", "-", "-"], input=pdf(document), capture_output=True, check=True
    )
    found = re.findall(r'xMin="([\d.]+)".*? xMax="([\d.]+)".*?>(.*)</word>', done.stdout.decode())
    return [(float(left), float(right), word) for left, right, word in found]


def spoken(words: int) -> Passage:
    """A passage of so many real words and the spaces between them."""
    spans_ = [span for i in range(words) for span in (Span("Gryphon" if i % 3 else "the", "word"), Span(" "))]
    return Passage("Low temperature", tuple(spans_))


@needs_pdftotext
@pytest.mark.parametrize(
    "passage",
    [
        spoken(60),
        Passage("noise", (Span("x" * 300),)),
        Passage("noise", (Span("a" * 30 + "  " + "b" * 30 + "\n" + "c" * 30, "word"),)),
        Passage("tones", tuple(Span(c, tone=i % 9 - 4) for i, c in enumerate("all of it, and " * 30))),
        Passage("tones", tuple(Span(c, tone=i % 9 - 4) for i, c in enumerate("x" * 300))),
    ],
    ids=["words", "no space", "both", "tones", "tones and no space"],
)
@pytest.mark.parametrize("fixed", [False, True])
def test_in_a_pdf_passages_keep_to_their_column(passage, fixed):
    document = Document("t", "s", (Section("Sampling", (Beside((passage,) * 3), passage)),), fixed)
    right = [x for _, x, _ in places(document.numbered())]
    assert len(right) > 20
    assert max(right) < A4_WIDTH - MARGIN


@needs_pdftotext
def test_in_a_pdf_spaces_at_the_start_of_a_line_are_kept_and_others_may_be_broken():
    words_ = (Span("one\n"), Span("  two"), Span(" three", "word"), Span(" "), Span("four\n five", "word"))
    left = {word: x for x, _, word in places(of_one(Passage("t", words_)))}
    assert left["one"] < left["five"] < left["two"] < left["three"] < left["four"]


def test_a_pdf_says_which_characters_no_font_has():
    private = "\U000fff00"
    with_box, without = (pdf(of(text)) for text in (private, "plain"))
    assert len(with_box) > len(without)


@pytest.mark.parametrize("text", NASTY)
def test_in_markdown_passages_are_one_line_of_escaped_html(text):
    files = markdown(of(text))
    told = files["report.md"].decode()
    assert "<script" not in told
    for quote in re.findall("<blockquote>(.*)", told):
        assert quote.endswith("</blockquote>")
    assert told.count("<blockquote>") == told.count("</blockquote>") == 1


def test_markdown_names_each_file_that_stands_beside_it(document):
    files = markdown(document)
    named = set(re.findall(r'src="([^"]+)"', files["report.md"].decode()))
    assert named == set(files) - {"report.md"}
    for name in named:
        ET.fromstring(files[name])
        assert re.findall(rb"[a-z]+://[^\"']*", files[name].partition(b">")[2].partition(b">")[0]) in (
            [], [b"http://www.w3.org/2000/svg"],
        )  # fmt: skip


def test_the_files_beside_are_named_by_what_they_show_and_each_says_it_in_words(document):
    told = markdown(document)["report.md"].decode()
    found = dict(re.findall(r'<img src="report-([^"]+)\.svg".* alt="([^"]*)">', told))
    units = [name for name in found if re.fullmatch(r"unit-\d+", name)]
    assert set(found) - set(units) >= {"loss", "smooth-loss", "gradient-norm", "novelty"}
    assert (
        units == [f"unit-{unit}" for unit in re.findall(r"^\*\*Unit (\d+) follows", told, re.MULTILINE)] != []
    )
    assert "the loss goes from" in found["loss"]
    assert "the smooth loss goes from" in found["smooth-loss"]
    assert len(set(found.values())) == len(found)
    assert all(found.values())


def test_in_markdown_nothing_but_markup_is_escaped():
    assert plain("a 1.5 (b) - c") == "a 1.5 (b) - c"
    assert [plain(t) for t in ("# a", "- a", "1. a", "*a*", "a|b", "<b>&")] == [
        "\\# a", "\\- a", "1\\. a", "\\*a\\*", "a\\|b", "&lt;b>&amp;",
    ]  # fmt: skip


def test_coloured_text_breaks_where_a_line_is_full_and_counts_wide_characters_twice():
    rows = lines(spans("a" * 79 + "天" + "b\nc"))
    assert ["".join(cell[0] for cell in row) for row in rows] == ["a" * 79, "天b", "c"]
    assert [columns(c) for c in "a天\u0301\t"] == [1, 2, 0, 4]
    ET.fromstring(in_a_file(toned_svg((Span("<&>\x1b", tone=-3), Span("x\ty", tone=0)))))


def test_all_formats_are_written_and_nothing_else(run):
    before = {path.name for path in run.folder.iterdir()}
    paths = write_report(run, "all")
    written = {path.name for path in run.folder.iterdir()} - before
    assert written == {path.name for path in paths}
    assert {"report.html", "report.pdf", "report.md"} <= written
    assert all(name.startswith("report") for name in written)


def test_the_same_run_gives_the_same_page(run):
    first = write_report(run)[0].read_bytes()
    assert write_report(run)[0].read_bytes() == first


def test_an_unknown_format_is_refused_with_the_known_ones(run):
    with pytest.raises(SettingError, match="all, html, md, pdf"):
        write_report(run, "docx")


@pytest.mark.parametrize("form", ["pdf", "all"])
def test_without_typst_a_pdf_says_what_to_install_and_nothing_is_written(run, monkeypatch, form):
    monkeypatch.setitem(sys.modules, "typst", None)
    before = sorted(run.folder.iterdir())
    with pytest.raises(InputError, match="pip install typst"):
        write_report(run, form)
    assert sorted(run.folder.iterdir()) == before
    assert write_report(run, "html")


def test_a_disk_that_is_full_leaves_the_old_report_whole(run, monkeypatch):
    (run.folder / "report.html").write_text("old")

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hornbook.storage.os.fsync", fail)
    with pytest.raises(StorageError, match="No space left"):
        write_report(run)
    assert (run.folder / "report.html").read_text() == "old"
    assert not list(run.folder.glob(".*"))
