"""How many terms of a glossary are kept by a translation: of those in the source, those whose target term stands in it.

Both are found as whole words, as `vaswani.data.glossary.matching` says. The target terms of all terms of a line are
looked for together, the longest first, so that one word of the translation serves one term alone.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from vaswani.data.glossary.glossary import Glossary, Term
from vaswani.data.glossary.matching import TermFinder, forms


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
    there = [translation[each.start : each.end] for each in TermFinder(targets).find(translation)]
    spots = []
    for term, _ in terms:
        serve = {form for target in term.targets for form in forms(target)}
        spots.append([spot for spot, text in enumerate(there) if text in serve])
    kept = matched(spots, [wanted for _, wanted in terms])
    return [TermsOfLine(term, wanted, of) for (term, wanted), of in zip(terms, kept, strict=True)]


def matched(spots: Sequence[Sequence[int]], wanted: Sequence[int]) -> list[int]:
    """Return how many places each of some terms gets, so that as many are kept as can be (a largest matching).

    Args:
        spots: the places that can serve each term; one serves a single term.
        wanted: how many each term needs.

    """
    holders: dict[int, int] = {}

    def takes(term: int, tried: set[int]) -> bool:
        """Find a term one more place, if need be by having another term take another one."""
        for spot in spots[term]:
            if spot in tried or holders.get(spot) == term:
                continue
            tried.add(spot)
            if spot not in holders or takes(holders[spot], tried):
                holders[spot] = term
                return True
        return False

    kept = [0] * len(wanted)
    for term, number in enumerate(wanted):
        while kept[term] < number and takes(term, set()):
            kept[term] += 1
    return kept


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
