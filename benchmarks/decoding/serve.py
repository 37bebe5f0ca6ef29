"""Measure a server under many clients: whether every answer is right, requests a second, latency, memory.

python -m benchmarks.decoding.serve MODEL --input source.txt --clients 64 --seconds 60 [-- SERVE'S FLAGS]

Starts `vaswani serve MODEL`. Each client sends one sentence of its own share after another, the next when the last is
answered, until the time is over. Every answer is compared with what `translate` gives for the same lines. In float32 a
near tie may fall differently in another batch, so two figures are told: answers that are not the offline one, and among
them those that are another line's, which would be a wrong pairing. The clients run in this process, on the same cores.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import vaswani
from benchmarks.measuring.machine import machine
from benchmarks.measuring.process_memory import peak_memory
from benchmarks.measuring.report import add_output, leave
from vaswani.commands.line_files import read_lines
from vaswani.experiment import markdown


class Reply(NamedTuple):
    """What came of one sentence."""

    line: str
    seconds: float
    status: int
    text: str | None


def client(port: int, lines: list[str], seconds: float) -> list[Reply]:
    """Send lines one after another, over and over, for so many seconds; at least one."""
    connection, replies, end = HTTPConnection("127.0.0.1", port, timeout=600), list[Reply](), time.monotonic() + seconds
    while not replies or time.monotonic() < end:
        line, started = lines[len(replies) % len(lines)], time.perf_counter()
        connection.request("POST", "/translate", json.dumps({"text": line}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = json.loads(answer.read())
        text = body["translations"][0]["text"] if answer.status == 200 else None
        replies.append(Reply(line, time.perf_counter() - started, answer.status, text))
    connection.close()
    return replies


def measure(port: int, process: int, shares: list[list[str]], seconds: float, right: dict[str, str]) -> dict[str, Any]:
    """Let every client send its lines at once, and return the figures."""
    offline = set(right.values())
    with ThreadPoolExecutor(len(shares)) as threads:
        list(threads.map(lambda lines: client(port, lines, seconds / 6), shares))  # warm
        warm, started = peak_memory(process), time.perf_counter()
        replies = [each for found in threads.map(lambda lines: client(port, lines, seconds), shares) for each in found]
        took = time.perf_counter() - started
    latencies = sorted(each.seconds for each in replies)
    other = [each for each in replies if each.status == 200 and each.text != right[each.line]]
    return {
        "clients": len(shares),
        "seconds": round(took, 1),
        "statuses": dict(Counter(each.status for each in replies)),
        "not_the_offline_answer": len(other),
        "another_lines_answer": sum(each.text in offline for each in other),
        "requests_a_second": round(len(replies) / took, 1),
        "latency": {
            f"p{share}": round(latencies[min(len(latencies) * share // 100, len(latencies) - 1)], 3)
            for share in (50, 90, 95, 99, 100)
        },
        "peak_memory_MiB": peak_memory(process) >> 20,
        "peak_memory_growth_MiB": (peak_memory(process) - warm) >> 20,
    }


def main() -> None:
    """Start a server, measure, and leave a report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder of a trained model")
    parser.add_argument("--input", type=Path, required=True, help="a sentence a line")
    parser.add_argument("--clients", type=int, default=64, help="clients at a time (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="after a sixth of them to warm up")
    parser.add_argument("--engine", default="torch", help="of vaswani serve (default: %(default)s)")
    add_output(parser)
    parser.add_argument("flags", nargs="*", help="of vaswani serve, after --")
    given = parser.parse_args()
    lines = read_lines(given.input)
    if not 1 <= given.clients <= len(lines):
        parser.error(
            f"--clients is {given.clients} and {given.input} has {len(lines)} line(s): each client sends lines of its "
            "own; give 1 or more clients, and as many lines"
        )
    right = dict(zip(lines, vaswani.load(given.model, engine=given.engine).translate(lines), strict=True))
    command = [str(Path(sys.executable).with_name("vaswani")), "serve", str(given.model), "--engine", given.engine]
    command += ["--port", "0", *given.flags]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        said = process.stderr.readline()
        found = re.search(r":(\d+),", said)
        assert found, said
        port = int(found[1])
        while client(port, ["ready?"], 0)[0].status != 200:
            time.sleep(0.2)
        figures = [
            measure(port, process.pid, [lines[number::count] for number in range(count)], given.seconds, right)
            for count in (1, given.clients)
        ]
    finally:
        process.terminate()
        code = process.wait()
    about = machine("torch", "transformers", "ctranslate2", "onnxruntime", "fastapi", "uvicorn") | {
        "engine": given.engine,
        "lines": str(len(lines)),
        "exit code of the server": str(code),
    }
    leave(given.output, about, table(figures), {"figures": figures})


def table(figures: list[dict[str, Any]]) -> str:
    """Return the figures as a table, a column for each number of clients."""
    names = [name for name in figures[0] if name != "clients"]
    head = ["", *(f"{each['clients']} client(s)" for each in figures)]
    body = [[name.replace("_", " "), *(in_words(each[name]) for each in figures)] for name in names]
    return markdown.table(head, body)


def in_words(value: Any) -> str:
    """Return a figure, or several by their names."""
    return ", ".join(f"{name}: {each}" for name, each in value.items()) if isinstance(value, dict) else str(value)


if __name__ == "__main__":
    main()
