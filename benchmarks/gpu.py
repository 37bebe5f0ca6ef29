"""Measure on one GPU what the network takes: training steps, decoding, a short run, and what follows for a long one.

python benchmarks/gpu.py steps --network base --peak_tflops 989 --output base
python benchmarks/gpu.py steps --network big --peak_tflops 989 --output big
python benchmarks/gpu.py decode --output decode
python benchmarks/gpu.py train --steps base.json --minutes 6 --output train recipes/wmt14_base.py --dataset grammar
python benchmarks/gpu.py schedule --steps base.json big.json --output schedule

Each part stands alone and leaves a report, with every figure beside it: OUTPUT.md, OUTPUT.json. One
takes at most 10 minutes, all about 25: `steps` begins no contender after `--minutes`, and names those left out.

`steps` is forward, backward and fused Adam on one batch of `--tokens` a side. A contender is a process of its own
(contenders/on_gpu.py); a few at a time take turns with the baseline and with large matrix products, the ceiling. FLOPs
are counted on the batch as it is padded; of a packed one, the share that is no padding. The peak is that of the
datasheet, dense and in bfloat16: 989 TFLOP/s for an H100 or H200 SXM, 312 for an A100. `decode` has a network of random
weights write a fixed number of tokens for each sentence. `train` runs a recipe, with its flags, for as many steps as
fit; `schedule` multiplies what was measured, and says that it does.

On a processor everything runs as well, at sizes that are given (`--d_model` and so on); it measures nothing there.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run by its path, it finds the others too

from benchmarks.contenders.contender import operations, setting_of
from benchmarks.contenders.groups import start, stop_without, take_turns
from benchmarks.contenders.on_gpu import WAYS
from benchmarks.contenders.ours import config_of
from benchmarks.contenders.products import FLOPS
from benchmarks.contenders.stepping import DEVICE, Setting, batch
from benchmarks.measuring.machine import machine
from benchmarks.measuring.report import leave
from benchmarks.measuring.turns import against, in_turn
from vaswani.experiment.table3 import BY_NAME
from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.publishing import read_metrics, read_run
from vaswani.storage.records import as_json
from vaswani.training.speed.fastest_attention import fastest_attention

BASELINE = "as --bf16 trains"
CEILING = "products, bf16"
OTHERS = ("Marian, bf16",)
NETWORKS = ("base", "big")
NOWHERE = Path()
"""No contender here needs an environment of its own."""


class Measured(NamedTuple):
    """What a part leaves."""

    about: dict[str, str]
    """What its figures hang on."""
    text: str
    """Tables."""
    figures: dict[str, Any]


def asked_for(given: argparse.Namespace) -> Setting:
    """Return the network that the flags ask for, and its batch."""
    paper = setting_of(
        given.network, torch.get_num_threads(), given.vocab_size, given.tokens // given.length, given.length
    )
    named = {name: getattr(given, name) for name in ("d_model", "d_ff", "num_heads", "layers")}
    return paper._replace(**{name: value for name, value in named.items() if value is not None})


# --- steps ---


def steps(given: argparse.Namespace) -> Measured:
    """Measure contenders, a few at a time, each group in turn with the baseline and the ceiling."""
    setting = asked_for(given)
    asked = [name for name in given.contenders or [*OTHERS, *WAYS] if name != BASELINE]
    if unknown := [name for name in asked if name not in {*OTHERS, *WAYS}]:
        sys.exit(f"there is no contender {unknown[0]!r}; there are {', '.join(map(repr, (*OTHERS, *WAYS)))}")
    started = time.monotonic()
    flops, sample = operations(setting), batch(setting.vocab_size, setting.sentences, setting.length)
    there = (sample.labels != -100).sum() + sample.attention_mask.sum()
    tokens, share = int((sample.labels != -100).sum()), float(there / (2 * sample.labels.numel()))
    always, faults = start({BASELINE: "on_gpu", CEILING: "products"}, setting, NOWHERE)
    stop_without(needed := (BASELINE, CEILING), faults)
    rows: list[dict[str, Any]] = []
    groups = [[BASELINE], *(asked[first : first + given.together] for first in range(0, len(asked), given.together))]
    for group in groups:
        if group != [BASELINE] and time.monotonic() - started > 60 * given.minutes:
            faults |= dict.fromkeys(group, f"left out: {given.minutes:g} minutes were over")
            continue
        modules = {name: "marian" if name in OTHERS else "on_gpu" for name in group if name != BASELINE}
        others, unstarted = start(modules, setting, NOWHERE)
        contenders = always | others
        found, lost = take_turns(contenders, given.rounds)
        faults |= unstarted | lost
        stop_without(needed, faults)
        seconds = {name: [turn["clock"] for turn in turns] for name, turns in found.items()}
        ceiling = FLOPS / min(seconds[CEILING])
        for name in (name for name in group if name in found):
            of_step = flops * (share if "packed" in name else 1)
            speed = of_step / statistics.median(seconds[name])
            rows.append(
                {"contender": name}
                | contenders[name].about
                | against(seconds[name], seconds[BASELINE])
                | {
                    "tokens_per_second": tokens / statistics.median(seconds[name]),
                    "flops": of_step,
                    "share_of_ceiling": speed / ceiling,
                    "ceiling": ceiling,
                    "share_of_peak": speed / given.peak_tflops / 1e12 if given.peak_tflops else None,
                }
            )
        for each in others.values():
            each.end()
    for each in always.values():
        each.end()
    about = machine("torch", "transformers") | {
        "network": f"{given.network}: {setting.d_model}, {setting.d_ff}, {setting.num_heads} heads, "
        f"{setting.layers} + {setting.layers} layers, V = {setting.vocab_size:,}",
        "batch": f"{setting.sentences} x {setting.length}, {tokens:,} target tokens, {1 - share:.1%} padding",
        "FLOPs of a step": f"{flops / 1e12:.4g} T",
        "rounds": str(given.rounds),
        "peak by the datasheet": f"{given.peak_tflops} TFLOP/s",
    }
    figures = {
        "network": given.network,
        "tokens": tokens,
        "setting": setting._asdict(),
        "rows": rows,
        "faults": faults,
    }
    return Measured(about, table_of_steps(rows, faults), figures)


def table_of_steps(rows: list[dict[str, Any]], faults: dict[str, str]) -> str:
    """Return a table for a report."""
    lines = [
        f"| | ms a step (least to most) | speed against {BASELINE} | target tokens/s | share of the ceiling "
        "| share of the peak | peak memory of a step | seconds to the first steps |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        of_peak = "" if row["share_of_peak"] is None else f"{row['share_of_peak']:.1%}"
        start = "" if "start_seconds" not in row else f"{row['start_seconds']:.0f}"
        lines.append(
            f"| {row['contender']} | {1e3 * row['seconds']:.1f} ({1e3 * row['least']:.1f} to {1e3 * row['most']:.1f}) "
            f"| {row['speed']:.2f} ({row['speed_least']:.2f} to {row['speed_most']:.2f}) "
            f"| {row['tokens_per_second']:,.0f} | {row['share_of_ceiling']:.1%} | {of_peak} "
            f"| {row['peak_bytes'] / 1e9:.2f} GB | {start} |"
        )
    return "\n".join([*lines, *(f"| {name} | {fault} | | | | | | |" for name, fault in faults.items())])


# --- decode ---


def decode(given: argparse.Namespace) -> Measured:
    """Measure `generate`, greedy and with beams, by the tokens that it writes a second."""
    setting = asked_for(given)
    made: nn.Module = VaswaniForConditionalGeneration(config_of(setting))
    model: Any = made.to(DEVICE, torch.bfloat16).eval()
    model.set_attn_implementation(fastest_attention(DEVICE, in_16_bits=True))
    sample = batch(setting.vocab_size, setting.sentences, setting.length)
    inputs = {"input_ids": sample.input_ids, "attention_mask": sample.attention_mask}

    def way(**how: Any) -> Callable[[], float]:
        def timed() -> float:
            began = time.perf_counter()
            out = model.generate(**inputs, min_new_tokens=given.symbols, max_new_tokens=given.symbols, **how)
            if DEVICE.type != "cpu":
                torch.accelerator.synchronize()
            assert out.shape == (setting.sentences, given.symbols + 1), out.shape
            return time.perf_counter() - began

        return timed

    ways = {
        "greedy": way(num_beams=1),
        "beam 4, the paper's search": way(num_beams=4),
        "beam 4, by transformers": way(num_beams=4, paper_search=False),
    }
    written = setting.sentences * given.symbols
    rows = [
        {
            "contender": name,
            "rounds": seconds,
            "tokens_per_second": written / statistics.median(seconds),
            "least": written / max(seconds),
            "most": written / min(seconds),
        }
        for name, seconds in in_turn(ways, given.rounds).items()
    ]
    about = machine("torch", "transformers") | {
        "network": f"{given.network}, V = {setting.vocab_size:,}, bfloat16, random weights",
        "sentences": f"{setting.sentences} at a time, of {setting.length} tokens; each is given {given.symbols}",
        "rounds": str(given.rounds),
    }
    lines = ["| | target tokens/s, median (least to most) |", "|---|---|"]
    lines += [
        f"| {row['contender']} | {row['tokens_per_second']:,.0f} ({row['least']:,.0f} to {row['most']:,.0f}) |"
        for row in rows
    ]
    return Measured(about, "\n".join(lines), {"rows": rows})


# --- train ---


def train(given: argparse.Namespace) -> Measured:
    """Run a recipe for as many steps as `--minutes` allow by what `steps` measured, and hold it against that."""
    if (measured := json.loads(given.steps[0].read_text(encoding="utf-8")))["network"] != "base":
        sys.exit(f"{given.steps[0]} is of the {measured['network']} network; `train` takes base")
    [bare] = [row for row in measured["rows"] if row["contender"] == BASELINE]
    # The rest is for reading text, validation, translation and scores, none of which `steps` measured.
    number = max(1, round(given.share * 60 * given.minutes / bare["seconds"]))
    batches = {"tokens_per_batch": given.tokens, "batches_per_step": 1, "streams": 1}
    often = {
        "eval_steps": max(1, number // 2),
        "save_steps": max(1, number // 8),
        "logging_steps": max(1, number // 40),
    }
    with tempfile.TemporaryDirectory() as folder:
        own = {
            "max_steps": number,
            "warmup_steps": min(4000, max(1, number // 4)),
            **batches,
            **often,
            "bf16": True,
            "disable_tqdm": True,
        }
        flags = [str(word) for name, value in own.items() for word in (f"--{name}", value)]
        command = [given.recipe[0], *flags, *given.recipe[1:], "--output_dir", folder]
        began = time.monotonic()
        subprocess.run([sys.executable, *command], check=True)
        wall = time.monotonic() - began
        metrics, run = read_metrics(Path(folder)), read_run(Path(folder))
        history = json.loads((Path(folder) / "history.json").read_text(encoding="utf-8"))
    logged = [each for each in history if "tokens_per_second" in each]
    speed = statistics.median(each["tokens_per_second"] for each in logged[len(logged) // 4 :])
    scores = {f"{split}, {name}": score.value for split, each in metrics.test.items() for name, score in each.items()}
    figures = {
        "steps": number,
        "minutes, everything included": round(wall / 60, 2),
        "last loss": logged[-1]["loss"],
        "target tokens/s": round(speed),
        "share of the bare step's": round(speed / bare["tokens_per_second"], 3),
        **{name: round(score, 1) for name, score in scores.items()},
    }
    about = machine("torch", "transformers", "accelerate") | {"run": " ".join(command)}
    text = "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in figures.items())
    records = {"metrics": as_json(metrics), "history": history, "run": as_json(run)}
    return Measured(about, text, {"figures": figures, **records})


# --- schedule ---


def schedule(given: argparse.Namespace) -> Measured:
    """Multiply seconds of a step by the paper's steps: an extrapolation, with nothing but steps in it."""
    rows = []
    for file in given.steps:
        measured = json.loads(file.read_text(encoding="utf-8"))
        number = BY_NAME[measured["network"]].steps
        [today] = [row for row in measured["rows"] if row["contender"] == BASELINE]
        # The unmasked one attends to padding, and is no training.
        best = min(
            (row for row in measured["rows"] if row["contender"] in WAYS and "unmasked" not in row["contender"]),
            key=lambda row: row["seconds"],
        )
        rows += [
            {
                "network": measured["network"],
                "steps": number,
                "tokens": measured["tokens"],
                "contender": row["contender"],
                "hours": number * row["seconds"] / 3600,
            }
            for row in ([today] if best is today else [today, best])
        ]
    lines = [
        "Extrapolated, not measured: the paper's steps times the seconds of one, on one device.\n",
        "| network | steps | target tokens of each | contender | hours |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['network']} | {row['steps']:,} | {row['tokens']:,} | {row['contender']} | {row['hours']:.3g} |"
        for row in rows
    ]
    about = {**machine("torch"), "extrapolation": "steps x seconds of a step; no reading, validation, checkpoints"}
    return Measured(about, "\n".join(lines), {"rows": rows})


