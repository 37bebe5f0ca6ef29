"""Measure training steps: ways to train the same network take turns, round after round.

python -m benchmarks.training.train_step --threads 1 --rounds 5
python -m benchmarks.training.train_step --contenders "Marian, bf16" "as --bf16_throughout trains"
python -m benchmarks.training.train_step --threads 1 --peers

A step is forward, loss, backward and fused Adam over one batch of random tokens of unlike lengths. Every contender is
a process of its own (contenders/), so that each has its memory for itself. Each round asks every one for a step, in an
order turned by one from round to round, while the others wait; a figure is the median over the rounds, a ratio the
median of the ratios to the baseline within a round. The first round warms up and is not counted. The ceiling is the
best of large matrix products in the same numbers, made in the same rounds.

A base network at 128 x 32 holds some 3 GB between its steps and up to 7 GB in one, so that many contenders are measured
in groups: `--at_once` of them, with the baseline and the products in each group.

Peers are the networks and losses of other libraries, at the same sizes, with the same optimizer. Some run in
environments of their own (contenders/environments.py), made when they are first asked for. One whose environment cannot
be made or whose process ends is told by name with the reason, and the others are measured; without the baseline nothing
is.

The loss of the first step should be near log V (JoeyNMT's leaves out the entropy of the smoothed labels, 1.4 nats). On
processors with one thread the clock is that of the process, which other programs disturb less. Peak memory is what
the first two steps take above what the process held before.
"""

import argparse
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.contenders.contender import clock, operations, setting_of
from benchmarks.contenders.environments import ENVIRONMENTS
from benchmarks.contenders.groups import Turns, start, stop_without, take_turns
from benchmarks.contenders.products import FLOPS
from benchmarks.contenders.stepping import Setting, batch
from benchmarks.measuring.flags import add_rounds, add_threads
from benchmarks.measuring.machine import machine
from benchmarks.measuring.report import add_output, leave
from benchmarks.measuring.turns import against
from vaswani.storage.cache_folder import default_cache

BASELINE = "Marian, bf16"
CONTENDERS = {
    "marian": (
        BASELINE,
        "Marian, eager attention, bf16",
        "Marian, memory kept, bf16",
        "Marian, eager attention, memory kept, bf16",
        "Marian, not smoothed, bf16",
        "Marian, float32",
        "Marian, memory kept, float32",
        "Marian, eager attention, float32",
    ),
    "ours": (
        "model alone, sdpa, bf16",
        "model alone, bf16",
        "as --bf16 trains",
        "as --bf16_throughout trains",
        "throughout, --gradient_checkpointing",
        "throughout, --consistency rdrop",
        "throughout, --consistency simcut",
        "throughout, torch's dropout",
        "throughout, memory given back",
        "throughout, sdpa attention",
        "model alone, sdpa, float32",
        "as float32 trains",
        "float32, eager attention",
    ),
    "bart": ("BART, bf16", "BART, float32"),
    "torch_transformer": ("torch.nn.Transformer, bf16", "torch.nn.Transformer, float32"),
    "opennmt": ("OpenNMT-py, bf16",),
    "sockeye": ("Sockeye, bf16",),
    "joeynmt": ("JoeyNMT, bf16",),
}
"""The modules of contenders/, and what each of them offers."""

PEERS = tuple(name for module in ("bart", "torch_transformer", *ENVIRONMENTS) for name in CONTENDERS[module])
SHORT = (BASELINE, "Marian, memory kept, bf16", "as --bf16 trains", "as --bf16_throughout trains")


def kind(name: str) -> str:
    """Return the numbers that a contender multiplies in."""
    return "float32" if "float32" in name else "bf16"


class Group(NamedTuple):
    """What contenders that took turns gave, by name."""

    about: dict[str, dict[str, Any]]
    """What each told of itself."""
    turns: Turns
    """The seconds of each that came to the end."""
    missing: dict[str, str]
    """Why the others did not."""


def measure(modules: Mapping[str, str], needed: Iterable[str], setting: Setting, given: argparse.Namespace) -> Group:
    """Have contenders, given with their modules, take turns; end them."""
    contenders, missing = start(modules, setting, given.environments)
    stop_without(needed, missing)
    turns, lost = take_turns(contenders, given.rounds)
    missing |= lost
    stop_without(needed, missing)
    for each in contenders.values():
        each.end()
    return Group({name: each.about for name, each in contenders.items()}, turns, missing)


