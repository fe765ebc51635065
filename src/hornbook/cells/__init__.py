"""The cells: what happens at one time step after the matrix products, forwards and backwards.

A cell knows nothing of time, of weights or of text. With `u = x U + b` and `v = h W`, both (B, G·H),
and a state of S arrays (B, H) whose first is the hidden state h,

    step(u, v, state) -> state', cache
    step_back(dstate', cache) -> du, dv, dstate        dstate leaves out what flows through v; None is zero

The cells are analytic functions, so they also run in complex numbers. Adding a cell is one file here
and one line below.
"""

from __future__ import annotations

from hornbook.cells.cell import Cell
from hornbook.cells.gru import GRU
from hornbook.cells.lstm import LSTM
from hornbook.cells.vanilla import VANILLA

CELLS: dict[str, Cell] = {cell.name: cell for cell in (VANILLA, GRU, LSTM)}

__all__ = ["CELLS", "Cell"]
