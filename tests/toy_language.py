"""A toy language to learn in seconds: the adjective goes after the noun, and the verb last."""

import random

ADJECTIVES = {"red": "rot", "big": "grop", "old": "alt", "new": "neu"}
NOUNS = {"cat": "kat", "dog": "hund", "house": "hus", "tree": "bom", "ship": "schip", "child": "kind"}
VERBS = {"sees": "süht", "likes": "mag", "finds": "findt", "knows": "kennt"}


def sentence(draw: random.Random) -> tuple[str, str]:
    """Return a sentence and its translation."""
    (a, ta), (b, tb) = draw.choice(list(ADJECTIVES.items())), draw.choice(list(ADJECTIVES.items()))
    (n, tn), (m, tm) = draw.choice(list(NOUNS.items())), draw.choice(list(NOUNS.items()))
    v, tv = draw.choice(list(VERBS.items()))
    return f"the {a} {n} {v} the {b} {m}.", f"de {tn} {ta} de {tm} {tb} {tv}."
