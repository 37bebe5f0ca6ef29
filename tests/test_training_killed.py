"""Training killed many times, at drawn moments and often while it saves, ends with the weights of a run left alone.

Real processes, forked from one that has imported everything, so that a life costs its training alone; SIGKILL always.
What a life finds on the disk is what the one before it left there.
"""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import set_start_method
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
import torch
from corpus_of_numbers import number_tokenizer
from killed import born, wait_for
from safetensors.torch import load_file
from test_training import train

from vaswani.experiment.preparation import checkpoint_to_resume
from vaswani.training.checkpointing.checkpoints import MANIFEST, checkpoint_fault, checkpoints, newest_whole, sealed

LAST_STEP = 16


class Kind(NamedTuple):
    """What is trained, and how often it is killed."""

    settings: dict[str, Any]
    bpe_dropout: float
    kills: int
    while_saving: int


KINDS = {
    "the paper's": Kind({}, 0.0, kills=50, while_saving=20),
    "simcut": Kind({"consistency": "simcut", "ema_decay": 0.9}, 0.2, kills=20, while_saving=5),
    "rdrop": Kind({"consistency": "rdrop", "optimizer": "muon"}, 0.2, kills=20, while_saving=5),
}


def live(folder: Path, kind: str, workers: int) -> None:
    """Go on from what is on the disk to the last step, saving after each; in a process of its own."""
    set_start_method("fork", force=True)  # for the loader workers, as in a run; else it would be inherited
    torch.set_num_threads(1)
    train(
        folder,
        number_tokenizer(),
        dropout=0.2,
        checkpoint=checkpoint_to_resume(folder),
        max_steps=LAST_STEP,
        save_steps=1,
        save_total_limit=2,
        batches_per_step=2,
        bpe_dropout=KINDS[kind].bpe_dropout,
        dataloader_num_workers=workers,
        **KINDS[kind].settings,
    )


def saved(folder: Path) -> int:
    """Return the number of the newest checkpoint that is sealed."""
    return max((int(each.name.split("-")[1]) for each in sealed(folder)), default=0)


def is_cut_off(folder: Path, since: int = 0) -> bool:
    """Tell whether there is an unsealed checkpoint that was touched after this moment, in nanoseconds."""
    with suppress(FileNotFoundError):  # it was deleted while looked at
        return any(not (each / MANIFEST).exists() and each.stat().st_mtime_ns > since for each in checkpoints(folder))
    return False


def killed_once(folder: Path, kind: str, draw: random.Random, while_saving: bool) -> bool:
    """Start from what is there and kill at a drawn moment; return whether there was time to.

    Either in the midst of writing or deleting a checkpoint, or anywhere after the drawn step. Batches come from the
    process itself or, with what is no part of the paper's, from a drawn number of workers.
    """
    step, start = saved(folder) + draw.randint(0, 3), time.time_ns()
    process = born(live, folder, kind, draw.choice([0, 1, 3]) if KINDS[kind].settings else 0)
    wait_for(lambda: saved(folder) >= step and (is_cut_off(folder, start) or not while_saving), process)
    process.join(draw.uniform(0, 0.01 if while_saving else 0.1))
    process.kill()  # SIGKILL; nothing where it has just ended: its parent is the fork server, which buries it at once
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode != 0


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    """Return the weights, and their moving average if there is one."""
    return {
        f"{file.relative_to(checkpoint)}, {name}": tensor
        for file in checkpoint.rglob("*.safetensors")
        for name, tensor in load_file(file).items()
    }


@pytest.fixture
def folder_in_memory(tmp_path: Path) -> Iterator[Path]:
    """Return a folder whose disk is memory, if there is one: SIGKILL takes no page from either, and syncing is free."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_kills_change_nothing(kind: str, folder_in_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))  # for the process from which the others are forked
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone = born(live, folder_in_memory / "alone", kind, 0)
    alone.join()
    expected = weights(folder_in_memory / "alone" / f"checkpoint-{LAST_STEP}")
    wanted = KINDS[kind]

    draw = random.Random(0)
    kills = cut_off = runs = 0
    while kills < wanted.kills or cut_off < wanted.while_saving:
        assert runs < wanted.kills, f"{kills} kills only, {cut_off} of them while it saved"
        runs += 1
        folder = folder_in_memory / f"run {runs}"
        folder.mkdir()
        while killed_once(folder, kind, draw, while_saving=kills % 2 == 0):
            kills += 1
            cut_off += is_cut_off(folder)
            whole, _ = newest_whole(folder)
            assert whole is not None or not sealed(folder), "a kill made a sealed checkpoint worthless"
        last = folder / f"checkpoint-{LAST_STEP}"
        assert checkpoint_fault(last) is None
        found = weights(last)
        assert found.keys() == expected.keys()
        for name, tensor in expected.items():
            assert torch.equal(tensor, found[name]), f"run {runs}, {name}"
    print(f"{kills} kills in {runs} runs, {cut_off} of them while a checkpoint was written or deleted")
