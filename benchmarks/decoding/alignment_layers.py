"""Measure from which decoder layer alignments are best read, by words whose counterpart is known from statistics alone.

python -m benchmarks.decoding.alignment_layers MODEL --train train.en train.de --test test.en test.de

There is no gold alignment for most corpora. But where "dog" and "Hund" stand together in nearly every pair of the
training text in which either stands, their link is certain, and where both occur once in a pair of the test text it is
unambiguous. For each layer: the share of such links that its alignment has.
"""

import argparse
import gzip
import re
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

import vaswani.modeling  # noqa: F401  (teaches the Auto classes)
from vaswani.translation import alignment
from vaswani.translation.alignment import by_attention

TIMES, DICE = 10, 0.8
"""A certain pair of words stands together so often, and 2 * together / (one + other) is at least this."""


def read(path: Path) -> list[str]:
    r"""Return the lines of a file, packed or not; one ends at "\n" and nowhere else."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        return [row.decode().removesuffix("\n").removesuffix("\r") for row in file]


def plain(line: str) -> list[str]:
    """Return the words of a line as they are counted: without case and outer punctuation."""
    return [re.sub(r"^\W+|\W+$", "", word).lower() for word in line.split()]


def certain(sources: list[str], targets: list[str]) -> set[tuple[str, str]]:
    """Return the pairs of words that hardly ever stand without each other."""
    one, other, both = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
    for source, target in zip(sources, targets, strict=True):
        left, right = set(plain(source)) - {""}, set(plain(target)) - {""}
        one.update(left)
        other.update(right)
        both.update((a, b) for a in left for b in right)
    return {(a, b) for (a, b), n in both.items() if n >= TIMES and 2 * n / (one[a] + other[b]) >= DICE}


def links(sources: list[str], targets: list[str], pairs: set[tuple[str, str]]) -> dict[int, set[tuple[int, int]]]:
    """Return the certain links by line."""
    found: dict[int, set[tuple[int, int]]] = {}
    for line, (source, target) in enumerate(zip(sources, targets, strict=True)):
        left, right = plain(source), plain(target)
        certain_here = {(left.index(a), right.index(b)) for a, b in pairs if left.count(a) == 1 and right.count(b) == 1}
        if certain_here:
            found[line] = certain_here
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder of a trained model")
    parser.add_argument(
        "--train",
        type=Path,
        nargs=2,
        required=True,
        metavar=("SOURCE", "TARGET"),
        help="training text, from which certain links are taken",
    )
    parser.add_argument(
        "--test",
        type=Path,
        nargs=2,
        required=True,
        metavar=("SOURCE", "TARGET"),
        help="text of which those links are looked for",
    )
    given = parser.parse_args()
    pairs = certain(*map(read, given.train))
    sources, targets = map(read, given.test)
    known = links(sources, targets, pairs)
    model: Any = AutoModelForSeq2SeqLM.from_pretrained(given.model).eval()
    tokenizer = AutoTokenizer.from_pretrained(given.model)
    total = sum(map(len, known.values()))
    print(f"{len(pairs):,} certain pairs of words; {total:,} links in {len(known):,} of {len(sources):,} lines")
    for layer in range(model.config.decoder_layers):
        hits = 0
        with torch.inference_mode(), mock.patch.object(alignment, "layer", lambda _, layer=layer: layer):
            align = by_attention([model], tokenizer)
            for line, expected in known.items():
                (row,) = align([sources[line]], [targets[line]])
                hits += len(expected & {(int(i), int(j)) for i, _, j in (link.partition("-") for link in row.split())})
        print(f"layer {layer + 1} of {model.config.decoder_layers}: {hits / total:.1%}")


if __name__ == "__main__":
    main()
