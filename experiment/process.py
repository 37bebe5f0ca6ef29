"""A recipe as the purpose of a process: from its command line to its exit code."""

import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .arguments import Recipe, parse
from .run import run


def main(recipe: Recipe) -> None:
    """Run a recipe with the flags of the command line, and end the process."""
    with ending_the_process():
        run(parse(recipe))


@contextmanager
def ending_the_process() -> Iterator[None]:
    """End the process after the work within, by the exit code that the interpreter would give.

    Processes that train together end without taking the interpreter down: while that goes on, gloo's threads may still
    let go of a tensor of the last collective operation, for which they need the interpreter; torch 2.13 then aborts
    ("terminate called without an active exception"), and a run that ended well looks like one that crashed. An orderly
    end might also wait for a process that is lost.
    """
    code = 0
    try:
        yield
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
        if isinstance(ending.code, str):
            print(ending.code, file=sys.stderr)
    except BaseException:  # KeyboardInterrupt too: whatever ends this process ends it here
        sys.excepthook(*sys.exc_info())
        code = 1
    if not torch.distributed.is_initialized():
        sys.exit(code)
    for child in multiprocessing.active_children():
        child.kill()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
