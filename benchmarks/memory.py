"""Memory: what `hornbook train` of the largest network keeps resident, at its highest."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.sizes import Network, symbols

NETWORK = Network("lstm", 512, 100, 100, layers=2)
LIMIT = 600_000_000  # bytes
UPDATES = 3
# Not getrusage, whose figure a child inherits from the process that started it.
PROGRAM = """
import sys
from hornbook.cli.main import app
app(sys.argv[1:], standalone_mode=False)
status = open("/proc/self/status").read()
print(1024 * int(status.split("VmHWM:")[1].split()[0]))
"""


def resident() -> int:
    """Bytes."""
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        ids = symbols(NETWORK.vocabulary).astype("uint8") + 32
        text.write_bytes(ids.tobytes())
        shape = ["--cell", NETWORK.cell, "--hidden", NETWORK.hidden, "--layers", NETWORK.layers]
        reading = ["--streams", NETWORK.streams, "--seq-len", NETWORK.seq_len, "--updates", UPDATES]
        command = ["train", text, *shape, *reading, "--quiet", "--out", Path(folder) / "run"]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *map(str, command)], capture_output=True, text=True, check=True
        )
        return int(done.stdout.split()[-1])
