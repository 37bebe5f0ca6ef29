"""The model card: the settings of a run and its measurements, and nothing else."""

import re
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from vaswani.data.directions import languages_of, tag_of, tagged
from vaswani.data.trees import TREES
from vaswani.evaluation.metric_table import as_shown, digits_of, on_hub
from vaswani.modeling.configuration_vaswani import READERS
from vaswani.storage.records import as_json
from vaswani.training.validation_figures import called, judged_by, of_further_sets, shown

from .metrics_record import MetricsRecord, printable_record
from .native_record import NativeRecord
from .native_section import BESIDE, INSTEAD, native_section
from .overlap import overlap_as_text
from .run_record import DataRecord, RunRecord
from .secrets import without_folders

SNIPPET = """\
from transformers import pipeline

translate = pipeline("translation", model="{name}"{revision}, trust_remote_code=True)
print(translate({example!r}))
"""
BAR = r"\|"
"""A vertical bar inside a cell of a Markdown table."""
PRECISIONS = {
    "bf16_throughout": "bfloat16 throughout, over weights, gradients and moments in float32",
    "bf16": "bfloat16 beside float32",
    "fp16": "float16 beside float32",
}
"""By the flags that ask for them."""


class Progress(NamedTuple):
    """The progress of a running run."""

    step: int
    figures: dict[str, float]
    """Of the last validation, by name."""


class PushedNative(NamedTuple):
    """A model's form as a class of transformers' own, that is pushed."""

    record: NativeRecord
    place: str
    """BESIDE or INSTEAD of the form with code of its own."""


def model_card(
    name: str,
    run: RunRecord,
    measured: MetricsRecord | None,
    code: dict[str, str],
    weights_license: str | None = None,
    branch: str | None = None,
    progress: Progress | None = None,
    native: PushedNative | None = None,
) -> str:
    """Return README.md of a repository.

    Args:
        name: OWNER/NAME.
        run: what run.json holds.
        measured: what metrics.json holds; None while the run is running.
        code: the SHA-256 of each file of code that is pushed.
        weights_license: an identifier of the Hub's, such as cc-by-4.0.
        branch: the branch to push to, if not main.
        progress: of a run that is running.
        native: of its form as a class of transformers' own, where that is pushed too.

    """
    run, measured = printable_record(run), printable_record(measured)
    data = run.data
    results = [] if measured is None else evaluation(data, measured)
    sets = [data.dataset] if data.dataset is not None and is_on_hub(data.dataset) else None
    task = "parsing" if parses(data) else "translation"
    metadata = ModelCardData(
        language=[code for code in data.every_language if code != TREES],
        license=weights_license,
        library_name="transformers",
        pipeline_tag=None if parses(data) else task,
        tags=tags_of(task, native),
        datasets=sets,
        metrics=sorted({each.metric_type for each in results}) or None,
        model_name=name.split("/")[1] if results else None,
        eval_results=results or None,
    )
    body = "\n\n".join(
        [
            f"# {name.split('/')[1]}",
            _opening(run, measured),
            "## Use",
            *use_sections(name, data, measured, branch, native),
            "## Scores",
            _scores(measured, progress),
            "## Training",
            training_section(run, measured),
            "## Limits",
            limitations(data, measured),
            "## Licence",
            licence_section(weights_license),
            *(["## Code", code_section(code)] if code else []),
        ]
    )
    return str(ModelCard(f"---\n{metadata.to_yaml()}\n---\n\n{body}\n"))


def evaluation(data: DataRecord, measured: MetricsRecord) -> list[EvalResult]:
    """Return every figure of every test set, with its signature, in the format of the Hub's model index."""
    dataset = dataset_name(data)
    return [
        EvalResult(
            task_type="parsing" if parses(data) else "translation",
            task_name="Parsing" if parses(data) else f"Translation {data.direction_of(split)}",
            dataset_type=dataset,
            dataset_name=" ".join(filter(None, [dataset, data.dataset_config])),
            dataset_config=data.dataset_config,
            dataset_split=split,
            metric_type=on_hub(kind),
            metric_value=round(each.value, digits_of(kind)),
            metric_name=each.name,
            metric_args={"signature": each.signature},
        )
        for split, scores in measured.test.items()
        for kind, each in scores.items()
    ]


def parses(data: DataRecord) -> bool:
    """Return whether the outputs are trees."""
    return data.languages[1] == TREES


