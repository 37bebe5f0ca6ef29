"""A Marian checkpoint as transformers keeps it, OPUS-MT above all.

Needed: a folder with config.json, the weights of a MarianMTModel and, where its settings are not in config.json,
generation_config.json. Biases, swish and GELU, and the bias on the logits (final_logits_bias) are kept as they are; the
token that pads and starts is one with a row of zeros. Tables may be tied or not, but have to be equal.
"""

import math
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import GenerationConfig, MarianMTModel
from transformers.utils import GENERATION_CONFIG_NAME

from vaswani.storage import check_object, naming_damage
from vaswani.training.checkpointing.weight_checks import check_loaded

from .parameter_names import activation, under_our_names
from .to_vaswani import CannotConvertError, ForeignModel, check_alike


def read_marian(folder: Path) -> tuple[ForeignModel, GenerationConfig]:
    """Return the network and what it generates by.

    Raises:
        CannotConvertError: an activation that ours has not, unlike embeddings, or stacks of unlike widths.
        ValueError: the file lacks weights, which transformers would draw at random, or they are no finite
            floating-point numbers.

    """
    check_object(folder / GENERATION_CONFIG_NAME)
    with naming_damage(f"the MarianMTModel in {folder}", "config.json, generation_config.json or a file of weights"):
        loaded: Any = MarianMTModel.from_pretrained(folder, dtype="auto", output_loading_info=True)
    model, found = loaded
    if lacking := sorted(found["missing_keys"]):
        raise ValueError(
            f"the weights in {folder} are not those of its config.json: the file lacks {', '.join(lacking[:3])}"
            + (f" and {len(lacking) - 3} more" if len(lacking) > 3 else "")
        )
    check_loaded(model, folder)
    config = model.config
    for what in ("attention_heads", "ffn_dim"):
        one, other = getattr(config, f"encoder_{what}"), getattr(config, f"decoder_{what}")
        if one != other:
            raise CannotConvertError(f"encoder_{what} is {one} and decoder_{what} is {other}; here they are one number")
    stacks = {"encoder": model.model.encoder, "decoder": model.model.decoder}
    check_alike(
        {
            "the encoder's embeddings": stacks["encoder"].embed_tokens.weight,
            "the decoder's": stacks["decoder"].embed_tokens.weight,
            "the projection": model.lm_head.weight,
        }
    )
    layers: dict[str, Tensor] = {
        f"{stack}.{name}": tensor
        for stack, module in stacks.items()
        for name, tensor in module.state_dict().items()
        if name.startswith("layers.")
    }
    weights = under_our_names(layers)
    weights["model.tokens.weight"] = stacks["encoder"].embed_tokens.weight.detach()
    weights["lm_head.bias"] = model.final_logits_bias.flatten()
    fields = {
        "vocab_size": config.vocab_size,
        "d_model": config.d_model,
        "d_ff": config.encoder_ffn_dim,
        "num_heads": config.encoder_attention_heads,
        "encoder_layers": config.encoder_layers,
        "decoder_layers": config.decoder_layers,
        "activation": activation(config.activation_function),
        "dropout": config.dropout,
        "attention_dropout": config.attention_dropout,
        "activation_dropout": config.activation_dropout,
        "pad_token_id": config.pad_token_id,
        "bos_token_id": config.bos_token_id,
        "eos_token_id": config.eos_token_id,
        "decoder_start_token_id": config.decoder_start_token_id,
    }
    scale = math.sqrt(config.d_model) if config.scale_embedding else 1.0
    tables = (stacks["encoder"].embed_positions.weight.detach(), stacks["decoder"].embed_positions.weight.detach())
    epsilon = stacks["encoder"].layers[0].self_attn_layer_norm.eps
    assert model.generation_config is not None
    return ForeignModel(weights, tables, scale, epsilon, fields), model.generation_config
