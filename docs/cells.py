"""Makes docs/cells.md from the sources: each cell's equations, its NumPy and its C++ side by side.

`python docs/cells.py`, or `make docs`. A test holds that the page is what the sources say, whose lines are
broken anew so that two columns fit on a page.
"""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from hornbook.cells import CELLS, Cell

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "cells.md"
WIDTH = 58  # characters of a column
COMMENTS = {"python": "#", "cpp": "//"}
CPP_STYLE = (
    f"{{BasedOnStyle: LLVM, ColumnLimit: {WIDTH}, IndentWidth: 4, ContinuationIndentWidth: 8, "
    "PointerAlignment: Left, AlignAfterOpenBracket: DontAlign}"
)
FORMATTERS = {
    "python": ("ruff", "format", "--line-length", str(WIDTH), "-"),
    "cpp": ("clang-format", f"--style={CPP_STYLE}"),
}
Form = Callable[[str, str], str]  # of code in a language
INTRODUCTION = """# The cells

A cell says what happens at one time step after the matrix products, forwards and backwards, unit by unit. It
knows nothing of time, of weights or of text. The walk through time, the products and the gradients of all
weights are written once, in [backpropagation.py](../src/hornbook/engines/backpropagation.py), and once more
in C++, in [network_window.hpp](../native/network_window.hpp).

    K symbols   H hidden units   G gates   B streams   S states of the cell

    u = x U + b    v = h W                           (B, G·H), from the two products; x of the first layer is
                                                     one-hot, so its product is a row of U
    step(u, v, state) -> state', cache               state is S arrays (B, H), the hidden state h first
    step_back(dstate', cache) -> du, dv, dstate      dstate leaves out what flows through v = h W
    open_gate                                        the number of the gate, from 0, whose bias starts at 1

In C++ a cell gets one row of one stream at a time, `a`, in which the products stand already; where u and v
are only ever added, they are summed there. `step` leaves in `a` what the way back needs, and `step_back` the
gradients of u and v:

    n          units of the layer, padded to whole vectors (m in the GRU, whose n is a gate)
    blocks     a row is so many blocks of n numbers: the first G are u, the last G are v, and where these are
               the same blocks, u + v; a[j], a[n + j], a[2 * n + j] are of unit j in blocks 0, 1 and 2
    of_u[g]    the block of u in which gate g stands, counted from the first of the row, 0
    of_v[g]    the block of v in which it stands, counted from the first of v, blocks - G
    step(a, h, c, h', c', n)                       what a cell has no use for has no name there
    step_back(a, h, c, h', c', dh', dh, dc, n)     dh grows by what flows past v; dc, which is of c', becomes
                                                   that of c
    load, store, Vec<Real>                         Lanes<Real> numbers at a time, in a vector register

[family.hpp](../native/family.hpp) says how they are called. Gates stand in PyTorch's order, and c is the
second state. The core of the classic recipe, one stream of one vanilla layer, has a cell of its own, in
[cells.hpp](../native/cells.hpp).

To add a cell: a file in [src/hornbook/cells](../src/hornbook/cells) and a line in its registry, a file in
[native](../native) and a line in `family`. The tests go through the registry, and prove its gradients against
central differences, the complex step and PyTorch.

This page is made from the sources by [cells.py](cells.py).
"""


def as_it_is(code: str, _: str) -> str:
    """The code as it stands in the source."""
    return code


def narrow(code: str, kind: str) -> str:
    """The code in lines that leave room for another column: comments at the end of long lines stand before
    them, and the formatter of the language does the rest."""
    lines: list[str] = []
    for line in code.splitlines():
        told, mark, comment = line.partition(f"  {COMMENTS[kind]} ")
        indent = line[: len(line) - len(line.lstrip())]
        if len(line) > WIDTH and mark:
            lines += [f"{indent}{mark.strip()} {re.sub(' {2,}', '    ', comment)}", told.rstrip()]
        elif line.strip().startswith('"""'):
            lines += textwrap.wrap(line, WIDTH, subsequent_indent=indent)
        else:
            lines.append(line)
    command = [str(Path(sys.executable).parent / FORMATTERS[kind][0]), *FORMATTERS[kind][1:]]
    made = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True)
    return made.stdout.rstrip()


def page(form: Form = as_it_is) -> str:
    """The whole page, its code in some form."""
    return INTRODUCTION + "".join(section(cell, form) for cell in CELLS.values())


def section(cell: Cell, form: Form = as_it_is) -> str:
    """One cell: its equations, and a table of its two forms."""
    module = sys.modules[cell.step.__module__]
    python = inspect.getsource(module)
    cpp = (ROOT / "native" / f"cell_{cell.name}.hpp").read_text(encoding="utf-8")
    rows = [
        (constant(python, cell.name.upper()), constants(cpp)),
        *((function(python, name), method(cpp, name)) for name in ("step", "step_back")),
    ]
    equations, _, notes = (module.__doc__ or "").strip().partition("\n\n")
    name, _, first = equations.partition(":")
    formulas = textwrap.dedent(" " * (len(name) + 1) + first)
    links = (
        f"[{cell.name}.py](../src/hornbook/cells/{cell.name}.py)",
        f"[cell_{cell.name}.hpp](../native/cell_{cell.name}.hpp)",
    )
    return (
        f"\n## {name}\n\n{textwrap.indent(formulas, '    ')}\n\n{' '.join(notes.split())}\n\n{note(cpp)}\n\n"
        f"<table>\n<tr><th>\n\n{links[0]}\n\n</th><th>\n\n{links[1]}\n\n</th></tr>\n"
        + "".join(row(*pair, form) for pair in rows)
        + "</table>\n"
    )


def row(python: str, cpp: str, form: Form) -> str:
    """One thing in both languages."""
    cells = (
        f'<td valign="top">\n\n```{kind}\n{form(code, kind)}\n```\n\n</td>'
        for kind, code in (("python", python), ("cpp", cpp))
    )
    return f"<tr>{''.join(cells)}</tr>\n"


def constant(python: str, name: str) -> str:
    """The line of a module that sets a name."""
    return next(line for line in python.splitlines() if line.startswith(f"{name} ="))


def function(python: str, name: str) -> str:
    """A function of a module."""
    nodes = (node for node in ast.parse(python).body if isinstance(node, ast.FunctionDef))
    found = next(node for node in nodes if node.name == name)
    return "\n".join(python.splitlines()[found.lineno - 1 : found.end_lineno])


def note(cpp: str) -> str:
    """What the head of a C++ file says of its rows."""
    head = re.match(r"(?://.*\n)+", cpp)
    assert head
    lines = [line.removeprefix("//").strip() for line in head[0].splitlines()]
    sentence = " ".join(lines[lines.index("") + 1 :])
    return "In C++: " + sentence.partition("is. ")[2]


def constants(cpp: str) -> str:
    """The sizes of a C++ struct."""
    return textwrap.dedent(
        "".join(f"{line}\n" for line in cpp.splitlines() if "static constexpr" in line)
    ).rstrip()


def method(cpp: str, name: str) -> str:
    """A static member function, up to the brace that closes it."""
    start = re.search(rf"^    static HORNBOOK_INLINE void {name}\(", cpp, re.MULTILINE)
    assert start, f"no {name}"
    end = cpp.index("\n    }\n", start.start())
    return textwrap.dedent(cpp[start.start() : end + len("\n    }")])


if __name__ == "__main__":
    PAGE.write_text(page(narrow), encoding="utf-8")
