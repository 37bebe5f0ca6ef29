"""FSDP2 and DeepSpeed on processors over gloo, for tests alone: Accelerate lets them run on accelerators only.

Call `on_cpu(kind)` before anything of Accelerate is built.
"""

import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any

from accelerate import DistributedType, PartialState

KINDS = ("ddp", "fsdp", "zero1", "zero2", "zero3")


def on_cpu(kind: str, folder: Path, **of_deepspeed: Any) -> None:
    """Let what follows train as a launch configuration of that kind would on as many GPUs.

    Args:
        kind: one of KINDS.
        folder: where the configuration of DeepSpeed is written, which `of_deepspeed` adds to.

    """
    if kind == "ddp":
        os.environ["ACCELERATE_USE_CPU"] = "true"
        return
    os.environ.pop("ACCELERATE_USE_CPU", None)
    os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
    build = PartialState.__init__
    PartialState.__init__ = lambda self, cpu=False, **given: build(self, cpu=False, **given)  # noqa: ARG005
    PartialState._prepare_backend = lambda *_, **__: ("gloo", DistributedType.MULTI_GPU)
    if kind == "fsdp":
        os.environ |= {
            "ACCELERATE_USE_FSDP": "true",
            "FSDP_VERSION": "2",
            "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
        }
        return
    os.environ["DS_ACCELERATOR"] = "cpu"
    # DeepSpeed would compile its own operations for processors anew at every start, and gloo does as well.
    import_module("deepspeed.comm.torch").__dict__["build_shm_op"] = lambda: None
    automatic = dict.fromkeys(
        ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "gradient_clipping"),
        "auto",
    )
    stage = {"stage": int(kind.removeprefix("zero"))}
    if kind == "zero3":
        stage["stage3_param_persistence_threshold"] = 0  # small weights, as all are in tests, would not be spread
    settings = {"zero_optimization": stage} | automatic | of_deepspeed
    config = folder / f"{kind}.{os.environ['RANK']}.json"
    config.write_text(json.dumps(settings))
    os.environ |= {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_CONFIG_FILE": str(config)}
