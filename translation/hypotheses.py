"""What is searched for and what is found; without torch, which not every engine needs."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol


class Hypothesis(NamedTuple):
    """A translation of one line."""

    text: str
    """Without line ends."""
    score: float | None
    """log P over the length penalty; None in greedy search, and if no scores were asked for."""


BLANK = [Hypothesis("", None)]
"""The one translation of a blank line."""


@dataclass(frozen=True)
class BeamSettings:
    """How translations are searched for (section 6.1)."""

    number: int = 4
    """K; 1 is greedy search."""
    length_penalty: float = 0.6
    """alpha; larger favours longer translations."""
    n_best: int = 1
    """Hypotheses wanted for each sentence."""

    def __post_init__(self) -> None:
        if self.number < 1 or not 1 <= self.n_best <= self.number:
            raise ValueError(
                f"{self.number} beams and the {self.n_best} best are asked for: give at least 1 of each, and no more "
                "hypotheses than beams"
            )
        if not math.isfinite(self.length_penalty):
            raise ValueError(f"the length penalty is {self.length_penalty}; give a number, such as the paper's 0.6")


BatchSearch = Callable[[list[list[int]]], list[list[Hypothesis]]]
"""From the ids of each source to its hypotheses, best first."""


class Tokenizer(Protocol):
    """What translating asks of a tokenizer: that of transformers, or `plain_tokenizer.PlainTokenizer`."""

    def __call__(self, text: Any) -> Any:
        """Return an object whose `input_ids` are those of a text, or of each of several, with </s>."""

    def decode(
        self, token_ids: list[int], *, skip_special_tokens: bool = False, clean_up_tokenization_spaces: bool = False
    ) -> Any:
        """Return the text of some ids."""

    def get_vocab(self) -> dict[str, int]:
        """Return the id of each token."""


def one_line(text: str) -> str:
    """Replace line ends by spaces."""
    return text.replace("\r", " ").replace("\n", " ")
