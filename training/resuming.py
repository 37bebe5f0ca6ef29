"""Going on from a checkpoint, perhaps with other processes or elsewhere: what is refused, drawn anew, and kept."""

import hashlib
from pathlib import Path
from typing import Any

from accelerate import Accelerator, DistributedType
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from .checkpoints import Layout, layout, saved_by_zero3, saved_on
from .endings import StartupError

_SETTINGS = ("initial_lr", "betas", "eps", "weight_decay")
"""What flags say of Adam, or of what --optim names; the rest of what it holds it has learned."""

_LAYOUTS = {DistributedType.FSDP: Layout.FSDP, DistributedType.DEEPSPEED: Layout.DEEPSPEED}


def check_fits(checkpoint: Path, accelerator: Accelerator) -> None:
    """Refuse a checkpoint that these processes could not go on from.

    What FSDP2 or one process alone saved, any number of processes takes; DeepSpeed needs as many as there were.

    Raises:
        StartupError: FSDP, DeepSpeed or neither saved it, and another of them runs; or another number of processes, or
            another kind of stage, of DeepSpeed. All processes see the same files, and so decide alike.

    """
    held, running = layout(checkpoint), _LAYOUTS.get(accelerator.distributed_type, Layout.WHOLE)
    complaint = None
    if held is not running:
        complaint = f"was saved {held.value}, and this run goes on {running.value}"
    elif held is Layout.DEEPSPEED:
        saved, processes = saved_on(checkpoint), accelerator.num_processes
        stage = accelerator.state.deepspeed_plugin.zero_stage
        if saved != processes:
            complaint = (
                f"was saved by DeepSpeed on {saved} process(es), which as many must go on from, and {processes} run"
            )
        elif saved_by_zero3(checkpoint) != (stage == 3):
            complaint = (
                f"was saved by ZeRO of {'stage 3' if stage != 3 else 'a stage below 3'}, and this run has stage {stage}"
            )
    if complaint:
        raise StartupError(
            f"{checkpoint} {complaint}; launch the run as it was, or keep its weights alone by `vaswani consolidate`"
        )


def seed_of(seed: int, step: int, process: int) -> int:
    """Return what a process draws its random states from that goes on at `step` and finds none of its own."""
    digest = hashlib.sha256(f"{seed} {step} {process}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def settings_of(optimizer: Optimizer) -> list[dict[str, Any]]:
    """Return the settings of Adam for each group of parameters, once its schedule is made and before it is loaded."""
    return [{name: group[name] for name in _SETTINGS if name in group} for group in optimizer.param_groups]


def set_settings(optimizer: Optimizer, schedule: LambdaLR, settings: list[dict[str, Any]]) -> None:
    """Set Adam and its schedule to such settings, in place of those that came with a checkpoint."""
    schedule.base_lrs = [group["initial_lr"] for group in settings]
    rates = [base * of(schedule.last_epoch) for base, of in zip(schedule.base_lrs, schedule.lr_lambdas, strict=True)]
    for group, own, rate in zip(optimizer.param_groups, settings, rates, strict=True):
        group |= own | {"lr": rate}
    schedule._last_lr = rates  # which the log reads
