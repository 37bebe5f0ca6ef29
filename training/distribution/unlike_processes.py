"""Processes that train together are given the same: what differs is refused, by name, before the first step.

Otherwise nothing would tell: each process takes its share of an order that the others do not follow, so that rows come
twice or never, or computes gradients of another loss. Where they disagree on when to validate, save or end, they wait
for each other until the time-out.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Any, NamedTuple

from accelerate.utils import gather_object

from vaswani.training.arguments import VaswaniTrainingArguments
from vaswani.training.exceptions import StartupError

MAY_DIFFER = {
    "dataloader_num_workers": "a machine may have fewer cores",
    "dataloader_pin_memory": "it changes no batch",
    "local_rank": "the number of the process itself",
    "log_level": "what a process prints",
    "log_level_replica": "what a process prints",
    "log_on_each_node": "what a process prints",
    "disable_tqdm": "what a process prints",
    "hub_token": "a secret, which only the first process uses",
}
"""The arguments of training that processes need not have in common, and why; those of text are in
experiment/common_settings.py."""

NOWHERE: Mapping[str, str] = MappingProxyType({})
SHOWN = 60
"""Characters of a value that a message shows."""
NAMED = 8
"""Differences that a message names."""


def check_alike(held: Mapping[str, Any], way_out: str, whence: Mapping[str, str] = NOWHERE) -> None:
    """Make sure that all processes hold the same; called on every process.

    Args:
        held: what this process holds, by the name that a message gives it; mappings within are compared key by key.
        way_out: what to do, for the message.
        whence: where this process has a value from, by the same names; shown, and not compared.

    Raises:
        StartupError: they do not, on all processes; the message names what differs, and the values.

    """
    texts = {name: Held(value, whence.get(name, "")) for name, value in as_texts(held).items()}
    unlike = differences(gather_object([texts]))
    if unlike:
        more = f"; and {len(unlike) - NAMED} more" if len(unlike) > NAMED else ""
        raise StartupError(f"the processes differ: {'; '.join(unlike[:NAMED])}{more}. {way_out}")


class Held(NamedTuple):
    """What one process holds of something."""

    value: str
    """As a text."""
    whence: str = ""

    def __str__(self) -> str:
        value = self.value if len(self.value) <= SHOWN else f"{self.value[:SHOWN]}..."
        return f"{value} ({self.whence})" if self.whence else value


NOTHING = Held("nothing")


def differences(held: Sequence[Mapping[str, Held]]) -> list[str]:
    """Return what differs between processes: each a name, and which of them hold which value.

    Args:
        held: of each process, by name.

    """
    found = []
    for name in dict.fromkeys(name for each in held for name in each):
        holders: dict[str, list[int]] = {}
        for process, each in enumerate(held):
            holders.setdefault(each.get(name, NOTHING).value, []).append(process)
        if len(holders) > 1:
            values = [
                f"{held[some[0]].get(name, NOTHING)} in process {' '.join(map(str, some))}" for some in holders.values()
            ]
            found.append(f"{name} is {' and '.join(values)}")
    return found


def as_texts(held: Mapping[str, Any], within: str = "") -> dict[str, str]:
    """Return every value as a text that is equal where the value is; those of mappings under NAME.KEY."""
    found: dict[str, str] = {}
    for name, value in held.items():
        path = f"{within}{name}"
        if isinstance(value, Mapping) and value:
            found |= as_texts({str(key): each for key, each in value.items()}, f"{path}.")
        else:
            is_whole = isinstance(value, float) and value.is_integer()  # a flag's 2.0 is a recipe's 2
            held_as = int(value) if is_whole else value
            found[path] = json.dumps(held_as, default=_without_address, ensure_ascii=False, sort_keys=True)
    return found


def _without_address(value: Any) -> str:
    """Return any object as a text, without its place in the memory of this process."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))


def settings_of(args: VaswaniTrainingArguments) -> dict[str, Any]:
    """Return the arguments of training that all processes must have in common, by their flags.

    Not from `to_dict`, in which Accelerate 1.15 leaves every parallelism_config empty.
    """
    names = [each.name for each in fields(args) if each.init and each.name not in MAY_DIFFER]
    return {f"--{name}": getattr(args, name) for name in names}
