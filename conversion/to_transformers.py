"""Our network as a class of transformers, which loads it without this package and without code from the Hub.

With the norm after the residual it is a `MarianMTModel`, with the norm before it a `PegasusForConditionalGeneration`:
both have sinusoids, embeddings times sqrt(D) and one table. Their differences are undone exactly:

- their sinusoids have all sines before all cosines, ours by turns. Everything between the embeddings and the projection
  adds to one residual stream, so the stream is rearranged: dimensions 0, 2, 4, ..., then 1, 3, 5, ...;
- their attention has biases, and their logits: zeros, where ours have none;
- their heads are D / H wide. Where d_k or d_v is less, a head is filled up with zeros, and w_q multiplied by
  sqrt((D / H) / d_k), since they divide by the root of their own width.

Shapes: D = d_model, H = num_heads, V = vocab_size.
"""

import math
import re
from typing import Any

import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    MarianConfig,
    MarianMTModel,
    PegasusConfig,
    PegasusForConditionalGeneration,
    PreTrainedModel,
)

from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.modeling.generation_vaswani import LIMITS

from .heads import widened
from .parameter_names import foreign_name
from .to_vaswani import CannotConvertError, rearranged

POSITIONS = 4096
"""The length of their position tables, which are computed when a model is built and take no disk space. Longer texts
fail with an IndexError."""
ACTIVATIONS = {"relu": "relu", "silu": "swish", "gelu": "gelu"}
"""Ours by the names that Marian's models have."""
MOST_TOKENS = 512
"""Most tokens of a translation, with its start. Our limit depends on the source; their `generate` knows no such one."""


def to_transformers(model: VaswaniForConditionalGeneration, length_penalty: float) -> PreTrainedModel:
    """Return a model of transformers' own that gives the same logits.

    Args:
        model: its weights are copied, in the numbers that they have.
        length_penalty: exponent of the length by which the search of transformers divides log P; see `equal_slope`.

    Raises:
        CannotConvertError: there is none.

    """
    check(model.config)
    config = settings(model.config)
    theirs: Any = MarianMTModel(config) if isinstance(config, MarianConfig) else PegasusForConditionalGeneration(config)
    theirs = theirs.to(model.dtype)
    weights = {  # named_parameters: the one table comes once
        f"model.{foreign_name(name)}": fitted(name, weight.detach(), model.config)
        for name, weight in model.model.named_parameters()
    }
    weights["model.shared.weight"] = weights.pop("model.tokens.weight")
    absent = {name: bias for name, bias in theirs.named_parameters() if name not in weights and is_attention_bias(name)}
    weights |= {name: torch.zeros_like(bias) for name, bias in absent.items()}
    if model.lm_head.bias is not None:
        weights["final_logits_bias"] = model.lm_head.bias.detach()[None]
    left, unknown = theirs.load_state_dict(weights, strict=False)
    theirs.tie_weights()
    computed = {name for name in left if name.endswith("embed_positions.weight")} | {"final_logits_bias"}
    assert not unknown, unknown
    assert set(left) - computed <= set(theirs.all_tied_weights_keys), left
    theirs.generation_config = generation(model.generation_config, length_penalty)
    native: PreTrainedModel = theirs.eval()
    return native


def check(config: VaswaniConfig) -> None:
    """Raise CannotConvertError unless a class of transformers computes the same."""
    assert config.d_k is not None
    assert config.d_v is not None
    if config.positions != "sinusoidal":
        raise CannotConvertError(
            "its positions are learned: MarianMTModel would hold them, and drop them the next time that it is saved, "
            "without a word. Push it as it is, or train one with --positions sinusoidal"
        )
    if config.d_model % config.num_heads:
        raise CannotConvertError(
            f"num_heads is {config.num_heads}, which does not divide d_model, {config.d_model}: heads of transformers' "
            "own classes are d_model / num_heads wide. Push it as it is"
        )
    width = config.d_model // config.num_heads
    if wider := [f"{name} is {getattr(config, name)}" for name in ("d_k", "d_v") if getattr(config, name) > width]:
        raise CannotConvertError(
            f"{' and '.join(wider)}, and heads of transformers' own classes are d_model / num_heads = {width} wide: "
            "narrower ones are filled up with zeros, wider ones have no place. Push it as it is"
        )