def is_on_hub(dataset: str) -> bool:
    """Return whether a data set is OWNER/NAME on the Hub, not a local folder."""
    return re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", dataset) is not None and not Path(dataset).exists()


def dataset_name(data: DataRecord) -> str:
    """Name the source of the text, without the folders of the machine."""
    name = data.dataset or "text-files"
    return name if is_on_hub(name) else Path(name).name


def _opening(run: RunRecord, measured: MetricsRecord | None) -> str:
    size = f", {measured.parameters / 1e6:.1f} million parameters" if measured else ""
    does = f"translate {' and '.join(map(in_words, run.data.every_direction))}"
    if parses(run.data):
        does = f"parse `{run.data.languages[0]}`, words with spaces between them, into linearised trees (section 6.3),"
    return (
        f"The Transformer of [Attention Is All You Need](https://arxiv.org/abs/1706.03762){size}, trained to {does} "
        f"on {dataset_name(run.data)}."
    )


def in_words(direction: str) -> str:
    """Return a direction as a card says it."""
    source, target = languages_of(direction)
    return f"from `{source}` to `{target}`"


def tags_of(task: str, native: PushedNative | None) -> list[str]:
    """Return the tags of a repository; the Hub warns of custom_code."""
    return [task, "vaswani", *(["custom_code"] if native is None or native.place == BESIDE else [])]


def use_sections(
    name: str, data: DataRecord | None, measured: MetricsRecord | None, branch: str | None, native: PushedNative | None
) -> list[str]:
    """Return how to use each form that is pushed."""
    example = example_of(data, measured)
    ours = use_section(name, example, branch)
    found = [ours]
    if native is not None:
        theirs = native_section(name, native.record, native.place, branch, example)
        found = [theirs] if native.place == INSTEAD else [ours, "### Without `trust_remote_code`", theirs]
    if data is not None and data.tags:
        tags = ", ".join(f"`{tag}`" for tag in data.tags)
        found.append(
            f"Each source begins with the tag of the language to translate into: {tags}. "
            "`vaswani translate --target LANGUAGE` puts it there."
        )
    return found


def example_of(data: DataRecord | None, measured: MetricsRecord | None) -> str:
    """Return a sentence to show the use of a model by, with its tag if the model wants one."""
    examples = measured.examples if measured else ()
    text = examples[0].source if examples else "A dog runs through the snow."
    if data is None or not data.tags:
        return text
    direction = data.direction_of(examples[0].split) if examples else data.direction
    return tagged(text, tag_of(languages_of(direction)[1]))


def use_section(name: str, example: str, branch: str | None) -> str:
    """Return how to install what loads a model, and code that translates with it."""
    revision = f', revision="{branch}"' if branch else ""
    snippet = SNIPPET.format(name=name, revision=revision, example=example)
    return (
        f"```bash\npip install torch '{READERS}'\n```\n\n```python\n{snippet}```\n\n`AutoModelForSeq2SeqLM`, "
        "`AutoModel`, `AutoConfig` and `AutoTokenizer` load it too. `trust_remote_code` lets the code below run on "
        "your machine: read it, and name a commit by `revision=` to keep what you read. After `import "
        "vaswani.modeling` of the package it is not needed."
    )


def _scores(measured: MetricsRecord | None, progress: Progress | None) -> str:
    if measured is None:
        at = f" It has reached step {progress.step:,}." if progress else ""
        seen = ", ".join(f"{name} {value:.3f}" for name, value in (progress.figures if progress else {}).items())
        return f"Training has not ended; nothing was measured on a test set yet.{at}" + (
            f" Last validation: {seen}." if seen else ""
        )
    rows = [
        f"| {split} | {each.name} | {as_shown(kind, each.value)} | `{each.signature.replace('|', BAR)}` |"
        for split, scores in measured.test.items()
        for kind, each in scores.items()
    ]
    lost = {split: pairs.lost for split, pairs in measured.scored_pairs.items()}
    beside = [f"Of {split}, {lost[split]}." for split in measured.test if lost.get(split)] + [
        f"{split}: {each}."
        for split in measured.test
        for each in (*measured.left_out.get(split, {}).values(), *measured.remarks.get(split, ()))
    ]
    search, quality = measured.search, judged_by(measured.validation)[0]
    return "\n".join(
        [
            "| test set | score | value | signature |",
            "|---|---|---:|---|",
            *rows,
            "",
            *(line for each in beside for line in (each, "")),
            f"Search: {search.num_beams} beam(s), length penalty {search.length_penalty}. The weights are the "
            f"{measured.chosen}, chosen on the validation set ({shown(quality, measured.validation[quality])}, "
            f"perplexity {measured.validation['perplexity']:.3f} a token).",
            "",
            *further_validation(measured),
            f"![Learning curve: loss and {called(quality)} against steps](curve.png)",
        ]
    )


