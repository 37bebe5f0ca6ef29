"""Our count of constituents against EVALB itself, sentence by sentence, on random trees with every edge of its rules.

python -m benchmarks.scoring.evalb_parity EVALB COLLINS.prm --sentences 3000 --seed 0

EVALB is the program of Sekine and Collins (https://nlp.cs.nyu.edu/evalb/), compiled from its evalb.c; it is no part of
this repository. Trees hold function tags, traces, punctuation, brackets as labels and chains of one label. Of the
parses some are the treebank's, some have another tag or another word, and the others are drawn anew.
"""

import argparse
import random
import re
import subprocess
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from vaswani.data.trees import Leaf, Node, Tree, bracketed
from vaswani.evaluation.metrics.evalb.brackets import compare, evalb

LABELS = ("NP", "VP", "S", "ADVP", "PRT", "NP-SBJ", "PP=2", "TOP", "SBAR-TMP-1", "-LRB-", ".")
TAGS = ("NN", "VB", "DT", "ADVP", "PRT", "NN-X")
PUNCTUATION = (",", ":", "``", "''", ".", "-NONE-")


def draw_tree(draw: random.Random, leaves: Sequence[Leaf], depth: int = 0) -> Node:
    """Return a random tree over some words."""
    if len(leaves) == 1 and (depth > 10 or draw.random() < 0.7):
        return leaves[0]
    parts = draw.randint(2 if depth > 8 and len(leaves) > 1 else 1, min(len(leaves), 3))
    cuts = [0, *sorted(draw.sample(range(1, len(leaves)), parts - 1)), len(leaves)]
    children = [draw_tree(draw, leaves[a:b], depth + 1) for a, b in pairwise(cuts)]
    return Tree(draw.choice(LABELS), tuple(children))


def draw_pair(draw: random.Random) -> tuple[Node, Node]:
    """Return a treebank's tree and a parse."""
    leaves = [
        Leaf(draw.choice(TAGS if draw.random() < 0.7 else PUNCTUATION), f"w{draw.randint(0, 9)}")
        for _ in range(draw.randint(1, 9))
    ]
    gold = Tree("TOP", (draw_tree(draw, leaves),))
    if draw.random() < 0.1:
        return gold, gold
    others, place = list(leaves), draw.randrange(len(leaves))
    if draw.random() < 0.3:
        others[place] = others[place]._replace(tag=draw.choice(TAGS + PUNCTUATION))
    if draw.random() < 0.03:
        others[place] = others[place]._replace(word="other")
    return gold, Tree("TOP", (draw_tree(draw, others),))


def theirs(program: Path, parameters: Path, pairs: Sequence[tuple[Node, Node]]) -> list[Any]:
    """Return of each sentence right, gold and parsed constituents, words and right tags, or what else EVALB says."""
    with tempfile.TemporaryDirectory() as folder:
        limited = re.sub(r"(?m)^MAX_ERROR.*$", "MAX_ERROR 1000000", parameters.read_text())
        Path(folder, "parameters").write_text(limited)
        for name, side in (("gold", 0), ("parsed", 1)):
            Path(folder, name).write_text("".join(bracketed(pair[side]) + "\n" for pair in pairs))
        command = [str(program.absolute()), "-p", "parameters", "gold", "parsed"]
        out = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    print(out[out.index("=== Summary") :].partition("-- len")[0])
    rows = [line.split() for line in out.splitlines() if re.match(r"\s*\d+\s+\d+\s+\d\s", line)]
    status = {"1": "error", "2": "skipped"}
    return [status.get(row[2]) or tuple(int(row[column]) for column in (5, 6, 7, 9, 10)) for row in rows]


def main() -> None:
    """Compare, and say how many sentences are counted otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path, help="EVALB, compiled")
    parser.add_argument("parameters", type=Path, help="its parameters, COLLINS.prm")
    parser.add_argument("--sentences", type=int, default=3000, help="trees to draw (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the random draws (default: %(default)s)")
    args = parser.parse_args()
    draw = random.Random(args.seed)
    pairs = [draw_pair(draw) for _ in range(args.sentences)]
    expected = theirs(args.program, args.parameters, pairs)
    found = [compare(*pair) for pair in pairs]
    ours = [each if isinstance(each, str) else (*each[:3], *each[4:]) for each in found]
    print(evalb(*zip(*pairs, strict=True)))
    unlike = [place for place, (a, b) in enumerate(zip(expected, ours, strict=True)) if a != b]
    print(f"{len(unlike)} of {len(pairs)} sentences are counted otherwise")
    for place in unlike[:5]:
        print(*map(bracketed, pairs[place]), expected[place], ours[place], sep="\n  ")


if __name__ == "__main__":
    main()
