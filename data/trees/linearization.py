"""A tree as a sequence of tokens, and back, whatever a network has written (Vinyals et al. 2015, section 2).

The tokens are (NP where a constituent begins, )NP where it ends, and (NN) for a word. The words themselves are left
out, since they are known. Parts of speech stay as they are, as in tensor2tensor, the code of the paper
(`words_and_tags_from_wsj_tree` in data_generators/wsj_parsing.py, at commit 02fa80b); Vinyals et al. wrote XX for each.
In tensor2tensor a constituent ends with /NP and a word is NN, which differs from the beginning of a constituent only by
the lack of /NN. With its brackets a token cannot be mistaken for another one or for a word, since no word of a treebank
has a bracket.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from .normalization import TOP
from .tree import Close, Leaf, Open, Step, Tree, build, walk

TREES = "trees"
"""The name used as the target language: --direction en-trees."""

UNKNOWN = "XX"
"""The tag of a word for which the network wrote none."""

_TOKEN = re.compile(r"(?P<opens>\([^\s()]+)|(?P<closes>\)[^\s()]+)|(?P<leaf>\([^\s()]+\))")


class Reading(NamedTuple):
    """The tree that a sequence of tokens gives a sentence."""

    tree: Tree
    """Under `TOP`, over exactly the words of the sentence."""
    mended: Counter[str]
    """What had to be repaired, and how often; empty if the sequence was a tree of the sentence."""


def linearise(tree: Tree) -> str:
    """Return the tokens of a tree, with a space between them; the top label is left out.

    `delinearise` restores a tree in normal form without loss.
    """
    return " ".join(_symbol(step) for child in tree.children for step in walk(child))


def _symbol(step: Step) -> str:
    if isinstance(step, Leaf):
        return f"({step.tag})"
    return f"({step.label}" if isinstance(step, Open) else f"){step.label}"


def tokens_of(rows: Iterable[str]) -> list[str]:
    """Return the different tokens of many trees, the most frequent first."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update(row.split(" "))
    return sorted(counts, key=lambda token: (-counts[token], token))


def delinearise(row: str, words: Sequence[str]) -> Reading:
    """Return the tree that a sequence of tokens gives a sentence of one or more words, repaired if it is malformed.

    - Anything that is not a token of a tree is left out.
    - A constituent that is still open at the end is closed there (as Vinyals et al. did), or before that where one
      around it closes. An end without a beginning is left out, and so is a constituent without words.
    - Tags beyond the last word are left out; words beyond the last tag come at the end, outside all constituents,
      tagged `XX`.
    """
    mended: Counter[str] = Counter()
    forest = build(_mended(row.split(), words, mended))
    return Reading(Tree(TOP, forest), mended)


def _mended(tokens: Sequence[str], words: Sequence[str], mended: Counter[str]) -> Iterator[Step]:
    """Return the steps through a tree over these words, and count repairs in `mended`."""
    opened: list[str] = []
    filled: list[bool] = []  # which of them have words
    word = 0
    for token in tokens:
        found = _TOKEN.fullmatch(token)
        kind = found.lastgroup if found else None
        label = token.strip("()")
        if kind == "leaf":
            if word == len(words):
                mended["tag without a word"] += 1
                continue
            yield Leaf(label, words[word])
            word += 1
            filled = [True] * len(opened)
        elif kind == "opens":
            opened.append(label)
            filled.append(False)
            yield Open(label)
        elif kind == "closes" and label in opened:
            while (last := opened.pop()) != label:
                mended["constituent not closed"] += 1
                filled.pop()
                yield Close(last)
            if not filled.pop():
                mended["constituent without words"] += 1
            yield Close(label)
        else:
            mended["not a symbol" if kind is None else "end without a beginning"] += 1
    for label in reversed(opened):
        mended["constituent not closed"] += 1
        yield Close(label)
    for missing in words[word:]:
        mended["word without a tag"] += 1
        yield Leaf(UNKNOWN, missing)