PARTS: dict[str, Callable[[argparse.Namespace], Measured]] = {
    "steps": steps,
    "decode": decode,
    "train": train,
    "schedule": schedule,
}


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    found = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = found.add_subparsers(dest="part", required=True)
    of = {name: parts.add_parser(name, help=(part.__doc__ or "").strip()) for name, part in PARTS.items()}
    for each in of.values():
        each.add_argument("--output", type=Path, required=True, help="a name for the files, without .json and .md")
    for name in ("steps", "decode"):
        each = of[name]
        each.add_argument(
            "--network", choices=NETWORKS, default="base", help="network of the paper (default: %(default)s)"
        )
        each.add_argument(
            "--rounds",
            type=int,
            default=3,
            help="rounds of measuring (default: %(default)s)",
        )
        each.add_argument(
            "--vocab_size", type=int, default=37_000, help="tokens in the vocabulary (default: %(default)s)"
        )
        each.add_argument("--length", type=int, default=32, help="tokens of the longest sentences")
        for size in ("d_model", "d_ff", "num_heads", "layers"):
            each.add_argument(f"--{size}", type=int, help="in place of the network's, for a trial")
    of["steps"].add_argument("--tokens", type=int, default=25_000, help="of a batch, a side, padding included")
    of["decode"].add_argument("--tokens", type=int, default=4096, help="of a batch of sources, padding included")
    of["train"].add_argument("--tokens", type=int, default=25_000, help="--tokens_per_batch of the run")
    of["steps"].add_argument("--peak_tflops", type=float, help="of the datasheet, dense, bfloat16; 10^12 a second")
    of["steps"].add_argument("--minutes", type=float, default=7, help="begin no contender after so many")
    of["steps"].add_argument("--together", type=int, default=3, help="contenders that hold memory at a time")
    of["steps"].add_argument("--contenders", nargs="+", metavar="NAME", help="beside the baseline (default: all)")
    of["decode"].add_argument("--symbols", type=int, default=32, help="to write for each sentence")
    of["train"].add_argument("--minutes", type=float, default=6, help="for all of the run")
    of["train"].add_argument("--share", type=float, default=0.6, help="of the minutes that steps may take")
    of["train"].add_argument("recipe", nargs=argparse.REMAINDER, help="file of a recipe, and its flags")
    for name, number in (("train", 1), ("schedule", "+")):
        of[name].add_argument("--steps", type=Path, nargs=number, required=True, help="what `steps` wrote")
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and leave a report."""
    given = parser().parse_args(argv)
    leave(given.output, **PARTS[given.part](given)._asdict())


if __name__ == "__main__":
    main()
