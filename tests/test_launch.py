"""What was asked of the launcher is what runs, or nothing does: launches that elsewhere go wrong without a word."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_simple_launcher_cmd_env
from corpus_of_numbers import number_tokenizer
from test_nonfinite import TOGETHER, Together
from test_training import network, train
from transformers import TrainingArguments

from vaswani.training import VaswaniTrainingArguments
from vaswani.training.distribution.launcher_checks import device_fault, process_fault
from vaswani.training.distribution.startup_checks import describe_run
from vaswani.training.exceptions import StartupError

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "accelerate_configs"
WITHOUT_GPU = pytest.mark.skipif(torch.accelerator.is_available(), reason="tells what happens where no GPU is")
DEEPSPEED = """
from importlib import import_module
os.environ.pop("ACCELERATE_USE_CPU", None)
os.environ |= {"ACCELERATE_USE_DEEPSPEED": "true", "DS_ACCELERATOR": "cpu"}
import_module("deepspeed.comm.torch").__dict__["build_shm_op"] = lambda: None  # it would be compiled first
"""


@pytest.fixture(autouse=True)
def _same_environment() -> Iterator[None]:
    """Give back the environment as it was: Accelerate writes into it what it was asked for."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def left_by_launcher(*flags: str) -> Mapping[str, str]:
    """The variables that `accelerate launch` would give the one process that it starts with these flags."""
    args, _, _ = _validate_launch_command(launch_command_parser().parse_args([*flags, "recipe.py"]))
    return prepare_simple_launcher_cmd_env(args)[1]


def refusal(*words: str | Path) -> str:
    """What `accelerate launch` says of a start that ends, in all processes, with the exit code of a wrong launch."""
    done = subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", *map(str, words)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.search(r"exit status 78|exitcode +: 78", done.stderr), done.stdout + done.stderr[-3000:]
    return done.stderr


# --- processes that would train alone ---


