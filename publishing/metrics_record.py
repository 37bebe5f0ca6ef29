"""metrics.json: the results of a run; a run that has this file has ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from vaswani.storage.records import read_record, write_record

from .damage import damaged

METRICS = "metrics.json"


@dataclass(frozen=True)
class EndedRecord:
    """Why training ended."""

    by: str
    told: str
    """A sentence that says so."""


@dataclass(frozen=True)
class BestRecord:
    """The best validation while training."""

    step: int
    by: str
    """The figure that decided."""


@dataclass(frozen=True)
class PairsRecord:
    """Pairs of a set that were read, and those that were dropped, by reason."""

    kept: int
    dropped: Mapping[str, int]
    line_breaks_as_spaces: int = 0

    @property
    def lost(self) -> str | None:
        """The remark beside the scores of a set from which pairs were left out."""
        if not self.dropped:
            return None
        number = sum(self.dropped.values())
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.dropped.items())
        return (
            f"{number:,} of {self.kept + number:,} pairs are not scored ({reasons}); these figures cannot be compared "
            "with figures of the whole set"
        )


@dataclass(frozen=True)
class ScoredPairsRecord(PairsRecord):
    """The same for a set that is scored."""

    blank_references: int = 0


@dataclass(frozen=True)
class FoundRecord:
    """For one set, how many of its pairs and sides are in the training text, and how many it has."""

    pairs: int
    sources: int
    targets: int
    of: int


@dataclass(frozen=True)
class OverlapRecord:
    """How much of the scored sets is in the training text."""

    left_out: bool
    row_groups: tuple[int, int]
    """Searched, and all."""
    splits: Mapping[str, FoundRecord]


@dataclass(frozen=True)
class ScoreRecord:
    """One figure, with its name and the settings that it depends on."""

    name: str
    value: float
    signature: str


@dataclass(frozen=True)
class SearchRecord:
    """How sentences were decoded."""

    num_beams: int
    length_penalty: float


@dataclass(frozen=True)
class ExampleRecord:
    """A sentence of a test set and its translation."""

    source: str
    reference: str = ""
    translation: str = ""
    split: str = ""


@dataclass(frozen=True)
class EarlierRecord:
    """The scores of an earlier end of a run."""

    chosen: str
    validation: Mapping[str, float] = field(default_factory=dict)
    test: Mapping[str, Mapping[str, ScoreRecord]] = field(default_factory=dict)
    chosen_by: str | None = None
    ended: EndedRecord | None = None
    candidates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    search: SearchRecord | None = None
    left_out: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    remarks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class MetricsRecord:
    """What metrics.json holds; what an older run did not measure is None or empty."""

    VERSION: ClassVar[int] = 1

    parameters: int
    steps: int
    training_seconds: float
    training_pairs: PairsRecord
    chosen: str
    validation: Mapping[str, float]
    """By metric."""
    search: SearchRecord
    test: Mapping[str, Mapping[str, ScoreRecord]]
    """By set and metric."""
    ended: EndedRecord | None = None
    best_while_training: BestRecord | None = None
    ended_on: str | None = None
    resumed_from: str | None = None
    scored_pairs: Mapping[str, ScoredPairsRecord] = field(default_factory=dict)
    test_text_in_training: OverlapRecord | None = None
    chosen_by: str | None = None
    candidates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    not_scored: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By set and metric, why."""
    remarks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    earlier: Mapping[str, EarlierRecord] = field(default_factory=dict)
    """By steps."""
    examples: tuple[ExampleRecord, ...] = ()
    version: int = VERSION


def read_metrics(path: Path) -> MetricsRecord:
    """Read metrics.json, from a run's folder or under its later name there; raises as `read_record` does."""
    return read_record(MetricsRecord, path / METRICS if path.is_dir() else path, damaged)


def write_metrics(folder: Path, record: MetricsRecord) -> None:
    """Write metrics.json into a run's folder."""
    write_record(folder / METRICS, record)


def as_earlier(record: MetricsRecord) -> EarlierRecord:
    """Return the part of a run's scores that is kept when it trains further."""
    names = EarlierRecord.__dataclass_fields__
    return EarlierRecord(**{name: getattr(record, name) for name in names})


def printable_record(record: Any) -> Any:
    """Return a record with all of its texts printable."""
    from vaswani.data.file_names import all_printable
    from vaswani.storage.records import as_json, from_json

    return None if record is None else from_json(type(record), all_printable(as_json(record)), "")