def main() -> None:
    """Measure, and leave a report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_rounds(parser, 5)
    add_threads(parser)
    parser.add_argument(
        "--vocab_size", type=int, default=37_000, help="tokens in the vocabulary (default: %(default)s)"
    )
    parser.add_argument("--big", action="store_true", help="the paper's big network rather than base")
    parser.add_argument("--sentences", type=int, default=128, help="sentences of a batch (default: %(default)s)")
    parser.add_argument("--length", type=int, default=32, help="tokens of the longest sentences (default: %(default)s)")
    parser.add_argument("--baseline", default=BASELINE, help="the contender that has speed 1")
    parser.add_argument("--contenders", nargs="+", help="those that are to run, beside the baseline (default: a few)")
    parser.add_argument("--peers", action="store_true", help="beside those, the networks of other libraries")
    parser.add_argument("--all", action="store_true", help="all contenders that are known")
    parser.add_argument(
        "--environments",
        type=Path,
        default=Path(default_cache(), "peers"),
        help="where peers' environments are made and kept (default: peers in $VASWANI_CACHE, or ~/.cache/vaswani)",
    )
    parser.add_argument("--at_once", type=int, default=3, help="so many are held in memory beside the baseline")
    add_output(parser)
    given = parser.parse_args()
    modules = {name: module for module, names in CONTENDERS.items() for name in names}
    chosen = modules if given.all else [*(given.contenders or SHORT), *(PEERS if given.peers else ())]
    asked = list(dict.fromkeys([given.baseline, *chosen]))
    if unknown := [name for name in asked if name not in modules]:
        parser.error(f"there is no contender {unknown[0]!r}; there are {', '.join(map(repr, modules))}")
    torch.set_num_threads(given.threads)
    network = "big" if given.big else "base"
    setting = setting_of(network, given.threads, given.vocab_size, given.sentences, given.length)
    ceilings = {each: f"products, {each}" for each in sorted({kind(name) for name in asked})}
    modules |= dict.fromkeys(ceilings.values(), "products")
    needed, others = (given.baseline, *ceilings.values()), [name for name in asked if name != given.baseline]
    groups = []
    for at in range(0, max(1, len(others)), given.at_once):
        names = [*needed, *others[at : at + given.at_once]]
        groups.append(measure({name: modules[name] for name in names}, needed, setting, given))
    goes_by = clock(given.threads)
    rates = {
        each: FLOPS / min(turn[goes_by] for group in groups for turn in group.turns[name])
        for each, name in ceilings.items()
    }
    flops = operations(setting)
    tokens = int((batch(given.vocab_size, given.sentences, given.length).labels != -100).sum())
    rows: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    for group in groups:
        seconds = {name: [turn[goes_by] for turn in turns] for name, turns in group.turns.items()}
        new = seconds.keys() - ceilings.values() - {row["contender"] for row in rows}
        rows += [
            {"contender": name}
            | group.about[name]
            | against(seconds[name], seconds[given.baseline])
            | {
                "tokens_per_second": tokens / statistics.median(seconds[name]),
                "share_of_ceiling": flops / statistics.median(seconds[name]) / rates[kind(name)],
            }
            for name in seconds
            if name in new
        ]
        missing |= group.missing
    measured = {modules[row["contender"]] for row in rows}
    peers = [each.peer for module, each in ENVIRONMENTS.items() if module in measured]
    about = machine("torch", "transformers") | {
        "peers": ", ".join(peers),
        "network": f"{network}, V = {given.vocab_size:,}",
        "batch": f"{given.sentences} x {given.length}, {tokens:,} target tokens",
        "rounds": str(given.rounds),
        "seconds": f"of the {goes_by}",
        "FLOPs of a step": f"{flops / 1e12:.3f} T",
        "ceilings": ", ".join(f"{rate / 1e9:,.0f} GFLOP/s in {each}" for each, rate in rates.items()),
    }
    figures = {"rows": rows, "missing": missing, "rounds": [group.turns for group in groups]}
    leave(given.output, about, table(rows, given.baseline, missing), figures)


def table(rows: list[dict[str, Any]], baseline: str, missing: Mapping[str, str]) -> str:
    """Return the rows as a table for a report, and those that are missing with the reason."""
    lines = [
        f"| | seconds (least to most) | speed against {baseline} | target tokens/s | share of the ceiling "
        "| peak of a step | parameters | loss at first |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['contender']} | {row['seconds']:.3g} ({row['least']:.3g} to {row['most']:.3g}) "
            f"| {row['speed']:.2f} ({row['speed_least']:.2f} to {row['speed_most']:.2f}) "
            f"| {row['tokens_per_second']:,.0f} | {row['share_of_ceiling']:.2f} | {row['peak_bytes'] / 1e9:.2f} GB "
            f"| {row['parameters'] / 1e6:.1f}M | {row['first_loss']:.2f} |"
        )
    lines += [f"| {name} | missing: {reason.replace('|', '/')} | | | | | | |" for name, reason in missing.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
