"""A signal before the first step, in a validation or while scoring ends a run with code 75, and nothing is lost."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from forked_python import forked
from test_experiment import ROOT, TINY, one_thread, polling, toy_text

RECIPE = f"""
import importlib, os, runpy
from pathlib import Path
from vaswani.experiment import main

run = importlib.import_module("vaswani.experiment.run")  # there is a function of that name, too

def told(name):
    inner = getattr(run, name)
    def outer(*args, **kwargs):
        Path(os.environ["PHASES"], name).touch()
        return inner(*args, **kwargs)
    setattr(run, name, outer)

told("prepare")
told("validate_all")
told("load_best")
if __name__ == "__main__":
    main(runpy.run_path("{ROOT / "recipes" / "multi30k.py"}")["RECIPE"])
"""
"""A recipe that says in which phase its run is."""


class Run:
    """One run, start after start."""

    def __init__(self, place: Path) -> None:
        (place / "text").mkdir()
        self.folder, self.phases, self.recipe = place / "run", place / "phases", place / "recipe.py"
        self.recipe.write_text(RECIPE)
        schedule = ["--max_steps", "4", "--eval_steps", "2", "--save_steps", "2", "--average_checkpoints", "1"]
        text = [
            "--data_dir",
            toy_text(place / "text"),
            "--direction",
            "en-nds",
            "--tokens_per_batch",
            "64",
            "--max_tokens",
            "64",
        ]
        flags = [*TINY, *text, *schedule, "--validation_beams", "4", "--output_dir", self.folder, "--resume"]
        self.command = forked(sys.executable, self.recipe, *map(str, flags), environment=one_thread())

    def start(self) -> subprocess.Popen[str]:
        self.phases.mkdir(exist_ok=True)
        for left in self.phases.iterdir():
            left.unlink()
        environment = one_thread() | {"PHASES": str(self.phases)}
        return subprocess.Popen(
            self.command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def signalled(self, phase: str, sent: signal.Signals) -> str:
        """Return what a start says that gets a signal when a phase has begun."""
        process = self.start()
        for _ in polling(400):
            if (self.phases / phase).exists() or process.poll() is not None:
                break
        process.send_signal(sent)
        _, said = process.communicate()
        assert (process.returncode, "Traceback" in said) == (75, False), said[-2000:]
        [line] = [each for each in said.splitlines() if each.startswith("error: ")]
        return line


@pytest.mark.slow
def test_a_run_that_is_signalled_in_each_phase_ends_as_one_that_never_was(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.signalled("prepare", signal.SIGUSR1) == "error: SIGUSR1 ended the run; nothing was trained yet"
    line = run.signalled("validate_all", signal.SIGTERM)
    assert line == "error: a signal ended training; step 2 is saved. Continue with --resume"
    state = json.loads((run.folder / "checkpoint-2" / "trainer_state.json").read_text())
    assert not [each for each in state["log_history"] if "eval_loss" in each]
    line = run.signalled("load_best", signal.SIGTERM)
    assert line.startswith("error: SIGTERM ended the run; checkpoint-4 and all before it are kept: continue with --res")
    assert not (run.folder / "metrics.json").exists()
    last = run.start()
    _, said = last.communicate()
    assert last.returncode == 0, said[-2000:]
    history = json.loads((run.folder / "history.json").read_text())
    assert [each["step"] for each in history if "eval_loss" in each][:2] == [2, 4]
    assert json.loads((run.folder / "metrics.json").read_text())["test"]
