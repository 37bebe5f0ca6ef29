"""A lost process of the run: the others notice it in the operation in which they wait for it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vaswani.training.exceptions import PeerLostError


@contextmanager
def peer_lost_on_timeout(timeout: float) -> Iterator[None]:
    """Turn what a failed collective operation raises into PeerLostError.

    Over gloo a process that died is noticed at once, because its connections close; one that hangs, and any over NCCL,
    is noticed `timeout` seconds after the others began to wait for it.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_collective_error(error):
            raise
        raise PeerLostError(
            f"another process of the run has ended, or did not answer for {timeout:g} s (--ddp_timeout): the first "
            f"error in the other processes' output says why. Continue with --resume. ({str(error).splitlines()[0]})"
        ) from error


def is_collective_error(error: RuntimeError) -> bool:
    """Return whether an error comes from torch.distributed; gloo's have no type of their own."""
    if torch.distributed.is_available() and isinstance(error, torch.distributed.DistError):
        return True
    return any(words in str(error) for words in ("gloo/", "Application timeout caused pair closure"))
