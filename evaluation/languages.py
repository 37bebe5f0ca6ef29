"""What the language of a text requires of its scores: how words are separated, and which scores fit it.

The table of languages is beside the `evaluate` module that also needs it (`metrics/sacrebleu/by_language.py`).
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
    """A remark on the choice."""


def choose(references: Sequence[str], language: str | None) -> Chosen:
    """Return the language to score by: the given one, unless it does not fit the script of the references.

    Text without spaces is never cut at spaces: if no language is given, or one with spaces, its script decides.

    Args:
        references: plain text.
        language: a code as `bleu_tokenizer` takes it; None if none is given.

    """
    given = bleu_tokenizer(language)
    seen = language_seen(references) if given.name in ("13a", "zh") else None
    if seen is None or bleu_tokenizer(seen) == given:
        return Chosen(language, given.note)
    found = bleu_tokenizer(seen)
    why = "no language was given" if language is None else f'the language given is "{language}"'
    note = f'{why}, and the references are mostly in the script of "{seen}": BLEU cuts them by {found.name}'
    return Chosen(seen, f"{note}. {found.note}" if found.note else note)


def unfit_for_wmt14(references: Sequence[str], language: str | None) -> str | None:
    """Return why the paper's BLEU, which is made for German words and compounds, does not fit; None if it does.

    If no language is given, any text in Latin letters may be German.
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
    """Count the words of lines or, if the language has no spaces between words, the characters except white space.

    Args:
        lines: plain text.
        language: as `choose` takes it. Korean has spaces, whatever BLEU does with it.

    """
    language = choose(lines, language).language
    if has_spaces(language):
        return Lengths([len(line.split()) for line in lines], "words")
    return Lengths([len("".join(line.split())) for line in lines], "characters")
