"""Checks before the first step: the processes are those asked for, with equal weights and different data."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from datetime import timedelta

import torch
from accelerate import Accelerator, DistributedType
from accelerate.utils import DynamoBackend, gather_object
from torch import nn

from vaswani.training.arguments import VaswaniTrainingArguments
from vaswani.training.estimates.memory_and_traffic import memory
from vaswani.training.exceptions import StartupError
from vaswani.training.muon import MUON, bytes_of_moments
from vaswani.training.nonfinite import Place

from .launcher_checks import is_on, process_fault


def check_processes(args: VaswaniTrainingArguments, accelerator: Accelerator, shapes: int | None = None) -> None:
    """Compare what runs with what launcher and flags asked for; set the timeout everywhere.

    This covers the number of processes, how they share the work, their backend, precision and compilation. `shapes` is
    the number of possible batch shapes; None: any number.

    Raises:
        StartupError: they differ in any process; on all processes.

    """
    complaints = [process_fault(accelerator.num_processes)]
    complaints += _faults_of_sharing(accelerator)
    complaints += _faults_of_precision(args, accelerator)
    complaints += _faults_of_compilation(accelerator, shapes)
    if torch.distributed.is_initialized():
        wanted = args.ddp_backend or {"cuda": "nccl", "cpu": "gloo"}.get(args.device.type)
        backend = _backend(args.device)
        if wanted is not None and backend != wanted:
            complaints.append(
                f"processes on {args.device.type} communicate over {backend}, not {wanted}; set or leave out "
                "--ddp_backend"
            )
        # The Trainer forgets it on CPUs, where half an hour is the default.
        assert torch.distributed.group.WORLD is not None
        torch.distributed.group.WORLD.set_timeout(timedelta(seconds=args.ddp_timeout))
    kinds = gather_object([f"{args.device.type} in {accelerator.mixed_precision}"])
    if len(set(kinds)) > 1:
        complaints.append(
            f"the processes run, in order, on {', '.join(kinds)}; give all the same flags and launch configuration"
        )
    said = sorted({each for each in gather_object(complaints) if each})
    if said:
        raise StartupError("; ".join(said))


def sharing(accelerator: Accelerator) -> str:
    """Return how the processes share the work, one of `costs.SHARINGS`."""
    if accelerator.distributed_type == DistributedType.FSDP:
        return f"FSDP{accelerator.state.fsdp_plugin.fsdp_version}"
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        return f"ZeRO-{accelerator.deepspeed_plugin.zero_stage}"
    return "one process" if accelerator.num_processes == 1 else "DDP"


def _faults_of_sharing(accelerator: Accelerator) -> Iterator[str]:
    """Yield a fault where FSDP or DeepSpeed was asked for and something else would run; Accelerate is silent."""
    runs = sharing(accelerator)
    if is_on("ACCELERATE_USE_FSDP"):
        asked = f"FSDP{os.environ.get('FSDP_VERSION', '')}"
        if not runs.startswith(asked):
            yield (
                f"the launcher asks for {asked}, but {runs} would run, which holds all weights in every process: "
                "Accelerate leaves FSDP out on CPUs. Use accelerate_configs/cpu_2_processes.yaml there, and "
                "accelerate_configs/fsdp2.yaml where torch sees a GPU for each process"
            )
    if is_on("ACCELERATE_USE_DEEPSPEED"):
        asked = f"ZeRO-{os.environ.get('ACCELERATE_DEEPSPEED_ZERO_STAGE', '')}"
        if not runs.startswith(asked):
            yield (
                f"the launcher asks for DeepSpeed's {asked.strip('-')}, but {runs} would run: Accelerate leaves "
                "DeepSpeed out if ACCELERATE_USE_CPU or --cpu asks for a CPU. Remove that, or use "
                "accelerate_configs/cpu_2_processes.yaml"
            )
        elif mismatches := getattr(accelerator.deepspeed_plugin.hf_ds_config, "mismatches", []):
            yield (
                "the configuration of DeepSpeed and the flags contradict each other: "
                f"{', '.join(each.removeprefix('- ') for each in mismatches)}; set these values of DeepSpeed to "
                '"auto", as accelerate_configs/deepspeed_zero2.json does'
            )
    plan = accelerator.parallelism_config
    if plan is not None and plan.non_data_parallel_size > 1:
        yield (
            f"a parallelism_config lets {plan.non_data_parallel_size} processes work on one batch (tensor, context or "
            "sequence parallelism), but here each process takes batches of its own; remove it"
        )


def _faults_of_precision(args: VaswaniTrainingArguments, accelerator: Accelerator) -> Iterator[str]:
    """Yield a fault where the precision would differ from what the launcher or the flags ask for."""
    flag = "bf16" if args.bf16 else "fp16" if args.fp16 else "no"
    launcher = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")  # also the value when nothing was asked for
    runs = accelerator.mixed_precision
    asked = {flag, launcher} - {"no"} or {"no"}
    if asked != {runs}:
        yield (
            f"the launcher asks for mixed precision {launcher} and the flags for {flag}, but {runs} would run; set "
            "mixed_precision of the launch configuration to 'no', or leave out --bf16 and --fp16"
        )
    elif runs != "no" and not accelerator.native_amp and accelerator.distributed_type != DistributedType.DEEPSPEED:
        yield f"{runs} is asked for, but Accelerate would compute in float32 on {args.device.type}; use --bf16 there"


def _faults_of_compilation(accelerator: Accelerator, shapes: int | None) -> Iterator[str]:
    """Yield a fault where the network would be compiled differently than asked for, or only at first."""
    plugin = accelerator.state.dynamo_plugin
    asked = os.environ.get("ACCELERATE_DYNAMO_BACKEND", "no").upper()
    if asked not in ("NO", plugin.backend.value):
        yield (
            f"the launcher asks for compilation by {asked}, but {plugin.backend.value} would run; leave out "
            "--torch_compile_backend, or dynamo_backend of the launch configuration"
        )
    if plugin.backend != DynamoBackend.NO and plugin.dynamic is False and shapes is None:
        yield (
            "the network would be compiled anew for each shape of batch, and not at all after eight: accelerate "
            "launch switches dynamic shapes off by default. Set dynamo_use_dynamic: true under dynamo_config, as "
            "accelerate_configs/single_gpu.yaml does, or launch with --dynamo_use_dynamic; or limit the shapes of "
            "batches with --widths"
        )


def _backend(device: torch.device) -> str:
    """Return the communication backend for a kind of device; there may be one for each kind."""
    pairs = str(torch.distributed.get_backend_config()).split(",")
    return dict(pair.split(":") for pair in pairs)[device.type]


def check_weights(model: nn.Module, step: int) -> None:
    """Raise StartupError, on all processes, unless all hold the same weights and start from the same step.

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
            f"process 0 starts from step {held[0][0]}, but other weights or another step are held by process "
            f"{', '.join(unlike)}. --seed and --output_dir must be the same everywhere, and the folder on a disk that "
            "all machines share"
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


