"""Terms named in the source (Dinu et al. 2019): behind each source term stands the target term to be used.

    open the file  ->  open the__source__ file__target__ Datei__done__

Three tokens of the vocabulary stand around the two terms, in the form of OpusTrainer and so of Bergamot's models; they
take the place of the source factors of the paper. A network that was trained so copies the target term, and knows from
the sentence how to inflect it.
"""

from collections.abc import Collection, Iterable

from vaswani.data.pairs import Pair
from vaswani.data.random_draws import chances

from .glossary import Glossary
from .matching import Found, count

MARKS = ("__source__", "__target__", "__done__")
"""Before a source term, between it and its target term, and behind both."""

_DRAW = 0x7E23
"""Sets these random numbers apart from others by the same seed, epoch, row group and row."""


def annotated(source: str, terms: Iterable[tuple[Found, str]]) -> str:
    """Return a source with target terms behind its terms.

    The space before a term goes inside, so that each word keeps the pieces that it has elsewhere.

    Args:
        source: the text.
        terms: where source terms stand, from left to right, with their target terms.

    """
    begin, between, done = MARKS
    parts, place = [], 0
    for found, target in terms:
        has_space = source[max(place, found.start - 1) : found.start] == " "
        space = " " if has_space or found.start == 0 else ""
        parts += [source[place : found.start - has_space], begin, space, source[found.start : found.end]]
        parts += [between, space, target, done]
        place = found.end
    return "".join([*parts, source[place:]])


def knows_terms(vocabulary: Collection[str]) -> bool:
    """Return whether a vocabulary has the three marks, as that of a network that was trained with terms has."""
    return all(mark in vocabulary for mark in MARKS)


class Annotator:
    """Names the terms of a glossary in sources.

    Args:
        glossary: what is named.
        share: of the training pairs with terms on both sides, 0 to 1: so many get them, drawn anew in each epoch.

    """

    def __init__(self, glossary: Glossary, share: float = 1.0) -> None:
        self.glossary = glossary
        self.share = share

    def pair(self, key: tuple[int, ...], row: int, pair: Pair) -> Pair:
        """Return a training pair, with terms in its source if the key and the row draw so.

        Only terms whose target term stands in the target are named, and all of them.
        """
        found: list[tuple[Found, str]] = []
        for each in self.glossary.find(pair.source):
            targets = self.glossary.terms[each.number].targets
            found += [(each, target) for target in targets if count(pair.target, (target,))][:1]
        if not found or not next(chances(self.share, *key, row, _DRAW)):
            return pair
        return Pair(annotated(pair.source, found), pair.target)

    def line(self, source: str) -> str:
        """Return a source to be translated, with the preferred target term behind each of its terms."""
        terms = self.glossary.terms
        return annotated(source, ((each, terms[each.number].targets[0]) for each in self.glossary.find(source)))
