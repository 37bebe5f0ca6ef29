"""What ends a run early, in real processes: numbers that are none, signals, lost peers, and starts that went wrong."""

import copy
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from corpus_of_numbers import number_tokenizer, numbered_stream
from forked_python import ForkedPopen, forked
from test_training import CORPUS, STEPS, train
from transformers import PreTrainedTokenizerFast, TrainerCallback

from vaswani.data.stream import MicroBatches
from vaswani.training import VaswaniTrainer
from vaswani.training.checkpointing.checkpoints import checkpoint_fault, checkpoints
from vaswani.training.distribution.signals import ECHO
from vaswani.training.exceptions import NotANumberError
from vaswani.training.nonfinite import NonFiniteGuard

TOGETHER = f"""
import os, signal, sys
from pathlib import Path
import torch
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_nonfinite import overflowing
from test_training import network, train, number_tokenizer
from vaswani.experiment.error_messages import exit_on_training_end
from vaswani.experiment.exit_codes import exiting_with_code

rank, folder = int(os.environ["RANK"]), Path(sys.argv[1])
"""


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return number_tokenizer()


def overflowing(*calls: int) -> Callable[[VaswaniTrainer], None]:
    """Let the losses of these micro-batches of this process, from 0, leave the range of float32."""

    def prepare(trainer: VaswaniTrainer) -> None:
        numbers = count()

        def overflow(_: Any, __: Any, output: Any) -> None:
            if next(numbers) in calls:
                output.loss = output.loss * 3e38 * 3e38

        model_of(trainer).register_forward_hook(overflow)

    return prepare


def model_of(trainer: VaswaniTrainer) -> torch.nn.Module:
    assert isinstance(trainer.model, torch.nn.Module)
    return trainer.model


class Snapshots(TrainerCallback):
    """Weights, moments and the schedule's count after each step."""

    def __init__(self) -> None:
        self.after: dict[int, Any] = {}

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:  # noqa: ARG002
        held = (given["model"].state_dict(), given["optimizer"].state_dict(), given["lr_scheduler"].last_epoch)
        self.after[state.global_step] = copy.deepcopy(held)


class Together:
    """Processes of one run, started without a launcher that would end the others when one ends.

    They are forked, unless all of each group are to be signalled.
    """

    def __init__(self, script: Path, *words: str | Path, processes: int = 2, group: bool = False) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        shared = os.environ | {
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "WORLD_SIZE": str(processes),
            "LOCAL_WORLD_SIZE": str(processes),
            "ACCELERATE_USE_CPU": "true",
            "OMP_NUM_THREADS": "1",
        }
        self.outputs = [script.with_name(f"{script.stem}.{rank}.txt") for rank in range(processes)]
        self.all: list[subprocess.Popen[bytes]] = []
        for rank, output in enumerate(self.outputs):
            with output.open("w") as file:
                command = [sys.executable, str(script), *map(str, words)]
                start: type[subprocess.Popen[bytes]] = subprocess.Popen if group else ForkedPopen
                self.all.append(
                    start(
                        command if group else forked(*command, environment=shared),
                        env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
                        stdout=file,
                        stderr=subprocess.STDOUT,
                        start_new_session=group,
                        # What a shell starts in the background would ignore it.
                        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
                    )
                )

    def __enter__(self) -> "Together":
        return self

    def __exit__(self, *_: Any) -> None:
        for process in self.all:
            process.kill()
            process.wait()

    def codes(self) -> list[int]:
        """Wait for all, and return their exit codes."""
        return [process.wait(timeout=240) for process in self.all]

    def said(self, rank: int) -> str:
        """What one has printed up to now."""
        return self.outputs[rank].read_text()


