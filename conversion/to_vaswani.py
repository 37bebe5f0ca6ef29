"""One network in the terms of another: what differs is undone where an identity allows, and refused where none does.

Everything between the embeddings and the projection adds to one residual stream, which nothing but linear maps and
layer normalisation read. So the stream may be rearranged and scaled without changing what comes out:

- order of the dimensions: a table of positions that has all sines before all cosines is the paper's, rearranged;
- epsilon of the normalisation: LayerNorm(x; e) = LayerNorm(s x; s^2 e), so a stream of s = sqrt(1e-5 / e) times the
  size has our epsilon;
- size of the embeddings: ours are multiplied by sqrt(D); what is divided out of the table goes into the norm before the
  projection, which nothing else reads;
- a bias on keys adds the same to all scores of a query, and the softmax takes it out again, so where the attention has
  no other bias it is left out; where it has, all are kept, as are a bias on the logits and another activation than
  ReLU, which the paper has not (docs/paper.md);
- another table of positions becomes a learned one, as long as it is.

Shapes: D = d_model, V = vocab_size, P positions.
"""

import math
import re
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.modeling.modeling_vaswani import sinusoidal_positions

OUR_EPSILON = 1e-5


class CannotConvertError(ValueError):
    """A network computes what ours cannot; the message says what."""


class ForeignModel(NamedTuple):
    """A network under our names, with what ours does not have."""

    weights: dict[str, Tensor]
    """Those of `VaswaniForConditionalGeneration`, by name, the positions aside; biases too where the source has them,
    of attention and, as lm_head.bias, of the logits."""
    tables: tuple[Tensor, Tensor]
    """`[P, D]` each: what the encoder and what the decoder add at position 0, 1, ..."""
    embedding_scale: float
    """By which embeddings are multiplied before positions are added."""
    epsilon: float
    """Of the layer normalisation."""
    fields: dict[str, Any]
    """Of `VaswaniConfig`, the positions and the biases aside."""
    notes: tuple[str, ...] = ()
    """What of the source was left aside, in words."""


def to_vaswani(foreign: ForeignModel) -> VaswaniForConditionalGeneration:
    """Return our network that gives the same logits.

    Raises:
        CannotConvertError: there is none.

    """
    theirs, biases = needed(foreign.weights)
    d_model = foreign.fields["d_model"]
    order = paper_order(foreign.tables)
    size = math.sqrt(OUR_EPSILON / foreign.epsilon)
    is_computed = order is not None and size == 1.0
    if is_computed:
        positions: dict[str, Any] = {"positions": "sinusoidal"}
    else:
        order, positions = None, {"positions": "learned", "max_positions": min(len(table) for table in foreign.tables)}
    config = VaswaniConfig(**foreign.fields, **biases, **positions)

    ratio = size * foreign.embedding_scale / math.sqrt(d_model)  # of our table to theirs
    is_post_norm = config.norm == "post"
    before_projection = (
        f"decoder.layers.{config.decoder_layers - 1}.feed_forward_residual.norm."
        if is_post_norm
        else "decoder.final_norm."
    )
    weights: dict[str, Tensor] = {}
    for name, given in theirs.items():
        weight = given.double()
        if order is not None:
            weight = rearranged(name, weight, order)
        if before_projection in name:
            weight = weight / ratio
        elif name.endswith("tokens.weight"):
            weight = weight * ratio
        elif re.search(r"w_o\.|w_2\.", name) or (is_post_norm and ".norm." in name):
            weight = weight * size
        elif is_post_norm and re.search(r"w_[qkv1]\.weight", name):
            weight = weight / size
        weights[name] = weight.to(given.dtype)
    if not is_computed:
        for stack, table in zip(("encoder", "decoder"), foreign.tables, strict=True):
            weights[f"model.{stack}.positions.learned.weight"] = table[: config.max_positions] * size

    kind = weights["model.tokens.weight"].dtype
    model = VaswaniForConditionalGeneration(config)
    torch.nn.Module.to(model, kind)
    try:
        missing, unknown = model.load_state_dict(
            {name: weight.to(kind) for name, weight in weights.items()}, strict=False
        )
    except RuntimeError as error:  # of other shapes
        first = next(line for line in str(error).splitlines()[1:])
        raise CannotConvertError(f"its settings are not those of its weights: {first.strip()}") from error
    tied = set(model.all_tied_weights_keys)
    if unknown or set(missing) - tied:
        raise CannotConvertError(
            f"it lacks {', '.join(sorted(set(missing) - tied)) or 'nothing'}; what has no place here: "
            f"{', '.join(unknown) or 'nothing'}"
        )
    return model.eval()


def needed(weights: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the weights without biases that change nothing, and which biases the network has to have."""
    of_attention = [name for name in weights if re.search(r"attention\.w_[qkvo]\.bias$", name)]
    attention = any(bool(weights[name].any()) for name in of_attention if not name.endswith("w_k.bias"))
    output = "lm_head.bias" in weights and bool(weights["lm_head.bias"].any())
    left_out = {*(() if attention else of_attention), *(() if output else ("lm_head.bias",))}
    kept = {name: weight for name, weight in weights.items() if name not in left_out}
    return kept, {"attention_bias": attention, "output_bias": output}


def check_alike(weights: dict[str, Tensor]) -> None:
    """Raise unless these tables, by their names, are one: the paper's embeddings and projection (section 3.4)."""
    if not weights:
        raise CannotConvertError("it has no table of embeddings")
    (first, one), *others = weights.items()
    for name, other in others:
        if one.shape != other.shape or not torch.equal(one, other):
            raise CannotConvertError(f"{first} and {name} differ; embeddings and projection are one matrix here")


def paper_order(tables: tuple[Tensor, Tensor]) -> Tensor | None:
    """Return at which of their dimensions each of ours is, `[D]`, if both tables are the paper's; None otherwise.

    They are as exact as their numbers: in 16 bits, a table may differ by what these round off.
    """
    positions, d_model = tables[0].shape
    paper = sinusoidal_positions(torch.arange(positions), d_model).double()
    halves = torch.arange(d_model).view(2, -1).T.flatten()  # sines first, then cosines
    tolerance = max(1e-4, *(torch.finfo(table.dtype).eps for table in tables))
    for order in (torch.arange(d_model), halves):
        found = [table.double()[:, order] for table in tables]
        if all(table.shape == paper.shape and torch.allclose(table, paper, rtol=0, atol=tolerance) for table in found):
            return order
    return None


def rearranged(name: str, weight: Tensor, order: Tensor) -> Tensor:
    """Return a weight for a stream whose dimension j was `order[j]`."""
    if re.search(r"tokens\.weight|w_[qkv1]\.weight", name):
        return weight[:, order]
    if re.search(r"w_o\.|w_2\.|norm\.", name):
        return weight[order]
    return weight


def tensor2tensor_sinusoids(positions: Tensor, d_model: int) -> Tensor:
    """Return `[P, D]`: sines, then cosines, of wave lengths up to 10000 (the paper's formula stops short of that).

    So they are computed by tensor2tensor (`get_timing_signal_1d`), and after it by fairseq.
    """
    half = d_model // 2
    frequencies = torch.exp(torch.arange(half, dtype=torch.float64) * (-math.log(10000.0) / max(half - 1, 1)))
    angles = positions.double()[:, None] * frequencies
    table = torch.cat([angles.sin(), angles.cos()], dim=1)
    return torch.nn.functional.pad(table, (0, d_model % 2)).float()
