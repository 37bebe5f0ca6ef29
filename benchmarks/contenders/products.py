"""Large matrix products: the ceiling that a step is held against."""

from collections.abc import Callable

import torch

from vaswani.training.speed.bf16_support import has_bf16

from .stepping import DEVICE, Setting, Step, serve

SIZE = 8192 if DEVICE.type != "cpu" else 2048 if has_bf16() else 512
"""Rows and columns. Where bfloat16 is emulated, small ones are as fast, and large ones would take minutes."""
NUMBER = 10
FLOPS = 2.0 * SIZE**3 * NUMBER


def way(kind: torch.dtype) -> Callable[[Setting], Step]:
    """Return how to multiply in numbers of a kind."""

    def make(_: Setting) -> Step:
        left, right = (torch.randn(SIZE, SIZE, device=DEVICE, dtype=kind) for _ in range(2))

        def run() -> None:
            for _ in range(NUMBER):
                left @ right

        return Step(run)

    return make


WAYS = {"products, bf16": way(torch.bfloat16), "products, float32": way(torch.float32)}

if __name__ == "__main__":
    serve(WAYS)
