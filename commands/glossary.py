"""`vaswani translate --glossary`: which way the terms go into the translation, and how many are kept."""

import argparse
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .asked_languages import asked_languages
from .kept_terms import as_text

if TYPE_CHECKING:
    from vaswani.data.glossary.glossary import Glossary
    from vaswani.translation.corpus import Line, Translator

SHOWN = 10
"""Lines with missing terms, and terms that cannot be written, that are named."""


def glossary_of(args: argparse.Namespace) -> "Glossary | None":
    """Return the glossary of --glossary, if it is given; raises ValueError if it is damaged."""
    if args.glossary is None:
        return None
    if args.sample:
        raise ValueError("--sample draws translations, and --glossary demands terms of them: leave one out")

    from vaswani.data.glossary.reading import read_glossary

    return read_glossary(args.glossary, asked_languages(args))


def say_how(translator: "Translator", is_main: bool) -> None:
    """Say on stderr how a translator uses its glossary, and which terms it cannot write.

    Raises:
        ValueError: words are to be aligned, and those that the network reads are not those of the line.

    """
    if translator.annotate is not None and translator.align is not None:
        raise ValueError(
            "--align counts the words of a line, and this model reads terms of the glossary among them: leave out "
            "--align or --glossary"
        )
    if not is_main or sys.stderr is None or (translator.annotate is None and translator.terms is None):
        return
    how = "named in the sources, as the model was trained" if translator.terms is None else "demanded of the search"
    print(f"terms of the glossary are {how}", file=sys.stderr)
    left = [] if translator.terms is None else translator.terms.unspelled
    if left:
        more = ", ..." if len(left) > SHOWN else ""
        print(
            f"{len(left):,} term(s) have target terms that the model's vocabulary cannot write: "
            f"{', '.join(left[:SHOWN])}{more}",
            file=sys.stderr,
        )


class TermsOfLines:
    """Counts the terms that the translations of lines keep."""

    def __init__(self, glossary: "Glossary | None") -> None:
        from vaswani.evaluation.terms import TermCounter

        self._counter = None if glossary is None else TermCounter(glossary)
        self._missing: list[int] = []

    def add(self, lines: Iterable["Line"]) -> None:
        """Count those of a window, in the best hypothesis of each line."""
        for line in lines:
            self.count(line.number, line.source, line.hypotheses[0].text)

    def count(self, number: int, source: str, translation: str) -> None:
        """Count those of one text, which is in this line."""
        if self._counter is not None and any(
            each.kept < each.wanted for each in self._counter.add(source, translation)
        ):
            self._missing.append(number)

    def report(self, what: str = "lines") -> str | None:
        """Return the message for the user, if there is a glossary; `what` was counted."""
        if self._counter is None:
            return None
        more = ", ..." if len(self._missing) > SHOWN else ""
        where = f"; not all in line {', '.join(map(str, self._missing[:SHOWN]))}{more}" if self._missing else ""
        return f"terms: {as_text(self._counter.counted(), what).strip()}{where}"