def polling(seconds: float = 240) -> Iterator[None]:
    """Come round until the time is up; the caller leaves when it has seen what it waits for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.02)
    pytest.fail(f"waited {seconds} s in vain")


def script(folder: Path, body: str) -> Path:
    path = folder / "train.py"
    path.write_text(TOGETHER + body)
    return path


# --- numbers that are none ---


@pytest.mark.parametrize("bf16", [False, True])
def test_a_step_that_is_not_a_number_changes_nothing_and_is_named(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast, caplog: pytest.LogCaptureFixture, bf16: bool
) -> None:
    snapshots = Snapshots()
    losses: list[float] = []

    def prepare(trainer: VaswaniTrainer) -> None:
        overflowing(5)(trainer)  # the second micro-batch of step 3
        model_of(trainer).register_forward_hook(lambda _, __, output: losses.append(output.loss.item()))
        trainer.add_callback(snapshots)

    with caplog.at_level(logging.WARNING):
        _, trainer, _ = train(
            tmp_path, tokenizer, prepare=prepare, batches_per_step=2, save_steps=1, logging_steps=2, bf16=bf16
        )
    for held, before in zip(snapshots.after[3][0].values(), snapshots.after[2][0].values(), strict=True):
        assert torch.equal(held, before)
    for number, moments in snapshots.after[2][1]["state"].items():
        for name, tensor in moments.items():
            assert torch.equal(tensor, snapshots.after[3][1]["state"][number][name]), name
    assert [snapshots.after[step][2] for step in range(1, STEPS + 1)] == [1, 2, 2, 3, 4, 5]
    assert not torch.equal(*(next(iter(snapshots.after[step][0].values())) for step in (3, 4)))

    bad = next(b for n, b in enumerate(MicroBatches(numbered_stream(CORPUS, tokenizer, streams=2), 0, 1)) if n == 5)
    [line] = [record.getMessage() for record in caplog.records if "is skipped" in record.getMessage()]
    assert line.startswith("Step 3 is skipped, 1 in a row: its loss is not a finite number. Micro-batch 5: group ")
    for group in {group for group, _ in bad["place"].rows.tolist()}:
        rows = sorted(row for of, row in bad["place"].rows.tolist() if of == group)
        assert f"group {group}, row{'s' * (len(rows) > 1)} {' '.join(map(str, rows))}" in line
    logged = [line for line in trainer.state.log_history if "learning_rate" in line]
    assert [line.get("steps_left_out", 0) for line in logged] == [0, 1, 0]
    steps = [sum(losses[first : first + 2]) for first in range(0, 2 * STEPS, 2)]
    assert [line["loss"] for line in logged] == pytest.approx(
        [(steps[0] + steps[1]) / 2, steps[3], (steps[4] + steps[5]) / 2]
    )
    assert [path.name for path in checkpoints(tmp_path)] == [f"checkpoint-{step}" for step in (1, 2, 4, 5, 6)]


def test_a_checkpoint_due_in_such_a_step_is_saved_after_the_next_good_one(
    tmp_path: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    train(tmp_path, tokenizer, prepare=overflowing(2, 3), save_steps=3)
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-5", "checkpoint-6"]


def test_a_run_that_ends_in_such_steps_has_not_ended_well(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(NotANumberError, match=r"training ended at step 6, but the last 2 .*peak_learning_rate"):
        train(tmp_path, tokenizer, prepare=overflowing(4, 5))
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-3"]


def test_a_rate_that_ruins_the_weights_ends_the_run(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    with pytest.raises(NotANumberError, match=r"at step \d, the last of 2 such steps in a row.*peak_learning_rate"):
        train(tmp_path, tokenizer, peak_learning_rate=1e38, max_bad_steps=2)


def test_weights_that_are_no_numbers_are_never_saved(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    class Spoil(TrainerCallback):
        def on_optimizer_step(self, *_: Any, **given: Any) -> None:
            next(given["model"].parameters()).data[0, 0] = float("nan")

    with pytest.raises(NotANumberError, match="weights are not finite numbers after step 1"):
        train(tmp_path, tokenizer, prepare=lambda trainer: trainer.add_callback(Spoil()), save_steps=1)
    assert checkpoints(tmp_path) == []


def test_looking_for_the_scale_of_fp16_is_no_bad_step(tokenizer: PreTrainedTokenizerFast) -> None:
    accelerator = Accelerator(cpu=True)
    place = next(iter(MicroBatches(numbered_stream(CORPUS, tokenizer), 0, 1)))["place"]
    good, bad = torch.tensor(1.0), torch.tensor(float("inf"))
    for scale, loss, expected in ((65536.0, good, False), (0.5, good, True), (65536.0, bad, True)):
        accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        accelerator.scaler.scale(good)  # it comes to life with the first loss
        guard = NonFiniteGuard(accelerator, limit=10)
        assert guard.judge(1, [loss], bad, [place], False)[0] is expected, scale


def test_all_processes_leave_out_the_step_that_one_of_them_spoils(tmp_path: Path) -> None:
    body = """
with exiting_with_code():
    model, trainer, _ = train(folder, number_tokenizer(), batches_per_step=4,
                              prepare=overflowing(3) if rank else lambda _: None)
    for weight in model.parameters():
        together = weight.detach().clone()
        torch.distributed.broadcast(together, 0)
        assert torch.equal(weight, together)
    print("schedule", trainer.lr_scheduler.last_epoch)
