"""How training ends: normally, or before its last step with an exception and its exit code.

The codes are the nearest ones in sysexits.h. Code 2 is for what the user can fix in flags, data or folders
(`vaswani.experiment`), 75 asks a scheduler to queue the run again as it is; the others need a person first.
"""

import os
from typing import ClassVar, NamedTuple


class TrainingEnd(NamedTuple):
    """Training that ended normally: only the choice among its weights remains."""

    by: str
    """What ended it: "max_steps" or "patience"."""
    as_text: str
    """A sentence that says so."""


class TrainingEndedError(Exception):
    """Training ended before its last step, on all processes that are left; the message says why and what to do."""

    exit_code: ClassVar[int]


class PeerLostError(TrainingEndedError):
    """Another process of the run is gone or does not answer."""

    exit_code = os.EX_UNAVAILABLE  # 69


class NotANumberError(TrainingEndedError, FloatingPointError):
    """Losses, gradients or weights are no longer finite numbers."""

    exit_code = os.EX_SOFTWARE  # 70


class SignalledError(TrainingEndedError):
    """A signal asked the run to end; what it had reached is saved."""

    exit_code = os.EX_TEMPFAIL  # 75


class ValidationStoppedError(Exception):
    """A process was asked to end during a validation, which no process finishes."""


class StartupError(TrainingEndedError):
    """The processes differ, in configuration or contents, from what was asked for."""

    exit_code = os.EX_CONFIG  # 78
