"""torchrun whose processes are forked from one that has imported everything: a restart waits for no imports.

torch can start processes by such a fork server: a process of one thread, which forks when it is asked to. Added here is
what it has imported before. It must not touch a GPU, since its forks could not use that.
"""

import gc
import multiprocessing
import os
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

PRELOADED = (
    "vaswani.experiment.run",
    "vaswani.evaluation.scorers.lowercased_bleu",
    "vaswani.evaluation.scorers.sacrebleu",
    "vaswani.evaluation.scorers.wmt14_bleu",
)
"""What imports all that a run needs before its first step."""


def launch(words: Sequence[str]) -> None:
    """Do what `torchrun WORDS` does.

    Raises:
        ValueError: the words ask for something else than a script of Python's.

    """
    from torch.distributed import run as torchrun
    from torch.distributed.elastic.multiprocessing.errors import record

    args = torchrun.parse_args(list(words))
    if args.module or args.no_python:
        raise ValueError("give a recipe by its file, without --module and --no-python, or take torchrun itself")
    args.training_script, args.training_script_args = __file__, [args.training_script, *args.training_script_args]
    args.run_path, args.start_method = True, "forkserver"
    os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"  # or a restart would meet the addresses of those before
    os.environ["PYTHONUNBUFFERED"] = "1"  # as torchrun starts its processes
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"  # whoever asks whether there are GPUs then touches none
    if torchrun.determine_local_world_size(args.nproc_per_node) > 1:
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # as torchrun does, but before what reads it is imported
    import_before_forking()
    record(torchrun.run)(args)


def import_before_forking() -> None:
    """Start the process that others are forked from, and wait until it has imported everything.

    So a machine that comes back does not interrupt the others before it is ready.
    """
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(list(PRELOADED))
    first = server.Process(target=os.getpid)
    first.start()
    first.join()


def run_script(script: str, *flags: str) -> None:
    """Run a script as `python SCRIPT FLAGS` does."""
    gc.freeze()  # what is imported stays: no collection need look at it
    multiprocessing.set_start_method(None, force=True)  # the default, not this fork's own
    sys.argv = [script, *flags]
    sys.path[0] = str(Path(script).resolve().parent)
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":  # by torchrun, in a fork
    run_script(*sys.argv[1:])
