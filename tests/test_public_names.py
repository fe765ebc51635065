"""The public names, frozen: one that comes or goes is a decision, and stands in the CHANGELOG."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
import subprocess
import sys
import types

import pytest

import hornbook

NAMES = [
    "CheckFailed",
    "Checkpoint",
    "Choice",
    "Evaluated",
    "Evaluation",
    "Event",
    "Finished",
    "GradientCheck",
    "HornbookError",
    "InputError",
    "Logged",
    "Model",
    "ModelSettings",
    "NotFiniteError",
    "NotInstalledError",
    "Planned",
    "Progress",
    "PromptError",
    "Run",
    "RunFolderError",
    "Sampled",
    "Score",
    "SettingError",
    "StorageError",
    "Text",
    "TextError",
    "TrainingFailed",
    "TrainingSettings",
    "Vocabulary",
    "check_gradients",
    "load",
    "read_text",
    "resume",
    "settings",
    "train",
    "train_events",
]
OBJECTS = {name: getattr(hornbook, name) for name in NAMES}
# Those with an underscore are nobody's to import: the compiled cores, and __main__.
MODULES = [
    module.name
    for module in pkgutil.walk_packages(hornbook.__path__, "hornbook.")
    if not module.name.rpartition(".")[2].startswith("_")
]


def test_the_public_names_are_these():
    assert hornbook.__all__ == NAMES
    assert dir(hornbook) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_can_be_imported_alone(name):
    names = {}
    exec(f"from hornbook import {name}", names)
    assert names[name] is OBJECTS[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_a_class_a_function_or_a_type_and_no_module(name):
    assert isinstance(OBJECTS[name], type | types.FunctionType | types.UnionType)


def test_no_module_hides_a_public_name():
    modules = {name.removeprefix("hornbook.") for name in MODULES}
    assert modules & set(NAMES) == set()


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'hornbook' has no attribute 'nothing'"):
        _ = hornbook.nothing


def test_importing_the_package_imports_nothing_heavy():
    program = "import sys, hornbook; print([n for n in ('numpy', 'rich', 'matplotlib') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", [n for n in NAMES if not isinstance(OBJECTS[n], types.UnionType)])
def test_a_public_name_and_its_public_methods_have_a_docstring(name):
    thing = OBJECTS[name]
    assert thing.__doc__
    assert not thing.__doc__.startswith(f"{name}(")  # what a dataclass writes by itself
    if inspect.isclass(thing):
        for key, member in vars(thing).items():
            if callable(getattr(member, "__func__", member)) and not key.startswith("_"):
                assert inspect.getdoc(member), f"{name}.{key}"


@pytest.mark.parametrize("name", MODULES)
def test_a_module_and_all_that_is_public_in_it_have_a_docstring(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for key, thing in vars(module).items():
        if key.startswith("_") or getattr(thing, "__module__", None) != name:
            continue
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert thing.__doc__, f"{name}.{key}"


def test_the_version_is_that_of_the_package():
    assert hornbook.__version__ == importlib.metadata.version("hornbook")
