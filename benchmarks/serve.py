"""Measure a server under many clients: requests a second, latency, memory, and whether every answer is right.

python benchmarks/serve.py MODEL --input source.txt --clients 50 --requests 10 [--output serve.json] [-- SERVE'S FLAGS]

Starts `vaswani serve MODEL`. Each client sends one sentence after another, the next when the last is answered. Every
answer is compared with what `translate` gives for the same lines; in float32 a near tie may fall differently in another
batch, so the share of equal lines is a figure, not a condition. The first sentence of each client warms up.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from machine import machine
from process_memory import peak_memory
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

import vaswani.modeling  # noqa: F401  (teaches the Auto classes)
from vaswani.serving.translate import translate


def client(port: int, lines: list[str]) -> list[tuple[float, str | None]]:
    """Send the lines one after another; return of each the seconds and the translation, or None if there is none."""
    connection, found = HTTPConnection("127.0.0.1", port, timeout=600), []
    for line in lines:
        started = time.perf_counter()
        connection.request("POST", "/translate", json.dumps({"text": line}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = json.loads(answer.read())
        text = body["translations"][0]["text"] if answer.status == 200 else None
        found.append((time.perf_counter() - started, text))
    connection.close()
    return found


def measure(port: int, process: int, shares: list[list[str]], right: dict[str, str]) -> dict[str, Any]:
    """Let every client send its lines at once, and return the figures."""
    with ThreadPoolExecutor(len(shares)) as threads:
        list(threads.map(lambda lines: client(port, lines[:1]), shares))
        warm, started = peak_memory(process), time.perf_counter()
        answers = [each for found in threads.map(lambda lines: client(port, lines), shares) for each in found]
        seconds = time.perf_counter() - started
    asked = [line for lines in shares for line in lines]
    latencies = sorted(latency for latency, _ in answers)
    return {
        "clients": len(shares),
        "requests": len(asked),
        "lost": sum(text is None for _, text in answers) + len(asked) - len(answers),
        "equal_lines": sum(right[line] == text for line, (_, text) in zip(asked, answers, strict=True)) / len(asked),
        "requests_a_second": len(asked) / seconds,
        "latency_median": statistics.median(latencies),
        "latency_95": latencies[int(0.95 * len(latencies))],
        "peak_memory_MiB": peak_memory(process) / 2**20,
        "peak_memory_growth_MiB": (peak_memory(process) - warm) / 2**20,
    }


def main() -> None:
    """Start a server, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder of a trained model")
    parser.add_argument("--input", type=Path, required=True, help="a sentence a line")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--requests", type=int, default=10, help="of each client")
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    parser.add_argument("flags", nargs="*", help="of vaswani serve, after --")
    given = parser.parse_args()
    lines = given.input.read_text(encoding="utf-8").splitlines()
    many = given.clients * given.requests
    asked = (lines * (many // len(lines) + 1))[:many]
    shares = [asked[number :: given.clients] for number in range(given.clients)]
    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(given.model), AutoTokenizer.from_pretrained(given.model)
    alone = list(dict.fromkeys(asked))
    right = dict(zip(alone, translate(model, tokenizer, alone), strict=True))
    command = [str(Path(sys.executable).with_name("vaswani")), "serve", str(given.model), "--port", "0", *given.flags]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        said = process.stderr.readline()
        found = re.search(r":(\d+),", said)
        assert found, said
        port = int(found[1])
        while client(port, ["ready?"])[0][1] is None:
            time.sleep(0.2)
        figures = [measure(port, process.pid, shares[:count], right) for count in (1, given.clients)]
    finally:
        process.terminate()
        process.wait()
    content = {"machine": machine("torch", "transformers", "fastapi", "uvicorn"), "figures": figures}
    print(json.dumps(content, indent=2))
    if given.output:
        given.output.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
