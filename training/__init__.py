"""What surrounds one training step: arguments, schedule, checkpoints, averages."""

from .arguments import VaswaniTrainingArguments
from .checkpointing.averaging import average_weights
from .exceptions import TrainingEndedError
from .speed.bf16_support import has_bf16
from .trainer import VaswaniTrainer

__all__ = [
    "TrainingEndedError",
    "VaswaniTrainer",
    "VaswaniTrainingArguments",
    "average_weights",
    "has_bf16",
]
