"""Everything around one training step: arguments, schedule, checkpoints, averages."""

from .arguments import VaswaniTrainingArguments
from .best_validation import Best
from .checkpointing.averaging import average_weights
from .exceptions import TrainingEnd, TrainingEndedError
from .speed.bf16_support import has_bf16
from .trainer import BatchSource, VaswaniTrainer

__all__ = [
    "BatchSource",
    "Best",
    "TrainingEnd",
    "TrainingEndedError",
    "VaswaniTrainer",
    "VaswaniTrainingArguments",
    "average_weights",
    "has_bf16",
]
