"""Labelled bracketing recall, precision and F1 of parses by the rules of EVALB with COLLINS.prm.

The figures of section 6.3 are counted so. By the README of EVALB (Sekine and Collins 1997), sections 6 and 7, and by
its program where that is silent:

1. TOP is not counted, nor are words tagged -NONE- , : `` '' and . (a comma, a colon, quotes, a full stop), nor
   constituents that hold nothing else. A constituent with such a label is not counted, but its contents are.
2. The part of a label from "-" or "=" on is cut off: NP-SBJ and NP=2 are NP.
3. ADVP and PRT are the same.
4. A constituent is right if the other tree has one with the same label over the same words; if a label occurs there
   several times, as often as it occurs in both.
5. The words left after 1. must be the same. If they differ, or their number does, the sentence is an error; if the
   parse has none left, it is skipped. Neither counts in any figure, and both are reported. So a parse that tags a word
   as punctuation which the treebank does not is not counted.

Recall, precision and tagging are shares of the constituents and words of all sentences, exact match of the sentences.
This file travels with the module beside it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from vaswani.data.trees import Leaf, Node, read_trees
from vaswani.data.trees.tree import Close, Open, walk

SIGNATURE = "prm:COLLINS|labelled:yes|cutoff:none"

DELETED = frozenset({"TOP", "-NONE-", ",", ":", "``", "''", "."})
"""DELETE_LABEL of COLLINS.prm."""
ALIKE = {"PRT": "ADVP"}
"""EQ_LABEL of COLLINS.prm."""


class Counts(NamedTuple):
    """The counts of one sentence, or of many."""

    right: int  # constituents that both trees have
    gold: int  # constituents of the treebank's tree
    parsed: int  # constituents of the parse
    exact: int  # sentences whose constituents are all right, and none missing
    words: int  # that are not deleted
    tags: int  # of these, with the same tag in both

    def __add__(self, other: object) -> "Counts":
        assert isinstance(other, Counts)
        return Counts(*(a + b for a, b in zip(self, other, strict=True)))


class Figures(NamedTuple):
    """EVALB's report on all sentences, in per cent; 0 where there is nothing to divide by."""

    recall: float
    precision: float
    f1: float
    exact_match: float
    tagging: float
    sentences: int
    errors: int
    skipped: int


class Bracket(NamedTuple):
    """A constituent: its label and the words that it spans, counted without the deleted ones."""

    label: str
    start: int
    end: int


class Brackets(NamedTuple):
    """A tree in the form that is compared."""

    constituents: Counter[Bracket]
    words: list[Leaf]


def score_bracketed(parses: Sequence[str], golds: Sequence[str]) -> dict[str, Any]:
    """Return the `Figures` of bracketed trees, one to a string, by their names, and `signature`."""
    of_golds, of_parses = ([_read(text) for text in side] for side in (golds, parses))
    return evalb(of_golds, of_parses)._asdict() | {"signature": SIGNATURE}


def evalb(golds: Sequence[Node], parses: Sequence[Node]) -> Figures:
    """Compare parses with the treebank's trees, one for each.

    Raises:
        ValueError: their numbers differ, or there are none.

    """
    if len(golds) != len(parses) or not golds:
        raise ValueError(f"{len(parses)} parses for {len(golds)} trees: give one for each, and at least one")
    compared = [compare(gold, parse) for gold, parse in zip(golds, parses, strict=True)]
    counted = [each for each in compared if isinstance(each, Counts)]
    total = sum(counted, Counts(0, 0, 0, 0, 0, 0))
    recall, precision = share(total.right, total.gold), share(total.right, total.parsed)
    return Figures(
        recall=recall,
        precision=precision,
        f1=2 * recall * precision / (recall + precision) if total.right else 0.0,
        exact_match=share(total.exact, len(counted)),
        tagging=share(total.tags, total.words),
        sentences=len(golds),
        errors=compared.count("error"),
        skipped=compared.count("skipped"),
    )


def compare(gold: Node, parse: Node) -> Counts | str:
    """Return the counts of one sentence, or "error" or "skipped" if it is not counted."""
    theirs, ours = brackets(gold), brackets(parse)
    if not ours.words:
        return "skipped"
    if [leaf.word for leaf in theirs.words] != [leaf.word for leaf in ours.words]:
        return "error"
    right, total, parsed = (
        each.total() for each in (theirs.constituents & ours.constituents, theirs.constituents, ours.constituents)
    )
    tags = sum(alike(a.tag) == alike(b.tag) for a, b in zip(theirs.words, ours.words, strict=True))
    return Counts(right, total, parsed, int(right == total == parsed), len(ours.words), tags)


def brackets(tree: Node) -> Brackets:
    """Return the constituents and words of a tree that are counted."""
    constituents: Counter[Bracket] = Counter()
    words: list[Leaf] = []
    starts: list[int] = []
    for step in walk(tree):
        if isinstance(step, Open):
            starts.append(len(words))
        elif isinstance(step, Close):
            label, start = alike(cut(step.label)), starts.pop()
            if start < len(words) and label not in DELETED:
                constituents[Bracket(label, start, len(words))] += 1
        elif step.tag not in DELETED:
            words.append(step)
    return Brackets(constituents, words)


def cut(label: str) -> str:
    """Return a label without function tags and indices."""
    return label.partition("-")[0].partition("=")[0]


def alike(label: str) -> str:
    """Return the label that stands for all equal ones."""
    return ALIKE.get(label, label)


def share(part: int, whole: int) -> float:
    """Return per cent."""
    return 100 * part / whole if whole else 0.0


def _read(text: str) -> Node:
    trees = read_trees(text)
    if len(trees) != 1:
        raise ValueError(f"{len(trees)} trees where one is needed: {text[:60]!r}")
    return trees[0]
