"""A process that makes training steps of one contender: one for each line that it reads, answered with its seconds.

Other libraries run in environments of their own, so nothing but torch is needed here.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from process_memory import peak_memory, resident_memory
from torch import Tensor, nn

Step = Callable[[], Any]
DEVICE = torch.accelerator.current_accelerator() or torch.device("cpu")
STEPS = 1 if DEVICE.type == "cpu" else 10
"""Of a turn."""


class Setting(NamedTuple):
    """Which contender trains what."""

    way: str
    threads: int
    vocab_size: int
    d_model: int
    d_ff: int
    num_heads: int
    layers: int
    dropout: float
    label_smoothing: float
    sentences: int
    length: int


class Batch(NamedTuple):
    """A batch `[B, T]` of as many source symbols as target symbols."""

    input_ids: Tensor
    attention_mask: Tensor
    """1 at symbols, 0 at padding."""
    labels: Tensor
    """-100 at padding."""


def batch(symbols: int, sentences: int, length: int) -> Batch:
    """Return random sentences of `length` to `length` - 3 symbols, on both sides; symbols 0 to 3 do not come."""
    draw = torch.Generator().manual_seed(0)
    ids, labels = (torch.randint(4, symbols, (sentences, length), generator=draw) for _ in range(2))
    short = length - torch.arange(sentences) % 4
    there = torch.arange(length) < short[:, None]
    return Batch(*(tensor.to(DEVICE) for tensor in (ids, there.long(), labels.where(there, -100))))


def step(network: nn.Module, loss: Callable[[], Tensor], autocast: bool) -> Step:
    """Return forward, backward and fused Adam of a network, in bfloat16 by autocast or as the network is."""
    network.to(DEVICE).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-5, betas=(0.9, 0.98), eps=1e-9, fused=True)

    def run() -> None:
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=autocast):
            total = loss()
        total.backward()
        optimizer.step()
        optimizer.zero_grad()

    return run


def serve(ways: Mapping[str, Callable[[Setting], Step]]) -> None:
    """Make the step that the command line names; tell what memory it takes, then its seconds as often as asked."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    setting = Setting(**json.loads(sys.argv[1]))
    torch.set_num_threads(setting.threads)
    run = ways[setting.way](setting)
    print(json.dumps({"peak_bytes": peak(run), "torch": torch.__version__}), file=answers, flush=True)
    for _ in sys.stdin:
        print(json.dumps(timed(run, setting.threads)), file=answers, flush=True)


def peak(run: Step) -> int:
    """Return the bytes that the first two steps take above what is held before them, Adam's moments included."""
    if DEVICE.type == "cpu":
        before = resident_memory()
        run()
        run()
        return peak_memory() - before
    torch.accelerator.reset_peak_memory_stats()
    before = torch.accelerator.memory_allocated()
    run()
    run()
    return torch.accelerator.max_memory_allocated() - before


def timed(run: Step, threads: int) -> dict[str, float]:
    """Return the seconds of a step by the clock, and by the process's own divided by its threads."""
    if DEVICE.type != "cpu":
        run()
        torch.accelerator.synchronize()
    started, worked = time.perf_counter(), time.process_time()
    for _ in range(STEPS):
        run()
    if DEVICE.type != "cpu":
        torch.accelerator.synchronize()
    found = {
        "clock": (time.perf_counter() - started) / STEPS,
        "processor": (time.process_time() - worked) / STEPS / threads,
    }
    if DEVICE.type != "cpu":
        torch.accelerator.empty_cache()  # others have their turn
    return found
