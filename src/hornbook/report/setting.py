"""The sections Introduction and Setting: what was trained on what, and how to do it again."""

from __future__ import annotations

import shlex
from dataclasses import fields

from hornbook.config import Clip, TrainingSettings
from hornbook.originality import WORD
from hornbook.parameters import count
from hornbook.report.document import (
    Block,
    Code,
    Facts,
    Note,
    Paragraph,
    Section,
    Spans,
    code,
    equations,
    note,
    say,
    spans,
)
from hornbook.report.subject import LARGEST, Subject
from hornbook.report.wording import counted, duration, listed, loss_words
from hornbook.text_files import BUILT_IN

NOT_FLAGS = ("vocabulary", "cell", "layers", "streams", "objective", "passage_length")


def introduction(subject: Subject) -> Section:
    """The whole in a paragraph, and what is missing of it."""
    config, summary = subject.run.config, subject.summary
    network = f"a {config.model.cell} recurrent network of {counted(config.model.hidden, 'hidden unit')}"
    text = how_much(subject)
    blocks: list[Block] = list(status(subject))
    sentences = [
        f"In this report {network} learns to write, one {subject.unit} at a time, from the text "
        f"“{subject.name}” ({text}).",
    ]
    if summary and summary["best_smooth_loss"] is not None:
        sentences.append(reached(subject))
    if subject.corpus and subject.spaced and words_of_best(subject):
        sentences.append(
            f"What it writes holds real words of the text, such as {listed(words_of_best(subject))}."
        )
    return Section("Introduction", (*blocks, say(" ".join(sentences))))


def status(subject: Subject) -> list[Note]:
    """What a reader must know of a run that is not finished, or whose text is gone."""
    found, planned = [], subject.run.config.training.updates
    if not subject.metrics and not subject.summary:
        found.append(
            note("This run had logged nothing yet when the report was made: it has only its settings.")
        )
    elif not subject.summary.get("finished"):
        found.append(
            note(
                f"This run is not finished: {subject.updates:,} of {planned:,} updates. It is still "
                "training, or was stopped; the report shows what is there."
            )
        )
    if subject.text is None:
        found.append(
            note(f"The text could not be read, so nothing is compared with it: {subject.why_no_text}.")
        )
    elif len(subject.text) > LARGEST:
        found.append(note(f"Words and copies are looked for in the text's first {LARGEST:,} characters."))
    return found


def reached(subject: Subject) -> str:
    """How far the training came, in two sentences."""
    summary, training = subject.summary, subject.run.config.training
    first = summary.get("first_loss")
    start = f" from {first:.1f}" if isinstance(first, int | float) else ""
    return (
        f"In {counted(subject.updates, 'update')}, {subject.updates / subject.updates_per_epoch:.1f} passes "
        f"over the text in {duration(summary['seconds'])}, the smooth loss went{start} to "
        f"{loss_words(summary['best_smooth_loss'], training.seq_len)}."
    )


def words_of_best(subject: Subject) -> list[str]:
    """The three longest real words of what the best model wrote, in quotation marks."""
    corpus, passage = subject.corpus, subject.passage
    known = corpus.vocabularies[0] if corpus else frozenset()
    real = {word for word in WORD.findall(passage) if word in known and word.isalpha()}
    return [f"“{word}”" for word in sorted(real, key=lambda word: (-len(word), word))[:3]]


def setting(subject: Subject) -> Section:
    """The recipe, and everything that it was run with."""
    return Section(
        "Setting",
        (
            say(
                "The network reads a character, changes its hidden state and tells how likely each "
                "character is to come next. Each update reads on in the text, and changes the parameters "
                "against the "
                "gradient of the loss:"
            ),
            equations(*recipe(subject.run.config.training)),
            Facts(tuple(facts(subject))),
            *again(subject),
        ),
    )


