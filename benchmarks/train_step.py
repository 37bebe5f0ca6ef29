"""Measure training steps: ways to train the same network take turns in one process, round after round.

python benchmarks/train_step.py --threads 1 --rounds 5 --output step.json
python benchmarks/train_step.py --contenders "Marian" "bf16 throughout"

A step is forward, loss, backward and fused Adam over one batch of random symbols of unlike lengths. Each round runs
every contender once, in an order turned by one from round to round; a figure is the median over the rounds, a ratio the
median of the ratios to the baseline within a round. The first round warms up and is not counted. The ceiling is the
best of large matrix products in bfloat16 (in float32 where a contender computes in it), timed in the same rounds.

On processors the clock is that of the process, which other programs disturb less. Peak memory is of a process that
makes one contender's steps and nothing else, above what it held before.
"""

import argparse
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import torch
from machine import machine
from process_memory import peak_memory
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import MarianConfig, MarianMTModel
from transformers.trainer_pt_utils import LabelSmoother

from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.training.bfloat16 import compute_in_bfloat16
from vaswani.training.fused_loss import train_without_logits

Step = Callable[[], Any]
MARIAN, FLOAT32 = "Marian", "float32"
DEVICE = torch.accelerator.current_accelerator() or torch.device("cpu")


def ours(config: VaswaniConfig, attention: str, fused: bool = True, throughout: bool = False) -> nn.Module:
    """Return our network, with what the trainer does to it."""
    model = VaswaniForConditionalGeneration(config)
    model.set_attn_implementation(attention)
    if fused:
        train_without_logits(model)
    if throughout:
        compute_in_bfloat16(model)
    return model


def marian(config: VaswaniConfig, attention: str) -> nn.Module:
    """Return transformers' Marian of the same sizes."""
    return MarianMTModel._from_config(
        MarianConfig(
            vocab_size=config.vocab_size, d_model=config.d_model, encoder_layers=config.encoder_layers,
            decoder_layers=config.decoder_layers, encoder_attention_heads=config.num_heads,
            decoder_attention_heads=config.num_heads, encoder_ffn_dim=config.d_ff, decoder_ffn_dim=config.d_ff,
            activation_function="relu", scale_embedding=True, dropout=config.dropout, attention_dropout=0.0,
            activation_dropout=0.0, pad_token_id=config.pad_token_id, eos_token_id=config.eos_token_id,
            decoder_start_token_id=config.decoder_start_token_id or 0,
        ),
        attn_implementation=attention,
    )  # fmt: skip


class Smoothed(nn.Module):
    """A network with the loss that the Trainer's `label_smoothing_factor` gives it; Marian's own has no smoothing."""

    def __init__(self, network: nn.Module, epsilon: float) -> None:
        super().__init__()
        self.network, self.smoother = network, LabelSmoother(epsilon)

    def forward(self, labels: Tensor, **inputs: Tensor) -> SimpleNamespace:
        """Return the smoothed loss alone."""
        shifted = self.network.prepare_decoder_input_ids_from_labels(labels)  # type: ignore[operator]
        outputs = self.network(decoder_input_ids=shifted, **inputs)
        return SimpleNamespace(loss=self.smoother(outputs, labels))


def contenders(config: VaswaniConfig) -> dict[str, tuple[Callable[[], nn.Module], bool]]:
    """Return how to make each network, and whether it trains under autocast, by name."""
    return {
        MARIAN: (lambda: Smoothed(marian(config, "sdpa"), config.label_smoothing), True),
        "Marian, eager attention": (lambda: Smoothed(marian(config, "eager"), config.label_smoothing), True),
        "Marian, not smoothed": (lambda: marian(config, "sdpa"), True),
        "plain, autocast": (lambda: ours(config, "sdpa", fused=False), True),
        "eager attention, autocast": (lambda: ours(config, "eager", fused=False), True),
        "eager attention, fused loss, autocast": (lambda: ours(config, "eager"), True),
        "bf16 throughout": (lambda: ours(config, "eager", throughout=True), False),
        "bf16 throughout, sdpa": (lambda: ours(config, "sdpa", throughout=True), False),
        f"Marian, {FLOAT32}": (lambda: Smoothed(marian(config, "sdpa"), config.label_smoothing), False),
        f"plain, {FLOAT32}": (lambda: ours(config, "sdpa", fused=False), False),
        f"fused loss, {FLOAT32}": (lambda: ours(config, "sdpa"), False),
        f"eager attention, fused loss, {FLOAT32}": (lambda: ours(config, "eager"), False),
    }


