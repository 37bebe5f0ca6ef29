"""The Trainer's arguments with the paper's defaults, and the few fields that this project adds."""

import math
import os
from dataclasses import dataclass, field

import torch
from transformers import TrainingArguments
from transformers.trainer_utils import IntervalStrategy

from vaswani.evaluation.metric_table import DEFAULT, choices

from .distribution.launcher_checks import device_fault, process_fault
from .exceptions import StartupError
from .validation_figures import lower_is_better

INSTEAD = {
    "label_smoothing_factor": "use --label_smoothing, which is the network's",
    "num_train_epochs": "use --max_steps",
    "lr_scheduler_type": "the schedule is eq. 3: use --warmup_steps and --peak_learning_rate",
    "resume_from_checkpoint": "use --resume, which resumes from the newest complete checkpoint in --output_dir",
    "data_seed": "use --seed",
    "auto_find_batch_size": "use --tokens_per_batch and --batches_per_step",
    "ignore_data_skip": "a resumed run goes to its place in the text by itself",
    "average_tokens_across_devices": "a step's loss is a mean over the tokens of all processes",
}
"""Flags of the Trainer that would be ignored, or would undo what this trainer does."""

REFUSED = INSTEAD | {
    "learning_rate": "use --peak_learning_rate, the rate at the end of the warm-up",
    "per_device_train_batch_size": "use --tokens_per_batch",
    "gradient_accumulation_steps": "use --batches_per_step",
    "save_only_model": "no run could resume from such checkpoints",
}
"""All flags of the Trainer that are accepted only at their default, with what to use instead, for --help-all."""


