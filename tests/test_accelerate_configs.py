"""Every launch configuration holds what its name promises, its command parses, and what can run here runs."""

import json
import os
import random
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
import torch
import yaml
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import DeepSpeedPlugin, DistributedType, FullyShardedDataParallelPlugin
from accelerate.utils.launch import _filter_args, prepare_deepspeed_cmd_env, prepare_multi_gpu_env
from forked import Forks
from safetensors.torch import load_file
from test_same_learning import train
from torch.distributed.fsdp import FSDPModule, StateDictType
from torch.distributed.run import config_from_args, get_args_parser
from transformers import AutoModelForSeq2SeqLM

from vaswani.experiment import Arguments, parse
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.training import VaswaniTrainer
from vaswani.training.checkpointing.checkpoints import checkpoint_fault
from vaswani.training.distribution.startup_checks import describe_run

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "accelerate_configs"
JOB = FOLDER / "multi_node.pytorchjob.yaml"
SLURM = FOLDER / "multi_node.slurm"
WITHOUT_GPU = pytest.mark.skipif(torch.accelerator.is_available(), reason="runs on processors what GPUs are for")


class Promise(NamedTuple):
    """What a configuration's name says of it."""

    kind: DistributedType
    processes: int
    precision: str | None
    machines: int = 1
    compiled: bool = False
    stage: int | None = None
    offloaded: bool = False


PROMISES = {
    "cpu": Promise(DistributedType.NO, 1, "no"),
    "cpu_2_processes": Promise(DistributedType.MULTI_GPU, 2, "no"),  # see the head of the file
    "single_gpu": Promise(DistributedType.NO, 1, "bf16", compiled=True),
    "ddp_8_gpu": Promise(DistributedType.MULTI_GPU, 8, "bf16"),
    "fsdp2": Promise(DistributedType.FSDP, 8, "bf16"),
    "deepspeed_zero1": Promise(DistributedType.DEEPSPEED, 8, None, stage=1),
    "deepspeed_zero2": Promise(DistributedType.DEEPSPEED, 8, None, stage=2),
    "deepspeed_zero3": Promise(DistributedType.DEEPSPEED, 8, None, stage=3),
    "deepspeed_zero3_offload": Promise(DistributedType.DEEPSPEED, 8, None, stage=3, offloaded=True),
    "multi_node_ddp": Promise(DistributedType.MULTI_GPU, 16, "bf16", machines=2),
    "multi_node_fsdp2": Promise(DistributedType.FSDP, 16, "bf16", machines=2),
}
each_configuration = pytest.mark.parametrize("name", PROMISES)


@pytest.fixture(autouse=True)
def _same_environment() -> Iterator[None]:
    """Give back the environment as it was: the plugins of Accelerate are configured by it."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def file(name: str) -> Path:
    return FOLDER / f"{name}.yaml"


def written_command(path: Path) -> list[str]:
    """The words of the first command that stands in a file's head, its lines joined."""
    text = path.read_text(encoding="utf-8").replace("\\\n#", "")
    found = re.search(r"^# +((?:\w+=\S+ +)*(?:accelerate launch|sbatch|kubectl) .*)$", text, re.MULTILINE)
    assert found, path
    return shlex.split(found[1])


def parsed(words: list[str]) -> Any:
    """What `accelerate launch` makes of the words behind it, configuration file included."""
    words = [str(ROOT / word) if words[at - 1] == "--config_file" else word for at, word in enumerate(words)]
    args, _, _ = _validate_launch_command(launch_command_parser().parse_args(words))
    return args


def arguments_of(recipe: str, flags: list[str]) -> Arguments:
    """What a recipe makes of flags."""
    sys.path.insert(0, str(ROOT / "recipes"))
    try:
        return parse(import_module(Path(recipe).stem).RECIPE, flags)
    finally:
        sys.path.pop(0)


# --- what the files hold ---


def test_every_file_promises_something() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} - {JOB.stem} == set(PROMISES)
    named = {name for name in PROMISES if PROMISES[name].stage}
    assert {path.stem for path in FOLDER.glob("*.json")} == named


