"""The sections Sampling and Originality: what the best model writes, beside what a person wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hornbook.model import Model
from hornbook.originality import LONGEST, Copy, Corpus, Originality, distinct, words
from hornbook.report.charts import BLUE, RUST, chart
from hornbook.report.course import marks
from hornbook.report.document import Beside, Block, Figure, Passage, Section, Span, Table, note, say
from hornbook.report.subject import Subject
from hornbook.report.wording import NOTHING, percent, ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEASURED, SHOWN = 5_000, 400  # characters of a text in Sampling
PIECES, PIECE = 10, 10_000  # characters in Originality
NEW_AT = (5, 10, 20, 40)  # lengths of the substrings in the table; they lie within LONGEST
SHORTEST = 20  # characters of a part of the text that anything is measured on
SEED = 0
BLANK = 0.5  # the share of white space above which it is told
QUOTED = 600  # characters of a copy
SEEN = str.maketrans({" ": "␣", "\n": "↵\n"})  # of a copy that is mostly blank
CHOICES: tuple[tuple[str, str, float, float], ...] = (
    ("temperature 0.5", "low temperature, 0.5", 0.5, 1.0),
    ("temperature 0.8", "medium temperature, 0.8", 0.8, 1.0),
    ("temperature 1.2", "high temperature, 1.2", 1.2, 1.0),
    ("nucleus 0.5", "nucleus 0.5", 1.0, 0.5),
    ("nucleus 0.9", "nucleus 0.9", 1.0, 0.9),
    ("nucleus 1.0", "nucleus 1.0, all", 1.0, 1.0),
)


@dataclass(frozen=True)
class Written:
    """A text and how it came about; `nats` a character, as the model rates it at temperature 1."""

    name: str
    title: str
    text: str
    nats: float


def sampling(subject: Subject) -> Section:
    """The same model at three temperatures and three nuclei."""
    model = subject.model
    if model is None:
        return Section("Sampling", (note(f"There is no model to write with: {subject.why_no_model}."),))
    texts = [written(model, *choice) for choice in CHOICES]
    return Section(
        "Sampling",
        (
            say(
                "The same model, asked to be careful or bold. A temperature below 1 sharpens the "
                "probabilities, one above 1 flattens them; a nucleus of p keeps only the likeliest "
                "characters that make up "
                f"the share p. Of each text the first {SHOWN} of {MEASURED:,} characters are shown.",
                *marks(subject),
            ),
            Beside(tuple(passage(subject, text) for text in texts[:3])),
            Beside(tuple(passage(subject, text) for text in texts[3:])),
            table(subject, [*texts, *human(subject, model)]),
        ),
    )


def written(model: Model, name: str, title: str, temperature: float, top_p: float) -> Written:
    """What the model writes in one way."""
    text = model.sample(MEASURED, temperature=temperature, top_p=top_p, seed=SEED)
    return Written(name, title, model.vocabulary.shown(text), model.score(text).nats_per_character)


def human(subject: Subject, model: Model) -> list[Written]:
    """As many characters of the text itself, from what was held out, or its last tenth."""
    text = subject.last_symbols[:MEASURED]
    if len(text) < SHORTEST:
        return []
    return [Written("the text itself", "", subject.shown(text), model.score(text).nats_per_character)]


def passage(subject: Subject, written: Written) -> Passage:
    """A text as it is shown, with its measures under it."""
    real, every = subject.real(written.text)
    share = f"{percent(real / every)} real words, " if every and subject.corpus and subject.spaced else ""
    blank = sum(map(str.isspace, written.text)) / len(written.text)
    return Passage(
        written.title[0].upper() + written.title[1:],
        subject.marked(written.text[:SHOWN]),
        f"{share}{written.nats:.2f} nats a character"
        + (f", {percent(blank)} blank" if blank > BLANK else ""),
    )


def table(subject: Subject, texts: Sequence[Written]) -> Table:
    """The measures of the texts."""
    return Table(
        f"Measures of {MEASURED:,} characters each. Real words stand in the training text; distinct-n is "
        "the share of different runs among all runs of n words (or characters); nats are what a character "
        "costs the model "
        "itself, at temperature 1.",
        ("", "real words", "distinct-1", "distinct-2", "distinct-4, characters", "nats"),
        tuple(measures(subject, text) for text in texts),
    )


def measures(subject: Subject, written: Written) -> tuple[str, ...]:
    """A row of the table; words are counted where the text sets them apart."""
    found = words(written.text)
    real, every = subject.real(written.text)
    counts = every and subject.corpus and subject.spaced
    return (
        written.name,
        percent(real / every) if counts else NOTHING,
        ratio(distinct([found], 1)) if counts else NOTHING,
        ratio(distinct([found], 2)) if counts else NOTHING,
        ratio(distinct([written.text], 4)),
        f"{written.nats:.2f}",
    )


def originality(subject: Subject) -> Section:
    """How much of what the model writes is copied, beside the same of the text's end."""
    if subject.model is None or subject.corpus is None:
        why = subject.why_no_text if subject.corpus is None else subject.why_no_model
        return Section("Originality", (note(f"Nothing to compare: {why}."),))
    pieces = [subject.shown(subject.model.sample(PIECE, seed=SEED, number=n)) for n in range(PIECES)]
    model = subject.corpus.originality(pieces)
    theirs = human_pieces(subject)
    person = Corpus(subject.first_parts).originality(theirs) if theirs else None
    return Section("Originality", tuple(compared(subject, model, person, pieces, theirs)))


