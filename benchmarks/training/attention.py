"""Measure ways to attend against each other, by kind of number, length of sentence, with and without gradients.

python -m benchmarks.training.attention --threads 1 --rounds 5

Self-attention of 8 heads of 64 over 4,096 tokens, padding masked, as the network calls it, in turn; microseconds a
token, median over the rounds. `vaswani.modeling` takes what transformers registers: "eager" is equation 1 written out,
"sdpa" torch's fused one. What training and translation choose stands in `training/speed/fastest_attention.py`.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable
from types import SimpleNamespace

import torch
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from benchmarks.contenders.stepping import DEVICE
from benchmarks.measuring.flags import add_rounds, add_threads
from benchmarks.measuring.machine import machine
from benchmarks.measuring.report import add_output, leave
from benchmarks.measuring.turns import in_turn
from vaswani.modeling.modeling_vaswani import scaled_dot_product_attention
from vaswani.training.speed.process_memory import reuse_freed_memory

TOKENS, HEADS, WIDTH = 4096, 8, 64
LENGTHS = (8, 16, 32, 64, 128, 256, 512, 1024)


def way(attention: str, kind: torch.dtype, length: int, learns: bool) -> Callable[[], float]:
    """Return how to take the seconds of one attention, and of its gradients where it learns."""
    shape = (TOKENS // length, length, HEADS, WIDTH)
    query, key, value = (
        torch.randn(shape, device=DEVICE, dtype=kind).requires_grad_(learns).transpose(1, 2) for _ in range(3)
    )
    there = torch.arange(length, device=DEVICE) < length - torch.arange(shape[0], device=DEVICE)[:, None] % 4
    allowed = there[:, None, None, :].expand(-1, 1, length, -1)
    mask = allowed if attention == "sdpa" else torch.zeros_like(allowed, dtype=kind).masked_fill(~allowed, -1e9)
    function = ALL_ATTENTION_FUNCTIONS.get_interface(attention, scaled_dot_product_attention)
    module = SimpleNamespace(training=learns, is_causal=False, num_key_value_groups=1)
    gradient = torch.randn(shape, device=DEVICE, dtype=kind)

    def run() -> float:
        started = time.process_time() if DEVICE.type == "cpu" else time.perf_counter()
        with torch.set_grad_enabled(learns):
            found, _ = function(module, query, key, value, mask, scaling=WIDTH**-0.5, dropout=0.0)
            if learns:
                found.backward(gradient)
        if DEVICE.type == "cpu":
            return time.process_time() - started
        torch.accelerator.synchronize()
        return time.perf_counter() - started

    return run


def main() -> None:
    """Measure, and leave a report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_rounds(parser, 5)
    add_threads(parser)
    add_output(parser)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if DEVICE.type == "cpu":
        reuse_freed_memory()
    tables, figures = [], []
    for learns in (True, False):
        tables.append(
            f"{'Forward and backward' if learns else 'Forward alone'}, microseconds a token (eager / sdpa):\n"
        )
        tables += [f"| | {' | '.join(map(str, LENGTHS))} |", f"|---{'|---' * len(LENGTHS)}|"]
        for kind in (torch.float32, torch.bfloat16):
            cells = []
            for length in LENGTHS:
                ways = {each: way(each, kind, length, learns) for each in ("eager", "sdpa")}
                repeated = {
                    name: functools.partial(lambda run: min(run() for _ in range(3)), run) for name, run in ways.items()
                }
                seconds = {name: statistics.median(each) for name, each in in_turn(repeated, given.rounds).items()}
                figures.append({"dtype": str(kind), "length": length, "learns": learns, "seconds": seconds})
                cells.append(" / ".join(f"{seconds[each] / TOKENS * 1e6:.1f}" for each in ways))
            tables.append(f"| {str(kind).removeprefix('torch.')} | {' | '.join(cells)} |")
        tables.append("")
    leave(given.output, machine("torch") | {"rounds": str(given.rounds)}, "\n".join(tables), {"ways": figures})


if __name__ == "__main__":
    main()
