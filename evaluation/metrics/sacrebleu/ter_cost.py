"""The cost of TER, estimated before it begins: sacrebleu's search for shifts takes very long on long lines.

A line tries up to 1,000 shifts of words, and for each the edit distance is computed anew, about 50 words wide along the
diagonal. That is 50 * 1,000 steps per word, of which Python does about a million a second: 50 words take two seconds at
worst, 300 half a minute, 1,000 several minutes. So the longest line has a limit, and so has the total work, estimated
from the words and never from a clock: the same text has a TER on every machine or on none.
"""

from collections import defaultdict
from collections.abc import Sequence

LONGEST = 300
"""Most words of a line, on either side."""
MOST = 500_000_000
"""Most steps of all lines. 3,000 lines of news come to 20 million and a minute; 100 lines of 300 words are at the
limit."""
_WIDTH, _SHIFTS, _REACH = 50, 1_000, 50  # sacrebleu's own limits


def reason_against(hypotheses: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> str | None:
    """Return why TER of lines of words cannot be computed, to follow "TER is left out:" in a sentence; or None."""
    pairs = list(zip(hypotheses, references, strict=True))
    long = [number for number, pair in enumerate(pairs, 1) if max(map(len, pair)) > LONGEST]
    if long:
        first = f"line {long[0]} has {max(map(len, pairs[long[0] - 1])):,}"
        which = first if len(long) == 1 else f"{places(long)}; {first}"
        return (
            f"its cost on long lines has no bound, so the limit is {LONGEST} words per line, and {len(long):,} of "
            f"{len(pairs):,} lines have more ({which})"
        )
    work = sum(steps(*pair) for pair in pairs)
    if work > MOST:
        return (
            f"its search for shifts would take about {work:,} steps on these {len(pairs):,} lines of up to "
            f"{max(len(side) for pair in pairs for side in pair)} words, and the limit is {MOST:,}"
        )
    return None


def steps(hypothesis: Sequence[str], reference: Sequence[str]) -> int:
    """Return about how many cells of edit distances one line computes: those of one, for every possible shift."""
    n, m = len(hypothesis), len(reference)
    where = defaultdict(list)
    for place, word in enumerate(reference):
        where[word].append(place)
    shifts = sum(
        0 < abs(place - other) <= _REACH for place, word in enumerate(hypothesis) for other in where.get(word, ())
    )
    return min(shifts, _SHIFTS) * min(n * m, _WIDTH * n + m)


def places(numbers: Sequence[int], most: int = 5) -> str:
    """Return the first of some numbers of lines."""
    shown = ", ".join(f"{number}" for number in numbers[:most])
    return f"line{'s' if len(numbers) > 1 else ''} {shown}{', ...' if len(numbers) > most else ''}"
