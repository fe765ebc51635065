"""What the tests of texts share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_bytes("Ça va?\r\n字\n".encode())
    return path
