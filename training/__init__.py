"""What surrounds one training step: arguments, schedule, checkpoints, averages, pictures."""

from .arguments import VaswaniTrainingArguments
from .averaging import average_weights
from .curve import draw_curve
from .endings import TrainingEndedError
from .precision import has_bf16
from .trainer import VaswaniTrainer

__all__ = [
    "TrainingEndedError",
    "VaswaniTrainer",
    "VaswaniTrainingArguments",
    "average_weights",
    "draw_curve",
    "has_bf16",
]
