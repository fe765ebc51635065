"""What a user, or a folder, has for matplotlib changes no figure, ends no training with an error, and is not
waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from matplotlib.font_manager import FontManager

FIGURES = ("loss.svg", "loss.png")
SMALL = ("--hidden", "8", "--seq-len", "5", "--updates", "20", "--sample-length", "20", "--quiet")
SETTINGS = b"text.usetex: True\nsavefig.dpi: 2000\nfigure.dpi: 9000\nbackend: nonsense\n\x1b[31mred: 1\n"


@pytest.fixture
def without(run) -> Path:
    """A finished run that lacks its figures."""
    for name in FIGURES:
        (run / name).unlink()
    return run


@pytest.fixture
def resumed(process, without, folder):
    """`hornbook resume` of that run, in surroundings with some variables; it is not waited for long."""

    def resume(command="resume", **variables):
        how = {"env": {**os.environ, "HOME": str(folder / "home"), **variables}, "timeout": 60}
        return process(command, without, *(["--quiet"] if command == "resume" else []), **how)

    return resume


@pytest.mark.parametrize(
    ("settings", "variables"),
    [
        (SETTINGS, {}),
        (b"", {"MPLBACKEND": "garbage"}),
        (b"", {"XDG_CACHE_HOME": "near", "XDG_CONFIG_HOME": "near"}),
    ],
)
def test_figures_are_the_same_whatever_is_set_for_matplotlib(
    resumed, without, trained, folder, settings, variables
):
    (folder / "matplotlibrc").write_bytes(settings)
    told = resumed(**variables)
    assert (told.code, told.out, told.err) == (0, "", "")
    assert not (folder / "near").exists()
    for name in FIGURES:
        assert (without / name).read_bytes() == (trained / name).read_bytes()


def undecodable(folder: Path) -> dict[str, str]:
    """Settings for matplotlib that are no UTF-8."""
    (folder / "matplotlibrc").write_bytes(b"\xff\xfe\0")
    return {}


def piped(folder: Path) -> dict[str, str]:
    """A pipe in the place of settings for matplotlib."""
    os.mkfifo(folder / "matplotlibrc")
    return {}


def piped_fonts(folder: Path) -> dict[str, str]:
    """A pipe in the place of matplotlib's list of fonts."""
    (folder / "cache" / "matplotlib").mkdir(parents=True)
    os.mkfifo(folder / "cache" / "matplotlib" / f"fontlist-v{FontManager.__version__}.json")
    return {"XDG_CACHE_HOME": str(folder / "cache")}


@pytest.mark.parametrize("prepare", [undecodable, piped, piped_fonts])
def test_what_keeps_matplotlib_from_drawing_is_told_in_a_line(resumed, without, folder, prepare):
    variables = prepare(folder)
    told = resumed(**variables)
    assert (told.code, told.out) == (0, "")
    assert told.err.startswith("warning: no figure can be drawn: ")
    assert told.err.endswith(f"hornbook resume {without} draws its figures, without which the run is whole\n")
    assert told.err.count("\n") == 1
    assert not [name for name in FIGURES if (without / name).exists()]
    told = resumed("report", **variables)
    assert (told.code, told.out) == (1, "")
    assert told.err.startswith("error: no figure can be drawn: ")
    assert told.err.count("\n") == 1
    assert not (without / "report.html").exists()


@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "HOME"])
def test_a_home_or_cache_that_is_a_loop_of_links_ends_no_training(process, book, folder, variable):
    (folder / "loop").symlink_to("loop")
    unset = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "MPL"))}
    variables = {**unset, "HOME": str(folder), variable: str(folder / "loop")}
    told = process("train", book, *SMALL, "--out", "a", env=variables)
    assert told.code == 0
    lines = told.err.splitlines()
    assert [line for line in lines if not line.startswith("warning: ")] == []
    assert len([line for line in lines if "figure" in line]) <= 1
    assert (folder / "a" / "best.safetensors").exists()


@pytest.mark.parametrize(("prepare", "why"), [(piped, "no plain file"), (undecodable, "can't decode byte")])
def test_a_training_by_time_goes_on_without_figures(process, book, folder, prepare, why):
    prepare(folder)
    told = process("train", book, *SMALL[:4], "--minutes", 0.01, "--quiet", "--out", "a", timeout=60)
    assert told.code == 0
    assert "Traceback" not in told.err
    (line,) = (line for line in told.err.splitlines() if "no figure can be drawn: " in line)
    assert why in line
    assert (folder / "a" / "best.safetensors").exists()


AGAIN = """
import os, sys, warnings, hornbook
warnings.simplefilter("ignore")
hornbook.resume(sys.argv[1], quiet=True)
print(os.path.exists(sys.argv[1] + "/loss.svg"))
os.remove("matplotlibrc")
hornbook.resume(sys.argv[1], quiet=True)
print(os.path.exists(sys.argv[1] + "/loss.svg"))
"""


def test_once_the_cause_is_put_right_the_same_program_draws(start, finish, without, folder):
    undecodable(folder)
    told = finish(start(without, program=AGAIN))
    assert (told.code, told.out) == (0, "False\nTrue\n"), told.err
