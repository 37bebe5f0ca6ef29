"""The processes that share the work: those that a launcher started, or this one alone."""

import os
import sys
from typing import Any, Protocol

LAUNCHED = (
    *("LOCAL_RANK", "RANK", "WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE"),
    *("SLURM_STEP_NUM_TASKS", "ACCELERATE_USE_SAGEMAKER"),
)
"""Variables of which a launcher sets at least one."""


class Processes(Protocol):
    """What a process knows of the others."""

    number: int
    """Its own, from 0; process 0 reads and writes."""
    local_number: int
    """The same among those of this machine."""
    together: int
    """How many there are."""

    def shared(self, value: Any) -> Any:
        """Return the value that process 0 gives."""

    def gathered(self, value: Any) -> list[Any]:
        """Return the values of all processes, in their order."""


class Alone:
    """One process, which needs no library to know it."""

    number = local_number = 0
    together = 1

    def shared(self, value: Any) -> Any:
        """Return the value."""
        return value

    def gathered(self, value: Any) -> list[Any]:
        """Return the value, in a list."""
        return [value]


class Launched:
    """What Accelerate finds, which may be one process too."""

    def __init__(self) -> None:
        import torch
        from accelerate import PartialState

        state = PartialState(cpu=not torch.accelerator.is_available())
        self.number, self.local_number = state.process_index, state.local_process_index
        self.together = state.num_processes

    def shared(self, value: Any) -> Any:
        """Return the value that process 0 gives."""
        from accelerate.utils import broadcast_object_list

        held = [value]
        broadcast_object_list(held)
        return held[0]

    def gathered(self, value: Any) -> list[Any]:
        """Return the values of all processes, in their order."""
        from accelerate.utils import gather_object

        found: list[Any] = gather_object([value])
        return found


def processes() -> Processes:
    """Return this process and those that it works with."""
    is_launched = "accelerate" in sys.modules or any(name in os.environ for name in LAUNCHED)
    return Launched() if is_launched else Alone()
