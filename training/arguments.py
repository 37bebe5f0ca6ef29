"""The Trainer's arguments with the paper's defaults, and the few fields that this project adds."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

import torch
from transformers import PreTrainedModel, TrainingArguments
from transformers.training_args import trainer_log_levels

from vaswani.evaluation.metric_table import DEFAULT, choices
from vaswani.flags import numbers, range_faults, whole

from .argument_checks import (
    batch_faults,
    choice_faults,
    lora_faults,
    metric_of,
    precision_faults,
    process_faults,
    refuse,
    value_faults,
)
from .consistency import WEIGHTS, add_consistency
from .distribution.launcher_checks import device_fault
from .exceptions import StartupError
from .schedule import steps_of_cooldown
from .validation_figures import lower_is_better


class Group(NamedTuple):
    """Flags that are shown together."""

    title: str
    about: str | None
    names: tuple[str, ...]


TRAINING_GROUPS = (
    Group("training", "Adam and the learning rate of eq. 3 (section 5.3); docs/training.md.", (
        "output_dir", "resume", "init_from", "new_vocabulary", "lora_rank", "max_steps", "warmup_steps",
        "cooldown_steps", "peak_learning_rate", "optimizer", "adam_beta1", "adam_beta2", "adam_epsilon",
        "max_grad_norm", "weight_decay", "seed", "max_bad_steps", "save_steps", "save_total_limit",
    )),
    Group("training, consistency", "Two passes over each batch that should agree; docs/training.md.", (
        "consistency", "consistency_weight", "cut_share",
    )),
    Group("training, precision and hardware", None, (
        "bf16", "bf16_throughout", "fp16", "tf32", "gradient_checkpointing", "torch_compile", "torch_compile_mode",
        "use_cpu", "ddp_timeout",
    )),
    Group("training, log", None, ("logging_steps", "report_to", "run_name", "disable_tqdm")),
    Group("evaluation", "Validation while training, the choice of the weights, and the test sets.", (
        "eval_strategy", "eval_steps", "metric_for_best_model", "patience", "average_checkpoints", "ema_decay",
        "validation_beams", "test_beams", "length_penalty", "extra_tokens",
    )),
    Group("Hub", "docs/hub.md", (
        "push_to_hub", "hub_model_id", "hub_strategy", "hub_private_repo", "hub_revision", "hub_license", "hub_token",
        "hub_always_push", "push_native",
    )),
)  # fmt: skip
"""Where --help of a recipe shows the fields below and those of the Trainer; experiment/help.py has the groups before
them, of network and data."""

RANGES_OF_TRANSFORMERS = {
    "seed": whole(0, 2**32 - 1),  # which all generators take
    "neftune_noise_alpha": numbers(0),
    "torch_empty_cache_steps": whole(1),
    "eval_delay": numbers(0),
    "per_device_eval_batch_size": whole(1),
    "eval_accumulation_steps": whole(1),
    "dataloader_prefetch_factor": whole(1),
    "ddp_bucket_cap_mb": whole(1),
    "local_rank": whole(-1),
}
"""Of the Trainer's own numeric fields, but for those that are refused at any value but their default."""

LOSSES: dict[str, Callable[[PreTrainedModel, Any], None]] = {
    "consistency": lambda model, args: add_consistency(
        model, args.consistency, args.consistency_weight, args.cut_share
    ),
}
"""What changes a network's loss for training, by the field that asks for it unless it is None; called with the
arguments. Without one the loss is the smoothed one of section 5.4 (training/loss.py)."""


