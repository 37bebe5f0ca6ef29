"""The other end of contenders/stepping.py: a contender as a process that makes a step when it is asked."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from contenders.ours import config_of
from contenders.stepping import DEVICE, Setting, batch
from torch.utils.flop_counter import FlopCounterMode

from vaswani.modeling import VaswaniForConditionalGeneration

HERE = Path(__file__).resolve().parent


class Contender:
    """A process that makes a step when it is asked."""

    def __init__(self, module: str, setting: Setting) -> None:
        """Start the process; it makes its first steps before this returns, so that several start one by one."""
        self.name = setting.way
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"contenders.{module}", json.dumps(setting._asdict())],
            cwd=HERE, env=os.environ | {"OMP_NUM_THREADS": str(setting.threads)}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.about = self.answer()

    def answer(self) -> dict[str, Any]:
        """Return what the process says next.

        Raises:
            RuntimeError: it has ended.

        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with code {self.process.wait()}; see above")
        found: dict[str, Any] = json.loads(line)
        return found

    def step(self) -> dict[str, float]:
        """Have a step made and return its seconds, by the clock and by the process's own."""
        assert self.process.stdin is not None
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        return self.answer()

    def end(self) -> None:
        """End the process, and wait for it."""
        self.process.communicate()


def clock(threads: int) -> str:
    """Return the clock to go by: on processors with one thread that of the process, which others disturb less."""
    return "processor" if DEVICE.type == "cpu" and threads == 1 else "clock"


def operations(setting: Setting) -> float:
    """Return the FLOPs of a step, counted on one sentence: every part of it grows with their number."""
    model = VaswaniForConditionalGeneration(config_of(setting)).train()
    sample = {name: tensor.cpu() for name, tensor in batch(setting.vocab_size, 1, setting.length)._asdict().items()}
    with FlopCounterMode(display=False) as counter:
        model(**sample).loss.backward()
    return float(counter.get_total_flops()) * setting.sentences