"""
    with Together(script(tmp_path, body), tmp_path / "run") as run:
        assert run.codes() == [0, 0], run.said(0) + run.said(1)
    assert "Step 2 is skipped, 1 in a row: its loss is not a finite number. Micro-batch 7: group " in run.said(0)
    assert "skipped" not in run.said(1)
    assert all(f"schedule {STEPS - 1}" in run.said(rank) for rank in range(2))


def test_too_many_such_steps_in_a_row_end_all_processes(tmp_path: Path) -> None:
    body = """
with exiting_with_code(), exit_on_training_end():
    train(folder, number_tokenizer(), batches_per_step=2, max_bad_steps=3, max_steps=20,
          prepare=overflowing(4, 6, 7, 8) if rank else lambda _: None)
"""
    with Together(script(tmp_path, body), tmp_path / "run") as run:
        assert run.codes() == [70, 70], run.said(0) + run.said(1)
    assert "error: the loss is not a finite number at step 9, the last of 3 such steps in a row" in run.said(0)
    assert "Traceback" not in run.said(0) + run.said(1)
    assert [(path.name, checkpoint_fault(path)) for path in checkpoints(tmp_path / "run")] == [
        ("checkpoint-3", None),
        ("checkpoint-6", None),
    ]


# --- signals ---

SLOWLY = """
import time
from transformers import TrainerCallback

class Tell(TrainerCallback):
    def on_step_begin(self, args, state, control, **_):
        (folder.parent / f"step {rank}").write_text(str(state.global_step))
        time.sleep(float(os.environ.get("PACE", 0.02)))  # a step of the test's network is over too soon to be met

def run(**changes):
    with exiting_with_code(), exit_on_training_end():
        return train(folder, number_tokenizer(), batches_per_step=2, max_steps=10_000, save_steps=10_000,
                     logging_steps=10_000, prepare=lambda trainer: trainer.add_callback(Tell()), **changes)
"""


def reached(folder: Path, rank: int) -> int:
    file = folder / f"step {rank}"
    return int((file.exists() and file.read_text()) or 0)


@pytest.mark.parametrize(("name", "workers"), [("SIGTERM", 0), ("SIGUSR1", 1), ("SIGINT", 1)])
def test_a_signal_to_one_process_saves_and_ends_all(tmp_path: Path, name: str, workers: int) -> None:
    body = f"{SLOWLY}\nrun(dataloader_num_workers={workers})"
    with Together(script(tmp_path, body), tmp_path / "run") as run:
        for _ in polling():
            if reached(tmp_path, 1) >= 3:
                break
        run.all[1].send_signal(getattr(signal, name))
        assert run.codes() == [75, 75], run.said(0) + run.said(1)
    assert f"{name}: saving and ending after this step" in run.said(1)
    [saved] = checkpoints(tmp_path / "run")
    assert checkpoint_fault(saved) is None
    assert f"a signal ended training; step {saved.name.split('-')[1]} is saved. Continue with --resume" in run.said(0)
    assert "Traceback" not in run.said(0) + run.said(1)


@pytest.mark.skipif(not hasattr(signal, "sigwaitinfo"), reason="workers can only be shielded where this exists")
def test_a_signal_to_every_process_and_worker_at_once_saves_too(tmp_path: Path) -> None:
    """As a scheduler sends it: to the whole group, and a moment later once more by way of the launcher."""
    with Together(script(tmp_path, f"{SLOWLY}\nrun(dataloader_num_workers=2)"), tmp_path / "run", group=True) as run:
        for _ in polling():
            if min(reached(tmp_path, rank) for rank in range(2)) >= 3:
                break
        for process in run.all * 2:
            os.killpg(process.pid, signal.SIGTERM)
        assert run.codes() == [75, 75], run.said(0) + run.said(1)
    [saved] = checkpoints(tmp_path / "run")
    assert checkpoint_fault(saved) is None


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    """Even while the process waits for another one that has stopped and cannot come to the end of its step."""
    with Together(script(tmp_path, f"{SLOWLY}\nrun()"), tmp_path / "run") as run:
        for _ in polling():
            if reached(tmp_path, 0) >= 3:
                break
        run.all[1].send_signal(signal.SIGSTOP)
        run.all[0].send_signal(signal.SIGTERM)
        for _ in polling():
            if "SIGTERM: saving" in run.said(0):
                break
        time.sleep(ECHO + 0.5)  # what comes sooner counts as the first
        run.all[0].send_signal(signal.SIGTERM)
        assert run.all[0].wait(timeout=60) == 128 + signal.SIGTERM
    assert checkpoints(tmp_path / "run") == []


# --- starts that went wrong ---


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("network.__globals__['set_seed'] = lambda seed: torch.manual_seed(seed + rank)", "by process 1 (step 0)"),
        (
            "TrainingStream.loader.__globals__['MicroBatches'] = lambda stream, _, __: MicroBatches(stream, 0, 1)",
            "number 0 to processes 0 and 1",
        ),
        ("os.environ['ACCELERATE_MIXED_PRECISION'] = 'fp16'; more['bf16'] = True", "fp16 and the flags for bf16"),
        (
            "os.environ['ACCELERATE_MIXED_PRECISION'] = 'bf16' if rank else 'no'",
            "--bf16 is false in process 0 and true in process 1. Give every process the same arguments",
        ),
    ],
    ids=["other weights", "the same data", "two wishes", "two precisions"],
)
def test_processes_that_do_not_belong_together_end_before_the_first_step(
    tmp_path: Path, fault: str, words: str
) -> None:
    body = f"""
