"""The build: scikit-build-core with a compiler found, brought along, or done without.

Where no C++ compiler is on the PATH, the `ziglang` wheel, which is one, is asked for as a build
requirement. Where the core cannot be compiled, the package is built without it, one line says so, and
hornbook runs its reference engine. HORNBOOK_REQUIRE_CORE=1 makes that an error instead.

pip shows the output of builds, and so the line, only with --verbose; `hornbook train` warns in any case.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scikit_build_core import build as core

COMPILERS = ("c++", "g++", "clang++")
# Without -mcpu zig compiles for the very processor it runs on, the baseline level too. Without -O2 it would
# make a second C++ library, for debugging, when CMake tries the compiler.
TOOLS = {"c++": "c++ -mcpu=baseline -O2", "ar": "ar", "ranlib": "ranlib"}
Settings = dict[str, "str | list[str]"]


def has_compiler() -> bool:
    """Whether the environment names a compiler or the PATH has one."""
    return bool(os.environ.get("CXX")) or any(shutil.which(name) for name in COMPILERS)


def requires(of_core: list[str]) -> list[str]:
    """What the build needs, and a compiler where there is none."""
    zig = "ziglang>=0.13; platform_machine in 'x86_64 AMD64 aarch64 arm64'"
    return of_core if has_compiler() else [*of_core, zig]


@contextmanager
def compiler(settings: Settings | None) -> Iterator[Settings]:
    """With CXX set to the compiler that was brought along, where there is no other; gives the settings of
    the build. CMake looks for the other tools beside the compiler first. They are gone afterwards, so the
    build's folder, which remembers them, goes too."""
    settings = dict(settings or {})
    if has_compiler():
        yield settings
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, words in TOOLS.items():
            script = Path(folder) / name
            script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ziglang {words} "$@"\n')
            script.chmod(0o755)
        os.environ["CXX"] = str(Path(folder) / "c++")
        try:
            yield {"build-dir": str(Path(folder) / "build"), **settings}
        finally:
            del os.environ["CXX"]


def forget_compilers() -> None:
    """Let CMake look for a compiler anew: it would go on with the one that failed, though there may be
    another by then."""
    for cache in Path("build").glob("*/CMakeCache.txt"):
        cache.unlink()
        shutil.rmtree(cache.parent / "CMakeFiles", ignore_errors=True)


def with_core_or_without(build, folder: str, settings: Settings | None, metadata: str | None) -> str:
    """Build with the core; where that fails, say so in one line and build without it."""
    try:
        with compiler(settings) as chosen:
            return build(folder, chosen, metadata)
    except (Exception, SystemExit) as error:
        forget_compilers()
        if os.environ.get("HORNBOOK_REQUIRE_CORE"):
            raise
        why = "see above" if isinstance(error, SystemExit) else " ".join(str(error).split())
        print(
            f"hornbook: the native core could not be compiled ({why}); installing the reference engine only, "
            "about ten times slower",
            file=sys.stderr,
        )
        # The metadata prepared beforehand are those of a wheel with a core: another is not to keep them.
        return build(folder, {**(settings or {}), "wheel.cmake": "false"}, None)


def build_wheel(folder: str, settings: Settings | None = None, metadata: str | None = None) -> str:
    """A wheel."""
    return with_core_or_without(core.build_wheel, folder, settings, metadata)


def build_editable(folder: str, settings: Settings | None = None, metadata: str | None = None) -> str:
    """A wheel that points here."""
    return with_core_or_without(core.build_editable, folder, settings, metadata)


def get_requires_for_build_wheel(settings: Settings | None = None) -> list[str]:
    """What building a wheel needs."""
    return requires(core.get_requires_for_build_wheel(settings))


def get_requires_for_build_editable(settings: Settings | None = None) -> list[str]:
    """What building an editable wheel needs."""
    return requires(core.get_requires_for_build_editable(settings))


build_sdist = core.build_sdist
get_requires_for_build_sdist = core.get_requires_for_build_sdist
prepare_metadata_for_build_wheel = core.prepare_metadata_for_build_wheel
prepare_metadata_for_build_editable = core.prepare_metadata_for_build_editable
