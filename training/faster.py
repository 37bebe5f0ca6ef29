"""All that makes a step faster, from outside: the network stays the paper's and learns the same but for rounding."""

import torch
from transformers import PreTrainedModel

from .bfloat16 import compute_in_bfloat16
from .dropout import drop_by_bits
from .fused_loss import train_without_logits
from .memory import keep_few_kernels, keep_freed_memory


def train_faster(model: PreTrainedModel, device: torch.device, bf16_throughout: bool) -> None:
    """Prepare a `VaswaniForConditionalGeneration` for training on `device`; in evaluation mode it is as it was."""
    train_without_logits(model)
    drop_by_bits(model)
    if bf16_throughout:
        compute_in_bfloat16(model)
    if device.type == "cpu":
        keep_freed_memory()
        keep_few_kernels()
