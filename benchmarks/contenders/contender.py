"""The other end of stepping.py: a contender as a process that makes a step when it is asked."""

import json
import os
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from torch.utils.flop_counter import FlopCounterMode

from vaswani.experiment.table3 import BY_NAME, fields_of
from vaswani.modeling import VaswaniForConditionalGeneration

from .ours import config_of
from .stepping import DEVICE, Setting, batch

ROOT = Path(__file__).resolve().parents[2]


class ContenderEndedError(RuntimeError):
    """A contender's process has ended, or never could begin."""


class Contender:
    """A process that makes a step when it is asked."""

    def __init__(self, module: str, setting: Setting, python: str | Path = sys.executable) -> None:
        """Start the process; it makes its first steps before this returns, so that several start one by one.

        Raises:
            ContenderEndedError: it did not come so far.

        """
        self.name = setting.way
        began = time.monotonic()
        self.process = subprocess.Popen(
            [python, "-m", f"{__package__}.{module}", json.dumps(setting._asdict())],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": str(setting.threads)},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.last_words: deque[str] = deque(maxlen=1)
        self.listener = Thread(target=self.pass_on, daemon=True)
        self.listener.start()
        self.about = self.answer() | {"start_seconds": time.monotonic() - began}

    def pass_on(self) -> None:
        """Print what the process complains of, with its name before it."""
        assert self.process.stderr is not None
        with self.process.stderr as complaints:
            for line in filter(str.strip, complaints):
                self.last_words.append(line.strip())
                print(f"[{self.name}] {line}", end="", file=sys.stderr)

    def answer(self) -> dict[str, Any]:
        """Return what the process says next.

        Raises:
            ContenderEndedError: it has ended.

        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            code = self.end()
            said = " ".join(self.last_words) or "without a word"
            raise ContenderEndedError(f"{self.name} ended with code {code}: {said}")
        found: dict[str, Any] = json.loads(line)
        return found

    def step(self) -> dict[str, float]:
        """Have a step made and return its seconds, by the clock and by the process's own.

        Raises:
            ContenderEndedError: it has ended.

        """
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # of one that has ended there is no answer
            self.process.stdin.write("step\n")
            self.process.stdin.flush()
        return self.answer()

    def end(self) -> int:
        """End the process, wait for it, and return its exit code."""
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        self.listener.join()
        return self.process.wait()


def clock(threads: int) -> str:
    """Return the clock to go by: on processors with one thread that of the process, which others disturb less."""
    return "processor" if DEVICE.type == "cpu" and threads == 1 else "clock"


def setting_of(row: str, threads: int, symbols: int, sentences: int, length: int) -> Setting:
    """Return the network of a row of Table 3 and its batch, for a contender that is still to be named."""
    fields = fields_of(BY_NAME[row])
    return Setting(
        "",
        threads,
        symbols,
        fields["d_model"],
        fields["d_ff"],
        fields["num_heads"],
        fields["encoder_layers"],
        fields["dropout"],
        fields["label_smoothing"],
        sentences,
        length,
    )


def operations(setting: Setting) -> float:
    """Return the FLOPs of a step, counted on one sentence: every part of it grows with their number."""
    model = VaswaniForConditionalGeneration(config_of(setting)).train()
    model.set_attn_implementation("eager")  # of the processor's fused kernel the counter does not know the products
    sample = {name: tensor.cpu() for name, tensor in batch(setting.vocab_size, 1, setting.length)._asdict().items()}
    with FlopCounterMode(display=False) as counter:
        model(**sample).loss.backward()
    return float(counter.get_total_flops()) * setting.sentences
