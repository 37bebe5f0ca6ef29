"""native.json, beside a model that was exported as a class of transformers' own. Not pushed: the card tells it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from vaswani.storage.records import read_record, write_record

NATIVE = "native.json"


@dataclass(frozen=True)
class ExponentRecord:
    """How the exponent of the search of transformers was chosen: by the figures of a validation set."""

    metric: str
    """Its key in the table of metrics."""
    sentences: int
    paper: float
    """Of the paper's search, with its own length penalty."""
    by_exponent: Mapping[str, float]
    """Of the search of transformers, by the exponent that its length penalty had."""


@dataclass(frozen=True)
class NativeRecord:
    """What native.json holds."""

    VERSION: ClassVar[int] = 1

    architecture: str
    """The class of transformers."""
    difference: float
    """Largest difference of a logit between both forms, on random sentences."""
    beams: int
    length_penalty: float
    """alpha of the paper's search."""
    exponent: float
    """What is written as length_penalty of the search of transformers."""
    chosen: ExponentRecord | None = None
    """None where no validation set was given."""
    version: int = VERSION


def read_native(folder: Path) -> NativeRecord:
    """Read native.json of an exported folder; raises as `read_record` does."""
    return read_record(NativeRecord, folder / NATIVE)


def write_native(folder: Path, record: NativeRecord) -> None:
    """Write native.json."""
    write_record(folder / NATIVE, record)