def test_two_processes_of_which_accelerate_starts_one_are_known_by_what_it_leaves(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("distributed_type: MULTI_CPU\nnum_machines: 1\nnum_processes: 2\nmixed_precision: 'no'\n")
    for flags in (
        ["--cpu", "--num_processes", "2"],
        ["--config_file", str(config)],
        ["--config_file", str(CONFIGS / "fsdp2.yaml"), "--cpu"],
        ["--config_file", str(CONFIGS / "deepspeed_zero2.yaml"), "--cpu"],
    ):
        left = left_by_launcher(*flags)
        assert "WORLD_SIZE" not in left
        assert "a single one was started" in str(process_fault(1, left)), flags
    assert process_fault(1, left_by_launcher("--cpu", "--num_processes", "1")) is None


@pytest.mark.parametrize(
    ("left", "together", "words"),
    [
        ({"WORLD_SIZE": "16", "RANK": "1"}, 1, "started 16 processes, but each would train alone"),
        ({"SLURM_STEP_NUM_TASKS": "8"}, 1, "srun started 8 processes"),
        ({"OMPI_COMM_WORLD_SIZE": "4"}, 1, "mpirun started 4 processes"),
        ({"PMI_SIZE": "4"}, 1, "mpirun started 4 processes"),
        ({"WORLD_SIZE": "16", "SLURM_STEP_NUM_TASKS": "2", "MASTER_ADDR": "a"}, 16, None),  # a launcher a machine
        ({"WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}, 1, None),  # torchrun with one process
        ({"SLURM_STEP_NUM_TASKS": "1"}, 1, None),
        ({}, 1, None),
    ],
)
def test_processes_that_would_train_alone_are_told_how_to_meet(
    left: dict[str, str], together: int, words: str | None
) -> None:
    fault = process_fault(together, left)
    assert (fault is None) if words is None else (words in str(fault))


def test_the_one_process_of_two_ends_before_it_claims_a_folder_or_reads(tmp_path: Path) -> None:
    recipe = ROOT / "recipes" / "quickstart.py"
    said = refusal("--cpu", "--num_processes", "2", recipe, "--output_dir", tmp_path / "run")
    assert "error: processes were to meet at MASTER_ADDR=127.0.0.1, but a single one was started" in said
    assert "use accelerate_configs/cpu_2_processes.yaml" in said
    assert "vaswani/experiment" not in said, "a stack of ours"
    assert not (tmp_path / "run").exists()


def test_processes_that_deepspeed_has_joined_and_accelerate_does_not_count_end(tmp_path: Path) -> None:
    """Where torch sees an accelerator of a kind that Accelerate has no back end for."""
    script = tmp_path / "train.py"
    script.write_text(
        f"{TOGETHER}{DEEPSPEED}\n"
        "torch.accelerator.is_available = lambda: True\n"
        "from vaswani.experiment import Recipe, parse\n"
        "with exiting_with_code():\n"
        "    parse(Recipe('', {}, {}, {'output_dir': str(folder), 'batches_per_step': 2}), [])\n"
    )
    with Together(script, tmp_path / "run") as run:
        assert run.codes() == [78, 78], run.said(0)
    assert "error: the launcher started 2 processes for DeepSpeed, but Accelerate finds no device" in run.said(1)


# --- other devices than those asked for ---


def test_a_gpu_that_is_named_and_missing_is_no_reason_to_train_on_the_processor() -> None:
    assert "GPU 0,1 is named" in str(device_fault("cpu", {"CUDA_VISIBLE_DEVICES": "0,1"}))
    assert "launch with --cpu" in str(device_fault("cpu", {"CUDA_VISIBLE_DEVICES": "0"}))
    assert device_fault("cuda", {"CUDA_VISIBLE_DEVICES": "0"}) is None
    harmless: list[dict[str, str]] = [
        {},
        {"CUDA_VISIBLE_DEVICES": ""},
        {"CUDA_VISIBLE_DEVICES": "-1"},
        {"CUDA_VISIBLE_DEVICES": "0", "ACCELERATE_USE_CPU": "True"},
    ]
    assert [device_fault("cpu", each) for each in harmless] == [None] * 4


@WITHOUT_GPU
def test_arguments_are_refused_on_the_wrong_device(tmp_path: Path) -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = "0"
    with pytest.raises(StartupError, match="torch finds none"):
        VaswaniTrainingArguments(output_dir=str(tmp_path))
    assert VaswaniTrainingArguments(output_dir=str(tmp_path), use_cpu=True).device.type == "cpu"


def test_one_process_that_sees_several_gpus_does_not_split_its_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainingArguments, "n_gpu", property(lambda _: 2))
    with pytest.raises(StartupError, match=r"sees 2 GPUs.*CUDA_VISIBLE_DEVICES=0"):
        VaswaniTrainingArguments(output_dir=str(tmp_path))


# --- another way of sharing the work, another precision, another compilation ---


@WITHOUT_GPU
@pytest.mark.parametrize(
    ("left", "words"),
    [
        ({"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}, "asks for FSDP2, but one process would run"),
        (
            {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3", "ACCELERATE_USE_CPU": "true"},
            "asks for DeepSpeed's ZeRO-3, but one process would run",
        ),
        ({"ACCELERATE_MIXED_PRECISION": "fp16"}, "fp16 is asked for, but Accelerate would compute in float32 on cpu"),
        (
            {"ACCELERATE_DYNAMO_BACKEND": "EAGER", "ACCELERATE_DYNAMO_USE_DYNAMIC": "False"},
            "compiled anew for each shape of batch, and not at all after eight",
        ),
    ],
    ids=["FSDP", "DeepSpeed", "fp16", "fixed shapes"],
)
def test_what_accelerate_would_leave_out_or_undo_ends_before_the_first_step(
    tmp_path: Path, left: dict[str, str], words: str
) -> None:
    os.environ.update(left)
    with pytest.raises(StartupError, match=words):
        train(tmp_path, number_tokenizer())
    assert list(tmp_path.glob("checkpoint-*")) == []


def test_the_compiler_of_the_flags_and_that_of_the_launcher_are_both_named(tmp_path: Path) -> None:
    os.environ["ACCELERATE_DYNAMO_BACKEND"] = "INDUCTOR"
    with pytest.raises(StartupError, match="asks for compilation by INDUCTOR, but EAGER would run"):
        train(tmp_path, number_tokenizer(), torch_compile_backend="eager")


def test_the_precision_of_the_launcher_is_that_of_the_flags_too(tmp_path: Path) -> None:
    """DeepSpeed would end in a stack where a launch configuration says bf16 and no flag does."""
    os.environ["ACCELERATE_MIXED_PRECISION"] = "bf16"
    arguments = VaswaniTrainingArguments(output_dir=str(tmp_path))
    assert (arguments.bf16, arguments.fp16, arguments.mixed_precision) == (True, False, "bf16")


@WITHOUT_GPU
def test_fsdp_on_processors_does_not_become_ddp(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        f"{TOGETHER}\n"
        "with exiting_with_code(), exit_on_training_end():\n"
        "    train(folder, number_tokenizer(), batches_per_step=2)\n"
    )
    config = CONFIGS / "fsdp2.yaml"
    said = refusal("--config_file", config, "--num_processes", "2", script, tmp_path / "run")
    assert "error: the launcher asks for FSDP2, but DDP would run, which holds all weights in every process" in said
    assert list(tmp_path.glob("run/checkpoint-*")) == []


def test_a_configuration_of_deepspeed_that_says_other_than_the_flags_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        f"{TOGETHER}{DEEPSPEED}\n"
        "os.environ |= {'ACCELERATE_DEEPSPEED_ZERO_STAGE': '2', 'ACCELERATE_GRADIENT_CLIPPING': '1.0'}\n"
        "with exiting_with_code(), exit_on_training_end():\n    train(folder, number_tokenizer(), batches_per_step=2)\n"
    )
    with Together(script, tmp_path / "run") as run:
        assert run.codes() == [78, 78], run.said(0) + run.said(1)
    assert "contradict each other: ds gradient_clipping=1.0 vs hf max_grad_norm=0.0; set these values" in run.said(0)


# --- the line that says what runs ---


def test_what_runs_is_told_in_a_line(tmp_path: Path) -> None:
    model = network(0.0)
    arguments = VaswaniTrainingArguments(output_dir=str(tmp_path), batches_per_step=3, max_steps=20, bf16=True)
    os.environ |= {"ACCELERATE_DYNAMO_BACKEND": "INDUCTOR", "ACCELERATE_DYNAMO_USE_DYNAMIC": "True"}
    line = describe_run(model, arguments, Accelerator(mixed_precision="bf16"), 2048)
    assert line.startswith(
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f}M parameters; 20 steps of 6,144 tokens"
    )
    assert (
        "1 process(es) on cpu, each accumulates 3; bf16 beside float32 weights, compiled by inductor; 0.00 GB" in line
    )
    line = describe_run(model, arguments, Accelerator(mixed_precision="bf16"), 2048, (16, 100))
    assert "3 micro-batches of 2,048, each of 128 x 16, 20 x 100; 1 process(es)" in line
    arguments.optimizer = "muon"
    line = describe_run(model, arguments, Accelerator(mixed_precision="bf16"), 2048)
    assert "0.00 Muon and Adam), activations aside" in line