@dataclass
class VaswaniTrainingArguments(TrainingArguments):
    """Section 5.3 as defaults: Adam with betas 0.9 and 0.98 and eps 1e-9, eq. 3, no clipping, no weight decay."""

    batches_per_step: Annotated[int, whole(1)] = field(
        default=1,
        metadata={"help": "Micro-batches of --tokens_per_batch in a step, over all processes together; the number of "
                          "processes must divide it. Gradient accumulation follows from it."},
    )  # fmt: skip
    peak_learning_rate: Annotated[float | None, numbers(above=0)] = field(
        default=None,
        metadata={
            "help": "Learning rate at --warmup_steps, after which it falls with the inverse square root of the step."
        },
    )
    warmup_steps: Annotated[float, numbers(1)] = field(
        default=4000, metadata={"help": "Steps in which the learning rate rises from 0 to its peak."}
    )
    cooldown_steps: Annotated[float, numbers(0)] = field(
        default=0,
        metadata={"help": "Steps at the end of --max_steps in which the learning rate falls to 0 in a straight line; "
                          "below 1, a share of --max_steps. The paper has no such fall."},
    )  # fmt: skip
    max_steps: Annotated[int, whole(1)] = field(
        default=100_000, metadata={"help": "Steps to train for; the text has no end."}
    )
    adam_beta1: Annotated[float, numbers(0, below=1)] = field(
        default=0.9, metadata={"help": "Adam's beta_1: share of the mean gradient kept by a step."}
    )
    adam_beta2: Annotated[float, numbers(0, below=1)] = field(
        default=0.98, metadata={"help": "Adam's beta_2: share of the mean squared gradient kept by a step."}
    )
    adam_epsilon: Annotated[float, numbers(0)] = field(
        default=1e-9, metadata={"help": "Adam's epsilon, added to the root of the mean squared gradient."}
    )
    max_grad_norm: Annotated[float, numbers(0)] = field(
        default=0.0,
        metadata={"help": "Norm above which a step's gradient is scaled down; 0 means never, as in the paper."},
    )
    weight_decay: Annotated[float, numbers(0)] = field(
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
    init_from: str | None = field(
        default=None,
        metadata={"help": "Start from this model, a folder or OWNER/NAME (or OWNER/NAME@REVISION) on the Hub: its "
                          "network, weights and vocabulary. Optimizer, schedule and data begin anew."},
    )  # fmt: skip
    new_vocabulary: bool = field(
        default=False,
        metadata={"help": "With --init_from, learn a vocabulary from this run's text: tokens that both have keep their "
                          "rows of the table, the others are drawn."},
    )  # fmt: skip
    consistency: str | None = field(
        default=None,
        metadata={"help": "Make two passes over each batch, and ask both for the same probabilities: rdrop, which "
                          "differ by dropout, or simcut, the second with token embeddings left out."},
    )  # fmt: skip
    consistency_weight: Annotated[float | None, numbers(0)] = field(
        default=None,
        metadata={"help": "With --consistency, its weight beside the smoothed loss: alpha in the papers, a ratio."},
    )
    cut_share: Annotated[float, numbers(0, below=1)] = field(
        default=0.05, metadata={"help": "With --consistency simcut, the share of the token embeddings left out."}
    )
    lora_rank: Annotated[int | None, whole(1)] = field(
        default=None,
        metadata={"help": "With --init_from, train by LoRA: the weights stay, and a product of this rank is learned "
                          "beside each weight of attention and feed-forward network; added up at the end."},
    )  # fmt: skip
    optimizer: str = field(
        default="adam",
        metadata={"help": "What makes the steps: adam, the paper's; muon, Muon for the matrices of linear layers and "
                          "Adam for the rest."},
    )  # fmt: skip
    average_checkpoints: Annotated[int, whole(1)] = field(
        default=5,
        metadata={"help": "Number of last checkpoints to average (section 6.1); the average is used only if it is "
                          "better on the validation set. 1 means no average."},
    )  # fmt: skip
    ema_decay: Annotated[float | None, numbers(above=0, below=1)] = field(
        default=None,
        metadata={"help": "Keep an exponential moving average of the weights over all steps with this decay, such as "
                          "0.999; it is used at the end only if it is best on the validation set."},
    )  # fmt: skip
    patience: Annotated[int | None, whole(1)] = field(
        default=None,
        metadata={"help": "Stop after this many evaluations without a better --metric_for_best_model or, where that "
                          "is equal, a lower loss."},
    )  # fmt: skip
    max_bad_steps: Annotated[int, whole(1)] = field(
        default=10,
        metadata={"help": "End the run after this many steps in a row whose loss or gradient is not finite; fewer are "
                          "skipped and reported."},
    )  # fmt: skip
    validation_beams: Annotated[int, whole(1)] = field(
        default=1,
        metadata={"help": "Beams of the search for the BLEU or F1 measured while training; 1 is fast and close."},
    )
    test_beams: Annotated[int, whole(1)] = field(
        default=4, metadata={"help": "Beams of the search for the test sets and of the saved model."}
    )
    length_penalty: Annotated[float, numbers(-10, 10)] = field(
        default=0.6,
        metadata={
            "help": "alpha of section 6.1, an exponent; a larger one makes the beam search favour longer outputs."
        },
    )
    extra_tokens: Annotated[int, whole(0)] = field(
        default=50,
        metadata={"help": "Tokens by which an output may be longer than its source (50 in section 6.1, 300 for trees "
                          "in section 6.3); saved with the model."},
    )  # fmt: skip

    hub_license: str | None = field(
        default=None,
        metadata={"help": "Licence of the weights by its name on the Hub, such as cc-by-4.0, for the model card."},
    )

    push_native: str | None = field(
        default=None,
        metadata={"help": "Push the model at the end as a class of transformers' own as well, which needs no "
                          "trust_remote_code: beside, in the folder transformers/, or instead of its own form."},
    )  # fmt: skip

    # What the present stack would otherwise do by itself; docs/training.md gives the reasons.
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
    eval_steps: Annotated[float | None, numbers(above=0)] = field(
        default=1000, metadata={"help": "Steps between validations; below 1, a share of --max_steps."}
    )
    save_steps: Annotated[float, numbers(above=0)] = field(
        default=1000, metadata={"help": "Steps between checkpoints; below 1, a share of --max_steps."}
    )
    logging_steps: Annotated[float, numbers(above=0)] = field(
        default=100, metadata={"help": "Steps between two lines of the log; below 1, a share of --max_steps."}
    )
    save_total_limit: Annotated[int | None, whole(1)] = field(
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
    log_level_replica: str = field(
        default="passive",
        metadata={
            "help": "Level of transformers' own log in all processes but the first; passive leaves it as it is in the "
            "first, where errors alone are logged.",
            "choices": list(trainer_log_levels),
        },
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
    dataloader_num_workers: Annotated[int, whole(0)] = field(
        default=1,
        metadata={
            "help": "Processes that read and encode text for each training process; 0 means that it does so itself."
        },
    )
    # Longer than --source_timeout, for which a process may rightly wait for its text, and half of the Trainer's.
    ddp_timeout: Annotated[int, whole(1)] = field(
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
        of_launcher = os.environ.get("ACCELERATE_MIXED_PRECISION")
        if of_launcher in ("bf16", "fp16") and not (self.bf16 or self.fp16):
            setattr(self, of_launcher, True)  # DeepSpeed requires that flags and launcher agree
        refuse(precision_faults(self, of_launcher), StartupError)
        if self.bf16_throughout:
            self.bf16 = False
        refuse(range_faults(self, RANGES_OF_TRANSFORMERS))
        refuse(choice_faults(self))
        if self.consistency is not None and self.consistency_weight is None:
            self.consistency_weight = WEIGHTS[self.consistency]
        self.greater_is_better = not lower_is_better(metric_of(self))
        super().__post_init__()
        refuse(process_faults(self), StartupError)
        refuse(batch_faults(self))
        refuse(value_faults(self))
        refuse(lora_faults(self))
        self.gradient_accumulation_steps = self.batches_per_step // self.world_size

    @property
    def steps_of_cooldown(self) -> int:
        """The steps of --cooldown_steps, where it is a share as well."""
        return steps_of_cooldown(self.cooldown_steps, self.max_steps)

    @property
    def in_16_bits(self) -> bool:
        """Whether the network computes in 16 bits, with weights of 32 bits."""
        return bool(self.bf16 or self.fp16 or self.bf16_throughout)
