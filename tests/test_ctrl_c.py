"""Ctrl-C, as a terminal sends it to all processes at once: what was reached is saved, and a line says how to go on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from terminal import Terminal
from test_experiment import ROOT, TINY
from toy_language import write_toy_text

from vaswani.training.checkpointing.checkpoints import checkpoint_fault, checkpoints
from vaswani.training.distribution.signals import ECHO_OF_CTRL_C

HERE = Path(__file__).parent
HELD = f"""
import sys, time
from pathlib import Path
sys.path.insert(0, {str(HERE)!r})
from transformers import TrainerCallback

folder = Path(sys.argv[1])

def hold(*_, **__):
    print("held", flush=True)
    time.sleep(600)
"""
IN_A_STEP = f"""{HELD}
from test_training import number_tokenizer, train
from vaswani.experiment.exit_codes import exiting_with_code

class Hold(TrainerCallback):
    def on_step_begin(self, args, state, control, **_):
        if state.global_step == 2:
            hold()

with exiting_with_code():
    train(folder, number_tokenizer(), prepare=lambda trainer: trainer.add_callback(Hold()))
"""
IN_A_RUN = f"""{HELD}
import runpy
from vaswani.experiment import exit_codes, parse, run

module, _, name = sys.argv[2].rpartition(".")
setattr(sys.modules[module], name, hold)
recipe = runpy.run_path({str(ROOT / "recipes" / "multi30k.py")!r})["RECIPE"]
with exit_codes.exiting_with_code():
    run(parse(recipe, sys.argv[3:]))
"""


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_text(tmp_path_factory.mktemp("text"), 400, 4, 4)


def flags(text: Path, folder: Path, *more: str) -> list[str]:
    return ["--data_dir", str(text), "--direction", "en-nds", "--output_dir", str(folder), *TINY, *more]


def script(folder: Path, body: str) -> Path:
    path = folder / "script.py"
    path.write_text(body)
    return path


ENDLESS = ["--max_steps", "100000", "--save_steps", "100000", "--eval_steps", "100000", "--logging_steps", "1"]


def test_the_step_is_saved_and_a_line_says_how_to_go_on(text: Path, tmp_path: Path) -> None:
    """With workers that load the text, which the terminal tells as well."""
    command = [sys.executable, ROOT / "recipes" / "multi30k.py", *flags(text, tmp_path / "run", *ENDLESS)]
    with Terminal([*command, "--dataloader_num_workers", "2", "--disable_tqdm", "true"]) as terminal:
        terminal.read(r"step +5/")
        terminal.press_ctrl_c()
        assert terminal.code() == 75, terminal.seen
    [saved] = checkpoints(tmp_path / "run")
    assert checkpoint_fault(saved) is None
    after = terminal.seen[terminal.seen.index("SIGINT") :].splitlines()
    assert after[0] == "SIGINT: saving and ending after this step; a second one ends at once"
    said = [line for line in after[1:] if not line.startswith("step ")]
    assert said == [
        f"error: a signal ended training; step {saved.name.partition('-')[2]} is saved. Continue with --resume"
    ]


def test_a_second_one_ends_at_once(tmp_path: Path) -> None:
    with Terminal([sys.executable, script(tmp_path, IN_A_STEP), tmp_path / "run"]) as terminal:
        terminal.read("held")
        terminal.press_ctrl_c()
        terminal.read("SIGINT: saving and ending after this step")
        time.sleep(ECHO_OF_CTRL_C + 0.1)  # what comes sooner counts as the first
        terminal.press_ctrl_c()
        assert terminal.code() == 128 + signal.SIGINT
    assert "A second signal: ending at once, without saving" in terminal.seen
    assert "Traceback" not in terminal.seen
    assert checkpoints(tmp_path / "run") == []


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("vaswani.experiment.preparation.tokenizer_of", "error: interrupted; nothing was trained yet"),
        ("vaswani.experiment.run.write_test_set", "error: interrupted; what was saved is kept: continue with --resume"),
    ],
)
def test_before_the_first_step_and_after_the_last_it_ends_in_a_line(
    text: Path, tmp_path: Path, where: str, words: str
) -> None:
    asked = flags(text, tmp_path / "run", "--max_steps", "2", "--test_beams", "1", "--test_splits", "test_toy")
    with Terminal([sys.executable, script(tmp_path, IN_A_RUN), tmp_path / "run", where, *asked]) as terminal:
        terminal.read("held")
        terminal.press_ctrl_c()
        assert terminal.code() == 128 + signal.SIGINT, terminal.seen
    assert terminal.seen.splitlines()[-1] == words
    assert "Traceback" not in terminal.seen
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_while_all_is_imported_it_ends_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "transformers.py").write_text("import time\nprint('held', flush=True)\ntime.sleep(600)\n")
    body = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import vaswani.experiment"
    with Terminal([sys.executable, "-c", body]) as terminal:
        terminal.read("held")
        terminal.press_ctrl_c()
        assert terminal.code() == 128 + signal.SIGINT
    assert "".join(terminal.seen.split()) == "held^C"


def test_what_a_shell_shields_from_it_trains_on(tmp_path: Path) -> None:
    """As a shell does with what it starts in the background of a script."""
    body = IN_A_STEP.replace("hold()", "import os, signal; os.kill(os.getpid(), signal.SIGINT)")
    done = subprocess.run(
        [sys.executable, script(tmp_path, body), tmp_path / "run"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert [path.name for path in checkpoints(tmp_path / "run")] == ["checkpoint-3", "checkpoint-6"]


@pytest.mark.slow
def test_two_processes_and_their_launcher_end_with_the_step_saved(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The launcher passes on what the terminal had told its processes before: once more is still the first time."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    launch = "--multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no"
    launcher = [sys.executable, "-m", "accelerate.commands.launch", *launch.split(), "--main_process_port", "0"]
    asked = flags(text, tmp_path / "run", *ENDLESS, "--batches_per_step", "2", "--dataloader_num_workers", "1")
    with Terminal([*launcher, ROOT / "recipes" / "multi30k.py", *asked, "--disable_tqdm", "true"]) as terminal:
        terminal.read(r"step +5/")
        terminal.press_ctrl_c()
        assert terminal.code() == 1
    [saved] = checkpoints(tmp_path / "run")
    assert checkpoint_fault(saved) is None
    step = saved.name.partition("-")[2]
    assert f"error: a signal ended training; step {step} is saved. Continue with --resume" in terminal.seen
    assert terminal.seen.count("Traceback") == 1  # the launcher's
    assert "got signal: 2" in terminal.seen.splitlines()[-1]