def further_validation(measured: MetricsRecord) -> list[str]:
    """Return a table of all validation sets, if there are several: lines, or none."""
    further = of_further_sets(measured.validation)
    if not further:
        return []
    quality = judged_by(measured.validation)[0]
    rows = [
        f"| {name} | {shown('loss', each['loss'])} | {shown(quality, each[quality])} |"
        for name, each in {"the validation set": measured.validation, **further}.items()
    ]
    head = ["Validation sets; the first one alone chose the weights:", "", "| set | | |"]
    return [*head, "|---|---|---|", *rows, ""]


def training_section(run: RunRecord, measured: MetricsRecord | None) -> str:
    """Return the command of a run, and the hardware that it ran on."""
    hardware = run.hardware
    on = "not recorded"
    if hardware:
        on = f"{hardware.processes} process(es) on {hardware.device}, {hardware.cores} CPU cores visible"
    lines = [f"- Hardware: {on}"]
    if measured:
        start = f" since it resumed from {measured.resumed_from}" if measured.resumed_from else ""
        pairs = measured.training_pairs
        lines += [
            f"- Time: {measured.training_seconds / 3600:.2f} hours{start}, validation included; "
            f"{measured.steps:,} steps",
            f"- Sentence pairs read: {pairs.kept:,} kept, {sum(pairs.dropped.values()):,} dropped"
            + (f" ({', '.join(f'{n:,} {why}' for why, n in pairs.dropped.items())})" if pairs.dropped else ""),
        ]
        if overlap := measured.test_text_in_training:  # earlier versions did not search
            lines += [f"- Of {line}" for line in overlap_as_text(overlap)]
    lines += [
        f"- Batches: {run.training.batches_per_step} a step, each of {run.data.tokens_per_batch:,} tokens "
        "a side at most",
        f"- Precision: {next((said for flag, said in PRECISIONS.items() if getattr(run.training, flag)), 'float32')}",
        "- Carbon: not measured",
        "- Versions: " + ", ".join(f"{package} {version}" for package, version in run.versions.items()),
    ]
    if tokens := run.data.user_tokens:
        lines += [f"- Tokens of the vocabulary that are never split: {', '.join(f'`{token}`' for token in tokens)}"]
    fields = ", ".join(f"{field}={value!r}" for field, value in as_json(run.model).items())
    return "\n".join(["```bash", without_folders(run.command), "```", "", *lines, f"- Network: {fields}"])


def limitations(data: DataRecord | None, measured: MetricsRecord | None) -> str:
    """Return the limitations of a model; its data may be unknown."""
    tests = ", ".join(measured.test if measured else ())
    scored = f"on {tests} alone: expect less on other kinds of text" if tests else "on no test set"
    number = 1 if data is None else len(data.every_direction)
    does = f"translates single sentences in {'one direction' if number == 1 else f'{number} directions'}"
    if data and parses(data):
        does = "parses single sentences"
    longest = f" Training held no pair beyond {data.max_tokens} tokens a side." if data else ""
    return (
        f"It {does}, and was scored {scored}.{longest} Like every such network it can leave out, invent or reverse "
        "what the source says, in fluent words, and it repeats the biases of its text. Do not rely on its output "
        "without reading it."
    )


def licence_section(weights_license: str | None) -> str:
    """Return what is known about the licence."""
    weights = (
        f"Weights: `{weights_license}`."
        if weights_license
        else "Weights: no licence was given when they were pushed; ask before you use them. The terms of the training "
        "text may apply too."
    )
    return f"{weights} Code: Apache-2.0."


def code_section(code: dict[str, str]) -> str:
    """Return the files of code with their SHA-256."""
    rows = [f"| `{name}` | `{digest}` |" for name, digest in sorted(code.items())]
    return "\n".join(
        [
            "These files import only torch and transformers, and are the ones that the project's tests run. Weights "
            "are stored only as safetensors.",
            "",
            "| file | SHA-256 |",
            "|---|---|",
            *rows,
        ]
    )
