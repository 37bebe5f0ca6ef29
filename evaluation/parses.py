"""Scores of parses: figures by the rules of EVALB, and how many outputs were well-formed trees."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from vaswani.data.trees import Leaf, Tree, bracketed, delinearise, leaves
from vaswani.data.trees.linearization import UNKNOWN
from vaswani.data.trees.tree import Step, build, walk

from .metric_table import METRICS
from .metrics.evalb.brackets import DELETED, SIGNATURE, score_bracketed
from .scores import Score, check_lines


class Parses(NamedTuple):
    """The trees of some sentences, the treebank's and the network's, over the same words."""

    gold: list[Tree]
    parsed: list[Tree]
    valid: int
    """How many of the network's outputs were trees of their sentences, without any repair."""
    retagged: int
    """How many of the network's trees tagged a word as punctuation which the treebank does not, or the other way
    round."""


def read_parses(sentences: Sequence[str], references: Sequence[str], outputs: Sequence[str]) -> Parses:
    """Read linearised trees, and repair malformed ones (`vaswani.data.trees.delinearise`).

    The treebank decides what is punctuation. Otherwise EVALB would leave out every sentence in which the network has
    tagged a word as punctuation, with all its other mistakes. A wrong tag of the network stays wrong.
    """
    check_lines(outputs, references)
    golds = [delinearise(row, sentence.split()).tree for row, sentence in zip(references, sentences, strict=True)]
    readings = [delinearise(row, sentence.split()) for row, sentence in zip(outputs, sentences, strict=True)]
    parsed = [punctuated_as(gold, reading.tree) for gold, reading in zip(golds, readings, strict=True)]
    retagged = sum(reading.tree != parse for reading, parse in zip(readings, parsed, strict=True))
    return Parses(golds, parsed, sum(not reading.mended for reading in readings), retagged)


def punctuated_as(gold: Tree, parse: Tree) -> Tree:
    """Return a parse with the punctuation of the treebank's tree."""
    tags = iter(leaves(gold))

    def steps() -> Iterator[Step]:
        for step in walk(parse):
            if isinstance(step, Leaf):
                tag = next(tags).tag
                step = step._replace(tag=tag if tag in DELETED else UNKNOWN if step.tag in DELETED else step.tag)
            yield step

    [tree] = build(steps())
    assert isinstance(tree, Tree)
    return tree


def score_parses(parses: Parses) -> dict[str, Score]:
    """Return every figure of some parses, with its name and the settings that it depends on; all from 0 to 100.

    Raises:
        ValueError: there is nothing to score.

    """
    figures = score_bracketed(*([bracketed(tree) for tree in trees] for trees in (parses.parsed, parses.gold)))
    sentences = figures["sentences"]
    signature = f"evalb|{SIGNATURE}|punctuation:gold|sentences:{sentences}"
    if figures["errors"] or figures["skipped"]:
        signature += f"|errors:{figures['errors']}|skipped:{figures['skipped']}"
    named = {
        "f1": METRICS["f1"].name,
        "recall": "LR",
        "precision": "LP",
        "exact_match": "exact match",
        "tagging": "tagging",
    }
    mended = f"{sentences - parses.valid:,} of {sentences:,} were repaired"
    retagged = f"in {parses.retagged:,} of {sentences:,} the punctuation was taken from the treebank"
    return {
        **{key: Score(name, figures[key], signature) for key, name in named.items()},
        "valid": Score("valid trees", 100 * parses.valid / sentences, f"{mended}; {retagged}"),
    }
