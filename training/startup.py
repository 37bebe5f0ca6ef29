"""What is made sure of before the first step: the processes are those asked for, hold equal weights and unlike data."""

import hashlib
import os
from collections.abc import Sequence
from datetime import timedelta

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import nn

from .arguments import VaswaniTrainingArguments
from .endings import StartupError
from .finite import Place


def check_processes(args: VaswaniTrainingArguments, accelerator: Accelerator) -> None:
    """Compare world size, back end and precision with what launcher and flags asked for; set the time-out everywhere.

    Raises:
        StartupError: they differ in any process; on all processes.

    """
    complaints = []
    asked = int(os.environ.get("WORLD_SIZE", 1))
    if accelerator.num_processes != asked:
        complaints.append(
            f"the launcher started {asked} processes, and {accelerator.num_processes} train together; see the heads of "
            "accelerate_configs/*.yaml"
        )
    flag = "bf16" if args.bf16 else "fp16" if args.fp16 else "no"
    launcher = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")  # which is what it says too when nobody asked
    runs = accelerator.mixed_precision
    asked_for = {flag, launcher} - {"no"} or {"no"}
    if asked_for != {runs}:
        complaints.append(
            f"the launcher asks for mixed precision {launcher} and the flags for {flag}, and {runs} would run; set "
            "mixed_precision of the launch configuration to 'no', or leave out --bf16 and --fp16"
        )
    if torch.distributed.is_initialized():
        wanted = args.ddp_backend or {"cuda": "nccl", "cpu": "gloo"}.get(args.device.type)
        backend = torch.distributed.get_backend()
        if wanted is not None and backend != wanted:
            complaints.append(
                f"processes on {args.device.type} talk by {backend}, not by {wanted}; set or leave out --ddp_backend"
            )
        # The Trainer forgets it on processors, where half an hour is the default.
        assert torch.distributed.group.WORLD is not None
        torch.distributed.group.WORLD.set_timeout(timedelta(seconds=args.ddp_timeout))
    kinds = gather_object([f"{args.device.type} in {runs}"])
    if len(set(kinds)) > 1:
        complaints.append(
            f"the processes, in turn, run on {', '.join(kinds)}; give all the same flags and launch configuration"
        )
    _agree(complaints)


def check_weights(model: nn.Module, step: int) -> None:
    """Raise StartupError, on all processes, unless all hold the same weights and go on from the same step.

    Called before the model is wrapped: that would copy the first process's weights over the others', and hide it.
    """
    if any(weight.is_meta for weight in model.parameters()):
        return  # laid out without values, to be filled from one process when it is wrapped
    digest = hashlib.sha256()
    for weight in model.parameters():
        digest.update(weight.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    held = gather_object([(step, digest.hexdigest())])
    if unlike := [f"{rank} (step {held[rank][0]})" for rank in range(len(held)) if held[rank] != held[0]]:
        raise StartupError(
            f"process 0 starts from step {held[0][0]}, and other weights or another step are held by process "
            f"{', '.join(unlike)}. --seed and --output_dir must be the same everywhere, and the folder on "
            "a disk that all machines share"
        )


def check_data(places: Sequence[Place]) -> None:
    """Raise StartupError, on all processes, where two processes hold the same micro-batch of the first step."""
    numbers = gather_object([[place.number for place in places]])
    holders: dict[int, list[int]] = {}
    for rank, held in enumerate(numbers):
        for number in held:
            holders.setdefault(number, []).append(rank)
    if twice := {number: ranks for number, ranks in holders.items() if len(ranks) > 1}:
        number, ranks = next(iter(twice.items()))
        raise StartupError(
            f"{len(twice)} micro-batches of the first step came twice: number {number} to processes "
            f"{' and '.join(map(str, ranks))}. Each would train on the same data; the stream must be given each "
            "process's own number"
        )


def what_runs(model: nn.Module, args: VaswaniTrainingArguments, precision: str, tokens_per_batch: int) -> str:
    """Return a line: parameters, tokens a step, processes, accumulation, precision, and the memory all that needs.

    The memory is that of weights, gradients and Adam's two moments, in the dtype of the weights, in each process.
    """
    weights = list(model.parameters())
    size = sum(weight.numel() * weight.element_size() for weight in weights)
    trained = sum(weight.numel() * weight.element_size() for weight in weights if weight.requires_grad)
    backend = f" over {torch.distributed.get_backend()}" if args.world_size > 1 else ""
    kind = str(weights[0].dtype).removeprefix("torch.")
    return (
        f"{sum(weight.numel() for weight in weights) / 1e6:.2f}M parameters; {args.max_steps:,} steps of "
        f"{args.batches_per_step * tokens_per_batch:,} tokens a side, {args.batches_per_step} micro-batches of "
        f"{tokens_per_batch:,}; {args.world_size} process(es) on {args.device.type}{backend}, each accumulates "
        f"{args.gradient_accumulation_steps}; {'' if precision == 'no' else precision + ' beside '}{kind} weights; "
        f"{(size + 3 * trained) / 1e9:.2f} GB a process for weights, gradients and Adam, activations aside"
    )


def _agree(complaints: list[str]) -> None:
    """Raise on all processes what any of them has to complain of."""
    said = sorted(set(gather_object(complaints)))
    if said:
        raise StartupError("; ".join(said))