def theirs_is(subject: Subject) -> str:
    """What part of the text stands beside what the model writes."""
    return "the part held out" if subject.holds_out else "the text’s last tenth"


def human_pieces(subject: Subject) -> list[str]:
    """What a person wrote in pieces, none longer than those that the model writes."""
    text = subject.last_part
    size = min(PIECE, len(text) // PIECES)
    return [text[k * size : (k + 1) * size] for k in range(PIECES)] if size >= SHORTEST else []


def compared(
    subject: Subject, model: Originality, person: Originality | None, own: list[str], theirs: list[str]
) -> list[Block]:
    """The table, the curve and the longest copies."""
    beside = (
        f"Beside it stands what a person wrote: {theirs_is(subject)} ({person.characters:,} characters) "
        "against all before it."
        if person
        else "The text is too short to set a part of it beside that."
    )
    blocks: list[Block] = [
        say(
            f"What the model writes at temperature 1, {PIECES} texts of {PIECE:,} characters, is looked up "
            "in "
            f"the training text. {beside}"
        ),
        figures(subject, model, person, own, theirs),
        novelty(model, person),
        copied(subject, model.longest, "The model’s longest copy"),
    ]
    if person:
        blocks.append(copied(subject, person.longest, "The longest repetition in the text itself"))
    return blocks


def figures(
    subject: Subject, model: Originality, person: Originality | None, own: list[str], theirs: list[str]
) -> Table:
    """The measures of both, in two columns. distinct-n falls with length, so it is of equal lengths."""
    size = len(theirs[0]) if theirs else PIECE
    both = [(model, [piece[:size] for piece in own]), *([(person, theirs)] if person else [])]
    spaced = subject.spaced
    rows = {
        "words in the training text": [
            percent(o.words_in_training, 1) if spaced else NOTHING for o, _ in both
        ],
        "words in the held-out text": [percent(model.words_in_held_out, 1) if spaced else NOTHING, NOTHING],
        **{
            f"distinct-{n}, words": [
                ratio(distinct([words(piece) for piece in pieces], n)) if spaced else NOTHING
                for _, pieces in both
            ]
            for n in (1, 2, 3)
        },
        "distinct-4, characters": [ratio(distinct(pieces, 4)) for _, pieces in both],
        **{f"new among {n} characters": [percent(o.novelty[n - 1], 1) for o, _ in both] for n in NEW_AT},
        "longest copy, characters": [f"{o.longest.length:,}" for o, _ in both],
    }
    return Table(
        f"Originality. The held-out text is {theirs_is(subject)}, which this run did "
        f"{'not read' if subject.holds_out else 'read'} in training; distinct-n "
        f"over {PIECES} × {size:,} characters of either; new: the share of substrings of this length that "
        "the "
        "training text lacks.",
        ("", "the model", "the text itself")[: 1 + len(both)],
        tuple((key, *cells[: len(both)]) for key, cells in rows.items()),
    )


def novelty(model: Originality, person: Originality | None) -> Figure:
    """The share of new substrings over their length."""

    def draw(axes: Axes) -> None:
        lengths = range(1, LONGEST + 1)
        axes.plot(lengths, 100 * model.novelty, color=BLUE, linewidth=1.4, label="the model")
        if person:
            axes.plot(
                lengths,
                100 * person.novelty,
                color=RUST,
                linewidth=1.4,
                linestyle=(0, (4, 2)),
                label="the text itself",
            )
        axes.set_ylim(-2, 102)
        axes.legend(loc="best")

    alt = (
        f"Curves that rise with length: {percent(model.novelty[9])} of the model’s substrings of 10 "
        f"characters are new, {percent(model.novelty[LONGEST - 1])} of those of {LONGEST}."
    )
    return Figure(
        (chart("novelty", "New substrings", "length in characters", "per cent", draw, alt, (4.4, 2.4)),),
        "Novelty: the share of substrings of each length that the training text lacks.",
    )


def copied(subject: Subject, copy: Copy, title: str) -> Passage:
    """The longest copy with its place."""
    line = subject.characters.count("\n", 0, copy.training_offset) + 1
    rest = (Span(f" … and {copy.length - QUOTED:,} more", "faint"),) if copy.length > QUOTED else ()
    share = copy.training_offset / len(subject.characters)
    blank = sum(map(str.isspace, copy.quote)) > BLANK * len(copy.quote)
    quote = copy.quote[:QUOTED].translate(SEEN if blank else {})
    return Passage(
        f"{title}: {copy.length:,} characters",
        (Span(quote), *rest),
        f"in the training text from character {copy.training_offset:,} on, in line {line:,} "
        f"({percent(share)} of the way)" + "; ␣ is a space, ↵ the end of a line" * blank,
    )
