"""The network of COMET: states of XLM-R, weighted over its layers, one vector for a text, and a regression on vectors.

For the vectors of a translation h, a source s and a reference r, each read alone (Rei et al. 2020, section 2.3):

    score = estimator([h; r; h * r; |h - r|; h * s; |h - s|])

Without references it is estimator([h; s; h * s; |h - s|]). A unified network (Rei et al. 2022) joins the texts into one
sequence, and the estimator reads the state of its first token.

Shapes: B texts, T tokens, D width of XLM-R, L its layers and the embeddings below them.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vaswani.translation.batches import batches

from .settings import Settings

EPSILON = 1e-12
"""Of the normalisation of a layer."""
TOKENS = 4096
"""In a batch, padding included: the states of 25 layers of 1,024 numbers are then 420 MB."""
ROWS = 4096
"""Of features, in a batch of the estimator."""
FEATURES = {"regression_metric": 6, "referenceless_regression_metric": 4, "unified_metric": 1}
"""Vectors that are put one behind another for the estimator."""
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"Tanh": torch.tanh, "Sigmoid": torch.sigmoid}


class Network(NamedTuple):
    """All that a score is computed by, on one device."""

    settings: Settings
    encoder: Any
    """An `XLMRobertaModel`."""
    scores: Tensor | None
    """`[L]`, of the layers; None where one layer is taken."""
    gamma: Tensor | None
    """`[1]`, by which the weighted sum is multiplied."""
    estimator: tuple[tuple[Tensor, Tensor], ...]
    """Weight and bias of each linear layer."""
    padding: int
    """The number of the token."""


def weights_of(scores: Tensor, transformation: str) -> Tensor:
    """Return the share of each layer, `[L]`, by their scores."""
    return scores.softmax(0) if transformation == "softmax" else sparsemax(scores)


def sparsemax(scores: Tensor) -> Tensor:
    """Return the point of the simplex that is nearest to some scores, `[L]` (Martins and Astudillo 2016, eq. 2)."""
    ordered = scores.sort(descending=True).values
    sums = ordered.cumsum(0)
    places = torch.arange(1, len(scores) + 1, device=scores.device, dtype=scores.dtype)
    support = int((1 + places * ordered > sums).sum())
    threshold = (sums[support - 1] - 1) / support
    return (scores - threshold).clamp(min=0)


def normalised(states: Tensor, mask: Tensor) -> Tensor:
    """Return states, `[B, T, D]`, with mean 0 and variance 1 over all numbers of a text's tokens, padding aside."""
    inside = mask[:, :, None].to(states.dtype)
    count = inside.sum((1, 2), keepdim=True) * states.shape[2]
    mean = (states * inside).sum((1, 2), keepdim=True) / count
    variance = (((states - mean) * inside) ** 2).sum((1, 2), keepdim=True) / count
    return (states - mean) / torch.sqrt(variance + EPSILON)


def mixed(network: Network, layers: Sequence[Tensor], mask: Tensor) -> Tensor:
    """Return the states of tokens, `[B, T, D]`, from those of all layers."""
    settings = network.settings
    if settings.layer is not None:
        return layers[settings.layer]
    assert network.scores is not None
    assert network.gamma is not None
    total = torch.zeros_like(layers[0])
    for weight, states in zip(weights_of(network.scores, settings.transformation), layers, strict=True):
        if weight:  # sparsemax leaves layers out
            total += weight * (normalised(states, mask) if settings.layer_norm else states)
    return network.gamma * total


def pooled(states: Tensor, ids: Tensor, mask: Tensor, pool: str, padding: int) -> Tensor:
    """Return a vector for each text, `[B, D]`.

    The word "<pad>" in a text is the token of padding. As in the package, its state is left out of the sum and the
    maximum, but it counts in the length that the sum is divided by.
    """
    if pool == "cls":
        return states[:, 0]
    left_out = (ids == padding)[:, :, None]
    if pool == "max":
        return states.masked_fill(left_out, -torch.inf).amax(1)
    return states.masked_fill(left_out, 0).sum(1) / mask.sum(1, keepdim=True)


def vectors_of(network: Network, texts: Sequence[Sequence[int]], update: Callable[[int], None]) -> Tensor:
    """Return the vectors of texts, `[B, D]`, on the CPU; batches are of similar lengths.

    Args:
        network: by which.
        texts: tokens by their numbers, with those of begin and end.
        update: is told how many more are done.

    """
    device = network.gamma.device if network.gamma is not None else network.estimator[0][0].device
    found = torch.empty(len(texts), network.encoder.config.hidden_size)
    for places in batches([len(text) for text in texts], TOKENS):
        longest = max(len(texts[place]) for place in places)
        ids = torch.full((len(places), longest), network.padding)
        mask = torch.zeros_like(ids)
        for row, place in enumerate(places):
            ids[row, : len(texts[place])] = torch.tensor(texts[place])
            mask[row, : len(texts[place])] = 1
        ids, mask = ids.to(device), mask.to(device)
        with torch.inference_mode():
            layers = network.encoder(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
            if network.settings.pool == "default":
                found[places] = layers[-1][:, 0].cpu()
            else:
                states = mixed(network, layers, mask)
                found[places] = pooled(states, ids, mask, network.settings.pool, network.padding).cpu()
        update(len(places))
    return found


def features(translations: Tensor, sources: Tensor, references: Tensor | None) -> Tensor:
    """Return what the estimator reads, `[B, 6 * D]`, or `[B, 4 * D]` without references."""
    of_source = [translations * sources, (translations - sources).abs()]
    if references is None:
        return torch.cat([translations, sources, *of_source], 1)
    of_reference = [translations * references, (translations - references).abs()]
    return torch.cat([translations, references, *of_reference, *of_source], 1)


def estimate(network: Network, rows: Tensor) -> Tensor:
    """Return the scores, `[B]`, of rows of features, on the CPU."""
    settings, (*hidden, last) = network.settings, network.estimator
    found = []
    with torch.inference_mode():
        for part in rows.split(ROWS):
            states = part.to(last[0].device)
            for weight, bias in hidden:
                states = _ACTIVATIONS[settings.activation](torch.nn.functional.linear(states, weight, bias))
            states = torch.nn.functional.linear(states, *last)
            if settings.final_activation is not None:
                states = _ACTIVATIONS[settings.final_activation](states)
            found.append(states[:, 0].cpu())
    return torch.cat(found)
