"""What surrounds one training step: arguments, schedule, checkpoints, averages."""

from .arguments import VaswaniTrainingArguments
from .averaging import average_weights
from .endings import TrainingEndedError
from .precision import has_bf16
from .trainer import VaswaniTrainer

__all__ = [
    "TrainingEndedError",
    "VaswaniTrainer",
    "VaswaniTrainingArguments",
    "average_weights",
    "has_bf16",
]
