"""How training ends: well, or before its last step by an exception of its own with an exit code that tells it.

The codes are those of sysexits.h that come nearest. Code 2 is what the user can mend in flags, data or folders
(`vaswani.experiment`), 75 asks a scheduler to queue the run again as it is; the others need a person first.
"""

import os
from typing import ClassVar, NamedTuple


class TrainingEnd(NamedTuple):
    """Training that came to its end: what is left is to choose among its weights."""

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
    """Losses, gradients or weights are not numbers any more, or not finite ones."""

    exit_code = os.EX_SOFTWARE  # 70


class SignalledError(TrainingEndedError):
    """A signal asked the run to end; what it had reached is saved."""

    exit_code = os.EX_TEMPFAIL  # 75


class StartupError(TrainingEndedError):
    """What the processes hold or run as is not what was asked for."""

    exit_code = os.EX_CONFIG  # 78
