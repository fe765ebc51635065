"""Makes docs/fluent.md: the trials that preset fluent's rules are fitted to.

`python docs/fluent.py TEXT ...` makes those trials whose result is not in docs/fluent.json yet and whose text
is among these files, by its name; then, or without a file, the page is made from what is there. A trial goes
by updates, so its loss does not hang on the machine's speed.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
RESULTS, PAGE = ROOT / "docs" / "fluent.json", ROOT / "docs" / "fluent.md"
COMMON = (
    "--preset fluent --validation 0.1 --cell gru --lr 0.003 --order shuffled --chunk 8 --seq-len 64 "
    "--dtype mixed --input-rate 1 --weight-decay 0 --schedule linear --average 0"
)
SEQ_LEN = 64
INTRODUCTION = """# What fluent chooses, and why

Preset `fluent` goes by rules ([fluent.py](../src/hornbook/fluent.py)) that are fitted to the trials below.
The loss is that on the last tenth of the text, in nats a character. Each trial is `hornbook train TEXT` with

    {common}

and with what stands in its row. What was taken from them:

- GRUs, which with as much work learn more than LSTMs and vanilla networks;
- two layers, and the largest network that reads three characters for each weight of its layers: with as much
  work, more units on fewer characters learn more than fewer units on more, until the characters are too few;
  six, where they are read twice at most, since new ones teach more than those that are seen again. The
  weights of `V` count nothing there: most of a large vocabulary's are of symbols that hardly come;
- chunks of the text in an order and at places of their own each epoch; 16 streams on two cores;
- weight decay where a text is read more than four times, the more the shorter it is: it keeps both texts from
  being learnt by heart, and with it less dropout is enough. A training by time ends when it has read the text
  25 times, or made 1,500 updates where these are more: a text of 5,000 characters is then read some 375 times
  and learnt by heart, and the best model is one on the way, where something is held out to choose it by;
- for `U`, of which each character chooses a row, a rate of its own, the higher the fewer updates: a row is
  stepped along only when its character comes, and with the rate of all else it has not come far by the end.
  (An embedding before the network, as is usual, does the same unseen: it is multiplied with the weights
  behind it, and both learn.) At the end of a long training a high one keeps it from settling;
- a rate of 0.003 for networks of 256 units a layer or more, where the mean of the last parameters is taken
  (where the rate falls to zero, 0.006 is better in a short training); for fewer units a higher one, in the
  ratio of 256 to the units: it is worth much with 128 units and nothing certain with 192; and then no higher
  one for the rows of `U`;
- `mixed`, which ends where float32 does;
- a rate that falls to 300 / updates of itself, the less the fewer the updates, and the mean of the last
  parameters, over a tenth of the updates, or over 0.4 of them where a text is read more than ten times
  ([averaging.md](averaging.md)). In the trials below the rate falls to zero, and no mean
  is taken, where a row does not say otherwise.