from vaswani.data import TrainingStream
from vaswani.data.stream import MicroBatches
more = {{}}
{fault}
with exiting_with_code(), exit_on_training_end():
    train(folder, number_tokenizer(), batches_per_step=2, save_steps=1, **more)
"""
    with Together(script(tmp_path, body), tmp_path / "run") as run:
        assert run.codes() == [78, 78], run.said(0) + run.said(1)
    assert words in run.said(0)
    assert checkpoints(tmp_path / "run") == []


# --- lost peers ---


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_process_that_is_gone_or_hangs_ends_the_others(tmp_path: Path, how: signal.Signals) -> None:
    with Together(script(tmp_path, f"{SLOWLY}\nrun(ddp_timeout=10)"), tmp_path / "run") as run:
        for _ in polling():
            if reached(tmp_path, 0) >= 3:
                break
        run.all[1].send_signal(how)
        assert run.all[0].wait(timeout=120) == 69, run.said(0)
    assert "another process of the run has ended, or did not answer for 10 s (--ddp_timeout)" in run.said(0)
    assert "--resume" in run.said(0)
    assert "Traceback" not in run.said(0)


def test_a_process_that_is_lost_before_or_after_the_training_ends_the_others_likewise(tmp_path: Path) -> None:
    """And what the main process finds wrong with the folder ends all of them, by its message."""
    for split in ("train", "val", "test"):
        for language in ("en", "de"):
            (tmp_path / f"{split}.{language}").write_text("one\n" * 20)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").touch()
    body = """
from recorded_run import RECIPE, parse
from vaswani.experiment import run

arguments = parse(RECIPE)
with exiting_with_code():
    try:
        run(arguments)
    except SystemExit as ending:
        print("first", ending.code, flush=True)
    if rank == 1:
        os._exit(1)
    (Path(arguments.training.output_dir) / "notes.txt").unlink()
    run(arguments)
"""
    flags = ("--data_dir", tmp_path, "--output_dir", tmp_path / "run")
    with Together(script(tmp_path, body), *flags) as run:
        assert run.codes() == [69, 1], run.said(0) + run.said(1)
    for rank in range(2):
        assert "holds files that do not belong to a run" in run.said(rank)
        assert "first 2" in run.said(rank)
        assert "Traceback" not in run.said(rank)
    assert "error: another process of the run has ended" in run.said(0)


@pytest.mark.parametrize("starter", [("torch.distributed.run",), ("vaswani.commands", "torchrun")], ids=" ".join)
@pytest.mark.parametrize(("code", "processes", "starts"), [(78, 2, 2), (75, 1, 2)])
def test_torchrun_starts_again_only_what_may_come_to_another_end(
    tmp_path: Path, code: int, processes: int, starts: int, starter: tuple[str, ...]
) -> None:
    """Also where the one that asks for no restart comes to its end last."""
    body = f"""
import time
folder.mkdir(exist_ok=True)
(folder / str(os.getpid())).touch()
torch.distributed.init_process_group("gloo")  # when all have begun; and what was one ends without delay
time.sleep(0 if rank else 4)
with exiting_with_code():
    raise SystemExit({code})
"""
    command = [sys.executable, "-m", *starter, "--standalone", "--nproc-per-node", str(processes)]
    done = subprocess.run(
        [*command, "--max-restarts", "1", str(script(tmp_path, body)), str(tmp_path / "starts")],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert len(list((tmp_path / "starts").iterdir())) == starts, done.stderr[-3000:]
