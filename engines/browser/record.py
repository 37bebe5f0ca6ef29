"""browser.json, of a model that was exported as a page: what the page has to know of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from vaswani.publishing.damage import damaged
from vaswani.storage.records import read_record, write_record
from vaswani.translation.models import PAGE


@dataclass(frozen=True)
class BrowserRecord:
    """What browser.json holds; engines/browser/page/messages.d.ts says it to the page."""

    VERSION: ClassVar[int] = 1

    name: str
    """The model's, in public."""
    content: str
    """A digest of all other files: another export has another one."""
    quantization: str
    extra_tokens: int
    """How many tokens longer than its source a translation may be."""
    most_tokens: int | None
    """The most tokens of a translation, whatever its source; None: no limit."""
    max_positions: int | None
    """The most tokens of a source and of a translation; None: no limit."""
    unseen: str
    """Invisible characters, as in a class of a regular expression of JavaScript."""
    files: Mapping[str, int]
    """Bytes of each file that the page reads before it translates, by its name in the folder."""
    version: int = VERSION


def read_browser(folder: Path) -> BrowserRecord:
    """Read browser.json of an exported folder; raises as `read_record` does."""
    return read_record(BrowserRecord, folder / PAGE, damaged)


def write_browser(folder: Path, record: BrowserRecord) -> None:
    """Write browser.json."""
    write_record(folder / PAGE, record)
