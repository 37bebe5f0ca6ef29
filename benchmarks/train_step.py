"""Measure training steps: ways to train the same network take turns, round after round.

python benchmarks/train_step.py --threads 1 --rounds 5 --output step.json
python benchmarks/train_step.py --contenders "Marian, bf16" "as --bf16_throughout trains"

A step is forward, loss, backward and fused Adam over one batch of random symbols of unlike lengths. Every contender is
a process of its own (contenders/), so that each has its memory for itself. Each round asks every one for a step, in an
order turned by one from round to round, while the others wait; a figure is the median over the rounds, a ratio the
median of the ratios to the baseline within a round. The first round warms up and is not counted. The ceiling is the
best of large matrix products in the same numbers, made in the same rounds.

On processors with one thread the clock is that of the process, which other programs disturb less. Peak memory is what
the first two steps take above what the process held before.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import torch
from contender import Contender, clock, operations
from contenders.products import FLOPS
from contenders.stepping import Setting, batch
from machine import machine
from turns import against, in_turn

BASELINE = "Marian, bf16"
CONTENDERS = {
    "marian": (
        BASELINE, "Marian, eager attention, bf16", "Marian, not smoothed, bf16", "Marian, float32",
        "Marian, eager attention, float32",
    ),
    "ours": (
        "model alone, sdpa, bf16", "model alone, bf16", "as --bf16 trains", "as --bf16_throughout trains",
        "throughout, torch's dropout", "throughout, memory given back", "throughout, sdpa attention",
        "model alone, sdpa, float32", "as float32 trains", "float32, sdpa attention",
    ),
}  # fmt: skip
"""The modules of contenders/, and what each of them offers."""

SHORT = (BASELINE, "Marian, eager attention, bf16", "as --bf16 trains", "as --bf16_throughout trains")


def kind(name: str) -> str:
    """Return the numbers that a contender multiplies in."""
    return "float32" if "float32" in name else "bf16"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--vocab_size", type=int, default=37_000)
    parser.add_argument("--big", action="store_true", help="the paper's big network rather than base")
    parser.add_argument("--sentences", type=int, default=128)
    parser.add_argument("--length", type=int, default=32)
    parser.add_argument("--baseline", default=BASELINE, help="the contender that has speed 1")
    parser.add_argument("--contenders", nargs="+", help="those that are to run, beside the baseline (default: a few)")
    parser.add_argument("--all", action="store_true", help="all contenders that are known")
    parser.add_argument("--output", type=Path, help="a JSON file for every figure")
    given = parser.parse_args()
    modules = {name: module for module, names in CONTENDERS.items() for name in names}
    asked = list(dict.fromkeys([given.baseline, *(modules if given.all else given.contenders or SHORT)]))
    if unknown := [name for name in asked if name not in modules]:
        parser.error(f"there is no contender {unknown[0]!r}; there are {', '.join(map(repr, modules))}")
    torch.set_num_threads(given.threads)
    base, big = ("base", 512, 2048, 8, 0.1), ("big", 1024, 4096, 16, 0.3)
    network, d_model, d_ff, num_heads, dropout = big if given.big else base
    setting = Setting(
        "", given.threads, given.vocab_size, d_model, d_ff, num_heads, 6, dropout, 0.1, given.sentences, given.length
    )
    ceilings = {each: f"products, {each}" for each in sorted({kind(name) for name in asked})}
    modules |= dict.fromkeys(ceilings.values(), "products")
    names = [*asked, *ceilings.values()]
    contenders = {name: Contender(modules[name], setting._replace(way=name)) for name in names}
    found = in_turn({name: each.step for name, each in contenders.items()}, given.rounds)
    goes_by = clock(given.threads)
    seconds = {name: [turn[goes_by] for turn in turns] for name, turns in found.items()}
    flops, rates = operations(setting), {each: FLOPS / min(seconds[name]) for each, name in ceilings.items()}
    tokens = int((batch(given.vocab_size, given.sentences, given.length).labels != -100).sum())
    rows = [
        {"contender": name, "peak_bytes": contenders[name].about["peak_bytes"]}
        | against(seconds[name], seconds[given.baseline])
        | {
            "tokens_per_second": tokens / statistics.median(seconds[name]),
            "share_of_ceiling": flops / statistics.median(seconds[name]) / rates[kind(name)],
        }
        for name in asked
    ]
    about = machine("torch", "transformers") | {
        "network": f"{network}, V = {given.vocab_size:,}",
        "batch": f"{given.sentences} x {given.length}, {tokens:,} target tokens",
        "rounds": str(given.rounds), "seconds": f"of the {goes_by}", "FLOPs of a step": f"{flops / 1e12:.3f} T",
        "ceilings": ", ".join(f"{rate / 1e9:,.0f} GFLOP/s in {each}" for each, rate in rates.items()),
    }  # fmt: skip
    print("\n".join(f"{name}: {value}" for name, value in about.items()))
    print("\n" + table(rows, given.baseline))
    if given.output:
        content = {"machine": about, "rows": rows, "rounds": found}
        given.output.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def table(rows: list[dict[str, Any]], baseline: str) -> str:
    """Return the rows as a table for a report."""
    lines = [
        f"| | seconds (least to most) | speed against {baseline} | target tokens/s | share of the ceiling "
        "| peak of a step |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['contender']} | {row['seconds']:.3g} ({row['least']:.3g} to {row['most']:.3g}) "
            f"| {row['speed']:.2f} ({row['speed_least']:.2f} to {row['speed_most']:.2f}) "
            f"| {row['tokens_per_second']:,.0f} | {row['share_of_ceiling']:.2f} | {row['peak_bytes'] / 1e9:.2f} GB |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
