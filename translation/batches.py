"""Lines in, hypotheses of each out, in the same order: encoded, cut into batches of like length, searched for."""

from collections.abc import Callable, Iterator, Sequence

from vaswani.data.blank_text import is_blank

from .hypotheses import BLANK, BatchSearch, Hypothesis, Tokenizer
from .longest_text import check_characters
from .settings import UNBOUNDED


def search_lines(
    search: BatchSearch,
    tokenizer: Tokenizer,
    lines: Sequence[str],
    num_beams: int,
    tokens_per_batch: int,
    max_tokens: int = UNBOUNDED,
    progress: bool = False,
) -> list[list[Hypothesis]]:
    """Return the hypotheses of each line, in the order of the lines.

    Args:
        search: of a batch.
        tokenizer: closes a sentence with </s> by itself.
        lines: of any length.
        num_beams: of the search.
        tokens_per_batch: most source tokens in a batch, padding counted, times beams; a longer line goes alone.
        max_tokens: the most that the network can read of a line.
        progress: draw a bar on stderr.

    Raises:
        ValueError: `tokens_per_batch` is not positive, or a line has more than `max_tokens`.

    """
    if tokens_per_batch < 1:
        raise ValueError(f"tokens_per_batch is {tokens_per_batch}: give at least 1")
    for number, text in enumerate(lines, 1):
        check_characters(tokenizer, text, max_tokens, f"line {number}")
    sources = encode(tokenizer, lines)
    lengths = [len(source) for source in sources]
    if lengths and max(lengths) > max_tokens:
        line = lengths.index(max(lengths))
        raise ValueError(
            f"line {line + 1} has {lengths[line]:,} tokens, and the model knows {max_tokens:,} positions; split it "
            "into sentences"
        )
    cut = list(batches(lengths, tokens_per_batch // num_beams))
    if not progress:
        found = translate_batches(search, sources, cut)
    else:
        from tqdm import tqdm

        with tqdm(total=sum(map(bool, lengths)), unit=" lines", disable=None) as bar:
            found = translate_batches(search, sources, cut, bar.update)
    return [found.get(place, BLANK) for place in range(len(lines))]


def encode(tokenizer: Tokenizer, lines: Sequence[str]) -> list[list[int]]:
    """Return the ids of each line; a blank line has none."""
    full = [line for line in lines if not is_blank(line)]
    ids = iter(tokenizer(full).input_ids if full else [])
    return [[] if is_blank(line) else next(ids) for line in lines]


def translate_batches(
    search: BatchSearch,
    sources: Sequence[list[int]],
    cut: Sequence[list[int]],
    tell: Callable[[int], object] = lambda _: None,
) -> dict[int, list[Hypothesis]]:
    """Search batch after batch, and return the hypotheses by the place of their source; calls `tell` each time."""
    found: dict[int, list[Hypothesis]] = {}
    for batch in cut:
        found |= zip(batch, search([sources[place] for place in batch]), strict=True)
        tell(len(batch))
    return found


def batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Cut places into batches of like length, longest first, each within `budget` tokens once padded, or of one place.

    Longest first: if memory does not suffice, the first batch shows it. Places of length 0 are left out.
    """
    batch: list[int] = []
    full = (place for place in range(len(lengths)) if lengths[place])
    for place in sorted(full, key=lambda place: -lengths[place]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
