"""Everything around one training step: arguments, schedule, checkpoints, averages."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .arguments import VaswaniTrainingArguments as VaswaniTrainingArguments
    from .best_validation import Best as Best
    from .checkpointing.averaging import average_weights as average_weights
    from .exceptions import TrainingEnd as TrainingEnd
    from .exceptions import TrainingEndedError as TrainingEndedError
    from .speed.bf16_support import has_bf16 as has_bf16
    from .trainer import BatchSource as BatchSource
    from .trainer import VaswaniTrainer as VaswaniTrainer

_NAMES = {
    "arguments": "VaswaniTrainingArguments",
    "best_validation": "Best",
    "checkpointing.averaging": "average_weights",
    "exceptions": "TrainingEnd TrainingEndedError",
    "speed.bf16_support": "has_bf16",
    "trainer": "BatchSource VaswaniTrainer",
}
"""The public names by the files that have them."""
_FILES = {name: file for file, names in _NAMES.items() for name in names.split()}

__all__ = sorted(_FILES)


def __getattr__(name: str) -> Any:
    """Import the file of a public name when it is asked for: some need libraries that take seconds to import."""
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_FILES[name]}", __name__), name)