def describe_run(
    model: nn.Module,
    args: VaswaniTrainingArguments,
    accelerator: Accelerator,
    tokens_per_batch: int,
    widths: Sequence[int] = (),
) -> str:
    """Return one line: parameters, tokens per step, processes and how they share the work, precision, and memory."""
    weights = list(model.parameters())
    number = sum(weight.numel() for weight in weights)
    precision = "bf16 throughout" if args.bf16_throughout else accelerator.mixed_precision
    how = sharing(accelerator)
    needed = memory(number, args.world_size, how, precision != "no", args.gradient_accumulation_steps)
    of_optimizer = "Adam"
    if args.optimizer == MUON:  # which is refused where moments are spread
        of_optimizer, needed = "Muon and Adam", needed._replace(adam=bytes_of_moments(model))
    together = f", {how} over {_backend(args.device)}" if args.world_size > 1 else ""
    compiler = accelerator.state.dynamo_plugin.backend
    plugin = accelerator.deepspeed_plugin if accelerator.distributed_type == DistributedType.DEEPSPEED else None
    is_offloaded = plugin is not None and "cpu" in (plugin.offload_optimizer_device, plugin.offload_param_device)
    shapes = ", ".join(f"{tokens_per_batch // width} x {width}" for width in widths)
    batches = f"{tokens_per_batch:,}{f', each of {shapes}' if shapes else ''}"
    kind = str(weights[0].dtype).removeprefix("torch.")
    return (
        f"{number / 1e6:.2f}M parameters; {args.max_steps:,} steps of "
        f"{args.batches_per_step * tokens_per_batch:,} tokens a side, {args.batches_per_step} micro-batches of "
        f"{batches}; {args.world_size} process(es) on {args.device.type}{together}, each accumulates "
        f"{args.gradient_accumulation_steps}; {'' if precision == 'no' else precision + ' beside '}{kind} weights"
        f"{'' if compiler == DynamoBackend.NO else ', compiled by ' + compiler.value.lower()}; "
        f"{sum(needed) / 1e9:.2f} GB a process ({needed.weights / 1e9:.2f} weights, {needed.gradients / 1e9:.2f} "
        f"gradients, {needed.adam / 1e9:.2f} {of_optimizer}), {'most of it in main memory, ' if is_offloaded else ''}"
        "activations aside"
    )
