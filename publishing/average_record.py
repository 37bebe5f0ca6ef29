"""average.json: the list of models that a model was made of; one alone where a checkpoint was put together."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from vaswani.storage.records import LEFT_OUT, REST, as_json, from_json

from .import_record import ImportRecord
from .records import read_json

AVERAGE = "average.json"
FIGURE = "validation_"
"""How the key of a part's figure in validation begins; the metric follows."""


@dataclass(frozen=True)
class PartRecord:
    """One of the models that a model was made of, and what its own folder tells."""

    VERSION: ClassVar[int] = 1

    checkpoint: str
    """As the user named it, or OWNER/NAME@COMMIT on the Hub."""
    share: float | None = field(default=None, metadata=LEFT_OUT)
    """Of 1; None in old records: as much as the others."""
    run: str | None = field(default=None, metadata=LEFT_OUT)
    """The folder of the run that it comes from,"""
    step: int | None = field(default=None, metadata=LEFT_OUT)
    """as its checkpoint after so many steps,"""
    chosen: str | None = field(default=None, metadata=LEFT_OUT)
    """or as what the run chose."""
    repository: str | None = field(default=None, metadata=LEFT_OUT)
    """OWNER/NAME on the Hub,"""
    commit: str | None = field(default=None, metadata=LEFT_OUT)
    """and its commit."""
    imported: ImportRecord | None = field(default=None, metadata=LEFT_OUT)
    average: tuple["PartRecord", ...] | None = field(default=None, metadata=LEFT_OUT)
    """Its own parts."""
    others: Mapping[str, Any] = field(default_factory=dict, metadata=REST)
    version: int = VERSION

    @property
    def validation(self) -> dict[str, float]:
        """Its figures in validation, by metric."""
        return {key.removeprefix(FIGURE): value for key, value in self.others.items() if key.startswith(FIGURE)}


def with_figure(part: PartRecord, metric: str, value: float) -> PartRecord:
    """Return a part with a figure in validation."""
    return replace(part, others={**part.others, f"{FIGURE}{metric}": value})


def read_average(folder: Path) -> tuple[PartRecord, ...]:
    """Read average.json of a model's folder.

    Raises:
        ValueError: it is no list of parts, or of a newer version.

    """
    file = folder / AVERAGE
    found = read_json(file)
    if not isinstance(found, list) or not all(isinstance(each, dict) and "checkpoint" in each for each in found):
        raise ValueError(f"{file} is damaged (it holds no list of checkpoints); average them again")
    return from_json(tuple[PartRecord, ...], found, str(file))


def average_as_text(parts: Sequence[PartRecord]) -> str:
    """Return what average.json holds, for the folder of a model that is being made."""
    return json.dumps(as_json(parts), indent=2) + "\n"
