"""What is wrong with the Trainer's arguments, in words: functions that yield one fault after another."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

from transformers import TrainingArguments
from transformers.trainer_utils import IntervalStrategy
from transformers.training_args import OptimizerNames

from vaswani.evaluation.metric_table import DEFAULT, choices

from .consistency import WEIGHTS
from .distribution.launcher_checks import process_fault
from .muon import MUON, OPTIMIZERS
from .validation_figures import lower_is_better

if TYPE_CHECKING:
    from .arguments import VaswaniTrainingArguments

INSTEAD = {
    "label_smoothing_factor": "use --label_smoothing, which is the network's",
    "num_train_epochs": "use --max_steps",
    "lr_scheduler_type": "the schedule is eq. 3: use --warmup_steps, --cooldown_steps and --peak_learning_rate",
    "resume_from_checkpoint": "use --resume, which resumes from the newest complete checkpoint in --output_dir",
    "data_seed": "use --seed",
    "auto_find_batch_size": "use --tokens_per_batch and --batches_per_step",
    "ignore_data_skip": "a resumed run goes to its place in the text by itself",
    "average_tokens_across_devices": "a step's loss is a mean over the tokens of all processes",
    "use_liger_kernel": "it has no kernels for this network",
    "lr_scheduler_kwargs": "the schedule is eq. 3: use --warmup_steps, --cooldown_steps and --peak_learning_rate",
    **dict.fromkeys(
        ("dataloader_prefetch_factor", "dataloader_in_order", "dataloader_persistent_workers",
         "dataloader_multiprocessing_context", "dataloader_drop_last"),
        "the text is read by a loader of its own: use --dataloader_num_workers",
    ),
    **dict.fromkeys(
        ("train_sampling_strategy", "length_column_name"),
        "the order of training follows from data, --seed, --streams and --window_groups",
    ),
    **dict.fromkeys(
        ("per_device_eval_batch_size", "eval_accumulation_steps", "eval_do_concat_batches", "batch_eval_metrics",
         "include_for_metrics", "prediction_loss_only"),
        "a run validates by batches of --tokens_per_batch, by loss and translations",
    ),
    "save_on_each_node": "all machines share --output_dir, and one process saves",
    "enable_jit_checkpoint": "SIGTERM ends a run at its next step, saved",
    "load_best_model_at_end": "a run chooses among its checkpoints by the validation set",
    "eval_use_gather_object": "a run validates by batches of --tokens_per_batch, by loss and translations",
    **dict.fromkeys(("bf16_full_eval", "fp16_full_eval"), "a run validates and translates in float32"),
}  # fmt: skip
"""Flags of the Trainer that would be ignored, or would undo what this trainer does."""

REFUSED = INSTEAD | {
    "learning_rate": "use --peak_learning_rate, the rate at the end of the warm-up",
    "per_device_train_batch_size": "use --tokens_per_batch",
    "gradient_accumulation_steps": "use --batches_per_step",
    "save_only_model": "no run could resume from such checkpoints",
}
"""All flags of the Trainer that are accepted only at their default, with what to use instead, for --help-all."""


def refuse(faults: Iterator[str], error: type[Exception] = ValueError) -> None:
    """Raise an error of the first fault, if there is one."""
    for fault in faults:
        raise error(fault)


def metric_of(given: "VaswaniTrainingArguments") -> str:
    """Return the figure that the weights are chosen by, as the log of a validation calls it."""
    return (given.metric_for_best_model or DEFAULT).removeprefix("eval_")


def precision_faults(given: "VaswaniTrainingArguments", of_launcher: str | None) -> Iterator[str]:
    """Yield what does not go together with the precision that `accelerate launch` asks for; None, for none."""
    if given.bf16_throughout and of_launcher in ("bf16", "fp16"):
        yield (
            f"--bf16_throughout takes the place of mixed precision, and the launcher asks for {of_launcher}; "
            "launch with --mixed_precision no"
        )


def choice_faults(given: "VaswaniTrainingArguments") -> Iterator[str]:
    """Yield what is wrong with choices that the Trainer would take as they are."""
    metric = metric_of(given)
    if metric not in choices():
        yield f"--metric_for_best_model is {metric}; while training, one of {', '.join(choices())} is measured"
    if given.greater_is_better == lower_is_better(metric):
        yield (
            f"--greater_is_better {str(given.greater_is_better).lower()} would choose the worst {metric} as the best; "
            "leave it out, it follows from --metric_for_best_model"
        )
    yield from consistency_faults(given)
    if given.fp16 and given.bf16:
        yield "--fp16 takes the place of --bf16, which recipes switch on where the hardware has it; add --bf16 false"


def process_faults(given: "VaswaniTrainingArguments") -> Iterator[str]:
    """Yield what is wrong with the processes that a launcher started, or with the GPUs that one sees."""
    if fault := process_fault(given.world_size):
        yield fault
    if given.n_gpu > 1:
        yield (
            f"one process sees {given.n_gpu} GPUs, and the Trainer would split each batch over them; name one "
            "(CUDA_VISIBLE_DEVICES=0, or accelerate_configs/single_gpu.yaml), or start one process per GPU "
            "(accelerate_configs/ddp_8_gpu.yaml with --num_processes)"
        )


def batch_faults(given: "VaswaniTrainingArguments") -> Iterator[str]:
    """Yield why a step's batch cannot be shared by the processes, and flags of the Trainer that mean another batch."""
    if given.batches_per_step % given.world_size:
        yield (
            f"{given.world_size} processes cannot share {given.batches_per_step} micro-batches a step evenly; "
            f"set --batches_per_step to a multiple of {given.world_size}, and --tokens_per_batch so that their "
            "product is the batch you want"
        )
    if given.per_device_train_batch_size != TrainingArguments.per_device_train_batch_size:
        yield "batches are counted in tokens here; use --tokens_per_batch, not --per_device_train_batch_size"
    if given.gradient_accumulation_steps != 1:
        yield "accumulation follows from the number of processes; use --batches_per_step instead"