def recipe(training: TrainingSettings) -> list[str]:
    """The mathematics of the training, a line an equation."""
    clip = Clip.parse(training.clip)
    mean = "1/T " if training.objective == "mean" else ""
    clipped = {
        "value": [f"g ← clip(g, −{clip.limit:g}, {clip.limit:g})"],
        "norm": [f"g ← g · min(1, {clip.limit:g} / ‖g‖)"],
        "none": [],
    }[clip.kind]
    steps = {
        "adagrad": ["m ← m + g^2", f"θ ← θ − {training.lr:g} g / √(m + 10^{{−8}})"],
        "sgd": [f"θ ← θ − {training.lr:g} g"],
    }[training.optimizer]
    return [
        "h_t = tanh(x_t U + h_{t−1} W + b)",
        "p_t = softmax(h_t V + c)",
        f"loss = −{mean}Σ_t log p_t[y_t]",
        *clipped,
        *steps,
    ]


def how_much(subject: Subject) -> str:
    """The size of the text and of its vocabulary; of bytes there are 256, wherever they come from."""
    config = subject.run.config
    size = counted(config.text["characters"], subject.unit)
    return size if subject.tokens == "bytes" else f"{size}, {config.model.vocabulary:,} of them distinct"


def facts(subject: Subject) -> list[tuple[str, Spans]]:
    """What the recipe was run with."""
    config = subject.run.config
    model, training, made = config.model, config.training, config.made
    sha = ", ".join(source.sha256[:12] for source in config.sources)
    rows = {
        "Text": f"{subject.name}: {how_much(subject)}" + (f"; SHA-256 {sha}…" if sha else ""),
        "Model": f"{model.cell}, {counted(model.hidden, 'hidden unit')} (H), {count(model):,} parameters",
        "Reading": f"{counted(training.seq_len, 'character')} an update (T), in order; the hidden state is "
        "carried on, and zero where the text starts again",
        "Initial values": f"U, V, W normal with deviation {training.init_scale:g}; b, c zero; "
        f"seed {training.seed}",
        "Optimizer": f"{'AdaGrad' if training.optimizer == 'adagrad' else 'SGD'}, "
        f"learning rate {training.lr:g}; {clipping(training)}",
        "Length": f"{subject.updates:,} of {training.updates:,} updates, "
        f"{subject.updates / subject.updates_per_epoch:.2f} epochs",
        "Smooth loss": "0.999 · smooth loss + 0.001 · loss, from the first loss on",
        "Engine": f"{training.engine}, {training.dtype}",
        "Machine": ", ".join(str(made[key]) for key in ("processor", "level", "system") if made.get(key)),
        "Versions": ", ".join(
            f"{key} {made[key]}" for key in ("hornbook", "python", "numpy") if made.get(key)
        ),
        "Started": str(made.get("started", "")).replace("T", " ").replace("+00:00", " UTC"),
    }
    return [(key, spans(value)) for key, value in rows.items() if value]


def clipping(training: TrainingSettings) -> str:
    """What is done to a gradient, in words."""
    clip = Clip.parse(training.clip)
    return {
        "value": f"each entry of a gradient clipped to ±{clip.limit:g}",
        "norm": f"gradients scaled to a norm of at most {clip.limit:g}",
        "none": "gradients not clipped",
    }[clip.kind]


def again(subject: Subject) -> list[Paragraph | Code]:
    """How to run it again."""
    return [
        say("To train it again:"),
        Code(command(subject)),
        say(
            "or, in the run’s folder, to the bit on the same machine, ",
            code("hornbook train --config config.toml"),
            ".",
        ),
    ]


def command(subject: Subject) -> str:
    """What is typed to train the same network on the same text."""
    config = subject.run.config
    names = [source.path.rpartition("/")[2] for source in config.sources]
    parts = [] if names == [BUILT_IN] else (names or [subject.name])
    parts += ["--tokens", subject.tokens] if subject.tokens != "chars" else []
    for record in (config.model, config.training):
        for field in fields(record):
            value = getattr(record, field.name)
            if field.name not in NOT_FLAGS and value != field.default and field.name != "engine":
                parts += [f"--{field.name.replace('_', '-')}", str(value)]
    return shlex.join(["hornbook", "train", *parts])
