"""The page of a score: a text in which every character is coloured by its surprise, with what the model
expected there on hover, touch and by the arrow keys. One file, nothing fetched; everything in it is escaped.

The guesses are kept out of the markup, in one JSON record: four symbols a character and their percentages in
two digits each. So 20,000 characters, the most that are shown, are less than a megabyte.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from hornbook.markup import (
    BIT_LEVELS,
    COLOURS,
    NO_CHARACTERS,
    escaped,
    facts,
    printable,
    table,
)
from hornbook.reading import Guesses
from hornbook.scoring import Passage, Score

SHOWN = 20_000  # characters
GUESSES = 4
BYTE_NOTE = {"chars": "", "bytes": "Each byte stands here as its character in Latin-1. "}
VISIBLE = str.maketrans({" ": "␣", "\n": "↵", "\t": "⇥"})

STYLE = """
:root{color-scheme:light dark;--ink:#1b1b1b;--paper:#fff;--line:#c9c9c9;--soft:#555}
@media(prefers-color-scheme:dark){:root{--ink:#f0f0f0;--paper:#15171b;--line:#444;--soft:#b5b5b5}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);
max-width:60rem;margin:0 auto;padding:1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
.tables{display:flex;flex-wrap:wrap;align-items:flex-start;gap:1rem 3rem}
table{border-collapse:collapse;margin-bottom:1rem}
caption{white-space:nowrap;text-align:left;font-weight:600;padding:.2rem 0}
th,td{text-align:left;font-weight:400;padding:.1rem .9rem .1rem 0;border-bottom:1px solid var(--line);
vertical-align:top}
td{font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}.wide td{font-family:ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere}
.note{color:var(--soft)}
#told{position:sticky;top:0;display:block;min-height:3.2em;padding:.4rem .6rem;margin:.5rem 0;
background:var(--paper);border:1px solid var(--line);border-radius:.3rem}
#text{line-height:1.7;padding:.3rem}
#text:focus-visible{outline:2px solid #b45309}
#text .here{outline:2px solid currentColor}
@media print{#told{display:none}}
"""

SCRIPT = """
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const text = document.getElementById("text"), told = document.getElementById("told");
const signs = [...text.querySelectorAll("i")], guesses = [...data.guesses], top = data.top;
let here = -1;
function tell(i) {
  if (i < 0 || i >= signs.length) return;
  if (here >= 0) signs[here].classList.remove("here");
  here = i;
  signs[i].classList.add("here");
  const expected = [];
  for (let k = i * top; k < (i + 1) * top; k++) {
    const percent = Number(data.percents.slice(2 * k, 2 * k + 2));
    expected.push(`“${guesses[k]}” ${percent ? percent : "<1"} %`);
  }
  const unknown = signs[i].classList.contains("u") ? ", unknown to the model" : "";
  told.textContent = `“${data.signs[i]}” cost ${(data.tenths[i] / 10).toFixed(1)} bits${unknown}. ` +
    `Expected: ${expected.join(", ")}`;
}
text.addEventListener("pointerover", (e) => tell(signs.indexOf(e.target)));
text.addEventListener("focus", () => tell(Math.max(here, 0)));
text.addEventListener("keydown", (e) => {
  const step = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: 40, ArrowUp: -40}[e.key];
  if (!step) return;
  e.preventDefault();
  tell(Math.min(Math.max(here + step, 0), signs.length - 1));
  signs[here].scrollIntoView({block: "nearest"});
});
})();
"""


def surprise_page(score: Score, guesses: Guesses, symbols: str, text_name: str, model_name: str) -> str:
    """The page of a score, of which the first 20,000 characters are shown. `guesses` are the model's at
    these characters, as numbers of its `symbols`."""
    shown = min(score.characters, SHOWN)
    title = escaped(f"Surprise in {text_name}")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}{COLOURS}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>How much each {score.unit} of {escaped(text_name)} surprises the model {escaped(model_name)}, in bits:
-log2 of the probability that the model gave it after reading all before it, from the state in which it starts
to write.</p>
<div class="tables">
{facts("The text under the model", score.figures())}
{baselines_table(score)}
</div>
{passages(score)}
<h2>{score.unit.capitalize()} by {score.unit}</h2>
{legend(score)}
<p class="note">{BYTE_NOTE[score.tokens]}{length_note(score, shown)}Point at a
{score.unit}, touch it, or move with the arrow keys, to see what the model expected there.</p>
<output id="told" for="text">Nothing is pointed at yet.</output>
<div id="text" class="hornbook-text" tabindex="0" role="group" \
aria-label="The text, {score.unit} by {score.unit}">\
{characters(score, shown)}</div>
</main>
<script type="application/json" id="data">{script_json(hover_data(score, guesses, symbols, shown))}</script>
<script>{SCRIPT}</script>
</body>
</html>
"""


def baselines_table(score: Score) -> str:
    """What others need for the same text; nothing where that was not measured."""
    if not score.baselines:
        return ""
    found = {name: f"{bits:.3f}" for name, bits in score.baselines.items()}
    return facts(f"Baselines, bits per {score.unit}", found)


def passages(score: Score) -> str:
    """The passages that stand out."""
    return "\n".join(passages_table(title, found, score.unit) for title, found in score.extremes().items())


def passages_table(caption: str, found: Sequence[Passage], unit: str) -> str:
    """Passages of the text, each with its place and its cost."""
    rows = [(f"{p.start:,}", f"{p.bits_per_character:.2f}", p.text) for p in found]
    heads = (f"from {unit}", f"bits per {unit}", "passage")
    return f'<div class="wide">{table(caption, heads, rows)}</div>'


def legend(score: Score) -> str:
    """What the colours mean."""
    levels = [f"<i class=b{k}>{k}{' or more' if k == BIT_LEVELS - 1 else ''}</i>" for k in range(BIT_LEVELS)]
    unknown = " <i class=u>unknown to the model</i>" if score.unknown_characters else ""
    return f'<p class="hornbook-text">bits {" ".join(levels)}{unknown}</p>'


def length_note(score: Score, shown: int) -> str:
    """What is said where not all of a text is shown."""
    if shown == score.characters:
        return ""
    part = f"the first {shown:,} of {score.characters:,} {score.unit}s"
    return f"Here are {part}; the figures above are of all of them. "


def characters(score: Score, shown: int) -> str:
    """The first characters of the text, each an element of its own; a line end is shown, too."""
    signs = ("↵\n" if c == "\n" else escaped(c) for c in score.text[:shown])
    return "".join(
        f"<i class={kind}>{sign}</i>" for kind, sign in zip(score.classes(0, shown), signs, strict=True)
    )


def hover_data(score: Score, guesses: Guesses, symbols: str, shown: int) -> dict[str, object]:
    """What the page tells of each character: itself, tenths of bits, and the model's guesses."""
    visible = [seen(symbol) for symbol in symbols]
    bits = (score.nats[:shown] / math.log(2)).tolist()
    percents = guesses.probabilities[:shown].ravel() * 100
    return {
        "top": guesses.ids.shape[1],
        "signs": [seen(c) for c in score.text[:shown]],
        "tenths": [round(10 * b) for b in bits],
        "guesses": "".join(visible[i] for i in guesses.ids[:shown].ravel().tolist()),
        "percents": "".join(f"{min(round(p), 99):02}" for p in percents.tolist()),
    }


def seen(character: str) -> str:
    """A character as one that can be seen."""
    return printable(character).translate(NO_CHARACTERS).translate(VISIBLE)


def script_json(value: object) -> str:
    """A value as JSON that can stand in a script element: no sign in it can end one."""
    packed = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return packed.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
