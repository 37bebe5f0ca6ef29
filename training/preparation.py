"""A network made ready for training, from outside: made faster, and with the loss that the flags ask for."""

from transformers import PreTrainedModel

from .arguments import LOSSES, VaswaniTrainingArguments
from .lora import add_adapters
from .loss import fuse_loss
from .speed.speedups import speed_up_training


def prepare_for_training(model: PreTrainedModel, args: VaswaniTrainingArguments) -> None:
    """Prepare a `VaswaniForConditionalGeneration`; in evaluation mode it is unchanged."""
    fuse_loss(model)
    speed_up_training(model, args.device, args.bf16_throughout)
    if args.lora_rank is not None:
        add_adapters(model, args.lora_rank)
    for name, change in LOSSES.items():
        if getattr(args, name) is not None:
            change(model, args)
