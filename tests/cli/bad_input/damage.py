"""Ways to damage a file of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def shorten(length: int | float) -> Callable[[Path], None]:
    """Cut a file short: to a number of bytes, or to a share of them."""

    def cut(path: Path) -> None:
        content = path.read_bytes()
        keep = int(length * len(content)) if isinstance(length, float) else length
        path.write_bytes(content[: keep % len(content)])

    return cut


def replace_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def written(old: str, new: str) -> Callable[[Path], None]:
    """Write something else into a text file; what is replaced must be there."""

    def damage(path: Path) -> None:
        content = path.read_text(encoding="utf-8")
        assert old in content
        path.write_text(content.replace(old, new, 1), encoding="utf-8")

    return damage
