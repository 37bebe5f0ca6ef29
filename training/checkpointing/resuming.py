"""Resuming from a checkpoint, perhaps on other processes or machines: what is refused, drawn anew, and kept."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from accelerate import Accelerator, DistributedType
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers.trainer_callback import TrainerState

from vaswani.storage.records import read_record, write_record
from vaswani.training.exceptions import StartupError

from .checkpoints import Layout, layout, saved_by_zero3, saved_on

SINCE_LOG = "since_log.json"

_SETTINGS = ("initial_lr", "betas", "eps", "weight_decay")
"""The optimizer's settings that flags decide; everything else in its state is learned."""

_LAYOUTS = {DistributedType.FSDP: Layout.FSDP, DistributedType.DEEPSPEED: Layout.DEEPSPEED}


def check_fits(checkpoint: Path, accelerator: Accelerator) -> None:
    """Refuse a checkpoint that these processes cannot resume from.

    Any number of processes can resume what FSDP2 or a single process saved; DeepSpeed needs the same number.

    Raises:
        StartupError: it was saved by another one of FSDP, DeepSpeed or neither than the one that runs; or by another
            number of processes, or another kind of stage, of DeepSpeed. All processes see the same files, and so decide
            alike.

    """
    held, running = layout(checkpoint), _LAYOUTS.get(accelerator.distributed_type, Layout.WHOLE)
    complaint = None
    if held is not running:
        complaint = f"was saved {held.value}, and this run resumes {running.value}"
    elif held is Layout.DEEPSPEED:
        saved, processes = saved_on(checkpoint), accelerator.num_processes
        stage = accelerator.state.deepspeed_plugin.zero_stage
        if saved != processes:
            complaint = (
                f"was saved by DeepSpeed on {saved} process(es), which as many must resume, but {processes} are running"
            )
        elif saved_by_zero3(checkpoint) != (stage == 3):
            complaint = (
                f"was saved by ZeRO of {'stage 3' if stage != 3 else 'a stage below 3'}, and this run has stage {stage}"
            )
    if complaint:
        raise StartupError(
            f"{checkpoint} {complaint}; launch the run as before, or save only its weights with `vaswani consolidate`"
        )


def resume_seed(seed: int, step: int, process: int) -> int:
    """Return the seed for a process that resumes at `step` and finds no random state of its own."""
    digest = hashlib.sha256(f"{seed} {step} {process}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def optimizer_settings(optimizer: Optimizer) -> list[dict[str, Any]]:
    """Return Adam's settings for each group of parameters; call after its schedule is made and before it is loaded."""
    return [{name: group[name] for name in _SETTINGS if name in group} for group in optimizer.param_groups]


def set_optimizer_settings(optimizer: Optimizer, schedule: LambdaLR, settings: list[dict[str, Any]]) -> None:
    """Give Adam and its schedule these settings, in place of those from a checkpoint."""
    schedule.base_lrs = [group["initial_lr"] for group in settings]
    rates = [base * of(schedule.last_epoch) for base, of in zip(schedule.base_lrs, schedule.lr_lambdas, strict=True)]
    for group, own, rate in zip(optimizer.param_groups, settings, rates, strict=True):
        group |= own | {"lr": rate}


@dataclass(frozen=True)
class SinceLog:
    """The part of the next log line that lies before a checkpoint."""

    VERSION: ClassVar[int] = 1

    last: int
    """The step of the last line."""
    losses: tuple[float, ...]
    """Sums of losses since then, for each process."""
    judged: int
    """Steps since then."""
    lost: int
    """Those of them that were skipped."""
    logged: float | None = None
    """The sum of the losses of all steps up to the last line, the mean of the processes; older versions lack it."""
    version: int = VERSION


def write_since_log(checkpoint: Path, since: SinceLog) -> None:
    """Write it into a checkpoint."""
    write_record(checkpoint / SINCE_LOG, since)


def read_since_log(checkpoint: Path) -> SinceLog | None:
    """Read it from a checkpoint; None for a checkpoint of an older version."""
    file = checkpoint / SINCE_LOG
    return read_record(SinceLog, file) if file.exists() else None


def log_without_final_validation(state: TrainerState) -> list[dict[str, Any]]:
    """Return a log without the validation that was made only because the run ended there.

    A run that resumes from there must not have it, so that it counts and chooses like one that never stopped.
    """
    if state.max_steps % state.eval_steps == 0:
        return state.log_history
    return [line for line in state.log_history if not ("eval_loss" in line and line["step"] == state.max_steps)]


def lacks_validation(state: TrainerState, eval_steps: int, max_steps: int, delay: float) -> bool:
    """Return whether a validation that was due at a checkpoint's step is missing in its log, because of a signal.

    Args:
        state: the Trainer's, as the checkpoint has it.
        eval_steps: steps between validations.
        max_steps: the last step of the run, at which one is due too.
        delay: --eval_delay, the step before which none is due.

    """
    step = state.global_step
    is_made = any("eval_loss" in line for line in state.log_history if line["step"] == step)
    return step >= delay and (step % eval_steps == 0 or step == max_steps) and not is_made
