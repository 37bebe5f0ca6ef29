"""Constituency trees as text to translate into (section 6.3), as in "Grammar as a Foreign Language" (Vinyals et al.).

A sentence is its words, with a space between them. Its tree is written from left to right with the words left out:

    The cat sleeps .    ->    (S (NP (DT) (NN) )NP (VP (VBZ) )VP (.) )S
"""

from .linearization import TREES, delinearise, linearise, tokens_of
from .normalization import normalize_tree
from .tree import Leaf, Node, Tree, bracketed, leaves, read_trees
from .treebank import Treebank, open_treebank

__all__ = [
    "TREES",
    "Leaf",
    "Node",
    "Tree",
    "Treebank",
    "bracketed",
    "delinearise",
    "leaves",
    "linearise",
    "normalize_tree",
    "open_treebank",
    "read_trees",
    "tokens_of",
]