def settings(config: VaswaniConfig) -> MarianConfig | PegasusConfig:
    """Return the configuration of the class that computes the same."""
    kind: Any = MarianConfig if config.norm == "post" else PegasusConfig
    eos = config.eos_token_id[0] if isinstance(config.eos_token_id, list) else config.eos_token_id
    found: MarianConfig | PegasusConfig = kind(
        vocab_size=config.vocab_size,
        d_model=config.d_model,
        encoder_ffn_dim=config.d_ff,
        decoder_ffn_dim=config.d_ff,
        encoder_attention_heads=config.num_heads,
        decoder_attention_heads=config.num_heads,
        encoder_layers=config.encoder_layers,
        decoder_layers=config.decoder_layers,
        activation_function=ACTIVATIONS[config.activation],
        dropout=config.dropout,
        attention_dropout=config.attention_dropout,
        activation_dropout=config.activation_dropout,
        scale_embedding=True,
        tie_word_embeddings=True,
        max_position_embeddings=POSITIONS,
        pad_token_id=config.pad_token_id,
        bos_token_id=config.bos_token_id,
        eos_token_id=eos,
        decoder_start_token_id=config.decoder_start_token_id,
        forced_eos_token_id=None,  # by default token 0, which would take the place of a translation's last token
        init_std=config.d_model**-0.5,
    )
    return found


def fitted(name: str, weight: Tensor, config: VaswaniConfig) -> Tensor:
    """Return one of our weights, by its name, for their heads and for their order of the residual stream."""
    assert config.d_k is not None
    heads, width = config.num_heads, config.d_model // config.num_heads
    if "w_q" in name:
        weight = weight * math.sqrt(width / config.d_k)
    if re.search(r"w_[qkv]\.", name):
        weight = widened(weight, heads, width)
    if name.endswith("w_o.weight"):
        weight = widened(weight.T, heads, width).T
    order = torch.arange(config.d_model).view(-1, 2).T.flatten()  # 0, 2, 4, ..., then 1, 3, 5, ...
    return rearranged(name, weight, order)


def is_attention_bias(name: str) -> bool:
    """Return whether a weight of theirs is, by its name, a bias of an attention projection."""
    return re.search(r"attn\.(?:[qkv]|out)_proj\.bias$", name) is not None


def generation(ours: GenerationConfig | None, length_penalty: float) -> GenerationConfig:
    """Return the settings for their `generate`: ours, without those that only our search knows.

    `early_stopping` stays false: their search ends when no running hypothesis, at its present length, is better than
    those that have ended. "never" ends like ours, when none can overtake any more; but it reckons with translations of
    `max_length`, and took 3.4 times as long for the same text (docs/results/2026-11-30-native.md).
    """
    fields = {} if ours is None else ours.to_diff_dict()
    fields = {name: value for name, value in fields.items() if name not in (*LIMITS, "transformers_version")}
    if fields.get("num_beams", 1) > 1:
        fields["length_penalty"] = length_penalty
    if not {"max_length", "max_new_tokens"} & fields.keys():
        fields["max_length"] = MOST_TOKENS
    return GenerationConfig(**fields)


def equal_slope(alpha: float, length: float) -> float:
    """Return the exponent a for which n^a grows, at a length n, by the same share as ((5 + n) / 6)^alpha.

    The one divides log P in the search of transformers, the other in the paper's (Wu et al. 2016, equation 14); no
    exponent makes them the same at every length.

    Args:
        alpha: of the paper's search.
        length: n, in tokens.

    """
    return alpha * length / (length + 5)
