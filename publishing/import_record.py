"""import.json: what a model was imported from."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from vaswani.storage.records import read_record, write_record

from .damage import damaged

IMPORTED = "import.json"


@dataclass(frozen=True)
class ImportRecord:
    """What import.json holds."""

    VERSION: ClassVar[int] = 1

    source: str
    """The name of its folder or file, or OWNER/NAME@COMMIT on the Hub."""
    format: str
    """Marian, fairseq or tensor2tensor."""
    notes: tuple[str, ...] = ()
    """What is to be known of it, in sentences."""
    version: int = VERSION


def read_import(folder: Path) -> ImportRecord:
    """Read import.json of a model's folder; raises as `read_record` does."""
    return read_record(ImportRecord, folder / IMPORTED, damaged)


def write_import(folder: Path, record: ImportRecord) -> None:
    """Write import.json into a model's folder."""
    write_record(folder / IMPORTED, record)