def batch(symbols: int, sentences: int, length: int) -> dict[str, Tensor]:
    """Return random sentences of `length` to `length` - 3 symbols, on both sides."""
    draw = torch.Generator().manual_seed(0)
    ids, labels = (torch.randint(4, symbols, (sentences, length), generator=draw) for _ in range(2))
    short = length - torch.arange(sentences) % 4
    there = torch.arange(length) < short[:, None]
    filled = {"input_ids": ids, "attention_mask": there.long(), "labels": labels.where(there, -100)}
    return {name: tensor.to(DEVICE) for name, tensor in filled.items()}


def step(model: nn.Module, autocast: bool, inputs: dict[str, Tensor]) -> Step:
    """Return a training step of a network."""
    model.to(DEVICE).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5, betas=(0.9, 0.98), eps=1e-9, fused=True)

    def run() -> None:
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=autocast):
            loss = model(**inputs).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return run


def products(dtype: torch.dtype) -> tuple[Step, float]:
    """Return some large matrix products, and their FLOPs."""
    size, number = 2048 if DEVICE.type == "cpu" else 8192, 10
    left, right = (torch.randn(size, size, device=DEVICE, dtype=dtype) for _ in range(2))

    def run() -> None:
        for _ in range(number):
            left @ right

    return run, 2.0 * size**3 * number


def timed(run: Step) -> float:
    """Return the seconds of one call: of the process on processors, of the clock on accelerators."""
    if DEVICE.type == "cpu":
        started = time.process_time()
        run()
        return (time.process_time() - started) / torch.get_num_threads()
    torch.accelerator.synchronize()
    started = time.perf_counter()
    run()
    torch.accelerator.synchronize()
    return time.perf_counter() - started


