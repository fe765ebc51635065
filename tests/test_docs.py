"""The pages that are made from the sources: they say what the sources say, and their links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from hornbook.cells import CELLS

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def cells() -> ModuleType:
    """docs/cells.py."""
    spec = importlib.util.spec_from_file_location("docs_cells", ROOT / "docs" / "cells.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_the_cells_is_the_one_that_is_made(cells: ModuleType) -> None:
    assert cells.PAGE.read_text(encoding="utf-8") == cells.page(), "make docs"


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_stands_there_as_equations_numpy_and_cpp(cells: ModuleType, name: str) -> None:
    section = cells.section(CELLS[name])
    for needed in ("h' = ", "def step(", "def step_back(", "void step("):
        assert needed in section
    assert section.count("```cpp") == section.count("```python") == 3


def test_every_link_of_the_page_leads_somewhere(cells: ModuleType) -> None:
    links = re.findall(r"\]\(([^)]+)\)", cells.page())
    assert len(links) > 2 * len(CELLS)
    assert [link for link in links if not (cells.PAGE.parent / link).exists()] == []


def test_the_map_in_the_readme_leads_to_the_page() -> None:
    assert "](docs/cells.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
