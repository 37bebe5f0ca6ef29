"""Engines other than torch, which run what `vaswani export` wrote: one file and one extra each, with one interface."""

import math
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from vaswani.translation.hypotheses import BatchSearch, BeamSettings, Hypothesis, Tokenizer, one_line


class Candidate(NamedTuple):
    """One translation, as an engine gives it."""

    tokens: list[int]
    """Its ids, without the start token, with the end token if it has ended."""
    score: float
    """log P / ((5 + length) / 6)^alpha."""


class Engine(Protocol):
    """An exported model, loaded."""

    max_positions: int
    """Most tokens of a source and of a translation."""

    def search(self, sources: list[list[int]], beams: BeamSettings) -> list[list[Candidate]]:
        """Return the best candidates of each sentence, ordered as by the paper's search."""
        ...


def engine_module(engine: str) -> Any:
    """Return the module of an engine, which has `Engine(folder, device, threads)`.

    Raises:
        ValueError: what it needs is not installed.

    """
    return with_extra(engine, engine)


def network_module(engine: str) -> Any:
    """Return the module that writes networks for an engine, with QUANTIZATIONS and `export`; as `engine_module`."""
    return with_extra(f"{engine}_network", engine)


def with_extra(module: str, extra: str) -> Any:
    """Return a module of this package that needs an extra; ValueError if that is not installed."""
    try:
        return import_module(f".{module}", __package__)
    except ModuleNotFoundError as error:
        raise ValueError(f"{error.name} is not installed; pip install 'vaswani[{extra}]'") from error


def check_lengths(sources: Sequence[list[int]], most: int) -> None:
    """Raise ValueError if a source is longer than the `most` positions of an exported model."""
    longest = max(map(len, sources))
    if longest > most:
        raise ValueError(
            f"a sentence has {longest} tokens, and the exported model has {most} positions; split the sentence, or "
            "translate it with torch"
        )


def check_probabilities(logarithms: Iterable[float]) -> None:
    """Raise ValueError unless a model gives probabilities: engines do not show their weights, and take NaN for one."""
    if any(map(math.isnan, logarithms)):
        raise ValueError(
            "the exported model gives probabilities that are no numbers: its weights are damaged; export it again"
        )


def by_engine(engine: Engine, tokenizer: Tokenizer, beams: BeamSettings) -> BatchSearch:
    """Return a search with an exported model; its tokenizer is in the same folder."""

    def hypothesis(candidate: Candidate) -> Hypothesis:
        text = tokenizer.decode(candidate.tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Hypothesis(one_line(str(text)), candidate.score if beams.number > 1 else None)

    def search(sources: list[list[int]]) -> list[list[Hypothesis]]:
        found = engine.search(sources, beams)
        check_probabilities(each.score for candidates in found for each in candidates)
        return [[hypothesis(each) for each in candidates] for candidates in found]

    return search
