"""What a model's folder records about its training: a run's records, those of an average, or a card from the Hub."""

from pathlib import Path
from typing import NamedTuple

from huggingface_hub import ModelCard

from vaswani.data.directions import languages_of
from vaswani.data.file_names import all_printable, printable
from vaswani.evaluation.metric_table import as_shown
from vaswani.publishing import METRICS, RUN, MetricsRecord, RunRecord, read_metrics, read_run
from vaswani.publishing.card import is_on_hub
from vaswani.publishing.derived_model import DerivedModel, leaves, read_derived_model
from vaswani.publishing.metrics_record import printable_record

CARD = "README.md"


class ModelOrigin(NamedTuple):
    """What is known of a model's training."""

    as_text: list[str]
    """Lines, with names in backquotes. Empty where nothing is recorded."""
    run: Path | None = None
    """The folder of the run that it comes from, if that exists here."""


def model_origin(folder: Path) -> ModelOrigin:
    """Return what the folder of a model records about its training."""
    try:
        return recorded(folder)
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        OSError,
    ) as error:  # truncated, or written by another program
        return ModelOrigin([f"The record of its training cannot be read: {code(error)}."])


def recorded(folder: Path) -> ModelOrigin:
    """Do what `model_origin` does, but raise the errors of unreadable records."""
    if (folder / RUN).is_file():
        measured = read_metrics(folder) if (folder / METRICS).is_file() else None
        return ModelOrigin(trained_on(read_run(folder), measured), folder)
    if (made := read_derived_model(folder)) is not None:
        lines = [line for run in made.runs.values() for line in trained_on(run, None)]
        return ModelOrigin([*dict.fromkeys(lines), derived_from(made)], run_of(folder, made))
    return ModelOrigin(of_card(folder / CARD) if (folder / CARD).is_file() else [])


def trained_on(run: RunRecord, measured: MetricsRecord | None) -> list[str]:
    """Return what a run was trained on and its results; folders by name, without their parents."""
    data = printable_record(run.data)
    name = str(data.data_dir or data.dataset)
    text = code(name if data.data_dir is None and is_on_hub(name) else Path(name).name)
    if data.dataset_config:
        text += f" ({code(data.dataset_config)})"
    if data.extra_dirs:
        text += " and " + ", ".join(code(Path(each).name) for each in data.extra_dirs)
    spoken = " and ".join(" to ".join(map(code, languages_of(each))) for each in data.every_direction)
    lines = [f"Trained from {spoken} on {text}"]
    if measured is None:
        return [f"{lines[0]}."]
    lines[0] += f": {measured.training_pairs.kept:,} pairs, {measured.steps:,} steps"
    lines[0] += f", ended on {measured.ended_on}." if measured.ended_on else "."
    for split, scores in measured.test.items():
        figures = ", ".join(f"{each.name} {as_shown(key, each.value)}" for key, each in scores.items())
        lost = "".join(f"; {each}" for each in measured.not_scored.get(split, ()))
        lines.append(f"{code(split)}: {figures}{lost}." if figures else f"{code(split)} was not scored.")
    return lines


def derived_from(made: DerivedModel) -> str:
    """Return what an average, a checkpoint or an import was made from."""
    parts = leaves(made.parts)
    if len(parts) == 1 and (whence := parts[0].imported) is not None:
        return f"Imported from {code(Path(whence.source).name)} ({whence.format})."
    if len(parts) == 1 and parts[0].step is not None:
        return f"A checkpoint of that run, at step {parts[0].step:,}."
    names = ", ".join(code("/".join(Path(each.checkpoint).parts[-2:])) for each in parts)
    return f"The average of {len(parts)} checkpoint(s): {names}."


def run_of(folder: Path, made: DerivedModel) -> Path | None:
    """Return the folder of a run that a model was made from, if it exists and still has the model's vocabulary."""
    vocabulary = folder / "tokenizer.json"
    runs = (Path(run) for run in made.runs)
    return next((run for run in runs if (run / RUN).is_file() and is_same(run / vocabulary.name, vocabulary)), None)


def is_same(one: Path, other: Path) -> bool:
    """Return whether two files exist and hold the same."""
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()


def of_card(path: Path) -> list[str]:
    """Return what the YAML head of a model card says, if there is one; `vaswani push` and others write them."""
    try:
        data = all_printable(ModelCard.load(path, ignore_metadata_errors=True).data.to_dict())
    except Exception:  # a README.md may begin with anything, and YAML has errors of its own
        return []

    def listed(key: str) -> list[str]:
        value = data.get(key) or []
        return [str(each) for each in (value if isinstance(value, list) else [value])]

    lines = []
    results = [
        (result.get("task") or {}, result.get("dataset") or {}, metric)
        for model in data.get("model-index") or []
        for result in model.get("results") or []
        for metric in result.get("metrics") or []
    ]
    tasks = list(dict.fromkeys(str(task["name"]) for task, _, _ in results if task.get("name")))
    texts = listed("datasets") or list(dict.fromkeys(str(text["name"]) for _, text, _ in results if text.get("name")))
    does = ", ".join(tasks) or ("languages " + ", ".join(listed("language")) if listed("language") else "")
    if does or texts:
        lines.append(
            "By its card: "
            + "; ".join(
                [*([code(does)] if does else []), *([f"trained on {', '.join(map(code, texts))}"] if texts else [])]
            )
            + "."
        )
    scores: dict[str, list[str]] = {}
    for _, text, metric in results:
        if isinstance(value := metric.get("value"), int | float):
            scores.setdefault(str(text.get("split") or text.get("name")), []).append(
                f"{metric.get('name') or metric.get('type')} {value:.2f}"
            )
    return lines + [f"{code(split)}: {', '.join(figures)}." for split, figures in scores.items()]


def code(name: object) -> str:
    """Return a name as code in Markdown, which shows it unchanged except for backquotes."""
    return f"`{printable(name).replace('`', chr(39))}`"
