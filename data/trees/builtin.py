"""A built-in treebank: English-like sentences and their trees, drawn from a probabilistic context-free grammar of ours.

It lets anyone train and score a parser in minutes without a licence. Each sentence is a pure function of split and
number. The role of a word is seldom clear from the word alone: "that" begins a subordinate clause, a relative clause or
a noun phrase, "over" belongs to the verb or to a noun, "light" is a noun, an adjective or a verb; but the sentence
makes it clear.
The splits share no sentence: `validation` and `test` are those whose checksum says so.
"""

from hashlib import sha256
from zlib import crc32

from vaswani.data.grammar.phrases import Draw
from vaswani.data.pairs import ROWS_PER_GROUP, Pair

from .linearization import linearise
from .normalization import TOP
from .tree import Leaf, Node, Tree, leaves

SPLITS = ("train", "validation", "test")
_GROUPS = {"train": 20, "validation": 1, "test": 1}
_SIZES = {"train": ROWS_PER_GROUP, "validation": 200, "test": 300}
# Stands for the grammar in fingerprints; tests/test_trees.py computes it from the first group of each split.
DIGEST = "6f3d87a82b40bb958cf3acd26ac05c9cdbc74aaf75a53319c8ab3447dd75e89c"

RULES: dict[str, dict[str, int]] = {
    "S": {
        "NP VP .": 14,
        "PP/time , NP VP .": 3,
        "SBAR/when , NP VP .": 3,
        "NP ADVP VP .": 2,
        "VP/base .": 1,
        "S/clause , CC S/clause .": 3,
        "`` S/clause , '' NP VP/said .": 2,
    },
    "SQ": {"VBD/did NP/flat VP/base ./?": 1},
    "S/clause": {"NP VP/clause": 1},
    "S/gap": {"VP/short": 1},
    "S/to": {"VP/to": 1},
    "SBAR/that": {"IN/that S/clause": 1},
    "SBAR/when": {"WHADVP S/clause": 2, "IN/because S/clause": 1},
    "SBAR/rel": {"WHNP S/gap": 1},
    "WHADVP": {"WRB": 1},
    "WHNP": {"WDT": 2, "WP": 1},
    "NP": {
        "DT NN": 6,
        "DT JJ NN": 4,
        "DT JJ , JJ NN": 1,
        "DT ADJP/very NN": 1,
        "DT NN NN": 1,
        "PRP$ NN": 2,
        "PRP": 4,
        "NNP": 3,
        "NNP NNP": 1,
        "NNS": 2,
        "CD NNS": 1,
        "QP NNS": 1,
        "NP/owner NN": 2,
        "NP/flat PP/of": 3,
        "NP/flat SBAR/rel": 3,
        "NP/flat CC NP/flat": 2,
    },
    "NP/flat": {"DT NN": 4, "DT JJ NN": 2, "PRP$ NN": 1, "NNP": 2, "NNS": 1},
    "NP/owner": {"DT NN POS": 2, "NNP POS": 1},
    "NP/day": {"DT NN/time": 1},
    "QP": {"RB/about CD": 1},
    "ADJP/very": {"RB/very JJ": 1},
    "ADJP": {"JJ": 2, "RB/very JJ": 1},
    "ADVP": {"RB": 1},
    "PRT": {"RP": 1},
    "PP/of": {"IN/of NP/flat": 1},
    "PP/with": {"IN/with NP": 1},
    "PP/by": {"IN/by NP/flat": 1},
    "PP/time": {"IN/after NP/day": 1},
    "VP": {
        "VBD/tr NP": 6,
        "VBD/tr NP PP/with": 4,
        "VBD/in": 2,
        "VBD/in PP/with": 3,
        "VBD/in ADVP": 1,
        "VBD/prt PRT NP": 2,
        "VBD/thought SBAR/that": 2,
        "VBD/was ADJP": 2,
        "VBD/was VP/passive": 2,
        "VBD/wanted S/to": 2,
        "MD VP/base": 3,
        "VP/short CC VP/short": 2,
    },
    "VP/clause": {"VBD/tr NP": 3, "VBD/tr NP PP/with": 1, "VBD/in": 2, "VBD/was ADJP": 1, "MD VP/base": 2},
    "VP/short": {"VBD/tr NP/flat": 3, "VBD/in": 1, "VBD/prt PRT NP/flat": 1},
    "VP/base": {"VB/tr NP": 4, "VB/tr NP PP/with": 2, "VB/in": 2, "VB/in PP/with": 1},
    "VP/passive": {"VBN PP/by": 2, "VBN PP/time": 1, "VBN": 1},
    "VP/to": {"TO VP/base": 1},
    "VP/said": {"VBD/said": 1},
}
"""For each constituent, its possible expansions and their frequencies. A "/" and its suffix distinguish kinds of a
label."""

