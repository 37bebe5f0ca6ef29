"""What the launcher asked for, according to its environment variables, and whether that is what will run.

`accelerate launch`, torchrun, srun, mpirun and Kubeflow record in variables what they started. Where something else
would run, each process would silently train alone on all the data, or on another device.
"""

import os
from collections.abc import Mapping

_STARTERS = {
    "OMPI_COMM_WORLD_SIZE": "mpirun",
    "PMI_SIZE": "mpirun",
    "MV2_COMM_WORLD_SIZE": "mpirun",
    "SLURM_STEP_NUM_TASKS": "srun",
}
"""Variables in which starters that do not know torch record how many processes they started, and their names."""


def is_on(variable: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether a variable of Accelerate is true."""
    return environment.get(variable, "").lower() in ("1", "true", "yes", "on", "y", "t")


def process_fault(together: int, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return what is wrong, and the way out, if fewer processes train together than the launcher intended.

    Args:
        together: the number of processes that train together.
        environment: of this process.

    """
    if fault := lone_process_fault(together, "train alone", environment):
        return fault
    if "WORLD_SIZE" in environment:
        return None
    if "MASTER_ADDR" in environment and together == 1:
        return (
            f"processes were to meet at MASTER_ADDR={environment['MASTER_ADDR']}, but a single one was started: "
            "accelerate launch does so with --cpu or distributed_type MULTI_CPU, whatever --num_processes says. For "
            "several on CPUs set ACCELERATE_USE_CPU=true and use accelerate_configs/cpu_2_processes.yaml; for a "
            "single one, unset MASTER_ADDR"
        )
    return None


def lone_process_fault(together: int, each_would: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return what is wrong, and the way out, if a starter started more processes than know of each other.

    Args:
        together: the number that do.
        each_would: what each of the others would do by itself.
        environment: of this process.

    """
    if "WORLD_SIZE" in environment:
        started = int(environment["WORLD_SIZE"])
        if started == together:
            return None
        if is_on("ACCELERATE_USE_DEEPSPEED", environment):
            return (
                f"the launcher started {started} processes for DeepSpeed, but Accelerate finds no device on which it "
                f"would count more than {together}, and each would {each_would}; check whether torch sees the GPUs "
                "(nvidia-smi, torch.cuda.is_available())"
            )
        return (
            f"the launcher started {started} processes, but each would {each_would}; start them with accelerate "
            "launch, as the first lines of the files in accelerate_configs/ show, and on CPUs set "
            "ACCELERATE_USE_CPU=true and use accelerate_configs/cpu_2_processes.yaml"
        )
    for variable, starter in _STARTERS.items():
        if (started := int(environment.get(variable, 1))) > together:
            return (
                f"{starter} started {started} processes, but each would {each_would}; let it start one accelerate "
                "launch per machine, as accelerate_configs/multi_node.slurm does"
            )
    return None


def device_fault(device: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return what is wrong, and the way out, if GPUs were named but training would run on the CPU.

    Args:
        device: what training would run on by itself, "cpu" or another type.
        environment: of this process.

    """
    named = environment.get("CUDA_VISIBLE_DEVICES", "").strip()
    if device != "cpu" or is_on("ACCELERATE_USE_CPU", environment) or named in ("", "-1", "NoDevFiles"):
        return None
    return (
        f"GPU {named} is named (gpu_ids of the launch configuration, or CUDA_VISIBLE_DEVICES), but torch finds none; "
        "check whether nvidia-smi lists it and whether torch.version.cuda fits the driver. To train on the CPU all "
        "the same, launch with --cpu"
    )
