"""The network written for CTranslate2, which runs every one of table 3.

Heads with d_k other than d_v are padded with zeros to the wider of the two, which changes no product, and the scale is
stored as d_k^-0.5.

Shapes: H heads, D = d_model, V = vocab_size.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from ctranslate2.specs import TransformerSpec, transformer_spec
from ctranslate2.specs.common_spec import Activation
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from vaswani.conversion.heads import widened
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.modeling.modeling_vaswani import MultiHeadAttention, Residual, sinusoidal_positions
from vaswani.translation.settings import generation_settings

from .exporting import save_beside
from .shortlist import Shortlist, write_shortlist

POSITIONS = 4096
"""Rows of the table that stands in for sinusoids, which the engine would compute by another formula."""

ACTIVATIONS = {"relu": Activation.RELU, "silu": Activation.SWISH, "gelu": Activation.GELU}

QUANTIZATIONS = ("float32", "float16", "bfloat16", "int16", "int8", "int8_float32", "int8_float16", "int8_bfloat16")


def export(
    model: VaswaniForConditionalGeneration,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    quantization: str = "float32",
    shortlist: Shortlist | None = None,
) -> None:
    """Write `model` as the engine reads it, with its vocabulary and tokenizer, to an empty or new folder.

    Args:
        model: is not changed.
        tokenizer: its own.
        folder: where to.
        quantization: one of QUANTIZATIONS.
        shortlist: the tokens that translations may consist of; None: all.

    Raises:
        ValueError: the tokenizer has more tokens than the network, or another end token, or CTranslate2 cannot follow
            the model's generation settings.

    """
    config, saved = model.config, generation_settings(model.generation_config, model.name_or_path)
    if saved.ends != (tokenizer.eos_token_id,):
        raise ValueError(
            f"translations end at {', '.join(map(str, saved.ends))}, and the tokenizer's end is "
            f"{tokenizer.eos_token_id}: CTranslate2 has only one end token, the tokenizer's; set eos_token_id in "
            "generation_config.json, or export to onnx"
        )
    if saved.forbidden and not saved.renormalizes:
        raise ValueError(
            "generation_config.json forbids tokens (bad_words_ids, suppress_tokens) without renormalize_logits, and "
            "CTranslate2 gives their probability to the others; set renormalize_logits to true there, or export to onnx"
        )
    head = {
        "pre_norm": config.norm == "pre",
        "head_dim": head_width(config),
        "activation": ACTIVATIONS[config.activation],
    }
    encoder = transformer_spec.TransformerEncoderSpec(config.encoder_layers, config.num_heads, **head)
    decoder = transformer_spec.TransformerDecoderSpec(config.decoder_layers, config.num_heads, **head)
    spec = TransformerSpec(encoder, decoder)
    table = numbers(model.model.tokens.weight)  # the one table, in its three places (section 3.4)
    encoder.embeddings[0].weight = decoder.embeddings.weight = decoder.projection.weight = table
    if model.lm_head.bias is not None:
        decoder.projection.bias = numbers(model.lm_head.bias)
    write_stack(encoder, model.model.encoder, config)
    write_stack(decoder, model.model.decoder, config)
    tokens = vocabulary(tokenizer, config.vocab_size)
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.config.unk_token, spec.config.bos_token = str(tokenizer.unk_token), str(tokenizer.bos_token)
    spec.config.eos_token = str(tokenizer.eos_token)
    spec.config.decoder_start_token = tokens[saved.start]
    spec.config.layer_norm_epsilon = model.model.encoder.layers[0].feed_forward_residual.norm.eps
    spec.config.add_attribute("max_positions", len(encoder.position_encodings.encodings))
    spec.validate()
    spec.optimize(quantization=quantization)
    folder.mkdir(parents=True, exist_ok=True)
    save_beside(model, tokenizer, folder)
    spec.save(str(folder))
    if shortlist is not None:
        write_shortlist(folder, shortlist, tokens)


def vocabulary(tokenizer: PreTrainedTokenizerBase, size: int) -> list[str]:
    """Return the `size` tokens of the network by id; rows without a token, left by resizing, get a name."""
    if len(tokenizer) > size:
        raise ValueError(
            f"the tokenizer has {len(tokenizer)} tokens and the network {size}: they do not belong to one model"
        )
    known = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    return [*known, *(f"<no symbol {place}>" for place in range(len(known), size))]


def head_width(config: VaswaniConfig) -> int:
    """Return the common width of queries, keys and values: the engine has one for all three."""
    assert config.d_k is not None
    assert config.d_v is not None
    return max(config.d_k, config.d_v)


def write_stack(spec: Any, stack: Any, config: VaswaniConfig) -> None:
    """Write the encoder or the decoder."""
    learned = stack.positions.learned
    places = sinusoidal_positions(torch.arange(POSITIONS), config.d_model) if learned is None else learned.weight
    spec.position_encodings.encodings = numbers(places)
    if config.norm == "pre":
        write_norm(spec.layer_norm, stack.final_norm)
    for to, layer in zip(spec.layer, stack.layers, strict=True):
        write_attention(to.self_attention, layer.self_attention, layer.self_attention_residual)
        if hasattr(layer, "cross_attention"):
            write_attention(to.attention, layer.cross_attention, layer.cross_attention_residual)
        write_linear(to.ffn.linear_0, layer.feed_forward.w_1)
        write_linear(to.ffn.linear_1, layer.feed_forward.w_2)
        write_norm(to.ffn.layer_norm, layer.feed_forward_residual.norm)


def write_attention(spec: Any, attention: MultiHeadAttention, residual: Residual) -> None:
    """Write one attention; self-attention has queries, keys and values in one matrix, the other keys and values."""
    config = attention.config
    width = head_width(config)
    query, key, value = (
        widened(each.weight, config.num_heads, width) for each in (attention.w_q, attention.w_k, attention.w_v)
    )
    inputs = [[query, key, value]] if len(spec.linear) == 2 else [[query], [key, value]]
    for to, matrices in zip(spec.linear, inputs, strict=False):
        to.weight = numbers(torch.cat(matrices))
    spec.linear[-1].weight = numbers(widened(attention.w_o.weight.T, config.num_heads, width).T)
    if config.attention_bias:
        write_biases(spec, attention, width)
    spec.queries_scale = np.float32(attention.scaling)
    write_norm(spec.layer_norm, residual.norm)


def write_biases(spec: Any, attention: MultiHeadAttention, width: int) -> None:
    """Write the biases of one attention, laid out as its matrices are."""
    query, key, value = (
        widened(each.bias, attention.config.num_heads, width) for each in (attention.w_q, attention.w_k, attention.w_v)
    )
    inputs = [[query, key, value]] if len(spec.linear) == 2 else [[query], [key, value]]
    for to, vectors in zip(spec.linear, inputs, strict=False):
        to.bias = numbers(torch.cat(vectors))
    spec.linear[-1].bias = numbers(attention.w_o.bias)


def write_linear(spec: Any, linear: nn.Linear) -> None:
    """Write a matrix and its bias."""
    spec.weight, spec.bias = numbers(linear.weight), numbers(linear.bias)


def write_norm(spec: Any, norm: nn.LayerNorm) -> None:
    """Write gain and bias."""
    spec.gamma, spec.beta = numbers(norm.weight), numbers(norm.bias)


def numbers(tensor: Tensor) -> NDArray[np.float32]:
    """Return a float32 copy, because the engine quantizes its input in place."""
    return np.array(tensor.detach().float().cpu().numpy(), dtype=np.float32)