WORDS = {
    "DT": "the the the a a that this every",
    "NN": "king queen horse fish letter house garden river stone song picture watch walk light play boat door road "
    "teacher child bird tree market window table story",
    "NN/time": "war storm winter harvest meeting night",
    "NNS": "dogs kings letters birds stones children horses songs boats houses friends plays",
    "NNP": "Anna Bruno Clara Emil Frieda Greta Hugo Ida Jonas Lotte",
    "PRP": "she he they it we",
    "PRP$": "his her their our",
    "CD": "two three five seven twelve forty",
    "JJ": "old young light green small quiet proud early heavy clever poor happy",
    "RB": "quickly often early never quietly soon",
    "RB/very": "very rather so",
    "RB/about": "about almost nearly",
    "VBD/tr": "saw found loved carried painted watched lost kept followed sold",
    "VBD/in": "slept laughed waited sang walked vanished",
    "VBD/prt": "picked turned gave took",
    "VBD/thought": "thought knew believed hoped",
    "VBD/said": "said whispered shouted",
    "VBD/wanted": "wanted tried began",
    "VBD/was": "was became seemed",
    "VBD/did": "did",
    "VB/tr": "see find love carry paint watch lose keep light follow",
    "VB/in": "sleep laugh wait sing walk vanish play",
    "VBN": "seen found loved carried painted watched",
    "MD": "will can must should could",
    "TO": "to",
    "RP": "up out over down",
    "IN/of": "of",
    "IN/with": "with near over behind",
    "IN/by": "by",
    "IN/after": "after before during",
    "IN/that": "that",
    "IN/because": "because although",
    "WRB": "when where",
    "WDT": "that which",
    "WP": "who",
    "CC": "and and or but",
    "POS": "'s",
    ".": ". . . !",
    "./?": "?",
    ",": ",",
    "``": "``",
    "''": "''",
}
"""The words of each part of speech; a word that is listed twice is twice as frequent."""

_EXPANSIONS = {label: [body for body, weight in of.items() for _ in range(weight)] for label, of in RULES.items()}
_WORDS = {tag: words.split() for tag, words in WORDS.items()}


def draw_tree(draw: Draw) -> Tree:
    """Draw a tree under `TOP`."""
    return Tree(TOP, (_draw_node(draw, "SQ" if draw.chance(0.05) else "S"),))


def _draw_node(draw: Draw, kind: str) -> Node:
    label = kind.partition("/")[0]
    if kind in _WORDS:
        return Leaf(label, draw.pick(_WORDS[kind]))
    return Tree(label, tuple(_draw_node(draw, part) for part in draw.pick(_EXPANSIONS[kind]).split()))


def _split_of(sentence: str) -> str:
    """The split of a sentence: an eighth each to validation and test."""
    return {0: "validation", 1: "test"}.get(crc32(sentence.encode()) % 8, "train")


class BuiltinTreebank:
    """Sentences and their linearised trees: 20,000 to train on, 200 to validate and 300 to test.

    Args:
        split: one of `SPLITS`.
        groups: how many groups (of 1,000 in train); 20 of train and 1 of the others by default. A group does not
            depend on it.

    """

    splits_are_apart = True

    def __init__(self, split: str, groups: int | None = None) -> None:
        self.split = split
        self.name = f"built-in trees:{split}"
        self.groups = groups or _GROUPS[split]
        self.rows = self.groups * _SIZES[split]
        self.fingerprint = sha256(f"{DIGEST} {split} {self.groups}".encode()).hexdigest()

    def trees(self, group: int) -> list[Tree]:
        """Return the trees of one group, of different sentences."""
        if not 0 <= group < self.groups:
            raise IndexError(f"{self.name} has the groups 0 to {self.groups - 1}, and {group} was asked for")
        draw = Draw(f"trees {self.split} {group}", unseen=False)
        found: dict[str, Tree] = {}
        while len(found) < _SIZES[self.split]:
            tree = draw_tree(draw)
            sentence = words_of(tree)
            if _split_of(sentence) == self.split:
                found.setdefault(sentence, tree)
        return list(found.values())

    def read(self, group: int) -> list[Pair]:
        """Return the pairs of one group."""
        return [Pair(words_of(tree), linearise(tree)) for tree in self.trees(group)]


def words_of(tree: Tree) -> str:
    """Return the sentence of a tree."""
    return " ".join(leaf.word for leaf in leaves(tree))
