"""LoRA (Hu et al. 2021): the weights of a trained network stay, and beside each a product of two thin ones is learned.

A layer with the weight W computes x (W + s B A)^T; only A, `[rank, inputs]`, and B, `[outputs, rank]`, are trained, and
s is ALPHA_OVER_RANK. B begins as zeros, so that the network begins as its parent. The layers come from `peft` and stand
in the attention and feed-forward networks; embeddings, norms and biases stay as they are.

A checkpoint holds the network with the products added, so that everything reads it like any other, and beside it
lora.safetensors, with which training resumes to the same bits.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from .checkpointing.consolidation import load_weights
from .distribution.sharding import empty_copy

LORA = "lora.safetensors"
"""Of a checkpoint: W, A and B of each layer."""
LAYERS = ("w_q", "w_k", "w_v", "w_o", "w_1", "w_2")
ALPHA_OVER_RANK = 2
RATE_FACTOR = 10
"""How many times the rate of training all weights the products are trained at: B starts at zero."""
_NAME = "default"


def add_adapters(model: PreTrainedModel, rank: int) -> None:
    """Give each layer of LAYERS its A and B, in place, and let nothing else be trained."""
    from peft import LoraConfig, inject_adapter_in_model

    layers = LoraConfig(r=rank, lora_alpha=ALPHA_OVER_RANK * rank, target_modules=list(LAYERS))
    inject_adapter_in_model(layers, model, _NAME)


def has_adapters(model: nn.Module) -> bool:
    """Return whether `add_adapters` was called on a network."""
    return any(".lora_A." in name for name, _ in model.named_parameters())


@torch.no_grad()
def merged_copy(model: PreTrainedModel, architecture: type[PreTrainedModel], device: torch.device) -> PreTrainedModel:
    """Return a network of the class `architecture` that computes the same as `model`, with one weight a layer."""
    copy = empty_copy(model, architecture, device)
    load_weights(copy, merged_weights(model))
    return copy


def merged_weights(model: PreTrainedModel) -> dict[str, Tensor]:
    """Return the weights W + s B A, and all others, by their names in a network without adapters."""
    weights = {
        name.replace(".base_layer.", "."): weight for name, weight in model.state_dict().items() if ".lora_" not in name
    }
    for name, layer in model.named_modules():
        if hasattr(layer, "get_delta_weight"):
            delta: Any = layer.get_delta_weight
            weights[f"{name}.weight"] = weights[f"{name}.weight"] + delta(_NAME)
    return weights


def save_adapters(model: PreTrainedModel, folder: Path) -> None:
    """Write W, A and B of each layer into a checkpoint."""
    save_file(adapter_weights(model), folder / LORA)


def adapter_weights(model: PreTrainedModel) -> dict[str, Tensor]:
    """Return W, A and B of each layer, by name."""
    return {name: weight for name, weight in model.state_dict().items() if ".lora_" in name or ".base_layer." in name}


def load_adapters(model: PreTrainedModel, folder: Path) -> None:
    """Load what `save_adapters` wrote; embeddings, norms and biases are in the checkpoint's model.safetensors.

    Raises:
        ValueError: they do not fit the network, as with another --lora_rank.

    """
    held, needed = load_file(folder / LORA), adapter_weights(model)
    shapes, needed_shapes = ({name: weight.shape for name, weight in each.items()} for each in (held, needed))
    if shapes != needed_shapes:
        raise ValueError(
            f"{folder / LORA} does not hold the layers of this network; resume with the run's own settings"
        )
    model.load_state_dict(held, strict=False)