They go by updates, so they come out alike on a slow machine and a fast one.
`python docs/fluent.py TEXT …` makes them again.
"""


class Trial(NamedTuple):
    """A training of so many updates on a text; `more` are flags that differ from the common ones."""

    text: str
    updates: int
    streams: int
    layers: int
    hidden: int
    dropout: float
    more: str = ""

    @property
    def key(self) -> str:
        """Its name among the results."""
        return " ".join(map(str, self)).strip()

    @property
    def characters(self) -> int:
        """What it reads."""
        return self.updates * self.streams * SEQ_LEN

    @property
    def flags(self) -> list[str]:
        """What is typed; of two flags of a name the last one holds."""
        own = (
            f"--updates {self.updates} --streams {self.streams} --layers {self.layers} "
            f"--hidden {self.hidden} --dropout {self.dropout}"
        )
        return shlex.split(f"{COMMON} {own} {self.more}")


S, A, Q, H = "tinyshakespeare", "alice", "quijote", "hongloumeng"
TRIALS = (
    Trial(S, 1000, 16, 1, 128, 0),
    Trial(S, 1000, 16, 1, 256, 0),
    Trial(S, 1000, 16, 2, 128, 0),
    Trial(S, 1000, 16, 2, 256, 0),
    Trial(S, 1000, 16, 2, 256, 0, "--dtype float32"),
    Trial(S, 1000, 16, 2, 224, 0, "--cell lstm --dtype float32"),
    Trial(S, 1000, 16, 2, 448, 0, "--cell vanilla --dtype float32"),
    Trial(S, 3000, 16, 2, 128, 0.1),
    Trial(S, 3000, 16, 2, 256, 0.1),
    Trial(S, 3000, 16, 2, 384, 0.1),
    Trial(S, 7000, 16, 2, 384, 0.3),
    Trial(S, 13000, 16, 2, 256, 0.3),
    Trial(S, 6500, 32, 1, 384, 0.4, "--chunk 4"),
    Trial(S, 6500, 32, 2, 256, 0.3, "--order text"),
    Trial(S, 6500, 32, 2, 256, 0.3),
    Trial(S, 6500, 32, 2, 256, 0.3, "--chunk 2"),
    Trial(S, 6500, 32, 2, 256, 0.3, "--chunk 4 --weight-decay 0.05"),
    Trial(S, 6500, 32, 2, 320, 0.4, "--chunk 4"),
    Trial(S, 26000, 8, 2, 256, 0.3, "--lr 0.002"),
    Trial(S, 3000, 16, 2, 256, 0.1, "--input-rate 8"),
    Trial(S, 3000, 16, 2, 256, 0.1, "--input-rate 15"),
    Trial(S, 3000, 16, 2, 256, 0.1, "--input-rate 30"),
    Trial(S, 3000, 16, 2, 256, 0.1, "--input-rate 100 --dtype float32"),
    Trial(S, 7000, 16, 2, 384, 0.3, "--input-rate 5"),
    Trial(S, 7000, 16, 2, 384, 0.3, "--input-rate 30"),
    Trial(A, 2000, 16, 2, 256, 0.5, "--input-rate 30 --dtype float32"),
    Trial(A, 2000, 16, 2, 256, 0.5, "--input-rate 100 --dtype float32"),
    Trial(A, 2000, 16, 2, 256, 0.5, "--input-rate 300 --dtype float32"),
    Trial(A, 3000, 16, 2, 256, 0.5, "--input-rate 15"),
    Trial(A, 3000, 16, 2, 256, 0.5, "--input-rate 30"),
    Trial(A, 3000, 16, 2, 256, 0.5, "--input-rate 15 --seed 1"),
    Trial(A, 3000, 16, 2, 256, 0.5, "--input-rate 30 --seed 1"),
    Trial(A, 3000, 16, 2, 256, 0.5, "--input-rate 15 --seed 2"),
    Trial(A, 3000, 16, 2, 256, 0.5, "--input-rate 30 --seed 2"),
    Trial(A, 2000, 16, 2, 256, 0.5, "--input-rate 20 --seed 2"),
    Trial(A, 2000, 16, 2, 256, 0.5, "--input-rate 50 --seed 1"),
    Trial(A, 1500, 32, 2, 256, 0.5, "--input-rate 30 --seed 1"),
    Trial(S, 3000, 16, 2, 256, 0.1, "--input-rate 15 --weight-decay 0.3"),
    Trial(S, 7000, 16, 2, 384, 0.2, "--input-rate 6 --weight-decay 0.2"),
    Trial(A, 2000, 16, 2, 256, 0.5, "--input-rate 30 --seed 1"),
    Trial(A, 2000, 16, 2, 256, 0.6, "--input-rate 30 --seed 1"),
    Trial(A, 2000, 16, 2, 256, 0.5, "--input-rate 30 --lr 0.005 --seed 1"),
    Trial(A, 2000, 16, 2, 384, 0.5, "--input-rate 30 --seed 1"),
    Trial(A, 2000, 16, 2, 256, 0.5, "--input-rate 30 --weight-decay 0.1 --seed 1"),
    Trial(A, 2000, 16, 2, 256, 0.5, "--input-rate 30 --weight-decay 0.3 --seed 1"),
    Trial(A, 2000, 16, 2, 256, 0.5, "--input-rate 30 --weight-decay 0.9 --seed 1"),
    Trial(A, 2000, 16, 2, 256, 0.4, "--input-rate 30 --weight-decay 0.5 --seed 1"),
    Trial(A, 2000, 16, 2, 256, 0.3, "--input-rate 30 --weight-decay 0.5 --seed 1"),
    Trial(A, 2000, 16, 2, 256, 0.3, "--input-rate 20 --weight-decay 0.5 --seed 2"),
    Trial(A, 6000, 16, 2, 256, 0.5),
    Trial(A, 6000, 16, 2, 128, 0.4),
    Trial(A, 3000, 16, 2, 256, 0.5),
    Trial(A, 400, 16, 1, 128, 0.1, "--input-rate 30"),
    Trial(A, 400, 16, 1, 128, 0.1, "--lr 0.006 --input-rate 15"),
    Trial(A, 400, 16, 1, 128, 0.1, "--lr 0.006 --input-rate 30"),
    Trial(A, 400, 16, 1, 128, 0.1, "--lr 0.01 --input-rate 9"),
    Trial(A, 1000, 16, 2, 192, 0.1, "--input-rate 30"),
    Trial(A, 1000, 16, 2, 192, 0.1, "--lr 0.004 --input-rate 22"),
    Trial(A, 1000, 16, 2, 192, 0.1, "--lr 0.006 --input-rate 15"),
    Trial(S, 1000, 16, 2, 256, 0, "--input-rate 30"),
    Trial(S, 1000, 16, 2, 256, 0, "--lr 0.006 --input-rate 15"),
    Trial(S, 1000, 16, 2, 256, 0, "--dtype float32 --input-rate 30 --schedule linear:0.3 --average 0.1"),
    Trial(
        S,
        1000,
        16,
        2,
        256,
        0,
        "--dtype float32 --lr 0.006 --input-rate 15 --schedule linear:0.3 --average 0.1",
    ),
    Trial(Q, 4400, 16, 2, 256, 0.1, "--dtype float32 --input-rate 10 --schedule linear:0.07 --average 0.1"),
    Trial(Q, 2830, 16, 2, 320, 0.1, "--dtype float32 --input-rate 16 --schedule linear:0.1 --average 0.1"),
    Trial(H, 3730, 16, 2, 128, 0.1, "--dtype float32 --input-rate 12 --schedule linear:0.08 --average 0.1"),
    Trial(H, 2260, 16, 2, 192, 0.1, "--dtype float32 --input-rate 20 --schedule linear:0.1 --average 0.1"),
    Trial(H, 1540, 16, 2, 256, 0.1, "--dtype float32 --input-rate 29 --schedule linear:0.2 --average 0.1"),
)


def main() -> None:
    """Make what is missing, and the page."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    files = {Path(name).stem: Path(name) for name in sys.argv[1:]}
    for trial in TRIALS:
        if trial.key not in results and trial.text in files:
            results[trial.key] = made(trial, files[trial.text])
            RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
            print(trial.key, results[trial.key], flush=True)
    PAGE.write_text(page(results), encoding="utf-8")


def made(trial: Trial, path: Path) -> dict[str, float]:
    """Train; the loss on what is held out, and the smooth loss at the end, in nats a character."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "hornbook", "train", str(path), "--quiet", "--out", str(out)]
        subprocess.run([*command, *trial.flags], check=True)
        summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    held_out = summary["validation"]["nats_per_character"]
    return {"held_out": held_out, "training": summary["last_smooth_loss"] / SEQ_LEN}


def page(results: dict[str, dict[str, float]]) -> str:
    """The page."""
    return "\n".join([INTRODUCTION.format(common=COMMON), *rows(results), ""])


def rows(results: dict[str, dict[str, float]]) -> Iterator[str]:
    """The table: the trials that have a result."""
    yield "| text | characters read | layers × units | streams | dropout | else | in training | held out |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for trial in (trial for trial in TRIALS if trial.key in results):
        found = results[trial.key]
        yield (
            f"| {trial.text} | {trial.characters / 1e6:.1f} M | {trial.layers} × {trial.hidden} "
            f"| {trial.streams} | {trial.dropout:g} | {trial.more} | {found['training']:.3f} "
            f"| {found['held_out']:.3f} |"
        )


if __name__ == "__main__":
    main()
