"""A student beside its teacher: scored on the test sets, and timed in turn on the same lines by one thread."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, NamedTuple

import torch

from vaswani.engines.load import load as load_found
from vaswani.evaluation.metric_table import PROTOCOLS, SENTENCE_METRICS
from vaswani.evaluation.scores import LeftOut, each_score
from vaswani.experiment.data_arguments import DataArguments
from vaswani.experiment.original_text import lines_of, paths_of
from vaswani.storage.records import write_record
from vaswani.training.reporting.progress import print_line
from vaswani.translation.ensemble import by_ensemble, check_members
from vaswani.translation.loaded import LoadedModel
from vaswani.translation.models import EXPORTED_FILES, MODEL_FILES, find_model, load_model
from vaswani.translation.search import by_generate, positions

COMPARISON = "comparison.json"
ROUNDS = 3
TIMED_LINES = 400
"""Of the first test set: a round of all systems stays short, so that each meets the same load of the machine."""


class System(NamedTuple):
    """What translates."""

    name: str
    models: Sequence[str]
    engine: str
    beams: int


@dataclass(frozen=True)
class SystemRecord:
    """What one system came to."""

    name: str
    engine: str
    beams: int
    models: tuple[str, ...]
    parameters: int | None
    """None for an exported one."""
    megabytes: float
    """Of the files that it is loaded from, in millions of bytes."""
    scores: dict[str, dict[str, float]]
    """By test set and score."""
    sentences_a_second: tuple[float, ...]
    """In each round, by one thread of the CPU, loading not counted."""


@dataclass(frozen=True)
class ComparisonRecord:
    """What comparison.json holds."""

    VERSION: ClassVar[int] = 1

    systems: tuple[SystemRecord, ...]
    signatures: dict[str, str]
    """Of each score."""
    timed_on: str
    lines: int
    version: int = VERSION


def compare(systems: Sequence[System], text: Path, data: DataArguments, file: Path) -> None:
    """Score and time systems, and write what they came to.

    Args:
        systems: in the order in which a round asks them.
        text: the folder with the test sets.
        data: of the run.
        file: where to.

    """
    torch.set_num_threads(1)
    sets = {
        split: tuple(list(lines_of(path)) for path in paths_of(text, data, split))
        for split in (data.test_splits or [data.validation_split])
        if "=" not in split
    } or {data.validation_split: tuple(list(lines_of(path)) for path in paths_of(text, data, data.validation_split))}
    loaded = [load(each) for each in systems]
    scores: list[dict[str, dict[str, float]]] = [{} for _ in systems]
    signatures: dict[str, str] = {}
    for split, (sources, references) in sets.items():
        for system, (model, _), found in zip(systems, loaded, scores, strict=True):
            print_line(f"{split}: {len(sources):,} lines by the {system.name}, {system.beams} beam(s)")
            translations = model.translate(sources, num_beams=system.beams)
            found[split] = {}
            metrics = list(dict.fromkeys([*SENTENCE_METRICS, PROTOCOLS[data.score_as or "sacrebleu"]]))
            for key, each in each_score(translations, references, data.target, metrics=metrics):
                if not isinstance(each, LeftOut):
                    found[split][key], signatures[key] = each.value, each.signature
    timed = next(iter(sets))
    lines = sets[timed][0][:TIMED_LINES]
    rates = rounds([partial(model.translate, lines, num_beams=system.beams)
                    for system, (model, _) in zip(systems, loaded, strict=True)], len(lines))  # fmt: skip
    records = tuple(
        SystemRecord(
            each.name, each.engine, each.beams, tuple(each.models), parameters, megabytes(each), of, tuple(rate)
        )
        for each, (_, parameters), of, rate in zip(systems, loaded, scores, rates, strict=True)
    )
    write_record(file, ComparisonRecord(records, signatures, timed, len(lines)))


def rounds(works: Sequence[partial[list[str]]], lines: int) -> list[list[float]]:
    """Return the lines a second of each work in each round; in a round they are done one after another."""
    found: list[list[float]] = [[] for _ in works]
    for number in range(1, ROUNDS + 1):
        print_line(f"Round {number} of {ROUNDS}: {lines:,} lines by each, one thread")
        for work, rates in zip(works, found, strict=True):
            started = time.perf_counter()
            work()
            rates.append(round(lines / (time.perf_counter() - started), 2))
    return found


def load(system: System) -> tuple[LoadedModel, int | None]:
    """Return what translates on the CPU, and the number of its parameters."""
    if system.engine != "torch":
        return load_found(find_model(system.models[0], system.engine), system.engine, device="cpu"), None
    members = [load_model(find_model(each).folder, torch.device("cpu")) for each in system.models]
    networks, tokenizers = [network for network, _ in members], [tokenizer for _, tokenizer in members]
    check_members(networks, tokenizers)
    parameters = sum(network.num_parameters() for network in networks)
    most = min(map(positions, networks))
    if len(networks) == 1:
        return LoadedModel(partial(by_generate, networks[0], tokenizers[0]), tokenizers[0], most), parameters
    return LoadedModel(lambda beams, _: by_ensemble(networks, tokenizers[0], beams), tokenizers[0], most), parameters


def megabytes(system: System) -> float:
    """Return the size of the files that a system is loaded from."""
    parts = EXPORTED_FILES.get(system.engine, MODEL_FILES)
    names = {"generation_config.json", *(name for each in parts.values() for name in each)}
    size = 0
    for model in system.models:
        folder = find_model(model, system.engine).folder
        files = (
            {folder / name for name in names} | set(folder.glob("model-*.safetensors")) | set(folder.glob("*vocab*"))
        )
        size += sum(path.stat().st_size for path in files if path.is_file())
    return round(size / 1e6, 2)
