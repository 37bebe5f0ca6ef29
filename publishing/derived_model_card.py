"""The card of an average, a checkpoint or an import: the origin of its weights, without the scores of others."""

from pathlib import Path

from huggingface_hub import ModelCard, ModelCardData

from vaswani.data.file_names import printable
from vaswani.data.trees import TREES
from vaswani.training.validation_figures import called, shown

from .average_record import PartRecord
from .card import (
    PushedNative,
    code_section,
    dataset_name,
    in_words,
    licence_section,
    limitations,
    parses,
    tags_of,
    training_section,
    use_sections,
)
from .card import is_on_hub as on_hub
from .derived_model import DerivedModel, leaves
from .metrics_record import printable_record
from .run_record import DataRecord

PAPER = "The Transformer of [Attention Is All You Need](https://arxiv.org/abs/1706.03762)"


def derived_model_card(
    name: str,
    made: DerivedModel,
    code: dict[str, str],
    weights_license: str | None = None,
    branch: str | None = None,
    languages: list[str] | None = None,
    native: PushedNative | None = None,
) -> str:
    """Return README.md of a repository.

    Args:
        name: OWNER/NAME.
        made: the origin.
        code: the SHA-256 of each file of code that is pushed.
        weights_license: an identifier of the Hub's, such as cc-by-4.0.
        branch: the branch to push to, if not main.
        languages: of source and target, if no run records them.
        native: of its form as a class of transformers' own, where that is pushed too.

    """
    parts = leaves([printable_record(each) for each in made.parts])
    runs = {printable(run): printable_record(record) for run, record in made.runs.items()}
    used = {each.run: runs[each.run] for each in parts if each.run is not None and each.run in runs}
    data = [run.data for run in used.values()]
    spoken = dict.fromkeys(code for each in data for code in each.every_language if code != TREES)
    is_parser = bool(data) and parses(data[0])
    task = "parsing" if is_parser else "translation"
    sets = dict.fromkeys(each.dataset for each in data if each.dataset is not None and on_hub(each.dataset))
    metadata = ModelCardData(
        language=list(spoken) or languages or None,
        license=weights_license,
        library_name="transformers",
        pipeline_tag=None if is_parser else task,
        tags=tags_of(task, native),
        datasets=list(sets) or None,
        base_model=list(dict.fromkeys(each.repository for each in parts if each.repository is not None)) or None,
    )
    body = [
        f"# {name.split('/')[1]}",
        opening(parts, data),
        "## Use",
        *use_sections(name, data[0] if data else None, None, branch, native),
        "## Weights",
        table(parts),
        "## Scores",
        scores(parts),
    ]
    if used:
        body.append("## Training")
        body += [f"The run `{Path(run).name}`:\n\n{training_section(record, None)}" for run, record in used.items()]
    body += ["## Limits", limitations(data[0] if data else None, None), "## Licence", licence_section(weights_license)]
    body += ["## Code", code_section(code)] if code else []
    text = "\n\n".join(body)
    return str(ModelCard(f"---\n{metadata.to_yaml()}\n---\n\n{text}\n"))


def opening(parts: list[PartRecord], data: list[DataRecord]) -> str:
    """Return the first sentences."""
    trained = ""
    if data:
        does = "parse" if parses(data[0]) else "translate"
        texts = " and ".join(dict.fromkeys(map(dataset_name, data)))
        trained = f", trained to {does} {' and '.join(map(in_words, data[0].every_direction))} on {texts}"
    if len(parts) == 1:
        same = " They give the same logits as the original." if parts[0].imported is not None else ""
        return f"{PAPER}{trained}. The weights are those of {described(parts[0])}.{same}"
    return f"{PAPER}{trained}. The weights are the mean of {chosen(parts)}; no training step produced them."


def chosen(parts: list[PartRecord]) -> str:
    """Return which checkpoints they are, in words."""
    runs = list(dict.fromkeys(each.run for each in parts if each.run is not None))
    metric = metric_of(parts)
    stepped = [each.step for each in parts if each.step is not None]
    if len(stepped) < len(parts):
        return f"{len(parts)} models"
    of_runs = f"the run{'s' if len(runs) > 1 else ''} {', '.join(f'`{Path(run).name}`' for run in runs)}"
    if metric is not None:
        return f"the {len(parts)} checkpoints of {of_runs} that were best in validation by {called(metric)}"
    if len(runs) > 1:
        return f"{len(parts)} checkpoints of {of_runs}"
    steps = ", ".join(f"{step:,}" for step in stepped)
    return f"{len(parts)} checkpoints of {of_runs}, at the steps {steps}"


def metric_of(parts: list[PartRecord]) -> str | None:
    """Return the validation metric by which all parts were chosen, if there is one."""
    found = {metric for each in parts for metric in each.validation}
    if len(found) != 1 or not all(found <= each.validation.keys() for each in parts):
        return None
    return found.pop()


def described(part: PartRecord) -> str:
    """Return what one part is."""
    run = "" if part.run is None else Path(part.run).name
    if part.step is not None:
        return f"step {part.step:,} of the run `{run}`"
    if part.chosen is not None:
        return f"the run `{run}`, its {part.chosen}"
    if part.imported is not None:
        return f"`{part.imported.source}`, imported from {part.imported.format}"
    if part.repository is not None:
        return f"[{part.repository}](https://huggingface.co/{part.repository}) at `{part.commit}`"
    path = Path(part.checkpoint)
    return f"`{'/'.join(path.parts[-2:] if path.name.startswith('checkpoint-') else path.parts[-1:])}`"


def table(parts: list[PartRecord]) -> str:
    """Return a row for each part, with its share and its figure in validation."""
    metric = metric_of(parts)
    head = "| share | weights |" + (f" {called(metric)} in validation |" if metric else "")
    line = "|---:|---|" + ("---:|" if metric else "")
    rows = [
        f"| {each.share:.1%} | {described(each)} |" + (f" {shown(metric, each.validation[metric])} |" if metric else "")
        for each in parts
    ]
    notes = [f"- {note}" for each in parts if each.imported is not None for note in each.imported.notes]
    return "\n".join([head, line, *rows, *(["", *notes] if notes else [])])


def scores(parts: list[PartRecord]) -> str:
    """Return the sentences that say that there are no scores."""
    beside = (
        " The validation figures above belong to the single checkpoints, not to their mean." if metric_of(parts) else ""
    )
    return (
        "None: nothing was measured for these weights on a test set. Scores of a run, or of an imported model, belong "
        f"to other weights or other programs, and are not given here.{beside}"
    )