@each_configuration
def test_what_accelerate_reads_is_what_the_name_promises(name: str) -> None:
    promised, config = PROMISES[name], load_config_from_file(str(file(name)))
    assert isinstance(config, ClusterConfig)
    assert config.distributed_type == promised.kind
    assert (config.num_processes, config.num_machines) == (promised.processes, promised.machines)
    assert config.mixed_precision == promised.precision
    assert config.use_cpu == name.startswith("cpu")
    assert bool(config.dynamo_config) == promised.compiled
    assert bool(config.fsdp_config) == (promised.kind == DistributedType.FSDP)
    assert bool(config.deepspeed_config) == (promised.kind == DistributedType.DEEPSPEED)


@each_configuration
def test_no_field_is_ignored_by_the_launcher(name: str) -> None:
    """As it ignores rdzv_backend and same_network, which its own flags always override."""
    args = parsed(["--config_file", f"accelerate_configs/{name}.yaml", "recipe.py"])
    held = yaml.safe_load(file(name).read_text(encoding="utf-8"))
    for field, value in held.items():
        if isinstance(value, dict):
            assert {key: getattr(args, key) for key in value} == value
        elif field not in ("compute_environment", "distributed_type"):
            assert getattr(args, field) == value, field
    kinds = {"MULTI_GPU": args.multi_gpu, "FSDP": args.use_fsdp, "DEEPSPEED": args.use_deepspeed}
    assert [kind for kind, chosen in kinds.items() if chosen] == [held["distributed_type"]] * (
        held["distributed_type"] != "NO"
    )


@each_configuration
def test_the_command_in_the_head_starts_a_recipe_that_fits(name: str) -> None:
    assert file(name).read_text(encoding="utf-8").startswith("# ")
    words = written_command(file(name))
    args = parsed(words[words.index("launch") + 1 :])
    assert Path(args.config_file) == file(name)
    assert (ROOT / args.training_script).is_file()
    given = arguments_of(args.training_script, args.training_script_args)
    assert given.training.batches_per_step % args.num_processes == 0
    tokens = given.training.batches_per_step * given.data.tokens_per_batch
    assert "quickstart" in args.training_script or tokens == pytest.approx(25_000, rel=1e-3)  # section 5.1
    if PROMISES[name].stage:
        assert "--bf16" in args.training_script_args  # with a file of DeepSpeed's the launcher cannot say it
    if PROMISES[name].machines > 1:
        assert (args.machine_rank, args.main_process_ip) == (0, "10.0.0.1")


@pytest.mark.parametrize("name", [name for name in PROMISES if PROMISES[name].kind == DistributedType.FSDP])
def test_fsdp_is_version_2_and_wraps_the_layers(name: str) -> None:
    args = parsed(["--config_file", f"accelerate_configs/{name}.yaml", "--num_machines", "1", "recipe.py"])
    os.environ.update(prepare_multi_gpu_env(args))
    plugin = FullyShardedDataParallelPlugin()
    assert (plugin.fsdp_version, plugin.reshard_after_forward) == (2, True)
    assert plugin.state_dict_type == StateDictType.SHARDED_STATE_DICT
    assert {plugin.cpu_ram_efficient_loading, plugin.activation_checkpointing} == {False}
    with torch.device("meta"):
        model = VaswaniForConditionalGeneration(VaswaniConfig())
    plugin.set_auto_wrap_policy(model)  # refuses names of classes that the model has not
    assert set(plugin.transformer_cls_names_to_wrap) == set(model._no_split_modules)


def test_fsdp_on_one_machine_and_on_two_is_configured_alike() -> None:
    one, two = (load_config_from_file(str(file(name))).fsdp_config for name in ("fsdp2", "multi_node_fsdp2"))
    assert one == two


@pytest.mark.parametrize("name", [name for name in PROMISES if PROMISES[name].stage])
def test_deepspeed_takes_its_numbers_from_the_flags(name: str) -> None:
    promised = PROMISES[name]
    args = parsed(["--config_file", f"accelerate_configs/{name}.yaml", "recipe.py"])
    args.deepspeed_fields_from_accelerate_config = ",".join(load_config_from_file(args.config_file).deepspeed_config)
    os.environ.update(prepare_deepspeed_cmd_env(args)[1])
    plugin = DeepSpeedPlugin()  # refuses fields that a configuration file of DeepSpeed's makes void
    held = plugin.deepspeed_config
    assert plugin.zero_stage == promised.stage
    automatic = (
        "train_batch_size",
        "train_micro_batch_size_per_gpu",
        "gradient_accumulation_steps",
        "gradient_clipping",
    )
    assert {held[key] for key in automatic} == {"auto"}
    assert held["data_types"]["grad_accum_dtype"] == held["communication_data_type"] == "fp32"
    assert not held.keys() & {"optimizer", "scheduler", "bf16", "fp16"}
    devices = {plugin.offload_optimizer_device, plugin.offload_param_device}
    assert devices == ({"cpu"} if promised.offloaded else {"none"})
    assert held.get("zero_force_ds_cpu_optimizer") is (False if promised.offloaded else None)
    assert not plugin.zero3_init_flag


