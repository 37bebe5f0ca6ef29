"""How many terms of a glossary are kept by a translation: of those in the source, those whose target term stands in it.

Both are found as whole words, as `vaswani.data.glossary.matching` says. The target terms of all terms of a line are
looked for together, the longest first, so that one word of the translation serves one term alone.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from vaswani.data.glossary.glossary import Glossary, Term
from vaswani.data.glossary.matching import TermFinder


class TermsOfLine(NamedTuple):
    """A term in a source."""

    term: Term
    wanted: int
    """How often it stands there."""
    kept: int
    """How often, at most as often, one of its target terms stands in the translation for it."""


class KeptTerms(NamedTuple):
    """The terms of a text."""

    lines: int
    with_terms: int
    """Lines whose sources have any."""
    wanted: int
    kept: int
    missed: tuple[tuple[Term, int, int], ...]
    """Terms that are not always kept, with how often they are wanted and missed; the most missed first."""

    @property
    def share(self) -> float | None:
        """Kept / wanted; None where there is no term."""
        return self.kept / self.wanted if self.wanted else None


def terms_of_line(glossary: Glossary, source: str, translation: str) -> list[TermsOfLine]:
    """Return the terms of a source, and how many of each are kept."""
    terms = glossary.terms_in(source)
    if not terms:
        return []
    targets = list(dict.fromkeys(target for term, _ in terms for target in term.targets))
    there = Counter(targets[each.number] for each in TermFinder(targets).find(translation))
    found = []
    for term, wanted in terms:
        kept = 0
        for target in term.targets:
            served = min(there[target], wanted - kept)
            there[target] -= served
            kept += served
        found.append(TermsOfLine(term, wanted, kept))
    return found


class TermCounter:
    """Counts the terms of a text, line by line."""

    def __init__(self, glossary: Glossary) -> None:
        self.glossary = glossary
        self._lines = self._with_terms = 0
        self._wanted, self._kept = Counter[Term](), Counter[Term]()

    def add(self, source: str, translation: str) -> list[TermsOfLine]:
        """Count a line, and return its terms."""
        found = terms_of_line(self.glossary, source, translation)
        self._lines += 1
        self._with_terms += bool(found)
        for term, wanted, kept in found:
            self._wanted[term] += wanted
            self._kept[term] += kept
        return found

    def counted(self) -> KeptTerms:
        """Return what was counted so far."""
        missed = ((term, wanted, wanted - self._kept[term]) for term, wanted in self._wanted.items())
        return KeptTerms(
            self._lines,
            self._with_terms,
            self._wanted.total(),
            self._kept.total(),
            tuple(sorted((each for each in missed if each[2]), key=lambda each: (-each[2], each[0]))),
        )


def kept_terms(glossary: Glossary, sources: Iterable[str], translations: Sequence[str]) -> KeptTerms:
    """Return how many terms of some sources are kept by their translations, a line for a line."""
    counter = TermCounter(glossary)
    for source, translation in zip(sources, translations, strict=True):
        counter.add(source, translation)
    return counter.counted()