def value_faults(given: "VaswaniTrainingArguments") -> Iterator[str]:
    """Yield the values that training cannot go by, each with the way out."""
    if given.learning_rate != TrainingArguments.learning_rate:
        yield "use --peak_learning_rate, the rate at the end of the warm-up, not --learning_rate"
    for name, way in INSTEAD.items():
        if getattr(given, name) != getattr(type(given), name, []):  # a list has no default that could be seen
            yield f"--{name} cannot be used here; {way}"
    for name in ("eval_strategy", "logging_strategy"):
        if getattr(given, name) == IntervalStrategy.EPOCH:
            yield f"--{name} is epoch, but the text has no end of an epoch; leave it at steps"
    if given.patience is not None and given.eval_strategy == IntervalStrategy.NO:
        yield "--patience counts evaluations, and --eval_strategy no makes none; leave one of them out"
    if given.ema_decay is not None and given.lora_rank is not None:
        yield f"--ema_decay {given.ema_decay} averages all weights, and --lora_rank trains few; leave one of them out"
    if given.cooldown_steps > given.max_steps:
        yield (
            f"--cooldown_steps is {given.cooldown_steps:g}, and --max_steps {given.max_steps}: give fewer, or a "
            "share of the steps, such as 0.2"
        )
    if given.optimizer not in OPTIMIZERS:
        yield f"--optimizer is {given.optimizer}; give {' or '.join(OPTIMIZERS)}"
    if given.optimizer == MUON and given.optim != TrainingArguments.optim:
        name = OptimizerNames(given.optim).value
        yield f"--optim {name} has no part in --optimizer muon: leave it out, or give --optimizer adam"
    if given.optimizer == MUON and given.weight_decay:
        yield f"--weight_decay {given.weight_decay} is of Adam: leave it out, or give --optimizer adam"


def lora_faults(given: "VaswaniTrainingArguments") -> Iterator[str]:
    """Yield what does not go together with --lora_rank."""
    rank = given.lora_rank
    if rank is None:
        return
    if given.init_from is None:
        yield f"--lora_rank {rank} keeps the weights of a trained model, and none is given; add --init_from MODEL"
    if given.new_vocabulary:
        yield f"--lora_rank {rank} does not train embeddings, and --new_vocabulary needs that; leave one of them out"
    if find_spec("peft") is None:
        yield f"--lora_rank {rank} needs peft; pip install 'vaswani[lora]'"


def consistency_faults(given: "VaswaniTrainingArguments") -> Iterator[str]:
    """Yield what is wrong with --consistency and what belongs to it."""
    kind, weight = given.consistency, given.consistency_weight
    if kind is None:
        if weight is not None:
            yield f"--consistency_weight {weight} weighs nothing without --consistency {'|'.join(WEIGHTS)}"
    elif kind not in WEIGHTS:
        yield f"--consistency is {kind}; give {' or '.join(WEIGHTS)}"
