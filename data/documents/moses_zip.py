"""Archives in Moses' form, as OPUS ships them: a Zip with two files of lines, NAME.de and NAME.en."""

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from vaswani.data.pairs import CorpusError, NoPair, legible
from vaswani.data.text_files import decode

from .units import Asked, Tally, Unit

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_moses_zip(path: Path, asked: Asked, tally: Tally) -> Iterator[Unit]:  # noqa: ARG001
    """Yield the rows of an archive.

    Raises:
        CorpusError: it is damaged, does not hold one file of each language, or these differ in length.

    """
    number = 0
    try:
        with zipfile.ZipFile(path) as archive:
            names = [_member(archive, path, language) for language in asked]
            with archive.open(names[0]) as first, archive.open(names[1]) as second:
                for number, lines in enumerate(zip_longest(first, second), 1):
                    if None in lines:
                        short = names[lines.index(None)]
                        raise CorpusError(
                            f"{path}, {short} ends behind line {number - 1:,}, and the other file goes on: line n of "
                            "one must translate line n of the other. Fetch the archive again."
                        )
                    yield _unit(number, lines, names)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError) as error:
        after = f", behind line {number:,}" if number else ""
        raise CorpusError(f"{path}{after}: {error}. Fetch the archive again; unzip -t tests it.") from error


def _member(archive: zipfile.ZipFile, path: Path, language: str) -> str:
    names = [each.filename for each in archive.infolist() if not each.is_dir()]
    found = [name for name in names if name.endswith(f".{language}")]
    if len(found) != 1:
        listed = ", ".join(names[:10]) or "nothing"
        raise CorpusError(
            f"{path} holds {len(found)} files that end in .{language}, and one of each language is needed. It holds: "
            f"{listed}. Name the languages as these files do."
        )
    return found[0]


def _unit(number: int, lines: tuple[bytes, bytes], names: list[str]) -> Unit:
    texts: list[str] = []
    reason, place = None, f"line {number}"
    for content, name in zip(lines, names, strict=True):
        content = content.removeprefix(_BYTE_ORDER_MARK) if number == 1 else content
        content = content.removesuffix(b"\n").removesuffix(b"\r")
        text = decode(content, f"{name}, line {number}")
        if isinstance(text, NoPair):
            reason, place = text
            text = legible(content)
        texts.append(text)
    return Unit(texts[0], texts[1], place, reason)
