"""Trees, and the bracketed text of the Penn Treebank: (S (NP (DT The) (NN cat)) (VP (VBZ sleeps)) (. .)).

No function here is recursive: an untrained network may open hundreds of nested brackets.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias


class Leaf(NamedTuple):
    """A word and its part of speech."""

    tag: str
    word: str


class Tree(NamedTuple):
    """A constituent; it has at least one child."""

    label: str
    children: "tuple[Node, ...]"


Node: TypeAlias = Tree | Leaf


class Open(NamedTuple):
    """A constituent begins."""

    label: str


class Close(NamedTuple):
    """The innermost constituent ends."""

    label: str


Step: TypeAlias = Open | Leaf | Close


def walk(node: Node) -> Iterator[Step]:
    """Walk through a tree from left to right."""
    ahead: list[Node | Close] = [node]
    while ahead:
        each = ahead.pop()
        if isinstance(each, Tree):
            yield Open(each.label)
            ahead += [Close(each.label), *reversed(each.children)]
        else:
            yield each


def build(steps: Iterable[Step]) -> tuple[Node, ...]:
    """Return the trees that `walk` went through, in order, without empty constituents."""
    levels: list[tuple[str, list[Node]]] = [("", [])]
    for step in steps:
        if isinstance(step, Open):
            levels.append((step.label, []))
        elif isinstance(step, Leaf):
            levels[-1][1].append(step)
        else:
            label, children = levels.pop()
            if children:
                levels[-1][1].append(Tree(label, tuple(children)))
    [(_, nodes)] = levels
    return tuple(nodes)


def leaves(node: Node) -> list[Leaf]:
    """Return the words of a tree with their tags."""
    return [step for step in walk(node) if isinstance(step, Leaf)]


def bracketed(node: Node) -> str:
    """Return a tree as text on one line."""
    parts: list[str] = []
    for step in walk(node):
        if isinstance(step, Close):
            parts[-1] += ")"
        else:
            parts.append(f"({step.label}" if isinstance(step, Open) else f"({step.tag} {step.word})")
    return " ".join(parts)


def read_trees(text: str) -> list[Node]:
    """Read bracketed trees, one after the other, over any number of lines.

    A bracket without a label, as around every sentence in Penn's files, gets the label "".

    Raises:
        ValueError: the text is malformed; the message says where.

    """
    return list(build(_steps(re.findall(r"[()]|[^\s()]+", text))))


def _steps(pieces: list[str]) -> Iterator[Step]:
    """Read brackets, labels and words."""
    pieces = [*pieces, "", "", ""]  # to allow looking ahead
    labels: list[str] = []
    at, is_empty = 0, False
    while piece := pieces[at]:
        if piece == "(":
            label, word, end = pieces[at + 1 : at + 4]
            if label not in ("(", ")", "") and word not in ("(", ")", ""):
                if end != ")":
                    raise ValueError(
                        f"after ({label} {word} a closing bracket is needed, and {end or 'nothing'} follows"
                    )
                yield Leaf(label, word)
                at, is_empty = at + 4, False
                continue
            labels.append("" if label in ("(", ")", "") else label)
            yield Open(labels[-1])
            at, is_empty = at + (1 if labels[-1] == "" else 2), True
        elif piece == ")":
            if not labels:
                raise ValueError("a bracket closes that was not opened")
            if is_empty:
                raise ValueError(f"({labels[-1]}) has nothing in it")
            yield Close(labels.pop())
            at += 1
        else:
            raise ValueError(f"{piece} is outside a bracket of its own")
    if labels:
        raise ValueError(f"({labels[-1]} is not closed")
