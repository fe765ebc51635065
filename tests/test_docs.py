"""The pages that are made from the sources: they say what the sources say, and their links lead somewhere."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from fnmatch import fnmatch
from pathlib import Path
from types import ModuleType

import pytest

from hornbook.cells import CELLS

ROOT = Path(__file__).parent.parent


def program(name: str) -> ModuleType:
    """A program in docs."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def cells() -> ModuleType:
    """docs/cells.py."""
    return program("cells")


@pytest.fixture(scope="module")
def fluent() -> ModuleType:
    """docs/fluent.py."""
    return program("fluent")


def told(page: str) -> list[object]:
    """What a page says: its prose, and of its code the tokens and the comments, however they are laid out."""
    said: list[object] = []
    for prose, kind, code in re.findall(r"(.*?)(?:```(\w+)\n(.*?)\n```|$)", page, re.DOTALL):
        mark = {"python": "#", "cpp": "//", "": "//"}[kind]
        comments = " ".join(re.findall(f"{mark} (.*)", code)).split()
        bare = re.sub(f"{mark} .*", "", code)
        if kind == "python":
            bare = re.sub(r"\s+", " ", ast.unparse(ast.parse(bare)))
        said += [prose, comments, re.sub(r"\s", "", bare)]
    return said


def test_the_page_of_the_cells_is_the_one_that_is_made(cells: ModuleType) -> None:
    assert told(cells.PAGE.read_text(encoding="utf-8")) == told(cells.page()), "make docs"


def test_two_columns_of_code_fit_on_the_page_of_the_cells(cells: ModuleType) -> None:
    blocks = re.findall(r"```\w+\n(.*?)\n```", cells.PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert max(len(line) for block in blocks for line in block.splitlines()) <= cells.WIDTH


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_stands_there_as_equations_numpy_and_cpp(cells: ModuleType, name: str) -> None:
    section = cells.section(CELLS[name])
    for needed in ("h' = ", "def step(", "def step_back(", "void step("):
        assert needed in section
    assert section.count("```cpp") == section.count("```python") == 3


@pytest.mark.parametrize("word", ["gates", "blocks", "states", "of_u", "of_v", "open_gate", "Lanes<Real>"])
def test_what_the_sizes_of_a_cell_mean_is_told_at_the_top(cells: ModuleType, word: str) -> None:
    assert word in cells.INTRODUCTION


def test_every_source_of_the_core_stands_on_the_map_of_the_readme() -> None:
    told = (ROOT / "README.md").read_text(encoding="utf-8").partition("    native/ ")[2]
    names = re.findall(r"[\w*]+", told.partition("    benchmarks/ ")[0])
    sources = {path.stem for path in (ROOT / "native").glob("*.[ch]pp")}
    assert [source for source in sorted(sources) if not any(fnmatch(source, name) for name in names)] == []


def test_every_link_of_the_page_leads_somewhere(cells: ModuleType) -> None:
    links = re.findall(r"\]\(([^)]+)\)", cells.page())
    assert len(links) > 2 * len(CELLS)
    assert [link for link in links if not (cells.PAGE.parent / link).exists()] == []


@pytest.mark.parametrize("page", ["cells", "fluent"])
def test_the_readme_leads_to_the_page(page: str) -> None:
    assert f"](docs/{page}.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_page_of_fluent_is_the_one_that_is_made(fluent: ModuleType) -> None:
    results = json.loads(fluent.RESULTS.read_text(encoding="utf-8"))
    assert fluent.PAGE.read_text(encoding="utf-8") == fluent.page(results), "make docs"
    assert set(results) == {trial.key for trial in fluent.TRIALS}


def test_a_trial_without_a_result_is_left_out(fluent: ModuleType) -> None:
    results = json.loads(fluent.RESULTS.read_text(encoding="utf-8"))
    whole = fluent.page(results).splitlines()
    del results[fluent.TRIALS[0].key]
    assert len(fluent.page(results).splitlines()) == len(whole) - 1
