"""A trained model that translates lines: what `vaswani.load` returns, whatever engine it is loaded for."""

from collections.abc import Callable, Sequence

from .batches import search_lines
from .hypotheses import BatchSearch, BeamSettings, Hypothesis, Tokenizer


class LoadedModel:
    """A trained model that translates lines: what `vaswani.load` returns.

    Args:
        search: returns the search of a batch, given the settings of its beams and whether scores are asked for.
        tokenizer: closes a sentence with </s> by itself.
        max_tokens: the most of a source, with </s>, that the network can read.

    """

    def __init__(
        self, search: Callable[[BeamSettings, bool], BatchSearch], tokenizer: Tokenizer, max_tokens: int
    ) -> None:
        self.search = search
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens

    def translate(
        self,
        lines: Sequence[str],
        *,
        num_beams: int = 4,
        length_penalty: float = 0.6,
        tokens_per_batch: int = 4096,
        progress: bool = False,
    ) -> list[str]:
        """Return the translation of each line, in the order of the lines; a blank line gives an empty one.

        Args:
            lines: one sentence or paragraph each.
            num_beams: 1 is greedy search.
            length_penalty: alpha of section 6.1; larger favours longer translations.
            tokens_per_batch: most source tokens in a batch, padding counted, times beams; a longer line goes alone.
            progress: draw a bar on stderr.

        Raises:
            ValueError: a number is out of range, or a line has more tokens than the network can read.

        """
        beams = BeamSettings(num_beams, length_penalty)
        return [found[0].text for found in self._find(lines, beams, False, tokens_per_batch, progress)]

    def n_best(
        self,
        lines: Sequence[str],
        n: int,
        *,
        num_beams: int = 4,
        length_penalty: float = 0.6,
        tokens_per_batch: int = 4096,
        progress: bool = False,
    ) -> list[list[Hypothesis]]:
        """Return the `n` best hypotheses of each line with their scores, best first; otherwise like `translate`."""
        return self._find(lines, BeamSettings(num_beams, length_penalty, n), True, tokens_per_batch, progress)

    def _find(
        self, lines: Sequence[str], beams: BeamSettings, scores: bool, tokens_per_batch: int, progress: bool
    ) -> list[list[Hypothesis]]:
        if isinstance(lines, str):
            raise ValueError("lines is one string; give a list of strings, such as [text]")
        search = self.search(beams, scores)
        return search_lines(search, self.tokenizer, lines, beams.number, tokens_per_batch, self.max_tokens, progress)
