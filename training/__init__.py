"""Everything around one training step: arguments, schedule, checkpoints, averages."""

from typing import TYPE_CHECKING

from vaswani.public_names import on_demand

if TYPE_CHECKING:
    from .arguments import VaswaniTrainingArguments as VaswaniTrainingArguments
    from .best_validation import Best as Best
    from .checkpointing.averaging import average_weights as average_weights
    from .exceptions import TrainingEnd as TrainingEnd
    from .exceptions import TrainingEndedError as TrainingEndedError
    from .speed.bf16_support import has_bf16 as has_bf16
    from .trainer import BatchSource as BatchSource
    from .trainer import VaswaniTrainer as VaswaniTrainer

__all__, __getattr__ = on_demand(
    __name__,
    {
        "arguments": "VaswaniTrainingArguments",
        "best_validation": "Best",
        "checkpointing.averaging": "average_weights",
        "exceptions": "TrainingEnd TrainingEndedError",
        "speed.bf16_support": "has_bf16",
        "trainer": "BatchSource VaswaniTrainer",
    },
)
