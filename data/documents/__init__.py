"""Documents of translators as training text: memories, catalogues of messages, test sets, archives.

What each format means is in docs/formats.md.
"""

from .corpus import DocumentCorpus
from .gettext_units import read_mo, read_po
from .moses_zip import read_moses_zip
from .tmx import read_tmx
from .units import Asked, Read, Tally, Unit
from .wmt import read_sgm_pair, read_wmt_xml
from .xliff import read_xliff

READERS: dict[str, Read] = {
    ".tmx": read_tmx,
    ".xlf": read_xliff,
    ".xliff": read_xliff,
    ".po": read_po,
    ".mo": read_mo,
    ".xml": read_wmt_xml,
    ".zip": read_moses_zip,
}
"""By the ending of a document's name, which one of a compression may follow except that of an archive."""

__all__ = [
    "READERS",
    "Asked",
    "DocumentCorpus",
    "Read",
    "Tally",
    "Unit",
    "read_mo",
    "read_moses_zip",
    "read_po",
    "read_sgm_pair",
    "read_tmx",
    "read_wmt_xml",
    "read_xliff",
]
