"""Report, comparison and score in a browser: nothing is fetched or too wide, axe finds nothing serious."""

from __future__ import annotations

import shutil
from pathlib import Path

import axe_playwright_python
import pytest
from playwright import sync_api as playwright

from hornbook import Run
from hornbook.reading import guesses
from hornbook.report.compare import comparison
from hornbook.report.html import page
from hornbook.report.surprise import GUESSES, surprise_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)"
)

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pages(document, trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    (folder / "report.html").write_text(page(document), encoding="utf-8")
    (folder / "compare.html").write_text(page(comparison([Run(trained)])), encoding="utf-8")
    (folder / "score.html").write_text(scored(Run(trained)), encoding="utf-8")
    return folder


def scored(run: Run) -> str:
    """The page of a score of a part of the run's own text, full of markup, with an unknown character."""
    model, text = run.model(), run.text()[:3000] + "字"
    score = model.score(text, run.text()[3000:])
    found = guesses(model.engine, score.ids, model.start().state, GUESSES)
    return surprise_page(score, found, model.vocabulary.symbols, "<b>book</b>", "runs/<i>a</i>")


@pytest.fixture(params=["report.html", "compare.html", "score.html"])
def seen(request, browser, pages):
    """A page, opened; every request and error of it is kept."""

    def see(width: int, scheme: str):
        tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        tab.asked, tab.wrong = [], []
        tab.on("request", lambda asked: tab.asked.append(asked.url))
        tab.on("console", lambda message: tab.wrong.append(message.text))
        tab.on("dialog", lambda dialog: tab.wrong.append(dialog.message))
        tab.goto((pages / request.param).as_uri())
        return tab

    return see


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(seen, scheme):
    tab = seen(400, scheme)
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    found = tab.evaluate("axe.run()")["violations"]
    serious = [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")]
    assert serious == []


@pytest.mark.parametrize("width", [320, 400, 1400])
def test_no_page_is_wider_than_its_window(seen, width):
    assert seen(width, "light").evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_is_fetched_and_nothing_runs(seen):
    tab = seen(1400, "light")
    tab.wait_for_timeout(200)
    assert [url for url in tab.asked if not url.startswith("file:")] == []
    assert len(tab.asked) == 1
    assert tab.wrong == []


@pytest.mark.parametrize("seen", ["report.html", "compare.html"], indirect=True)
def test_dark_is_dark_and_its_curves_are_light(seen):
    tab = seen(1400, "dark")
    brightness = "s => { const [r, g, b] = s.match(/\\d+/g).map(Number); return (r + g + b) / 3 }"
    ground = tab.evaluate(f"({brightness})(getComputedStyle(document.body).backgroundColor)")
    inks = tab.evaluate(
        f"[...document.querySelectorAll('svg text')].map(e => ({brightness})(getComputedStyle(e).fill))"
    )
    assert ground < 60
    assert inks
    assert min(inks) > 120
