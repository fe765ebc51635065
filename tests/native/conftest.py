"""The core, level by level: each test runs at every level that this processor has."""

from __future__ import annotations

from types import ModuleType

import pytest

from hornbook.engines.native import levels, load


@pytest.fixture(params=levels())
def level(request: pytest.FixtureRequest) -> ModuleType:
    """The core of one level."""
    return load(request.param)
