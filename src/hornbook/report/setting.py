"""The sections Introduction and Setting: what was trained on what, and how to do it again."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

from hornbook.config import (
    ADVISED,
    PRESETS,
    RHYTHM,
    ModelSettings,
    TrainingSettings,
    preset_for,
    settings,
    to_table,
)
from hornbook.markup import counted
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
from hornbook.report.length import length, longer
from hornbook.report.recipe import descent, network, order, recipe, start
from hornbook.report.subject import LARGEST, Subject
from hornbook.report.wording import duration, listed, loss_words, still_first
from hornbook.run_files import CONFIG
from hornbook.streams import trained_on
from hornbook.text_files import BUILT_IN

USUAL_TEXT = {"tokens": "chars", "encoding": "utf-8", "newlines": "lf"}  # how a text is read
AFTER = ("warmup", "dtype")  # what is usual after --from depends on the run that is named there
NOT_FLAGS = (
    "vocabulary", "preset", "engine", "shards", "threads", "passage_length", "most_epochs", "start",
    "start_sha256",
)  # fmt: skip


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
    """What a reader must know of a run that is not finished, or whose text or figures are gone."""
    found, planned = [], subject.run.config.training.updates
    if not subject.metrics and not subject.summary:
        found.append(
            note("This run had logged nothing yet when the report was made: it has only its settings.")
        )
    elif not subject.why_no_summary and not subject.summary.get("finished"):
        found.append(
            note(
                f"This run is not finished: {subject.updates:,} of {counted(planned, 'update')}. It is still "
                "training, or was stopped; the report shows what is there."
            )
        )
    if subject.why_no_summary:
        found.append(
            note(
                "What this run reached in all, and whether it is finished, could not be read: "
                f"{subject.why_no_summary}."
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
    """How far the training came, and how far its smooth loss is to be trusted."""
    summary, training = subject.summary, subject.run.config.training
    first = summary.get("first_loss")
    start = f" from {first:.1f}" if isinstance(first, int | float) else ""
    return (
        f"In {counted(subject.updates, 'update')}, {subject.updates / subject.updates_per_epoch:.1f} passes "
        f"over the text in {duration(summary['seconds'])}, the smooth loss went{start} to "
        f"{loss_words(summary['best_smooth_loss'], training.seq_len)}. {still_first(subject.updates)}"
    ).rstrip()


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
            equations(*recipe(subject.run.config.model, subject.run.config.training)),
            Facts(tuple(facts(subject))),
            *again(subject),
        ),
    )


def held_out(subject: Subject) -> str:
    """What is held out, and how often the network is evaluated on it."""
    training, characters = subject.run.config.training, subject.run.config.text["characters"]
    if not training.validation:
        return ""
    tail = counted(characters - trained_on(characters, training), subject.unit)
    return (
        f"the text’s last {tail}; the network is evaluated on them every "
        f"{counted(training.evaluate_every, 'update')}"
    )


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
        "Model": f"{network(model, training)}, {count(model):,} parameters",
        "Reading": order(training),
        "Held out": held_out(subject),
        "Initial values": start(training),
        "Optimizer": descent(training),
        "Length": f"{length(subject)}, {subject.updates / subject.updates_per_epoch:.2f} epochs",
        "Smooth loss": "0.999 · smooth loss + 0.001 · loss, from the first loss on",
        "Engine": f"{training.engine}, {training.dtype}",
        "Machine": ", ".join(str(made[key]) for key in ("processor", "level", "system") if made.get(key)),
        "Versions": ", ".join(
            f"{key} {made[key]}" for key in ("hornbook", "python", "numpy") if made.get(key)
        ),
        "Started": str(made.get("started", "")).replace("T", " ").replace("+00:00", " UTC"),
    }
    return [(key, spans(value)) for key, value in rows.items() if value]


def again(subject: Subject) -> list[Paragraph | Code]:
    """How to run it again."""
    return [
        say("To train it again:"),
        Code(command(subject)),
        say(
            "or, where the run’s folder stands, to the bit on the same machine, ",
            code(
                shlex.join(
                    ["hornbook", "train", "--config", f"{subject.run.folder.absolute().name}/{CONFIG}"]
                )
            ),
            ".",
        ),
    ]


def command(subject: Subject) -> str:
    """What is typed to train the same network on the same text."""
    config = subject.run.config
    names = [source.path.rpartition("/")[2] for source in config.sources]
    parts = [] if names == [BUILT_IN] else (names or [subject.name])
    parts = [f"./{part}" if part.startswith("-") else part for part in parts]
    parts += [
        part
        for name, usual in USUAL_TEXT.items()
        if config.text[name] not in (usual, "")
        for part in (f"--{name}", str(config.text[name]))
    ]
    return shlex.join(["hornbook", "train", *parts, *flags(config.model, asked(subject))])


def asked(subject: Subject) -> TrainingSettings:
    """The settings that a run was trained with, with the updates that it made where it went on for longer."""
    training = subject.run.config.training
    return replace(training, updates=subject.updates, minutes=0.0) if longer(subject) else training


def flags(model: ModelSettings, training: TrainingSettings) -> list[str]:
    """The flags that make these settings: the preset, where it is not the one that would be taken, and what
    differs from it."""
    length = "minutes" if training.minutes else "updates"
    said = [length, *(AFTER if training.start else ()), *(ADVISED if training.preset == "fluent" else ())]
    usual = settings(model.vocabulary, training.preset, **{length: getattr(training, length)})
    given, default = ({**to_table(pair[0]), **to_table(pair[1])} for pair in ((model, training), usual))
    planned = ("updates", *RHYTHM) if training.minutes else ()
    changed = {
        name: value
        for name, value in given.items()
        if name not in (*NOT_FLAGS, *planned) and (value != default[name] or name in said)
    }
    classic = to_table(TrainingSettings())
    if not training.minutes and training.updates == PRESETS[training.preset].get(length, classic[length]):
        del changed[length]
    named = ["--from", Path(training.start).name] if training.start else []
    if training.start or preset_for(changed) != training.preset:
        named += ["--preset", training.preset]
    return named + [
        part for name, value in changed.items() for part in (f"--{name.replace('_', '-')}", str(value))
    ]
