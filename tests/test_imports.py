"""Imports run one way: from each floor of the house only downwards, as architecture.md has it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import hornbook

ROOT = Path(hornbook.__file__).parent

FLOORS: list[set[str]] = [
    {"markup", "errors", "values", "compound", "config"},
    {
        "text",
        "text_files",
        "vocabulary",
        "numbering",
        "text_cache",
        "cache",
        "storage",
        "untrusted",
        "rows",
        "locks",
    }
    | {"cells", "philox", "parameters"},
    {"streams", "optimizers", "schedules", "distribution"},
    {"engines"},
    {
        "events",
        "smoothing",
        "sampling",
        "reading",
        "scoring",
        "baselines",
        "gradients",
        "perturbation",
        "verdicts",
        "training",
    }
    | {
        "plan",
        "validation",
        "averaging",
        "selection",
        "excerpts",
        "capacity",
        "trial",
        "calibration",
        "evaluation",
        "dynamic",
        "matching",
        "originality",
        "units",
    },
    {
        "records",
        "torch_weights",
        "model",
        "run_files",
        "runs",
        "checkpoints",
        "folders",
        "recorder",
        "hindsight",
        "continuing",
        "advice",
        "reach",
        "sizing",
        "fluent",
        "yardsticks",
        "remains",
        "agreement",
        "lengthening",
        "resuming",
    },
    {"report", "web"},
    {
        "cli.words",
        "cli.quiet",
        "cli.display",
        "cli.interrupts",
        "cli.audience",
    },  # what a plain call from Python shows
    {"facade"},
    {"cli"},
    {"", "entry", "__main__"},
]
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}

TERMINAL = {"rich", "typer"}
FILES = {"io", "pathlib", "shutil", "tempfile", "sys", "json", "tomllib", "safetensors", "logging"}
NO_FILES = {"environ", "cpu_count", "sched_getaffinity"}  # what may be asked of `os`
BELOW_FILES = ("cells", "engines", "parameters", "optimizers", "philox", "distribution", "streams")


def module_name(path: Path) -> str:
    """A file as a module of hornbook: `cells.vanilla`, `text`, or nothing for the package itself."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_name(path): ast.parse(path.read_text()) for path in sorted(ROOT.rglob("*.py"))}
every_module = pytest.mark.parametrize("name", MODULES)


def within(name: str, package: str) -> bool:
    """Whether a module is a package or lies in it."""
    return name == package or (package != "" and name.startswith(package + "."))


def floor(name: str) -> int:
    """The floor of a module: its own, or that of the package that it lies in."""
    places = [place for place in FLOOR if within(name, place)]
    assert places, f"hornbook.{name} stands on no floor; give it one in FLOORS"
    return FLOOR[max(places, key=len)]


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere in a module, in functions and for type checkers too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def of_hornbook(name: str) -> set[str]:
    """The modules of hornbook that a module imports."""
    own = {
        full.removeprefix("hornbook").removeprefix(".")
        for full in imported(MODULES[name])
        if within(full, "hornbook")
    }
    found = own & set(MODULES)
    # `from hornbook import x` yields both; the package itself counts only if nothing in it is meant.
    return found - {""} if any(found - {""}) else found


def of_others(name: str) -> set[str]:
    """The other packages that a module imports."""
    return {full.partition(".")[0] for full in imported(MODULES[name])} - {"hornbook"}


def calls(name: str) -> set[str]:
    """The plain names that a module calls: `print(…)`, `open(…)`."""
    nodes = (node for node in ast.walk(MODULES[name]) if isinstance(node, ast.Call))
    return {node.func.id for node in nodes if isinstance(node.func, ast.Name)}


def asked_of_os(name: str) -> set[str]:
    """The attributes of `os` that a module uses."""
    nodes = [node for node in ast.walk(MODULES[name]) if isinstance(node, ast.Attribute)]
    used = {node.attr for node in nodes if isinstance(node.value, ast.Name) and node.value.id == "os"}
    return used | {full[3:] for full in imported(MODULES[name]) if full.startswith("os.")}


def test_the_modules_are_found() -> None:
    assert {"", "errors", "cells.vanilla", "engines.reference", "training"} <= set(MODULES)
    assert {"config", "distribution", "engines.interface"} <= of_hornbook("engines.reference")


@every_module
def test_every_module_stands_on_a_floor(name: str) -> None:
    assert 0 <= floor(name) < len(FLOORS)


def test_a_module_without_a_floor_is_found() -> None:
    with pytest.raises(AssertionError, match="attic stands on no floor"):
        floor("attic")


@every_module
def test_imports_go_down_or_stay_on_the_floor(name: str) -> None:
    up = {other for other in of_hornbook(name) if floor(other) > floor(name)}
    assert not up, f"hornbook.{name} imports from above: {sorted(up)}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: of_hornbook(name) for name in MODULES if name != ""}
    assert len(list(TopologicalSorter(graph).static_order())) >= len(graph)


@every_module
def test_only_the_command_line_knows_the_terminal_and_prints(name: str) -> None:
    if not within(name, "cli"):
        assert not of_others(name) & TERMINAL
        assert "print" not in calls(name)
        assert "input" not in calls(name)


def test_the_command_is_there_before_numpy_is() -> None:
    program = "import sys, hornbook.cli.main; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n", "its help would wait for NumPy"


@every_module
def test_engines_and_what_they_stand_on_know_no_files_and_no_terminal(name: str) -> None:
    if any(within(name, package) for package in BELOW_FILES):
        assert not of_others(name) & (FILES | TERMINAL)
        assert not calls(name) & {"open", "print", "input"}
        assert asked_of_os(name) <= NO_FILES


@every_module
def test_engines_take_only_the_type_of_numbers_from_text(name: str) -> None:
    if within(name, "engines"):
        nodes = [node for node in ast.walk(MODULES[name]) if isinstance(node, ast.ImportFrom)]
        taken = {alias.name for node in nodes if node.module == "hornbook.text" for alias in node.names}
        assert taken <= {"Ids"}


@every_module
def test_reports_and_pages_never_ask_engines(name: str) -> None:
    if within(name, "report") or within(name, "web"):
        assert not {other for other in of_hornbook(name) if within(other, "engines")}


@every_module
def test_pytorch_is_imported_by_no_module_but_the_one_for_its_weights(name: str) -> None:
    if name != "torch_weights":
        assert "torch" not in of_others(name)
