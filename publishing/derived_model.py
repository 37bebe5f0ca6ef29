"""Models that are no run's own choice: averages, checkpoints and imports. What they were made of, recorded beside them.

The record is average.json, or import.json. What the runs behind an average were told stands in runs.json, since their
folders may be gone by the time of a push.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from vaswani.storage.records import as_json, from_json

from .average_record import AVERAGE, PartRecord, average_as_text, read_average
from .import_record import IMPORTED, read_import
from .metrics_record import METRICS, read_metrics
from .records import read_json
from .run_record import RUN, RunRecord, read_run

RUNS = "runs.json"


class DerivedModel(NamedTuple):
    """What a model was made of."""

    parts: Sequence[PartRecord]
    """Of one alone the weights are as they were."""
    runs: dict[str, RunRecord]
    """What run.json of each run held, by the folder it had."""


def read_derived_model(folder: Path) -> DerivedModel | None:
    """Return what the model of a folder was made of; None if its folder does not tell.

    Raises:
        ValueError: a record is damaged.

    """
    if (folder / AVERAGE).is_file():
        runs = read_json(folder / RUNS) if (folder / RUNS).is_file() else {}
        return DerivedModel(read_average(folder), from_json(dict[str, RunRecord], runs, str(folder / RUNS)))
    if (folder / IMPORTED).is_file():
        return DerivedModel([PartRecord(str(folder), 1.0, imported=read_import(folder))], {})
    if re.fullmatch(r"checkpoint-\d+", folder.name) and (folder.resolve().parent / RUN).is_file():
        return part_of(folder)
    return None


def part_of(folder: Path, share: float = 1.0) -> DerivedModel:
    """Return a folder as one part of a model, with what it tells of its weights and what the runs behind were told."""
    here, part = folder.resolve(), PartRecord(str(folder), share)
    for run in (here, here.parent):
        step = re.fullmatch(r"checkpoint-(\d+)", here.name) if run != here else None
        if (run / RUN).is_file() and (run == here or step):
            part = replace(part, run=str(run))
            if step:
                part = replace(part, step=int(step[1]))
            elif (run / METRICS).is_file():
                part = replace(part, chosen=read_metrics(run).chosen)
            return DerivedModel([part], {str(run): read_run(run)})
    made = read_derived_model(folder)
    if made is None:
        return DerivedModel([part], {})
    if (folder / IMPORTED).is_file() and not (folder / AVERAGE).is_file():
        return DerivedModel([replace(part, imported=made.parts[0].imported)], {})
    return DerivedModel([replace(part, average=tuple(made.parts))], made.runs)


def languages_of(folder: Path) -> list[str] | None:
    """Return the languages of source and target that a tokenizer names, as a Marian's does; None if it does not."""
    told = read_json(folder / "tokenizer_config.json")
    found = [str(told.get(name, "")) for name in ("source_lang", "target_lang")]
    return found if all(re.fullmatch(r"[a-z]{2,3}", each) for each in found) else None


def record(made: DerivedModel) -> dict[str, str]:
    """Return the files to lay beside the weights, by name."""
    runs = {RUNS: json.dumps(as_json(made.runs), indent=2) + "\n"} if made.runs else {}
    return {AVERAGE: average_as_text(made.parts)} | runs


def leaves(parts: Sequence[PartRecord], share: float = 1.0) -> list[PartRecord]:
    """Return the parts that are no averages themselves, with their shares in the whole."""
    found: list[PartRecord] = []
    for part in parts:
        its = share * (1 / len(parts) if part.share is None else part.share)
        found += leaves(part.average, its) if part.average else [replace(part, share=its)]
    return found
