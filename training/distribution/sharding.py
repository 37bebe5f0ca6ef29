"""Weights that FSDP2 or DeepSpeed spread over the processes: a process sees its part, or gathers all where needed."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator, DistributedType
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, StateDictType
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel

from vaswani.training.exceptions import StartupError
from vaswani.training.muon import MUON

if TYPE_CHECKING:
    from vaswani.training.arguments import VaswaniTrainingArguments


def is_sharded(accelerator: Accelerator) -> bool:
    """Return whether weights, gradients or moments are spread over the processes: FSDP, and ZeRO of any stage."""
    return accelerator.distributed_type in (DistributedType.FSDP, DistributedType.DEEPSPEED)


def check_sharding(accelerator: Accelerator, args: "VaswaniTrainingArguments") -> None:
    """Refuse configurations that would train something else than requested, or could not be resumed.

    Args:
        accelerator: as the launcher configured it.
        args: of the run.

    Raises:
        StartupError: FSDP of version 1 or with weights saved by a single process; DeepSpeed without ZeRO or with an
            optimizer or a schedule of its own; either with a network that casts by itself, with LoRA, with a
            moving average, or with Muon. Raised on all processes, which all have the same configuration.

    """
    if args.lora_rank is not None and is_sharded(accelerator):
        raise StartupError(
            f"--lora_rank {args.lora_rank} trains so few weights that FSDP2 and ZeRO would spread little; launch with "
            "accelerate_configs/ddp_8_gpu.yaml, or leave it out to train all weights"
        )
    if args.optimizer == MUON and is_sharded(accelerator):
        raise StartupError(
            "--optimizer muon needs each matrix whole, and FSDP2 and ZeRO spread them; launch with "
            "accelerate_configs/ddp_8_gpu.yaml, or give --optimizer adam"
        )
    if args.ema_decay is not None and is_sharded(accelerator):
        raise StartupError(
            f"--ema_decay {args.ema_decay} keeps all averages in each process, which FSDP2 and ZeRO are there "
            "to avoid; average checkpoints (`vaswani average --ema`), or launch with accelerate_configs/ddp_8_gpu.yaml"
        )
    if args.bf16_throughout and is_sharded(accelerator):
        raise StartupError(
            "--bf16_throughout casts weights where they are used, and FSDP2 and ZeRO do that by themselves; give --bf16"
        )
    if accelerator.distributed_type == DistributedType.FSDP:
        plugin = accelerator.state.fsdp_plugin
        if plugin.fsdp_version != 2:
            raise StartupError("the launcher asks for FSDP 1; set fsdp_version: 2 under fsdp_config")
        if plugin.state_dict_type != StateDictType.SHARDED_STATE_DICT:
            raise StartupError(
                f"fsdp_state_dict_type is {plugin.state_dict_type.name}, for which one process would gather all "
                "weights and moments; set SHARDED_STATE_DICT, and make a model of a checkpoint with `vaswani "
                "consolidate`"
            )
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        plugin = accelerator.state.deepspeed_plugin
        if plugin.zero_stage == 0:
            raise StartupError(
                "DeepSpeed is asked for with ZeRO of stage 0, which spreads nothing and makes steps with non-finite "
                "gradients; set stage 1, 2 or 3, or launch with accelerate_configs/ddp_8_gpu.yaml"
            )
        for part in ("optimizer", "scheduler"):
            if part in plugin.deepspeed_config:
                raise StartupError(
                    f"the configuration of DeepSpeed has a section {part!r}, which would replace Adam and eq. 3 as the "
                    "flags set them; remove it"
                )


def reduce_in_float32(accelerator: Accelerator) -> None:
    """Let FSDP2 compute in the requested precision, but add up gradients and return the loss in float32.

    Accelerate would also round the loss and the sums over processes to 8 or 11 bits.
    """
    if accelerator.distributed_type == DistributedType.FSDP:
        plugin = accelerator.state.fsdp_plugin
        if plugin.mixed_precision_policy is not None:
            plugin.mixed_precision_policy = replace(
                plugin.mixed_precision_policy, reduce_dtype=torch.float32, output_dtype=None
            )


def keep_embeddings_gathered(model: nn.Module) -> None:
    """Let FSDP2 keep the gathered embedding table until the loss is computed.

    The table is also the projection (section 3.4), and is used as such outside the module that gathers it.
    """
    embeddings: Any = model.get_input_embeddings()  # type: ignore[operator]
    if isinstance(embeddings, FSDPModule):
        embeddings.set_reshard_after_forward(False)


def local_part(weight: Tensor) -> Tensor:
    """Return this process's part of a weight."""
    if isinstance(weight, DTensor):
        return weight.to_local()
    return getattr(weight, "ds_tensor", weight)  # where ZeRO-3 keeps it


def gathered(weight: Tensor) -> Tensor:
    """Return a complete weight, on every process; all processes must call this."""
    if isinstance(weight, DTensor):
        return weight.full_tensor()
    if hasattr(weight, "ds_tensor"):
        import deepspeed

        with deepspeed.zero.GatheredParameters([weight]):
            return weight.clone()
    return weight


@torch.no_grad()
def whole_copy(model: PreTrainedModel, architecture: type[PreTrainedModel], device: torch.device) -> PreTrainedModel:
    """Return, on every process, a copy with all weights in float32; all processes must call this.

    Args:
        model: spread over the processes, or not yet.
        architecture: its class; FSDP2 gives each module another one.
        device: of the copy.

    """
    copy = empty_copy(model, architecture, device)
    sources, targets = ([*each.named_parameters(), *each.named_buffers()] for each in (model, copy))
    for (name, source), (same, target) in zip(sources, targets, strict=True):
        assert name == same
        target.copy_(gathered(source))
    return copy


def empty_copy(model: PreTrainedModel, architecture: type[PreTrainedModel], device: torch.device) -> PreTrainedModel:
    """Return a network as `model`, of the class `architecture`, in evaluation mode, its weights still to be filled."""
    with torch.device("meta"):
        copy = architecture(model.config)
    copy = copy.float().to_empty(device=device)
    copy.tie_weights()  # shared weights had become separate
    copy.generation_config = model.generation_config
    return copy.eval()
