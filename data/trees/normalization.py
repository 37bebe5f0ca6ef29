"""The part of a treebank's annotation that is parsed: bare labels over words, as EVALB counts them."""

from collections.abc import Iterator

from .tree import Close, Leaf, Node, Open, Step, Tree, build, walk

TOP = "TOP"
"""The label over every tree; it carries no information."""
WRAPPERS = frozenset({"", TOP, "ROOT", "S1"})
"""Labels over whole trees in the files of various treebanks."""
TRACE = "-NONE-"
"""The tag of elements that are not words: traces and other empty elements."""


def normalize_tree(node: Node) -> Tree | None:
    """Return a tree without traces, empty constituents, function tags and indices, under `TOP`.

    (NP-SBJ-1 (NNS cats)) becomes (NP (NNS cats)). Return None if there is no word in it.
    """
    children = build(_plain(node))
    return Tree(TOP, children) if children else None


def _plain(node: Node) -> Iterator[Step]:
    for step in walk(node):
        if isinstance(step, Leaf):
            if step.tag != TRACE:
                yield step
        elif (label := without_labels(step.label)) not in WRAPPERS:
            yield Open(label) if isinstance(step, Open) else Close(label)


def without_labels(label: str) -> str:
    """Return a constituent's label without the part from "-" or "=" on: NP-SBJ is NP, WHNP=2 is WHNP."""
    for mark in "-=":
        label = label[:1] + label[1:].partition(mark)[0]
    return label
