"""A process that makes training steps of one contender: one for each line that it reads, answered with its seconds.

Other libraries run in environments of their own, so nothing but torch is needed here.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.measuring.process_memory import peak_memory, resident_memory

DEVICE = torch.accelerator.current_accelerator() or torch.device("cpu")
STEPS = 1 if DEVICE.type == "cpu" else 10
"""Of a turn."""


class Step(NamedTuple):
    """What a contender does when it is asked."""

    run: Callable[[], Tensor | None]
    """Makes the step and returns its loss, if it has one."""
    parameters: int = 0
    """Numbers that are trained."""


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
    """A batch `[B, T]` of as many source tokens as target tokens."""

    input_ids: Tensor
    attention_mask: Tensor
    """1 at tokens, 0 at padding."""
    labels: Tensor
    """-100 at padding."""


def batch(symbols: int, sentences: int, length: int) -> Batch:
    """Return random sentences of `length` to `length` - 3 tokens, on both sides; tokens 0 to 3 do not come."""
    draw = torch.Generator().manual_seed(0)
    ids, labels = (torch.randint(4, symbols, (sentences, length), generator=draw) for _ in range(2))
    short = length - torch.arange(sentences) % 4
    there = torch.arange(length) < short[:, None]
    return Batch(*(tensor.to(DEVICE) for tensor in (ids, there.long(), labels.where(there, -100))))


def step(network: nn.Module, loss: Callable[[], Tensor], autocast: bool) -> Step:
    """Return forward, backward and fused Adam of a network, in bfloat16 by autocast or as the network is."""
    network.to(DEVICE).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-5, betas=(0.9, 0.98), eps=1e-9, fused=True)

    def run() -> Tensor:
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=autocast):
            total = loss()
        total.backward()
        optimizer.step()
        optimizer.zero_grad()
        return total.detach()

    return Step(run, sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad))


def serve(ways: Mapping[str, Callable[[Setting], Step]]) -> None:
    """Make the step that the command line names; tell what it is and takes, then its seconds as often as asked."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    setting = Setting(**json.loads(sys.argv[1]))
    torch.set_num_threads(setting.threads)
    torch.manual_seed(0)
    made = ways[setting.way](setting)
    about = {"torch": torch.__version__, "parameters": made.parameters} | first_steps(made.run)
    print(json.dumps(about), file=answers, flush=True)
    for _ in sys.stdin:
        print(json.dumps(timed(made.run, setting.threads)), file=answers, flush=True)


def first_steps(run: Callable[[], Tensor | None]) -> dict[str, float]:
    """Make two steps; return the loss of the first, and the most bytes above what is held before them.

    These hold Adam's moments, which the first step makes.
    """
    on_processors = DEVICE.type == "cpu"
    if not on_processors:
        torch.accelerator.reset_peak_memory_stats()
    before = resident_memory() if on_processors else torch.accelerator.memory_allocated()
    loss = run()
    run()
    most = peak_memory() if on_processors else torch.accelerator.max_memory_allocated()
    return {"peak_bytes": most - before} | ({} if loss is None else {"first_loss": loss.item()})


def timed(run: Callable[[], Tensor | None], threads: int) -> dict[str, float]:
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
