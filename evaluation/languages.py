"""What the language of a text asks of its scores: how words are told apart, and which scores fit it.

The table of languages stands with the `evaluate` module that needs it too (`metrics/sacrebleu/by_language.py`).
"""

from collections.abc import Sequence
from typing import NamedTuple

from vaswani.data.scripts import is_written_in

from .metrics.sacrebleu.by_language import Tokenizer, bleu_tokenizer, code_parts, has_spaces, language_seen

__all__ = ["Chosen", "Lengths", "Tokenizer", "bleu_tokenizer", "choose", "language_seen", "lengths", "unfit_for_wmt14"]

GERMAN = ("de", "deu", "ger")


class Chosen(NamedTuple):
    """The language that a text is scored as."""

    language: str | None
    note: str | None
    """What has to be said of the choice."""


def choose(references: Sequence[str], language: str | None) -> Chosen:
    """Return the language to score by: the one that was told, unless it does not fit how the references are written.

    Text without spaces is never cut at spaces: where no language is told, or one with spaces, its script decides.

    Args:
        references: plain text.
        language: a code as `bleu_tokenizer` takes it; None if nobody told.

    """
    told = bleu_tokenizer(language)
    seen = language_seen(references) if told.name in ("13a", "zh") else None
    if seen is None or bleu_tokenizer(seen) == told:
        return Chosen(language, told.note)
    found = bleu_tokenizer(seen)
    why = "no language was given" if language is None else f'the language given is "{language}"'
    note = f'{why}, and the references are mostly in the script of "{seen}": BLEU cuts them by {found.name}'
    return Chosen(seen, f"{note}. {found.note}" if found.note else note)


def unfit_for_wmt14(references: Sequence[str], language: str | None) -> str | None:
    """Return why the paper's BLEU, which knows German words and compounds alone, does not fit; None if it does.

    Where no language is told, whatever is in Latin letters may be German.
    """
    if language is None:
        fits, what = is_written_in("\n".join(references), "Latin"), "the references are not in Latin letters"
    else:
        name, script = code_parts(language)
        fits, what = name in GERMAN and script in ("", "Latn", "Latf"), f'the language is "{language}"'
    return None if fits else f"it was made for German, and {what}"


class Lengths(NamedTuple):
    """How long some lines are."""

    counts: list[int]
    unit: str
    """"words" or "characters"."""


def lengths(lines: Sequence[str], language: str | None = None) -> Lengths:
    """Count the words of lines, or where a language has no spaces between them, the characters but for white space.

    Args:
        lines: plain text.
        language: as `choose` takes it. Korean has spaces, whatever BLEU does with it.

    """
    language = choose(lines, language).language
    if has_spaces(language):
        return Lengths([len(line.split()) for line in lines], "words")
    return Lengths([len("".join(line.split())) for line in lines], "characters")
