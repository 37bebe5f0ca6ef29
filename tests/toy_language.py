"""A toy language to learn in seconds: the adjective goes after the noun, and the verb last."""

import random
from pathlib import Path

ADJECTIVES = {"red": "rot", "big": "grop", "old": "alt", "new": "neu"}
NOUNS = {"cat": "kat", "dog": "hund", "house": "hus", "tree": "bom", "ship": "schip", "child": "kind"}
VERBS = {"sees": "süht", "likes": "mag", "finds": "findt", "knows": "kennt"}


def sentence(draw: random.Random) -> tuple[str, str]:
    """Return a sentence and its translation."""
    (a, ta), (b, tb) = draw.choice(list(ADJECTIVES.items())), draw.choice(list(ADJECTIVES.items()))
    (n, tn), (m, tm) = draw.choice(list(NOUNS.items())), draw.choice(list(NOUNS.items()))
    v, tv = draw.choice(list(VERBS.items()))
    return f"the {a} {n} {v} the {b} {m}.", f"de {tn} {ta} de {tm} {tb} {tv}."


def write_toy_text(folder: Path, train: int, val: int, test_toy: int) -> Path:
    """Write text files of so many pairs into a folder, from English into the toy language (nds), and return it."""
    draw = random.Random(1)
    for split, size in (("train", train), ("val", val), ("test_toy", test_toy)):
        pairs = [sentence(draw) for _ in range(size)]
        for side, language in enumerate(("en", "nds")):
            lines = "".join(pair[side] + "\n" for pair in pairs)
            (folder / f"{split}.{language}").write_text(lines, encoding="utf-8")
    return folder
