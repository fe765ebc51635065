"""Trains again and again, under `failing.cpp`, with another call of the system failing each time.

Prints a JSON record a line: which call failed, how the command ended and what it said, and the same of the
one that went on after it. Each in a process of its own, forked when all is loaded.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import sys
from pathlib import Path

from hornbook import facade, text_cache, training
from hornbook.cli.main import main

NOT_REACHED = 100  # an exit code: there were fewer calls


def in_child(arguments: list[str], said: Path, call: int, error: int, lasting: bool) -> int:
    """The command in a process of its own, of which a call fails (0: none); its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 2)
    os.close(file)
    sys.argv = ["hornbook", *arguments, "--quiet", "--save-every", "1e-9"]
    os.environ["XDG_CACHE_HOME"] = f"{said}-cache"  # of its own, so that the text is put there each time
    FAILING.arm(call, error, lasting)
    code = 0
    try:
        main()
    except SystemExit as ending:
        code = int(ending.code or 0)
    finally:
        left = FAILING.calls_left()
        FAILING.arm(0, 0, 0)
        sys.stderr.flush()
    os._exit(NOT_REACHED if left and not (lasting and left == 1) and code == 0 else code)


def go_through(flags: list[str], stopped: Path, folder: Path, error: int, lasting: bool, step: int) -> None:
    """Every `step`-th call of a short run, or of the end of a stopped one where there is one."""
    call, code = 1, 0
    while code != NOT_REACHED:
        run, said = folder / f"run-{call}", folder / f"said-{call}"
        begin = ["train", *flags, "--out", str(run)]
        if stopped.exists():
            shutil.copytree(stopped, run)
        again = ["resume", str(run)]
        code = in_child(again if stopped.exists() else begin, said, call, error, lasting)
        first = said.read_text()
        further = in_child(again if run.exists() else begin, said, 0, 0, lasting=False)
        record = {"call": call, "code": code, "said": first, "further": further, "then": said.read_text()}
        print(json.dumps({**record, "run": str(run)}), flush=True)
        call += step


FAILING = ctypes.CDLL(os.environ["LD_PRELOAD"])
facade.loss_figure = lambda *_: []
training.SLICE_SECONDS = 0.0
text_cache.LEAST = 0
flags, stopped, folder, error, lasting, step = sys.argv[1:]
go_through(flags.split(), Path(stopped), Path(folder), int(error), lasting == "lasting", int(step))
