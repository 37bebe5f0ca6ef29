"""`vaswani translate` of a document: it comes out as it was, with translations in their places."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from vaswani.documents import DocumentError, Unit, finished, reader_of, translate_units
from vaswani.documents.declared_encoding import Decoded, decoded
from vaswani.storage import atomic_write

from .asked_languages import asked_languages
from .line_files import windows

if TYPE_CHECKING:
    from vaswani.translation.corpus import TooLong, Translator

    from .glossary import TermsOfLines

SHOWN = 10
"""Lines of untranslated units that are named."""


def check_document(args: argparse.Namespace, name: str) -> None:
    """Refuse flags that are of lines; raises ValueError."""
    of_lines = {
        "--resume": args.resume,
        "--shard": args.shard,
        "--line_buffered": args.line_buffered,
        "--n_best": args.n_best > 1,
        "--align": args.align,
    }
    if given := [flag for flag, value in of_lines.items() if value]:
        raise ValueError(
            f"{', '.join(given)} is for lines, and {args.input or 'stdin'} is a document ({name}): leave it out, or "
            "give --format text to translate the file's lines as they are"
        )
    reader_of(name, asked_languages(args))


def translate_document(args: argparse.Namespace, name: str, translator: "Translator", terms: "TermsOfLines") -> None:
    """Translate `args.input` with the other processes, and write `args.output` on the main one, complete.

    Raises:
        ValueError: it is not of its format.
        OSError: it cannot be read or written.

    """
    from vaswani.translation.corpus import TooLong, translate_corpus
    from vaswani.translation.processes import processes
    from vaswani.translation.sentences import splitter

    split = None if args.split_sentences is None else splitter(args.split_sentences)
    if processes().number > 0:
        for _ in range(2):  # as translate_units calls it
            for _ in translate_corpus(translator, []):
                pass
        return
    too_long = TooLong(translator)
    try:
        document, units = read_document(args.input, name, asked_languages(args))
    except (ValueError, OSError) as error:
        for _ in translate_corpus(translator, failing(error)):  # the other processes wait for the first window
            pass
        raise

    def translate(lines: list[str]) -> list[str | None]:
        is_shown = args.output is not None or sys.stderr.isatty()
        found: list[str | None] = []
        for part in translate_corpus(translator, windows(lines), len(lines), is_shown):
            too_long.add(part)
            found += [None if line.is_too_long else line.hypotheses[0].text for line in part]
        return found

    found, counts = translate_units(units, translate, split)
    translations = [each if each is not None and document.holds(each) else None for each in found]
    unwritten = sum(each is not None for each in found) - sum(each is not None for each in translations)
    write_document(args.output, document.encoded(finished(document.text, units, translations)))
    left = [unit.line for unit, translation in zip(units, translations, strict=True) if translation is None]
    print(
        f"{counts.finished - unwritten:,} of {counts.units:,} untranslated unit(s) translated, {counts.in_pieces:,} of "
        "them in pieces between their placeholders",
        file=sys.stderr,
    )
    for unit, translation in zip(units, translations, strict=True):
        if translation is not None:
            terms.count(unit.line, unit.source, translation)
    if message := terms.report("units"):
        print(message, file=sys.stderr)
    if left:
        print(_left(left, too_long), file=sys.stderr)
    if unwritten:
        print(
            f"{unwritten:,} of them since {document.encoding}, the document's encoding, lacks a character of the "
            "translation; convert it to UTF-8 first, for PO by msgconv --to-code=UTF-8",
            file=sys.stderr,
        )


def read_document(path: Path | None, name: str, direction: tuple[str, str] | None) -> tuple[Decoded, list[Unit]]:
    """Return a document and its units; raises ValueError with file and line if it is damaged."""
    from vaswani.data.containers import STDIN, unpacked_bytes

    with nullcontext(sys.stdin.buffer) if path is None else path.open("rb") as file:
        content = unpacked_bytes(file, str(path or STDIN))[1].read()
    try:
        document = decoded(content, name)
        return document, reader_of(name, direction)(document.text)
    except DocumentError as error:
        raise ValueError(f"{path or 'stdin'}, {error}") from None


def write_document(path: Path | None, content: bytes) -> None:
    """Write to a file, complete or not at all, or to stdout."""
    if path is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    from vaswani.data.containers import packer_of

    with atomic_write(path) as file:
        file.write(packer_of(path)(content))


def failing(error: Exception) -> Iterator[list[str]]:
    """Raise an error where windows are read, from where it reaches every process."""
    raise error
    yield []


def _left(lines: list[int], too_long: "TooLong") -> str:
    """Return what is said of units that stay untranslated."""
    more = ", ..." if len(lines) > SHOWN else ""
    why = (
        f"a placeholder was lost, or a text has more than {too_long.max_tokens:,} tokens (see --split_sentences)"
        if too_long.count
        else "a placeholder was lost, doubled or changed, also in pieces"
    )
    return f"{len(lines):,} unit(s) stay untranslated, since {why}: line {', '.join(map(str, lines[:SHOWN]))}{more}"
