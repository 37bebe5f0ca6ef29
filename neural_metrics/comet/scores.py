"""A score for each line of several outputs, by a network of COMET."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor

from .checkpoint import Comet
from .network import estimate, features, vectors_of

LINES = 1024
"""Scored at a time: what is said several times within them is read once."""
Lines = Sequence[str]
Texts = tuple[str, ...]
"""What XLM-R reads at once: one text, or several that are joined."""


class Scored(NamedTuple):
    """The scores, and what of the text they do not cover."""

    of_lines: NDArray[np.float64]
    """`[outputs, lines]`."""
    cut: int
    """How many texts, or joined texts, are longer than what XLM-R reads, and count by their begin."""


class Read(NamedTuple):
    """Tokens by their numbers, of one sequence."""

    ids: list[int]
    is_cut: bool


def lengths_of(comet: Comet) -> tuple[int, int]:
    """Return the most tokens of one text, its begin and end included, and of one sequence.

    XLM-R reads 512 of its 514 positions. The package takes off another two for begin and end, and the tokenizer counts
    these once more, so that texts end at 510.
    """
    whole = comet.network.encoder.config.max_position_embeddings - 2
    return whole - 2, whole


def signature(comet: Comet, references: bool, drawn: Mapping[str, str]) -> str:
    """Return what the scores depend on, and how lines were drawn.

    Args:
        comet: the network.
        references: whether references were read.
        drawn: bs, ar and seed of a comparison.

    """
    parts = {
        "nrefs": str(int(references)),
        **drawn,
        "model": comet.name,
        "sha256": comet.digest,
        "class": comet.network.settings.kind,
        "encoder": comet.encoder,
        "transformers": transformers.__version__,
        "torch": torch.__version__,
    }
    return "|".join(f"{name}:{value}" for name, value in parts.items())


def number_of_texts(comet: Comet, outputs: Sequence[Lines], sources: Lines | None, references: Lines | None) -> int:
    """Return how much `score_lines` reads, for a bar."""
    return sum(len(_read_of(comet, *part)[0]) for part in _windows(outputs, sources, references))


def score_lines(
    comet: Comet,
    outputs: Sequence[Lines],
    sources: Lines | None,
    references: Lines | None,
    update: Callable[[int], None] = lambda _: None,
) -> Scored:
    """Score each line of each output.

    Args:
        comet: the network.
        outputs: translations, all of as many lines.
        sources: as many; None if the network reads none.
        references: as many; None for no references.
        update: is told how many more texts are read, of `number_of_texts`.

    Raises:
        ValueError: the network reads what is not given.

    """
    check_inputs(comet, sources is not None, references is not None)
    found, cut = [], 0
    for part in _windows(outputs, sources, references):
        texts, places = _read_of(comet, *part)
        read = [_tokens(comet, each) for each in texts]
        cut += sum(each.is_cut for each in read)
        vectors = vectors_of(comet.network, [each.ids for each in read], update)
        found.append(_scores(comet, vectors, places))
    return Scored(np.concatenate(found, axis=1), cut)


def check_inputs(comet: Comet, sources: bool, references: bool) -> None:
    """Raise ValueError if a network reads what is not given."""
    settings = comet.network.settings
    if settings.reads_sources and not sources:
        raise ValueError(f"{comet.name} reads the sources too: give --sources FILE")
    if settings.needs_references and not references:
        raise ValueError(f"{comet.name} ({settings.kind}) reads references: give --references FILE")


def _windows(
    outputs: Sequence[Lines], sources: Lines | None, references: Lines | None
) -> list[tuple[list[Lines], Lines | None, Lines | None]]:
    """Cut parallel lines."""
    return [
        (
            [each[start : start + LINES] for each in outputs],
            None if sources is None else sources[start : start + LINES],
            None if references is None else references[start : start + LINES],
        )
        for start in range(0, len(outputs[0]), LINES)
    ]


def _read_of(
    comet: Comet, outputs: Sequence[Lines], sources: Lines | None, references: Lines | None
) -> tuple[list[Texts], NDArray[np.int64]]:
    """Return what XLM-R reads, each once, and of each line where that stands there: `[outputs, lines, k]`.

    Of a unified network k counts its passes over a line. Of others it counts the texts: translation, source, reference.
    """
    settings = comet.network.settings
    more: list[tuple[Lines, ...]] = [
        (lines,)
        for lines, is_read in ((sources, settings.reads_sources), (references, settings.reads_references))
        if lines is not None and is_read
    ]
    places: dict[Texts, int] = {}
    rows = []
    for output in outputs:
        if settings.kind == "unified_metric":
            passes = [(output, *each) for each in more]
            passes += [(output, *(lines for each in more for lines in each))] if len(more) > 1 else []
        else:
            passes = [(output,), *more]
        columns = [[places.setdefault(texts, len(places)) for texts in zip(*each, strict=True)] for each in passes]
        rows.append(np.array(columns).T)
    return list(places), np.stack(rows)


def _tokens(comet: Comet, texts: Texts) -> Read:
    """Return the tokens of a text, <s> A </s>, or of several, <s> A </s></s> B </s>, as far as XLM-R reads them."""
    of_text, of_sequence = lengths_of(comet)
    read = [_cut(comet.tokenizer.encode(text).ids, of_text) for text in texts]
    if comet.network.settings.kind != "unified_metric":
        return read[0]
    padding = comet.network.padding
    ids = [[number for number in each.ids if number != padding] for each in read]
    begin, end = ids[0][0], ids[0][-1]
    whole = [begin, *ids[0][1:]]
    for further in ids[1:]:
        whole += [end, *further[1:]]
    return Read(whole[:of_sequence], len(whole) > of_sequence or any(each.is_cut for each in read))


def _cut(ids: list[int], most: int) -> Read:
    """Leave out tokens before the end."""
    return Read(ids, False) if len(ids) <= most else Read([*ids[: most - 1], ids[-1]], True)


def _scores(comet: Comet, vectors: Tensor, places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return `[outputs, lines]` from the vectors of all texts and the places of each line."""
    if comet.network.settings.kind == "unified_metric":
        return estimate(comet.network, vectors).double().numpy()[places].mean(axis=2)
    found = []
    for of_output in torch.from_numpy(places):
        translations, sources, *references = (vectors[column] for column in of_output.T)
        rows = features(translations, sources, references[0] if references else None)
        found.append(estimate(comet.network, rows).double().numpy())
    return np.stack(found)
