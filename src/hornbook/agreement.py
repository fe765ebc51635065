"""What must be the same where a run goes on, because its bits depend on it: the text, the vocabulary, the
settings, the versions and the level of the processor."""

from __future__ import annotations

from pathlib import Path

from hornbook.checkpoints import FREE, Saved, made_here, made_then
from hornbook.compound import Schedule
from hornbook.config import TrainingSettings, to_table
from hornbook.engines import why_not_mixed
from hornbook.errors import RunFolderError
from hornbook.markup import for_shell
from hornbook.run_files import CONFIG, is_text_of
from hornbook.runs import Run
from hornbook.text import Text

BITS = {
    "native": ("hornbook", "level", "pairs", "roots"),
    "reference": ("hornbook", "numpy"),
}  # what those of an engine hang on


def same_text(run: Run, text: Text | None) -> Text:
    """The text that a run was trained on: the one that is given, or read again. Raises RunFolderError where
    it is gone or another one."""
    try:
        text = text or run.text()
    except RunFolderError as error:
        raise RunFolderError(f"{error}{moved(run)}") from error
    if not is_text_of(run.config, text):
        raise RunFolderError(f"{text.name} is not the text that {run.folder} was trained on; give that one")
    text = run.as_numbered(text)
    if text.vocabulary != run.vocabulary or len(text) != run.config.text["characters"]:
        raise RunFolderError(
            f"the vocabulary or the length of {text.name} is not what {run.folder} was trained with; its "
            "vocabulary.json or config.toml was changed; put it back from a copy"
        )
    return text


def moved(run: Run) -> str:
    """What to do where a text of a run is not where it was, or was in no file."""
    if not run.config.sources:
        again = f"hornbook.resume({str(run.folder)!r}, text=hornbook.Text.from_string(...))"
        return f"; give it again, in Python: {again}"
    if all(Path(run.folder, source.path).exists() for source in run.config.sources):
        return ""
    return f"; put it back, or write the whole path of its new place under path in {run.folder / CONFIG}"


def check_same(run: Run, saved: Saved | None, force: bool) -> None:
    """Raise RunFolderError where the settings are not those of the checkpoint, or, unless it is forced, where
    the bits would not be the same here."""
    config, here = run.config, made_here(run.config.training)
    made = saved.made if saved else {key: str(made_then(config.made).get(key)) for key in here}
    if saved:
        then = {**to_table(saved.model), **to_table(saved.training)}
        now = {**to_table(config.model), **to_table(config.training)}
        for key, value in now.items():
            if key not in FREE and value != then[key]:
                raise RunFolderError(
                    f"{key} is {value!r} in {run.folder}/config.toml, but the checkpoint was made with "
                    f"{then[key]!r}; put it back, or train anew: "
                    f"hornbook train --config {for_shell(run.folder)}"
                )
    reason = why_not_mixed(config.model, config.training) if config.training.dtype == "mixed" else ""
    if reason and not force:
        raise RunFolderError(
            f"{run.folder} was trained with `dtype='mixed'`: {reason}; `force=True` goes on in float32, with "
            "other last digits"
        )
    for key in BITS[config.training.engine] + ("numpy",) * takes_numpy(config.training, saved):
        if made.get(key) != here.get(key) and not force:
            raise RunFolderError(
                f"{run.folder} was trained with {key} {made[key]}, and here is {here[key]}: the results "
                "would differ in their last digits; `force=True` goes on all the same"
            )


def takes_numpy(training: TrainingSettings, saved: Saved | None) -> bool:
    """Whether there are digits of NumPy's, with the native engine too, in what is still to come: initial
    values, rates by powers and cosines, orders that are drawn, means over what is held out."""
    drawn = not saved or training.order == "shuffled"
    return drawn or training.validation > 0 or Schedule.parse(training.schedule).kind in ("cosine", "step")
