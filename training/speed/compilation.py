"""Compilation of the network by torch.compile, where it is asked for: for any shape of batch, or each of a few."""

import torch
from accelerate import Accelerator
from accelerate.utils import DynamoBackend

SPARE = 8
"""Compilations of a function beside those for shapes: torch's own limit to all of them."""


def compile_each_shape(accelerator: Accelerator, shapes: int | None) -> None:
    """Have each shape that a batch may have compiled by itself, where there are only so many; call it before wrapping.

    Left to itself torch compiles for the first shape, then once more for any, without what fixed sizes allow, CUDA
    graphs among it. What the launcher says of dynamic shapes stays.

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
