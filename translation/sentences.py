"""Long lines in sentences: each is translated by itself, and a line's translations are put together again."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from .corpus import Line
from .hypotheses import Hypothesis

Split = Callable[[str], list[str]]
"""A line to its sentences with the white space behind each; joined, they are the line."""


def splitter(language: str) -> Split:
    """Return what splits lines by the rules of a language, such as en; needs the package sentencex.

    Raises:
        ValueError: it is not installed.

    """
    try:
        import sentencex
    except ImportError:
        raise ValueError("--split_sentences needs the package sentencex: pip install vaswani[documents]") from None
    return lambda line: list(sentencex.segment(language, line)) if line.strip() else [line]


class BySentences:
    """Cuts windows of lines into windows of sentences, and the results back into lines."""

    def __init__(self, split: Split) -> None:
        self.split = split
        self._pending: deque[tuple[list[str], list[list[str]]]] = deque()

    def windows(self, windows: Iterable[list[str]]) -> Iterator[list[str]]:
        """Yield the sentences of each window."""
        for lines in windows:
            cut = [self.split(line) for line in lines]
            self._pending.append((lines, cut))
            yield [sentence.strip() for sentences in cut for sentence in sentences]

    def lines(self, results: list[Line], before: int) -> list[Line]:
        """Return a window's lines from the results of its sentences, in the order of `windows`.

        A line is too long if a sentence of it is, and then it is empty: none is translated in part. Scores are not
        those of a line, and are left out.

        Args:
            results: of all sentences of the window.
            before: lines in front of it.

        """
        lines, cut = self._pending.popleft()
        rest = iter(results)
        found = []
        for number, (line, sentences) in enumerate(zip(lines, cut, strict=True), before + 1):
            parts = [(sentence, next(rest)) for sentence in sentences]
            is_too_long = any(part.is_too_long for _, part in parts)
            text = "" if is_too_long else _joined([(sentence, part.hypotheses[0].text) for sentence, part in parts])
            tokens = max(part.tokens for _, part in parts) if is_too_long else sum(part.tokens for _, part in parts)
            found.append(Line(number, line, tokens, is_too_long, [Hypothesis(text, None)], None))
        return found


def _joined(parts: list[tuple[str, str]]) -> str:
    """Join translations by the white space behind their sentences."""
    joined = "".join(text + sentence[len(sentence.rstrip()) :] for sentence, text in parts)
    return joined.strip()
