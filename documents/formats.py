"""The formats of documents, by name and by the ending of a file."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from .html import html_units
from .po import po_units
from .subtitles import subtitle_units
from .tmx import tmx_units
from .unit import Unit
from .xliff import xliff_units

ENDINGS = {
    ".po": "po",
    ".pot": "po",
    ".xlf": "xliff",
    ".xliff": "xliff",
    ".tmx": "tmx",
    ".srt": "srt",
    ".vtt": "srt",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".md": "markdown",
    ".markdown": "markdown",
}
DOCUMENTS = tuple(dict.fromkeys(ENDINGS.values()))


def document_format(path: Path | None) -> str | None:
    """Return the format of a file by its name, None if it is none of a document."""
    return None if path is None else ENDINGS.get(path.suffix.lower())


def reader_of(name: str, direction: tuple[str, str] | None) -> Callable[[str], list[Unit]]:
    """Return what finds the units of a document of this format.

    Raises:
        ValueError: the format needs to know the languages.

    """
    if name == "tmx":
        if direction is None:
            raise ValueError("a TMX file has any number of languages: say which ones by --direction, such as en-de")
        return partial(tmx_units, source=direction[0], target=direction[1])
    if name == "markdown":
        from .markdown import markdown_units

        return markdown_units
    return {"po": po_units, "xliff": xliff_units, "srt": subtitle_units, "html": html_units}[name]
