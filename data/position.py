"""stream.json of a checkpoint: a position in the order of training, as `TrainingStream` saves and restores it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from vaswani.storage.records import read_record


@dataclass(frozen=True)
class PositionRecord:
    """What stream.json holds."""

    VERSION: ClassVar[int] = 1

    identity: Mapping[str, Any]
    """What decides the order of training: fingerprints of data and tokenizer, the fields of Order and
    CleaningLimits."""
    consumed: int
    """Micro-batches."""
    anchors: tuple[tuple[int, int, int], ...]
    """For each stream, as `Anchor`."""
    first_epoch: tuple[tuple[Any, ...], ...]
    """Stream, window, and the fields of its `Drops`; older positions lack the last of these."""
    edition: int | None = 1
    """Of the rules of --drop_html and --check_script; None if neither was used."""
    version: int = VERSION

    @property
    def text(self) -> str:
        """The fingerprint of the text."""
        return str(self.identity["data"])


def read_position(path: Path) -> PositionRecord:
    """Read stream.json; raises as `read_record` does."""
    return read_record(PositionRecord, path)
