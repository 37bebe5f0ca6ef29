"""Make a glossary from parallel text: nouns that nearly always have one translation, for measurements with terms.

python -m benchmarks.data.frequent_terms --sources train.en --targets train.de --output terms.tsv

A word of the source and a word of the target are a pair of terms if they stand in the same pairs of lines: of those
with the source word a large share has the target word, of those with the target word a share has the source word, and
neither has a better partner (by the Dice coefficient, as in alignment_layers.py). Target words begin with a capital
inside a sentence, as German nouns do, and are another word than the source.
"""

import argparse
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from vaswani.commands.line_files import read_lines, write_lines
from vaswani.flags import numbers, whole

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_SHORTEST = 4


def words_of(line: str, with_capital: bool) -> set[str]:
    """Return the words of a line that can be terms: in small letters, or with a capital and not the first."""
    found = [match.group() for match in _WORD.finditer(line)]
    kept = (each for place, each in enumerate(found) if len(each) >= _SHORTEST and (place or not with_capital))
    return {each for each in kept if (each.istitle() if with_capital else each.islower())}


def terms(
    pairs: Iterable[tuple[str, str]], least: int, forwards: float, backwards: float
) -> list[tuple[str, str, int, int]]:
    """Return pairs of terms with the pairs of lines that have both, and those that have the source word.

    Args:
        pairs: lines.
        least: pairs of lines that have both words.
        forwards: the least share of those with the source word that have the target word.
        backwards: likewise of those with the target word.

    """
    of_source, of_target, of_both = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
    for source, target in pairs:
        sources, targets = words_of(source, False), words_of(target, True)
        of_source.update(sources)
        of_target.update(targets)
        of_both.update((one, other) for one in sources for other in targets)
    found = [
        (one, other, both, of_source[one])
        for (one, other), both in of_both.items()
        if both >= least and both >= forwards * of_source[one] and both >= backwards * of_target[other]
    ]

    def dice(one: str, other: str) -> float:
        return 2 * of_both[one, other] / (of_source[one] + of_target[other])

    best: dict[tuple[int, str], tuple[float, str]] = {}  # of a word of a side, its partner
    for one, other in of_both:
        for side, word, partner in ((0, one, other), (1, other, one)):
            best[side, word] = max(best.get((side, word), (0.0, "")), (dice(one, other), partner))
    mutual = [each for each in found if best[0, each[0]][1] == each[1] and best[1, each[1]][1] == each[0]]
    return sorted((each for each in mutual if each[0] != each[1].lower()), key=lambda each: (-each[2], each))


def main() -> None:
    """Write the glossary."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sources", type=Path, required=True, help="lines")
    parser.add_argument("--targets", type=Path, required=True, help="as many lines")
    parser.add_argument("--output", type=Path, required=True, help="TSV with two columns")
    parser.add_argument("--least", type=whole(1), default=20, help="pairs of lines with both words (default: 20)")
    parser.add_argument(
        "--forwards", type=numbers(0, 1), default=0.6, help="share of a source word's lines (default: 0.6)"
    )
    parser.add_argument(
        "--backwards", type=numbers(0, 1), default=0.4, help="share of a target word's lines (default: 0.4)"
    )
    args = parser.parse_args()
    pairs = zip(read_lines(args.sources), read_lines(args.targets), strict=True)
    found = terms(pairs, args.least, args.forwards, args.backwards)
    write_lines(args.output, [f"{one}\t{other}" for one, other, _, _ in found])
    print(f"{len(found):,} pairs of terms in {args.output}")


if __name__ == "__main__":
    main()
