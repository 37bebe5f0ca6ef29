"""Decisions that the main process makes for all."""

from collections.abc import Callable
from typing import TypeVar

from accelerate import PartialState
from accelerate.utils import broadcast_object_list

Decision = TypeVar("Decision")


def on_main_process(decide: Callable[[], Decision]) -> Decision:
    """Return on every process what `decide` returns on the main one, and raise on every process what it raises there.

    For decisions that depend on a shared disk: another machine may see its state some seconds later, and decide
    otherwise or find nothing.
    """
    decision: Decision | None = None
    refusal: Exception | None = None
    if PartialState().is_main_process:
        try:
            decision = decide()
        except (ValueError, OSError) as error:
            refusal = error
    decision, refusal = broadcast_object_list([decision, refusal])
    if refusal is not None:
        raise refusal
    return decision