# --- whole runs, where there is no GPU ---


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of text: numbers and, as their translation, the same ones backwards."""
    folder = tmp_path_factory.mktemp("text")
    for split, first, last in (("train", 0, 600), ("val", 600, 606), ("test", 606, 612)):
        lines = [" ".join(str(n * k % 97) for k in range(1, 2 + n % 9)) for n in range(first, last)]
        (folder / f"{split}.en").write_text("".join(f"{line}\n" for line in lines))
        (folder / f"{split}.de").write_text("".join(f"{' '.join(reversed(line.split()))}\n" for line in lines))
    return folder


FLAGS = {
    "direction": "en-de",
    "vocab_size": 280,
    "d_model": 16,
    "d_ff": 32,
    "num_heads": 2,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "dropout": 0,
    "tokens_per_batch": 128,
    "max_tokens": 64,
    "max_steps": 12,
    "eval_steps": 6,
    "save_steps": 6,
    "logging_steps": 1,
    "batches_per_step": 2,
    "test_splits": "test",
    "test_beams": 2,
    "report_to": "none",
    "dataloader_num_workers": 0,
    "average_checkpoints": 1,
    "peak_learning_rate": 1e-3,
}


def command(text: Path, folder: Path, *launcher: str, bf16: bool = False) -> list[str]:
    """A launch of a small run of a recipe."""
    flags = FLAGS | {"data_dir": text, "output_dir": folder, "bf16": bf16}
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    return ["accelerate", "launch", *launcher, "recipes/multi30k.py", *words]


def environment(**variables: str) -> dict[str, str]:
    """That of a user who typed a command with this environment's programs on the path."""
    before = {name: value for name, value in os.environ.items() if not name.startswith("ACCELERATE_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), before["PATH"]])
    return before | {"PATH": path, "OMP_NUM_THREADS": "1"} | variables


def run(words: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, env=environment(**variables), cwd=ROOT, capture_output=True, text=True, check=False, timeout=500
    )


def assert_trained(folder: Path, processes: int) -> None:
    """A run came to its end, on so many processes, and left a model with the names of the network's weights."""
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["steps"] == FLAGS["max_steps"]
    states = [path.name for path in (folder / "checkpoint-12").glob("rng_state*.pth")]
    assert len(states) == processes
    model = AutoModelForSeq2SeqLM.from_pretrained(folder)
    for weights in (folder / "model.safetensors", folder / "checkpoint-12" / "model.safetensors"):
        assert load_file(weights).keys() <= model.state_dict().keys()


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in json.loads((folder / "history.json").read_text()) if "loss" in line]


@pytest.fixture(scope="module")
def on_one_processor(text: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The run of cpu.yaml, in bf16, and what it said."""
    folder = tmp_path_factory.mktemp("cpu") / "run"
    done = run(command(text, folder, "--config_file", "accelerate_configs/cpu.yaml", bf16=True))
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, done.stdout


@pytest.mark.slow
@WITHOUT_GPU
def test_cpu_runs(on_one_processor: tuple[Path, str]) -> None:
    folder, said = on_one_processor
    assert "1 process(es) on cpu, each accumulates 2; bf16 beside float32 weights;" in said
    assert_trained(folder, processes=1)


@pytest.mark.slow
def test_cpu_2_processes_runs(text: Path, tmp_path: Path) -> None:
    assert written_command(file("cpu_2_processes"))[0] == "ACCELERATE_USE_CPU=true"
    launcher = ["--config_file", "accelerate_configs/cpu_2_processes.yaml"]
    done = run(command(text, tmp_path / "run", *launcher), ACCELERATE_USE_CPU="true")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "2 process(es) on cpu, DDP over gloo, each accumulates 1; float32 weights;" in done.stdout
    assert_trained(tmp_path / "run", processes=2)


@pytest.mark.slow
@WITHOUT_GPU
def test_single_gpu_does_on_a_processor_what_it_does_on_a_gpu_where_that_is_asked_for(
    text: Path, on_one_processor: tuple[Path, str], tmp_path: Path
) -> None:
    """Compiled once for batches of all shapes; translated, saved and loaded as if it had not been."""
    launcher = ["--config_file", "accelerate_configs/single_gpu.yaml"]
    refused = run(command(text, tmp_path / "run", *launcher))
    assert "error: GPU 0 is named" in refused.stderr
    assert "exit status 78" in refused.stderr
    done = run(
        command(text, tmp_path / "run", *launcher, "--cpu"),
        TORCHINDUCTOR_CACHE_DIR=str(tmp_path / "compiled"),
        TORCH_LOGS="recompiles",
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "1 process(es) on cpu, each accumulates 2; bf16 beside float32 weights, compiled by inductor;" in done.stdout
    assert (tmp_path / "compiled").exists()
    assert "Recompiling" not in done.stderr
    assert "recompile_limit" not in done.stderr
    assert_trained(tmp_path / "run", processes=1)
    assert losses(tmp_path / "run") == pytest.approx(losses(on_one_processor[0]), rel=0.01)


def train_by(name: str, found: Path) -> None:
    """Be one of two processes that train as a configuration says; write down what ran."""
    args = parsed(["--config_file", f"accelerate_configs/{name}.yaml", "--num_processes", "2", "recipe.py"])
    if PROMISES[name].stage:
        args.deepspeed_fields_from_accelerate_config = "deepspeed_config_file"
    launched = prepare_deepspeed_cmd_env(args)[1] if PROMISES[name].stage else prepare_multi_gpu_env(args)
    os.environ.update({key: value for key, value in launched.items() if key.startswith(("ACCELERATE_", "FSDP_"))})
    os.chdir(ROOT)  # where the path of DeepSpeed's file begins
    lines: list[str] = []

    def prepare(trainer: VaswaniTrainer) -> None:
        assert isinstance(trainer.model, torch.nn.Module)
        lines.append(describe_run(trainer.model, trainer.args, trainer.accelerator, 100))

    trainer = train(
        found.parent / "run", prepare=prepare, max_steps=4, save_steps=4, bf16=PROMISES[name].stage is not None
    )
    optimizer: Any = trainer.optimizer
    while hasattr(optimizer, "optimizer"):
        optimizer = optimizer.optimizer
    held = {"line": lines[0], "steps": trainer.state.global_step, "adam": type(optimizer).__name__}
    if PROMISES[name].stage:
        held["clips at"] = trainer.accelerator.deepspeed_plugin.deepspeed_config["gradient_clipping"]
    else:
        assert isinstance(trainer.model, torch.nn.Module)
        held["gathered by"] = sorted(
            type(module).__name__ for module in trainer.model.modules() if isinstance(module, FSDPModule)
        )
    if trainer.args.process_index == 0:
        found.write_text(json.dumps(held))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["fsdp2", "deepspeed_zero1", "deepspeed_zero2", "deepspeed_zero3", "deepspeed_zero3_offload"]
)
def test_what_is_for_gpus_trains_on_processors_over_gloo(name: str, forks: Forks, tmp_path: Path) -> None:
    """With the variables that the launcher makes of the file, on two processes: what shares the work, and Adam."""
    promised = PROMISES[name]
    forks.run(
        train_by,
        name,
        tmp_path / "found.json",
        kind=f"zero{promised.stage}" if promised.stage else "fsdp",
        folder=tmp_path,
    )
    found = json.loads((tmp_path / "found.json").read_text())
    sharing = f"ZeRO-{promised.stage}" if promised.stage else "FSDP2"
    assert (
        f"2 process(es) on cpu, {sharing} over gloo, each accumulates 2; bf16 beside float32 weights" in found["line"]
    )
    assert ("in main memory" in found["line"]) == promised.offloaded
    assert (found["steps"], found["adam"]) == (4, "AdamW")
    if promised.stage:
        assert found["clips at"] == 0.0
    else:
        layers = ["FSDPDecoderLayer"] * 2 + ["FSDPEmbedding"] + ["FSDPEncoderLayer"] * 2
        # Accelerate gathers the table for its first use and its last alike: embedding and projection are one group.
        assert found["gathered by"] == [*layers, "FSDPProjection", "FSDPVaswaniForConditionalGeneration"]
    assert checkpoint_fault(tmp_path / "run" / "checkpoint-4") is None


@pytest.mark.slow
@WITHOUT_GPU
def test_the_launcher_starts_deepspeed(text: Path, tmp_path: Path) -> None:
    """Alone of what is for GPUs, Accelerate lets it run on processors as well."""
    script = tmp_path / "recipe.py"
    script.write_text(
        "import os, runpy, sys\n"
        "from importlib import import_module\n"
        "os.environ['DS_ACCELERATOR'] = 'cpu'\n"
        "import_module('deepspeed.comm.torch').__dict__['build_shm_op'] = lambda: None  # it would be compiled first\n"
        "runpy.run_path('recipes/multi30k.py', run_name='__main__')\n"
    )
    launcher = ["--config_file", "accelerate_configs/deepspeed_zero2.yaml", "--num_processes", "2"]
    words = command(text, tmp_path / "run", *launcher, bf16=True)
    words[words.index("recipes/multi30k.py")] = str(script)
    done = run(words)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "2 process(es) on cpu, ZeRO-2 over gloo, each accumulates 1; bf16 beside float32 weights;" in done.stdout
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["steps"] == FLAGS["max_steps"]


# --- several machines ---

ACCELERATE = """#!/bin/bash
printf '%s\\0' "$@" > "$SEEN/$SLURM_NODEID$PET_NODE_RANK"
"""
SCONTROL = """#!/bin/bash
[ "$*" = "show hostnames nodes-of-the-job" ] && echo "$NODES" | tr ' ' '\\n'
"""
SRUN = """#!/bin/bash
while [[ $1 == -* ]]; do shift; done
for node in 0 1; do SLURM_NODEID=$node "$@" & done
code=0
for job in $(jobs -p); do wait "$job" || code=$?; done
exit $code
"""
RECIPE = ["recipes/wmt14_base.py", "--batches_per_step", "16"]


def programs(folder: Path, **written: str) -> str:
    """Put programs into a folder, and return a path on which they come first."""
    folder.mkdir()
    for name, body in written.items():
        (folder / name).write_text(body)
        (folder / name).chmod(0o755)
    return os.pathsep.join([str(folder), environment()["PATH"]])


def of_slurm(gpus: int, nodes: str, job: int = 1234) -> dict[str, str]:
    """What Slurm says to a batch script of a job on two nodes."""
    return {
        "SLURM_JOB_NODELIST": "nodes-of-the-job",
        "SLURM_JOB_ID": str(job),
        "SLURM_NNODES": "2",
        "NODES": nodes,
        "SLURM_GPUS_ON_NODE": str(gpus),
        "SLURM_CPUS_PER_TASK": "64",
    }


def assert_meeting(seen: Path, main: str, config: str, variables: list[dict[str, str]]) -> None:
    """The launches of two machines would meet: as sixteen processes, with ranks of their own, at one address."""
    ports = set()
    for rank, given in enumerate(variables):
        words = (seen / str(rank)).read_text().split("\0")[:-1]
        assert words[0] == "launch"
        with patch.dict(os.environ, given):  # torchrun's flags have the variables of its name for defaults
            args = parsed(words[1:])
            left = prepare_multi_gpu_env(args)
            script = ["--training_script", args.training_script, "--training_script_args", args.training_script_args]
            started, _, _ = config_from_args(_filter_args(args, get_args_parser(), script))
        assert Path(args.config_file) == FOLDER / config
        assert (args.num_machines, args.num_processes, args.machine_rank) == (2, 16, rank)
        assert args.main_process_ip == main
        arguments_of(args.training_script, args.training_script_args)  # out there, or it would wait for the others
        assert "--resume" in args.training_script_args
        ports.add(args.main_process_port)
        assert left["ACCELERATE_MIXED_PRECISION"] == "bf16"
        assert (started.min_nodes, started.max_nodes, started.nproc_per_node) == (2, 2, 8)
        assert started.rdzv_endpoint == f"{main}:{args.main_process_port}"
        assert (started.rdzv_backend, started.rdzv_configs["rank"]) == ("static", rank)
    assert len(ports) == 1


@pytest.mark.parametrize("config", ["multi_node_ddp.yaml", "multi_node_fsdp2.yaml"])
def test_slurm_starts_one_launcher_a_machine(tmp_path: Path, config: str) -> None:
    subprocess.run(["bash", "-n", str(SLURM)], check=True)
    assert written_command(SLURM)[:2] == ["sbatch", "accelerate_configs/multi_node.slurm"]
    path = programs(tmp_path / "bin", accelerate=ACCELERATE, scontrol=SCONTROL, srun=SRUN)
    (tmp_path / "seen").mkdir()
    chosen = {"LAUNCH_CONFIG": f"accelerate_configs/{config}"} if "fsdp" in config else {}
    words = ["bash", str(SLURM), *written_command(SLURM)[2:]]
    variables = of_slurm(8, "node-a node-b") | chosen | {"PATH": path, "SEEN": str(tmp_path / "seen")}
    done = run_in(tmp_path, words, variables)
    assert done.returncode == 0, done.stderr
    assert_meeting(tmp_path / "seen", "node-a", config, [{}, {}])


def run_in(folder: Path, words: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run where no .venv is, whose programs would come before those given."""
    return subprocess.run(
        words, env=environment(**variables), cwd=folder, capture_output=True, text=True, check=False, timeout=500
    )


def test_slurm_without_a_recipe_says_what_is_missing() -> None:
    done = run(["bash", str(SLURM)], **of_slurm(8, "node-a node-b"))
    assert done.returncode != 0
    assert "name a recipe" in done.stderr


def is_free(port: int) -> bool:
    """Tell whether nobody listens at a port of this machine."""
    with socket.socket() as candidate:
        return candidate.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.slow
@WITHOUT_GPU
def test_two_launchers_of_the_slurm_file_train_one_model(text: Path, tmp_path: Path) -> None:
    """Its own lines, with one process a node, both nodes on this machine, over gloo."""
    job = next(number for number in iter(lambda: random.randrange(12_000), None) if is_free(20_000 + number))
    path = programs(tmp_path / "bin", scontrol=SCONTROL, srun=SRUN)
    words = ["bash", str(SLURM), *command(text, tmp_path / "run")[2:]]
    variables = of_slurm(1, "localhost localhost", job) | {"PATH": path, "ACCELERATE_USE_CPU": "true"}
    done = run(words, **variables)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "2 process(es) on cpu, DDP over gloo, each accumulates 1; bf16 beside float32 weights;" in done.stdout
    assert_trained(tmp_path / "run", processes=2)


def test_the_job_for_kubeflow_holds_what_its_operator_asks_for(tmp_path: Path) -> None:
    job = yaml.safe_load(JOB.read_text(encoding="utf-8"))
    assert written_command(JOB) == ["kubectl", "apply", "-f", "accelerate_configs/multi_node.pytorchjob.yaml"]
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v1", "PyTorchJob")
    replicas = job["spec"]["pytorchReplicaSpecs"]
    assert list(replicas) == ["Master", "Worker"]
    path = programs(tmp_path / "bin", accelerate=ACCELERATE)
    (tmp_path / "seen").mkdir()
    with socket.socket() as free:  # Accelerate looks whether the port is free here
        free.bind(("", 0))
        port = str(free.getsockname()[1])
    given = []
    for rank, replica in enumerate(replicas.values()):
        assert (replica["replicas"], replica["restartPolicy"]) == (1, "OnFailure")
        pod = replica["template"]["spec"]
        [container] = pod["containers"]
        assert container["name"] == "pytorch"  # the operator looks for it
        assert job["spec"]["nprocPerNode"] == str(container["resources"]["limits"]["nvidia.com/gpu"])  # a string
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
        # What the operator adds to the pod, by its source (pkg/controller.v1/pytorch/envvar.go of 1.9).
        added = {
            "PET_NNODES": "2",
            "PET_NPROC_PER_NODE": job["spec"]["nprocPerNode"],
            "PET_NODE_RANK": str(rank),
            "PET_MASTER_ADDR": "vaswani-master-0",
            "PET_MASTER_PORT": port,
            "MASTER_ADDR": "vaswani-master-0",
            "MASTER_PORT": port,
            "WORLD_SIZE": "16",
            "RANK": str(rank),
        }
        given.append(added)
        own = {variable["name"]: variable["value"] for variable in container["env"]}
        variables = added | own | {"PATH": path, "SEEN": str(tmp_path / "seen"), "SLURM_NODEID": ""}
        assert container["args"][0].startswith("exec ")  # or SIGTERM would come to the shell
        done = run_in(tmp_path, [*container["command"], *container["args"]], variables)
        assert done.returncode == 0, done.stderr
    assert_meeting(tmp_path / "seen", "vaswani-master-0", "multi_node_ddp.yaml", given)
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    written = shlex.split(container["args"][0])
    assert any(written[written.index("--output_dir") + 1].startswith(place) for place in mounted)
