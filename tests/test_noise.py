"""What goes as it should says nothing on stderr."""

import subprocess
import sys
from pathlib import Path

import pytest
from test_experiment import ROOT, TINY, fresh, toy_text
from test_fairseq import FAIRSEQ

LAUNCH = ("-m", "accelerate.commands.launch", "--config_file", str(ROOT / "accelerate_configs/cpu_2_processes.yaml"))


def said(*words: str | Path) -> str:
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr


def test_commands_that_save_a_model_are_quiet(tmp_path: Path) -> None:
    """DeepSpeed, which transformers imports when it saves, warns where it has to guess the device."""
    assert said("-m", "vaswani.commands", "import", FAIRSEQ / "today.pt", tmp_path / "ours") == ""


@pytest.mark.slow
def test_a_resume_of_two_processes_is_quiet(tmp_path: Path) -> None:
    """A tied weight is stored once, so transformers finds its copies missing."""
    (tmp_path / "text").mkdir()
    text = ["--data_dir", toy_text(tmp_path / "text"), "--direction", "en-nds"]
    schedule = ["--eval_steps", "2", "--save_steps", "2", "--average_checkpoints", "1", "--batches_per_step", "2"]
    _, *words = fresh(*text, *TINY, *schedule, "--streams", "2", "--output_dir", tmp_path / "run")
    said(*LAUNCH, *words, "--max_steps", "2")
    (tmp_path / "run" / "metrics.json").unlink()
    heard = said(*LAUNCH, *words, "--max_steps", "4", "--resume")
    assert not [line for line in heard.splitlines() if "missing" in line or "accelerator" in line], heard
