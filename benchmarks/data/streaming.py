"""Measure streaming from a Hub on loopback: time to the first batch, speed, memory, requests, resuming, padding.

python -m benchmarks.data.wmt14_corpus FOLDER
python -m benchmarks.data.wmt14_tokenizer FOLDER
python -m benchmarks.data.streaming FOLDER --streams 16 --window_groups 64

Every figure comes from a fresh process with the real clients. Nothing is kept packed on disk, so that a second epoch
costs what the first does. The server needs a core of its own; a loopback has no latency, and --delay adds some.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from math import nan
from pathlib import Path
from typing import Any

from benchmarks.measuring.machine import machine
from benchmarks.measuring.report import add_output, leave
from vaswani.data import Order

from .counting_hub import CountingHub, Counts
from .measure_stream import Task
from .window_lengths import GroupLengths, group_lengths, padding, position

_CHILD = f"{__package__}.measure_stream"


def run(task: Task, hub: CountingHub) -> dict[str, Any]:
    """Measure in a fresh process; adds what was asked of the server, in all and while the speed was taken."""
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {
            "HF_ENDPOINT": hub.url,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HOME": home,
            "HF_HUB_OFFLINE": "0",
            "NO_PROXY": "127.0.0.1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }
        before = hub.counts()
        marks: dict[str, Counts] = {}
        with subprocess.Popen(
            [sys.executable, "-m", _CHILD, json.dumps(asdict(task))],
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as child:
            assert child.stdout
            assert child.stdin
            found: dict[str, Any] = {}
            for line in child.stdout:
                if line.strip() in ("begin", "end"):
                    marks[line.strip()] = hub.counts()
                    child.stdin.write("\n")
                    child.stdin.flush()
                elif line.startswith("{"):
                    found = json.loads(line)
        if child.returncode:
            sys.exit(f"the measurement ended with {child.returncode}; what it said stands above")
        found["asked"] = hub.counts().since(before)._asdict()
    if marks:
        found["asked_meanwhile"] = marks["end"].since(marks["begin"])._asdict()
    return found


def paddings(order: Order, lengths: GroupLengths, budgets: list[int], window_groups: list[int]) -> list[dict[str, Any]]:
    """Measure padding for each budget and size of window."""
    rows = []
    for budget in budgets:
        for groups in window_groups:
            of_size = Order(order.seed, budget, order.streams, groups)
            rows.append({"tokens_per_batch": budget, "window_groups": groups} | padding(of_size, lengths))
    return rows


def table(speeds: list[dict[str, Any]], resumes: list[dict[str, Any]], padded: list[dict[str, Any]]) -> str:
    """Return the figures for a reader."""
    lines = ["workers                            " + "".join(f"{each['task']['workers']:>12}" for each in speeds)]

    def line(name: str, values: list[str]) -> None:
        lines.append(f"{name:<35}" + "".join(f"{value:>12}" for value in values))

    line("import, s", [f"{each['import_s']:.1f}" for each in speeds])
    line("open, s", [f"{each['open_s']:.1f}" for each in speeds])
    line("open to first batch, s", [f"{each['first_batch_s']:.1f}" for each in speeds])
    line("open to a batch of every stream, s", [f"{each['every_stream_s']:.1f}" for each in speeds])
    line("pairs a second", [f"{each['pairs'] / each['seconds']:,.0f}" for each in speeds])
    line("tokens a second, both sides", [f"{each['tokens'] / each['seconds']:,.0f}" for each in speeds])
    line("workers' processor time / time", [f"{each['worker_processor_s'] / each['seconds']:.2f}" for each in speeds])
    line(
        "row groups read / used meanwhile",
        [
            f"{each['asked_meanwhile']['groups'] / (each['pairs'] / each['rows'] * each['groups']):.2f}"
            for each in speeds
        ],
    )
    line(
        "requests a row group",
        [f"{each['asked_meanwhile']['requests'] / each['asked_meanwhile']['groups']:.2f}" for each in speeds],
    )
    line(
        "kB a row group",
        [f"{each['asked_meanwhile']['bytes'] / each['asked_meanwhile']['groups'] / 1e3:.0f}" for each in speeds],
    )
    for name, runs in (("", speeds), ("resumed: ", resumes)):
        line(f"{name}peak MiB, main", [f"{each['peak_memory']['main'] / 2**20:,.0f}" for each in runs])
        line(
            f"{name}peak MiB, largest worker", [f"{max(each['peak_memory']['workers']) / 2**20:,.0f}" for each in runs]
        )
    line("resumed: open to first batch, s", [f"{each['first_batch_s']:.1f}" for each in resumes])
    line("resumed: to a batch of every stream", [f"{each.get('every_stream_s', nan):.1f}" for each in resumes])
    lines += [
        f"padding, {each['tokens_per_batch']:,} tokens a batch, {each['window_groups']} groups a window: "
        f"{each['padding']:.1%} ({each['pairs_per_batch']:.0f} pairs a batch; {each['windows']} windows)"
        for each in padded
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, and leave a report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="written by wmt14_corpus.py, with its tokenizer")
    parser.add_argument(
        "--streams", type=int, default=16, help="streams that the text is split into (default: %(default)s)"
    )
    parser.add_argument("--window_groups", type=int, default=64, help="row groups of 1,000")
    parser.add_argument("--tokens_per_batch", type=int, default=25_000, help="a side, padding included")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="loader workers of each run")
    parser.add_argument("--warm_up", type=int, default=100, help="batches before the speed is taken")
    parser.add_argument("--batches", type=int, default=400, help="batches that the speed is taken of")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before the server answers")
    parser.add_argument("--padding_groups", type=int, nargs="+", default=[], help="further sizes of window for padding")
    parser.add_argument("--counted_groups", type=int, default=10_000, help="row groups whose tokens are counted")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="resume no further than the first batch; the memory is then not the largest",
    )
    add_output(parser)
    given = parser.parse_args()
    order = Order(0, given.tokens_per_batch, given.streams, given.window_groups)
    lengths = group_lengths(given.folder, given.counted_groups)
    padded = paddings(order, lengths, [25_000, 3_125], [given.window_groups, *given.padding_groups])
    speeds, resumes = [], []
    with CountingHub(given.folder, given.delay) as hub, tempfile.NamedTemporaryFile("w", suffix=".json") as saved:
        saved.write(json.dumps(position(order, lengths, 0.9)))
        saved.flush()
        for workers in given.workers:
            task = Task(
                asdict(order),
                workers,
                str(given.folder / "tokenizer"),
                given.warm_up,
                given.batches,
                whole=not given.quick,
            )
            speeds.append(run(task, hub))
            resumes.append(
                run(Task(task.order, workers, task.tokenizer, position=saved.name, whole=not given.quick), hub)
            )
            print(f"{workers} workers: done", file=sys.stderr)
    about = machine("torch", "tokenizers", "datasets", "huggingface-hub", "pyarrow") | {
        "load": " ".join(f"{each:.1f}" for each in os.getloadavg()),
        "delay": f"{given.delay:g} s",
        "order": f"{order.streams} streams, {order.window_groups} groups a window",
    }
    figures = {
        "order": asdict(order),
        "delay": given.delay,
        "counted_pairs": len(lengths.lengths),
        "speed": speeds,
        "resume": resumes,
        "padding": padded,
    }
    leave(given.output, about, f"```\n{table(speeds, resumes, padded)}\n```", figures)


if __name__ == "__main__":
    main()
