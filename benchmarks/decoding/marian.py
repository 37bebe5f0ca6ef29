"""A network of ours as transformers' Marian, with the same weights and positions, so that both translate alike."""

import re
from typing import Any, cast

import torch
from torch import Tensor
from transformers import MarianConfig, MarianMTModel

from vaswani.conversion.parameter_names import foreign_name
from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.modeling.modeling_vaswani import sinusoidal_positions

LONGEST = 1024


def marian_config(config: Any, longest: int = LONGEST) -> MarianConfig:
    """Return the configuration of a Marian of a network's sizes, with so many positions."""
    return MarianConfig(
        vocab_size=config.vocab_size,
        d_model=config.d_model,
        encoder_layers=config.encoder_layers,
        decoder_layers=config.decoder_layers,
        encoder_attention_heads=config.num_heads,
        decoder_attention_heads=config.num_heads,
        encoder_ffn_dim=config.d_ff,
        decoder_ffn_dim=config.d_ff,
        activation_function="relu",
        scale_embedding=True,
        max_position_embeddings=longest,
        pad_token_id=config.pad_token_id,
        eos_token_id=config.eos_token_id,
        bos_token_id=config.bos_token_id,
        decoder_start_token_id=config.decoder_start_token_id,
        forced_eos_token_id=None,
    )


def as_marian(model: VaswaniForConditionalGeneration) -> MarianMTModel:
    """Return a Marian that computes what `model` does; the biases that Marian has besides are 0.

    Raises:
        ValueError: Marian cannot be like this: pre-norm, d_k or d_v other than d_model / h.

    """
    config: Any = model.config
    longest = LONGEST if config.positions == "sinusoidal" else config.max_positions
    head = config.d_model // config.num_heads
    if config.norm != "post" or (config.d_k, config.d_v) != (head, head):
        raise ValueError(
            f"norm={config.norm}, d_k={config.d_k}, d_v={config.d_v}: Marian is post-norm, and d_k = d_v = "
            "d_model / num_heads"
        )
    marian: Any = MarianMTModel(marian_config(config, longest))
    weights: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        if "positions.learned" not in name:
            weights["model.shared.weight" if name.endswith("tokens.weight") else foreign_name(name)] = tensor
    missing, unexpected = marian.load_state_dict(weights, strict=False)
    left = [name for name in missing if not re.search(r"_proj\.bias|embed_positions|embed_tokens|lm_head|_bias", name)]
    assert not unexpected + left, unexpected + left
    with torch.no_grad():
        for name, parameter in marian.named_parameters():
            if name.endswith("_proj.bias"):
                parameter.zero_()
        for side in ("encoder", "decoder"):
            learned = getattr(model.model, side).positions.learned
            table = sinusoidal_positions(torch.arange(LONGEST), config.d_model) if learned is None else learned.weight
            getattr(marian.model, side).embed_positions.weight.copy_(table)
    marian.tie_weights()
    return cast(MarianMTModel, marian.to(model.dtype).eval())
