"""Models that no run chose: averages, checkpoints and imports. Their origin is recorded beside them.

The record is average.json, a list of parts. A part has "share" and "checkpoint" (as the user named it), and what its
own folder records: "run" with "step" or "chosen", "repository" with "commit", "imported", or for an average its
"average". The settings of the runs are in runs.json, since their folders may be gone by the time of a push.
"""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from vaswani.storage.records import as_json, from_json

from .metrics_record import METRICS, read_metrics
from .records import read_json
from .run_record import RUN, RunRecord, read_run

AVERAGE, RUNS, IMPORTED = "average.json", "runs.json", "import.json"

Part = dict[str, Any]


class DerivedModel(NamedTuple):
    """The origin of a model."""

    parts: list[Part]
    """With a single part the weights are unchanged."""
    runs: dict[str, RunRecord]
    """The run.json of each run, by the run's folder."""


def read_derived_model(folder: Path) -> DerivedModel | None:
    """Return the origin of the model in a folder; None if the folder has no record of it.

    Raises:
        ValueError: a record is damaged.

    """
    if (folder / AVERAGE).is_file():
        parts = read_json(folder / AVERAGE)
        if not isinstance(parts, list) or not all(isinstance(each, dict) and "checkpoint" in each for each in parts):
            raise ValueError(f"{folder / AVERAGE} is damaged (it holds no list of checkpoints); average them again")
        runs = read_json(folder / RUNS) if (folder / RUNS).is_file() else {}
        return DerivedModel(parts, from_json(dict[str, RunRecord], runs, str(folder / RUNS)))
    if (folder / IMPORTED).is_file():
        return DerivedModel([{"checkpoint": str(folder), "share": 1.0, "imported": read_json(folder / IMPORTED)}], {})
    if re.fullmatch(r"checkpoint-\d+", folder.name) and (folder.resolve().parent / RUN).is_file():
        facts, runs = described_part(folder)
        return DerivedModel([{"checkpoint": str(folder), "share": 1.0} | facts], runs)
    return None


def described_part(folder: Path) -> tuple[Part, dict[str, RunRecord]]:
    """Return what a folder records about its weights, as a part of a record, and the settings of their runs."""
    here = folder.resolve()
    for run in (here, here.parent):
        step = re.fullmatch(r"checkpoint-(\d+)", here.name) if run != here else None
        if (run / RUN).is_file() and (run == here or step):
            facts: Part = {"run": str(run)}
            if step:
                facts["step"] = int(step[1])
            elif (run / METRICS).is_file():
                facts["chosen"] = read_metrics(run).chosen
            return facts, {str(run): read_run(run)}
    made = read_derived_model(folder)
    if made is None:
        return {}, {}
    if (folder / IMPORTED).is_file():
        return {"imported": made.parts[0]["imported"]}, {}
    return {"average": made.parts}, made.runs


def languages_of(folder: Path) -> list[str] | None:
    """Return the languages of source and target that a tokenizer names, as Marian's do; None if it does not."""
    config = read_json(folder / "tokenizer_config.json")
    found = [str(config.get(name, "")) for name in ("source_lang", "target_lang")]
    return found if all(re.fullmatch(r"[a-z]{2,3}", each) for each in found) else None


def record(made: DerivedModel) -> dict[str, str]:
    """Return the files to put beside the weights, by name."""
    files = {AVERAGE: made.parts} | ({RUNS: as_json(made.runs)} if made.runs else {})
    return {name: json.dumps(each, indent=2) + "\n" for name, each in files.items()}


def leaves(parts: list[Part], share: float = 1.0) -> list[Part]:
    """Return the parts that are not averages themselves, with their shares in the whole."""
    found: list[Part] = []
    for part in parts:
        its = share * part.get("share", 1 / len(parts))
        found += leaves(part["average"], its) if part.get("average") else [part | {"share": its}]
    return found