@dataclass
class VaswaniTrainingArguments(TrainingArguments):
    """Section 5.3 as defaults: Adam with betas 0.9 and 0.98 and eps 1e-9, eq. 3, no clipping, no weight decay."""

    batches_per_step: int = field(
        default=1,
        metadata={"help": "Micro-batches of --tokens_per_batch in a step, over all processes together; the number of "
                          "processes must divide it. Gradient accumulation follows from it."},
    )  # fmt: skip
    peak_learning_rate: float | None = field(
        default=None,
        metadata={
            "help": "Learning rate at --warmup_steps, after which it falls with the inverse square root of the step."
        },
    )
    warmup_steps: float = field(
        default=4000, metadata={"help": "Steps in which the learning rate rises from 0 to its peak."}
    )
    max_steps: int = field(default=100_000, metadata={"help": "Steps to train for; the text has no end."})
    adam_beta1: float = field(
        default=0.9, metadata={"help": "Adam's beta_1: share of the mean gradient kept by a step."}
    )
    adam_beta2: float = field(
        default=0.98, metadata={"help": "Adam's beta_2: share of the mean squared gradient kept by a step."}
    )
    adam_epsilon: float = field(
        default=1e-9, metadata={"help": "Adam's epsilon, added to the root of the mean squared gradient."}
    )
    max_grad_norm: float = field(
        default=0.0,
        metadata={"help": "Norm above which a step's gradient is scaled down; 0 means never, as in the paper."},
    )
    weight_decay: float = field(
        default=0.0,
        metadata={"help": "Share of the weights, times the learning rate, subtracted in each step; none in the paper."},
    )

    bf16_throughout: bool = field(
        default=False,
        metadata={"help": "In place of --bf16: compute in bfloat16 throughout, over float32 weights, gradients and "
                          "moments; casts less and is faster."},
    )  # fmt: skip
    resume: bool = field(
        default=False, metadata={"help": "Resume from the newest complete checkpoint in --output_dir."}
    )
    average_checkpoints: int = field(
        default=5,
        metadata={"help": "Number of last checkpoints to average (section 6.1); the average is used only if it is "
                          "better on the validation set. 1 means no average."},
    )  # fmt: skip
    patience: int | None = field(
        default=None,
        metadata={"help": "Stop after this many evaluations without a better --metric_for_best_model or, where that "
                          "is equal, a lower loss."},
    )  # fmt: skip
    max_bad_steps: int = field(
        default=10,
        metadata={"help": "End the run after this many steps in a row whose loss or gradient is not finite; fewer are "
                          "skipped and reported."},
    )  # fmt: skip
    validation_beams: int = field(
        default=1,
        metadata={"help": "Beams of the search for the BLEU or F1 measured while training; 1 is fast and close."},
    )
    test_beams: int = field(
        default=4, metadata={"help": "Beams of the search for the test sets and of the saved model."}
    )
    length_penalty: float = field(
        default=0.6,
        metadata={
            "help": "alpha of section 6.1, an exponent; a larger one makes the beam search favour longer outputs."
        },
    )
    extra_tokens: int = field(
        default=50,
        metadata={"help": "Tokens by which an output may be longer than its source (50 in section 6.1, 300 for trees "
                          "in section 6.3); saved with the model."},
    )  # fmt: skip

    hub_license: str | None = field(
        default=None,
        metadata={"help": "Licence of the weights by its name on the Hub, such as cc-by-4.0, for the model card."},
    )

    # Where the defaults of transformers differ; docs/training.md gives the reasons.
    eval_strategy: str = field(
        default="steps", metadata={"help": "When to validate while training: steps, every --eval_steps; no, never."}
    )
    save_strategy: str = field(
        default="steps",
        metadata={"help": "When to save a checkpoint: steps, every --save_steps; best, after evaluations that are the "
                          "best so far."},
    )  # fmt: skip
    logging_strategy: str = field(
        default="steps", metadata={"help": "When to log: steps, every --logging_steps; no, never."}
    )
    eval_steps: float | None = field(
        default=1000, metadata={"help": "Steps between validations; below 1, a share of --max_steps."}
    )
    save_steps: float = field(
        default=1000, metadata={"help": "Steps between checkpoints; below 1, a share of --max_steps."}
    )
    logging_steps: float = field(
        default=100, metadata={"help": "Steps between two lines of the log; below 1, a share of --max_steps."}
    )
    save_total_limit: int | None = field(
        default=10, metadata={"help": "Number of newest checkpoints to keep; the best one is kept as well."}
    )
    metric_for_best_model: str | None = field(
        default=DEFAULT,
        metadata={
            "help": f"Validation metric by which the weights are chosen: {', '.join(choices())}; f1 is for trees, and "
            "wmt14_bleu for translations into German."
        },
    )
    greater_is_better: bool | None = field(
        default=None, metadata={"help": "Follows from --metric_for_best_model; any other value is refused."}
    )
    logging_nan_inf_filter: bool = field(
        default=False, metadata={"help": "Hide losses that are not finite from the log."}
    )
    remove_unused_columns: bool = field(
        default=False, metadata={"help": "Drop columns that the network does not take; batches have no others."}
    )
    use_cache: bool = field(
        default=True, metadata={"help": "Whether the saved model caches keys and values; training does without."}
    )
    ignore_data_skip: bool = field(
        default=True, metadata={"help": "A resumed run goes to its place in the text by itself."}
    )
    dataloader_num_workers: int = field(
        default=1,
        metadata={
            "help": "Processes that read and encode text for each training process; 0 means that it does so itself."
        },
    )
    # Longer than --source_timeout, for which a process may legitimately wait for its text, and half of the Trainer's.
    ddp_timeout: int = field(
        default=900,
        metadata={"help": "Seconds that processes wait for one that does not answer; longer than --source_timeout."},
    )
    ddp_find_unused_parameters: bool | None = field(
        default=False, metadata={"help": "Look for parameters that a step leaves unused; every step uses all."}
    )
    report_to: None | str | list[str] = field(  # noqa: RUF036  (the order that its parser knows)
        default="tensorboard",
        metadata={"help": "Trackers that get the log: none, all, or one or several, such as tensorboard or wandb."},
    )

    def __post_init__(self) -> None:
        if not torch.accelerator.is_available():
            if not self.use_cpu and (fault := device_fault("cpu")):
                raise StartupError(fault)
            self.use_cpu = True  # it would run there anyway; without this, bf16 is refused on a CPU
            # Where DeepSpeed is installed Accelerate imports it in every run, and it would complain of finding no GPU.
            os.environ.setdefault("DS_ACCELERATOR", "cpu")
        precision = os.environ.get("ACCELERATE_MIXED_PRECISION")
        if precision in ("bf16", "fp16") and not (self.bf16 or self.fp16):
            setattr(self, precision, True)  # DeepSpeed requires that flags and launcher agree
        if self.bf16_throughout:
            if precision in ("bf16", "fp16"):
                raise StartupError(
                    f"--bf16_throughout takes the place of mixed precision, and the launcher asks for {precision}; "
                    "launch with --mixed_precision no"
                )
            self.bf16 = False
        metric = (self.metric_for_best_model or DEFAULT).removeprefix("eval_")
        if metric not in choices():
            raise ValueError(
                f"--metric_for_best_model is {metric}; while training, one of {', '.join(choices())} is measured"
            )
        if self.greater_is_better == lower_is_better(metric):
            raise ValueError(
                f"--greater_is_better {str(self.greater_is_better).lower()} would choose the worst {metric} as the "
                "best; leave it out, it follows from --metric_for_best_model"
            )
        self.greater_is_better = not lower_is_better(metric)
        if self.fp16 and self.bf16:
            raise ValueError(
                "--fp16 takes the place of --bf16, which recipes switch on where the hardware has it; add --bf16 false"
            )
        super().__post_init__()
        if fault := process_fault(self.world_size):
            raise StartupError(fault)
        if self.n_gpu > 1:
            raise StartupError(
                f"one process sees {self.n_gpu} GPUs, and the Trainer would split each batch over them; name one "
                "(CUDA_VISIBLE_DEVICES=0, or accelerate_configs/single_gpu.yaml), or start one process per GPU "
                "(accelerate_configs/ddp_8_gpu.yaml with --num_processes)"
            )
        if self.batches_per_step % self.world_size:
            raise ValueError(
                f"{self.world_size} processes cannot share {self.batches_per_step} micro-batches a step evenly; "
                f"set --batches_per_step to a multiple of {self.world_size}, and --tokens_per_batch so that their "
                "product is the batch you want"
            )
        if self.per_device_train_batch_size != TrainingArguments.per_device_train_batch_size:
            raise ValueError(
                "batches are counted in tokens here; use --tokens_per_batch, not --per_device_train_batch_size"
            )
        if self.gradient_accumulation_steps != 1:
            raise ValueError("accumulation follows from the number of processes; use --batches_per_step instead")
        if self.learning_rate != TrainingArguments.learning_rate:
            raise ValueError("use --peak_learning_rate, the rate at the end of the warm-up, not --learning_rate")
        if self.warmup_steps < 1:
            raise ValueError(f"warmup_steps is {self.warmup_steps}; eq. 3 needs at least 1 (a number of steps)")
        if self.max_steps < 1:
            raise ValueError(f"--max_steps is {self.max_steps}; the text has no end, so give at least 1")
        for name, way in INSTEAD.items():
            if getattr(self, name) != getattr(type(self), name):
                raise ValueError(f"--{name} cannot be used here; {way}")
        if self.peak_learning_rate is not None and self.peak_learning_rate <= 0:
            raise ValueError(
                f"--peak_learning_rate is {self.peak_learning_rate}; give more than 0, or leave it out to use eq. 3"
            )
        for name in ("validation_beams", "test_beams", "average_checkpoints", "patience"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"--{name} is {getattr(self, name)}; at least 1 is needed")
        for name in ("eval_strategy", "logging_strategy"):
            if getattr(self, name) == IntervalStrategy.EPOCH:
                raise ValueError(f"--{name} is epoch, but the text has no end of an epoch; leave it at steps")
        if not math.isfinite(self.length_penalty):
            raise ValueError(f"--length_penalty is {self.length_penalty}; give a number (0.6 in section 6.1)")
        if self.extra_tokens < 0:
            raise ValueError(f"--extra_tokens is {self.extra_tokens}; give 0 or more (50 in section 6.1)")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"--seed is {self.seed}; give 0 to {2**32 - 1:,}, which all generators take")
        if self.patience is not None and self.eval_strategy == IntervalStrategy.NO:
            raise ValueError("--patience counts evaluations, and --eval_strategy no makes none; leave one of them out")
        if self.max_bad_steps < 1:
            raise ValueError(
                f"max_bad_steps is {self.max_bad_steps}; at least 1 is needed, with which the run ends at the first "
                "bad step"
            )
        self.gradient_accumulation_steps = self.batches_per_step // self.world_size

    @property
    def in_16_bits(self) -> bool:
        """Whether the network computes in 16 bits, with weights of 32 bits."""
        return bool(self.bf16 or self.fp16 or self.bf16_throughout)
