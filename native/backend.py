"""The build: scikit-build-core with a compiler found, brought along, or done without.

Where no C++ compiler is on the PATH, the `ziglang` wheel, which is one, is asked for as a build
requirement. Where that cannot compile the core either, the package is built without it and hornbook runs
its reference engine.
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
Settings = dict[str, "str | list[str]"]


def has_compiler() -> bool:
    """Whether the environment names a compiler or the PATH has one."""
    return "CXX" in os.environ or any(shutil.which(name) for name in COMPILERS)


def requires(of_core: list[str]) -> list[str]:
    """What the build needs, and a compiler where there is none."""
    zig = "ziglang>=0.13; platform_machine in 'x86_64 AMD64 aarch64 arm64'"
    return of_core if has_compiler() else [*of_core, zig]


@contextmanager
def compiler() -> Iterator[None]:
    """With CXX set to the compiler that was brought along, where there is no other."""
    if has_compiler():
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "c++"
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ziglang c++ "$@"\n')
        script.chmod(0o755)
        os.environ["CXX"] = str(script)
        try:
            yield
        finally:
            del os.environ["CXX"]


def with_core_or_without(build, folder: str, settings: Settings | None, metadata: str | None) -> str:
    """Build with the core; where that fails, say so in one line and build without it."""
    try:
        with compiler():
            return build(folder, settings, metadata)
    except (Exception, SystemExit) as error:
        if os.environ.get("HORNBOOK_REQUIRE_CORE"):
            raise
        print(
            f"hornbook: the native core could not be built ({error}); installing without it", file=sys.stderr
        )
        return build(folder, {**(settings or {}), "wheel.cmake": "false"}, metadata)


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
