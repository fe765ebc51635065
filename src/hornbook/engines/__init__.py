"""Engines: what computes. They know arrays, never files, text or terminals."""

from __future__ import annotations

from hornbook.engines.interface import Advance, Engine, Gradients, Start, TrainingState
from hornbook.engines.reference import ReferenceEngine

ENGINES: dict[str, type[Engine]] = {"reference": ReferenceEngine}

__all__ = ["ENGINES", "Advance", "Engine", "Gradients", "Start", "TrainingState"]
