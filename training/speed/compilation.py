"""Compilation of the network by torch.compile, if asked for: for any shape of batch, or for each of a few."""

import torch
from accelerate import Accelerator
from accelerate.utils import DynamoBackend

SPARE = 8
"""Compilations of a function besides those for shapes: torch's own limit for all of them."""


def compile_each_shape(accelerator: Accelerator, shapes: int | None) -> None:
    """Compile each possible shape of a batch separately, if there are only a few; call it before wrapping.

    By default torch compiles for the first shape, then once more for any shape, without what fixed sizes allow, such as
    CUDA graphs. The launcher's setting of dynamic shapes is kept.

    Args:
        accelerator: which will wrap the network.
        shapes: how many there are at most; None: any number.

    """
    plugin = accelerator.state.dynamo_plugin
    if shapes is None or plugin.backend == DynamoBackend.NO:
        return
    if plugin.dynamic is None:
        plugin.dynamic = False
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, shapes + SPARE)
