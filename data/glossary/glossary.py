"""What a glossary is: source terms, each with the target terms that translate it."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from vaswani.data.pairs import fingerprint

from .matching import Found, TermFinder, count


class Term(NamedTuple):
    """A source term."""

    source: str
    targets: tuple[str, ...]
    """Any of them translates it; the first is preferred."""

    def kept(self, text: str) -> int:
        """Return how often any of the target terms stands in a translation."""
        return count(text, self.targets)


@dataclass(frozen=True)
class Glossary:
    """The terms of a file, each source term once.

    Attributes:
        name: of the file, for messages.
        terms: in the order of the file.

    """

    name: str
    terms: tuple[Term, ...]

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal digits that change whenever a term does."""
        return fingerprint(json.dumps(self.terms))

    @cached_property
    def _finder(self) -> TermFinder:
        return TermFinder([term.source for term in self.terms])

    def find(self, text: str) -> list[Found]:
        """Return the source terms in a text, from left to right; `number` is the place in `terms`."""
        return self._finder.find(text)

    def terms_in(self, text: str) -> list[tuple[Term, int]]:
        """Return the terms of a source and how often each stands there, in the order of their first places."""
        found: dict[int, int] = {}
        for each in self.find(text):
            found[each.number] = found.get(each.number, 0) + 1
        return [(self.terms[number], times) for number, times in found.items()]


def glossary_of(name: str, entries: Iterable[tuple[str, Sequence[str]]]) -> Glossary:
    """Return a glossary of source terms with their target terms; entries with one source term become one.

    White space is at most one space, and none at either end.
    """
    found: dict[str, dict[str, None]] = {}
    for source, targets in entries:
        found.setdefault(" ".join(source.split()), {}).update(dict.fromkeys(" ".join(each.split()) for each in targets))
    return Glossary(name, tuple(Term(source, tuple(targets)) for source, targets in found.items()))
