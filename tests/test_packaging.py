"""The package as it is installed: from a wheel, with the compiler that the build brings, and without one.

`make packaging` runs these; each installs into one virtual environment, in which no compiler is on the PATH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hornbook.engines import NO_CORE
from hornbook.engines.native import levels

pytestmark = [
    pytest.mark.packaging,
    pytest.mark.skipif(os.name != "posix", reason="written for sh"),
]

ROOT = Path(__file__).parent.parent
# What a system without a compiler has, and builds may call.
PLAIN_TOOLS = ("sh", "env", "uname", "cat", "rm", "mkdir", "mv", "cp", "chmod", "sed", "grep")
SAID = "hornbook: the native core could not be compiled"


class House:
    """A virtual environment, and how things are run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin = folder, folder / "venv" / "bin"
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        tools = folder / "tools"
        tools.mkdir()
        for name in PLAIN_TOOLS:
            (tools / name).symlink_to(shutil.which(name) or "/bin/false")
        hidden = ("CXX", "CC", "HORNBOOK_ISA", "HORNBOOK_REQUIRE_CORE", "PYTHONPATH")
        self.environment = {k: v for k, v in os.environ.items() if k not in hidden}
        self.environment["PATH"] = f"{self.bin}{os.pathsep}{tools}"
        assert not any(
            shutil.which(name, path=self.environment["PATH"]) for name in ("c++", "g++", "clang++")
        )

    def run(self, *command: object, where: Path | None = None, **environment: str) -> tuple[str, str]:
        """What a command says, on both of its outputs."""
        done = subprocess.run(
            [self.bin / str(command[0]), *map(str, command[1:])],
            cwd=where or self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout, done.stderr

    def install(self, *what: object, **environment: str) -> str:
        """What pip says where it is asked to say all."""
        pip = ("python", "-m", "pip", "install", "--verbose", "--disable-pip-version-check")
        return "".join(self.run(*pip, "--force-reinstall", "--no-deps", *what, **environment))

    def levels(self) -> str:
        """The levels of the core that is installed, as Python writes them."""
        program = "from hornbook.engines.native import levels; print(levels())"
        return self.run("python", "-c", program)[0].strip()

    def train(self, *flags: object) -> tuple[str, str]:
        """What a small training says."""
        out = self.folder / "run"
        shutil.rmtree(out, ignore_errors=True)
        (self.folder / "book.txt").write_text("the cat sat on the mat, and so did we all. " * 9)
        said = self.run("hornbook", "train", "book.txt", "--updates", 300, "--out", out, *flags)
        assert (out / "summary.json").is_file()
        return said


def needs(extra: str = "") -> list[str]:
    """The packages that hornbook needs, or an extra of it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed: list[str] = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return needed


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """An environment with all that hornbook needs, but not hornbook."""
    house = House(tmp_path_factory.mktemp("house"))
    house.run("python", "-m", "pip", "install", "--disable-pip-version-check", *needs())
    return house


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source as it is published: no build has been made in it."""
    folder = tmp_path_factory.mktemp("source") / "hornbook"
    folder.mkdir()
    for name in ("native", "src"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


def test_a_wheel_installs_and_trains_where_there_is_no_compiler(house: House) -> None:
    wheel = max((ROOT / "dist").glob("*.whl"), key=lambda path: path.stat().st_mtime)
    house.install("--no-index", wheel)
    assert house.levels() == str(levels())
    out, err = house.train("--engine", "native")
    assert "engine native" in out
    assert err == ""


def test_without_a_compiler_the_build_brings_one_and_every_level_passes_its_tests(
    house: House, source: Path
) -> None:
    said = house.install(source, HORNBOOK_REQUIRE_CORE="1")
    assert "ziglang" in said
    assert SAID not in said
    assert house.levels() == str(levels())
    out, err = house.train()
    assert "engine native" in out
    assert err == ""
    house.run("python", "-m", "pip", "install", "--disable-pip-version-check", *needs("test"))
    shutil.copytree(ROOT / "tests", house.folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", house.folder)
    tests = ("native", *sorted((house.folder / "tests" / "engines").glob("test_engine_*.py")))
    passed, _ = house.run("python", "-m", "pytest", "-n", "auto", *tests, where=house.folder / "tests")
    assert " passed" in passed
    assert "skipped" not in passed


def test_a_compiler_that_fails_leaves_a_package_that_says_so_and_trains(house: House, source: Path) -> None:
    said = house.install(source, CXX="/bin/false")
    assert [line.strip().startswith(SAID) for line in said.splitlines() if SAID in line] == [True]
    assert house.levels() == "()"
    out, err = house.train()
    assert "engine reference" in out
    assert err == f"warning: {NO_CORE}\n"


def test_the_next_install_from_the_same_folder_takes_a_compiler_that_works(
    house: House, source: Path
) -> None:
    path = f"{house.environment['PATH']}{os.pathsep}{os.environ['PATH']}"
    lowest, sooner = levels()[:1], "--config-settings=cmake.define.HORNBOOK_LEVELS=baseline"
    assert SAID in house.install(source, CXX="/bin/false")
    house.install(source, sooner, PATH=path, HORNBOOK_REQUIRE_CORE="1")
    assert house.levels() == str(lowest)
    house.run("python", "-m", "pip", "uninstall", "--yes", "hornbook")
    house.install("--editable", source, sooner, PATH=path, HORNBOOK_REQUIRE_CORE="1")
    assert house.levels() == str(lowest)
    assert str(source) in house.run("python", "-c", "import hornbook; print(hornbook.__file__)")[0]
