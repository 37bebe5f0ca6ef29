"""All speed-ups of a step, from outside: the network stays the paper's and learns the same, except for rounding."""

import torch
from transformers import PreTrainedModel

from .bfloat16 import compute_in_bfloat16
from .dropout import drop_by_bits
from .process_memory import limit_kernel_cache, reuse_freed_memory


def speed_up_training(model: PreTrainedModel, device: torch.device, bf16_throughout: bool) -> None:
    """Prepare a `VaswaniForConditionalGeneration` for training on `device`; in evaluation mode it is unchanged."""
    drop_by_bits(model)
    if bf16_throughout:
        compute_in_bfloat16(model)
    if device.type == "cpu":
        reuse_freed_memory()
        limit_kernel_cache()