def rounds(ways: dict[str, Step], number: int) -> dict[str, list[float]]:
    """Return the seconds of every counted call, by name."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for turn in range(number + 1):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            found = timed(ways[name])
            if turn:
                seconds[name].append(found)
    return seconds


def peak(name: str, config: VaswaniConfig, inputs: dict[str, Tensor], threads: int, sent: Any) -> None:
    """Send the bytes that steps take above what a process holds before them; one process for each call."""
    torch.set_num_threads(threads)
    make, autocast = contenders(config)[name]
    run = step(make(), autocast, inputs)
    before = psutil.Process().memory_info().rss
    for _ in range(2):
        run()
    sent.send(peak_memory() - before)


def peaks(names: list[str], config: VaswaniConfig, inputs: dict[str, Tensor], threads: int) -> dict[str, int]:
    """Return the bytes of `peak` for each name; on accelerators by their own count, without a process."""
    found = {}
    for name in names:
        if DEVICE.type == "cpu":
            processes = multiprocessing.get_context("spawn")
            here, there = processes.Pipe()
            process = processes.Process(target=peak, args=(name, config, inputs, threads, there))
            process.start()
            found[name] = here.recv()
            process.join()
        else:
            make, autocast = contenders(config)[name]
            run = step(make(), autocast, inputs)
            torch.accelerator.reset_peak_memory_stats()
            before = torch.accelerator.memory_allocated()
            run()
            found[name] = torch.accelerator.max_memory_allocated() - before
    return found


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--vocab_size", type=int, default=37_000)
    parser.add_argument("--big", action="store_true", help="the paper's big network rather than base")
    parser.add_argument("--sentences", type=int, default=128)
    parser.add_argument("--length", type=int, default=32)
    parser.add_argument("--baseline", default=MARIAN, help="the contender that has speed 1")
    parser.add_argument("--contenders", nargs="+", help="those that are to run, beside the baseline (default: all)")
    parser.add_argument("--memory", action="store_true", help="measure the peak memory of a step too")
    parser.add_argument("--output", type=Path, help="a JSON file for every figure")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    sizes: dict[str, Any] = {"d_model": 1024, "d_ff": 4096, "num_heads": 16, "dropout": 0.3} if given.big else {}
    config = VaswaniConfig(vocab_size=given.vocab_size, **sizes)
    inputs = batch(given.vocab_size, given.sentences, given.length)
    names = list(dict.fromkeys([given.baseline, *(given.contenders or contenders(config))]))
    ways = {
        name: step(make(), autocast, inputs) for name, (make, autocast) in contenders(config).items() if name in names
    }
    with FlopCounterMode(display=False) as counter:
        step(ours(config, "eager", fused=False), False, inputs)()
    flops = float(counter.get_total_flops())
    ceilings = {kind: products(kind) for kind in (torch.bfloat16, torch.float32)}
    seconds = rounds(ways | {str(kind): run for kind, (run, _) in ceilings.items()}, given.rounds)
    memory = peaks(names, config, inputs, given.threads) if given.memory else {}
    tokens = int((inputs["labels"] != -100).sum())
    rows = []
    for name in names:
        kind = torch.float32 if name.endswith(FLOAT32) else torch.bfloat16
        ceiling = ceilings[kind][1] / min(seconds[str(kind)])
        median = statistics.median(seconds[name])
        ratios = [b / a for a, b in zip(seconds[name], seconds[given.baseline], strict=True)]
        rows.append(
            {
                "contender": name, "seconds": median, "least": min(seconds[name]), "most": max(seconds[name]),
                "speed": statistics.median(ratios), "speed_least": min(ratios), "speed_most": max(ratios),
                "tokens_per_second": tokens / median, "share_of_ceiling": flops / median / ceiling,
            } | ({"peak_bytes": memory[name]} if memory else {})
        )  # fmt: skip
    about = machine("torch", "transformers") | {
        "network": f"{'big' if given.big else 'base'}, V = {given.vocab_size:,}",
        "batch": f"{given.sentences} x {given.length}, {tokens:,} target tokens", "rounds": str(given.rounds),
        "FLOPs of a step": f"{flops / 1e12:.3f} T",
        "ceilings": ", ".join(
            f"{each[1] / min(seconds[str(kind)]) / 1e9:,.0f} GFLOP/s in {kind}"
            for kind, each in ceilings.items()
        ),
    }  # fmt: skip
    print("\n".join(f"{name}: {value}" for name, value in about.items()))
    print("\n" + table(rows, given.baseline))
    if given.output:
        content = {"machine": about, "rows": rows, "rounds": seconds}
        given.output.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def table(rows: list[dict[str, Any]], baseline: str) -> str:
    """Return the rows as a table for a report."""
    head = f"| | seconds (least to most) | speed against {baseline} | target tokens/s | share of the ceiling |"
    lines = [head + (" peak of a step |" if "peak_bytes" in rows[0] else "")]
    lines.append("|---" * (lines[0].count("|") - 1) + "|")
    for row in rows:
        lines.append(
            f"| {row['contender']} | {row['seconds']:.2f} ({row['least']:.2f} to {row['most']:.2f}) "
            f"| {row['speed']:.2f} ({row['speed_least']:.2f} to {row['speed_most']:.2f}) "
            f"| {row['tokens_per_second']:,.0f} | {row['share_of_ceiling']:.2f} |"
            + (f" {row['peak_bytes'] / 1e9:.2f} GB |" if "peak_bytes" in row else "")
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
