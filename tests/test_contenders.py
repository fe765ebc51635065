"""The benchmark's turns."""

from __future__ import annotations

import pytest
from benchmarks.contenders import TURN_SECONDS, Race


def test_a_first_turn_that_compiles_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def turn(_race: Race, _name: str, units: int) -> float:
        asked.append(units)
        return 4.0 if len(asked) == 1 else units * 1e-4

    monkeypatch.setattr(Race, "turn", turn)
    assert Race([], None).fitting("a peer") == round(TURN_SECONDS / 1e-4)
