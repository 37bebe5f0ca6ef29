"""One network learns the same however the work is split, and goes on from a checkpoint as if it had not stopped.

Twenty steps in float32 without dropout, against the paper's recipe as a plain loop over whole steps: micro-batches
added up, two processes with DDP, FSDP2, and ZeRO of every stage, in real processes over gloo.
"""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from corpus_of_numbers import NumberedCorpus, number_tokenizer, numbered_stream
from forked import Forks
from safetensors.torch import load_file, save_file
from sharding_on_cpu import KINDS
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import set_seed

from vaswani.data.stream import MicroBatches
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.training import VaswaniTrainer, VaswaniTrainingArguments
from vaswani.training.checkpointing.checkpoints import checkpoint_fault
from vaswani.training.checkpointing.consolidation import read_weights

STEPS, HALF, WARMUP, BATCHES_PER_STEP, D = 20, 10, 8, 4, 32
CORPUS = NumberedCorpus((60, 50, 70, 40))
TOLERANCE = 1e-5


def network() -> VaswaniForConditionalGeneration:
    set_seed(3)
    return VaswaniForConditionalGeneration(
        VaswaniConfig(vocab_size=280, d_model=D, d_ff=64, num_heads=4, encoder_layers=2, decoder_layers=2, dropout=0.0)
    )


def train(
    folder: Path,
    checkpoint: Path | None = None,
    *,
    prepare: Callable[[VaswaniTrainer], None] = lambda _: None,
    evaluate: Callable[..., dict[str, float]] = lambda _: {},
    **changes: Any,
) -> VaswaniTrainer:
    """Train on however many processes this one belongs to, in whatever way Accelerate was told."""
    settings: dict[str, Any] = {
        "max_steps": STEPS,
        "warmup_steps": WARMUP,
        "batches_per_step": BATCHES_PER_STEP,
        "save_steps": HALF,
        "logging_steps": 1,
        "eval_strategy": "no",
        "dataloader_num_workers": 0,
        "report_to": "none",
        "disable_tqdm": True,
    }
    arguments = VaswaniTrainingArguments(output_dir=str(folder), **(settings | changes))
    tokenizer = number_tokenizer()
    stream = numbered_stream(CORPUS, tokenizer, streams=2)
    trainer = VaswaniTrainer(network(), arguments, stream, evaluate, tokenizer)
    prepare(trainer)
    trainer.train_from(checkpoint)
    return trainer


def leave_weights(trainer: VaswaniTrainer, folder: Path) -> None:
    """Write what the processes hold together to `folder`, and the losses beside it."""
    weights = {name: weight.detach() for name, weight in trainer.whole_model().named_parameters()}
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    if trainer.args.process_index == 0:
        save_file(weights | {"losses": torch.tensor(losses, dtype=torch.float64)}, folder / "left.safetensors")


def train_and_leave(folder: Path, checkpoint: Path | None = None) -> None:
    """Be one of the processes that train together."""
    trainer = train(folder, checkpoint)
    assert trainer.args.world_size == 2
    leave_weights(trainer, folder)


class Left(NamedTuple):
    """What a run comes to."""

    losses: Tensor
    """Of each step, float64."""
    weights: dict[str, Tensor]


def left(folder: Path) -> Left:
    held = load_file(folder / "left.safetensors")
    return Left(held.pop("losses"), held)


@pytest.fixture(scope="module")
def by_hand() -> Left:
    """Section 5.3 from its text: each step one batch of all its sentences, Adam, and eq. 3 from step 1."""
    model = network().train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0, betas=(0.9, 0.98), eps=1e-9)
    batches = iter(MicroBatches(numbered_stream(CORPUS, number_tokenizer(), streams=2), 0, 1))
    losses = []
    for step in range(1, STEPS + 1):
        rows: dict[str, list[Tensor]] = {"input_ids": [], "attention_mask": [], "labels": []}
        for batch in islice(batches, BATCHES_PER_STEP):
            for name, held in rows.items():
                held.extend(batch[name])
        padding = {"input_ids": 1, "attention_mask": 0, "labels": -100}
        whole = {name: pad_sequence(held, True, padding[name]) for name, held in rows.items()}
        log_p = model(**whole).logits.log_softmax(-1)
        real = whole["labels"] != -100
        true = log_p.gather(-1, whole["labels"].clamp(min=0)[..., None])[..., 0]
        loss = -(0.9 * true + 0.1 * log_p.mean(-1))[real].mean()
        loss.backward()
        optimizer.param_groups[0]["lr"] = D**-0.5 * min(step**-0.5, step * WARMUP**-1.5)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return Left(
        torch.tensor(losses, dtype=torch.float64), {name: weight.detach() for name, weight in model.named_parameters()}
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Callable[[str], Path]:
    """Return `runs(kind)`: the folder of a finished run, trained when it is first asked for."""
    root = tmp_path_factory.mktemp("runs")

    def run(kind: str) -> Path:
        folder = root / kind
        if not folder.exists():
            folder.mkdir()
            if kind == "one process that accumulates":
                leave_weights(train(folder), folder)
            else:
                forks.run(train_and_leave, folder, kind=kind, folder=folder)
        return folder

    return run


def apart(found: Left, expected: Left) -> tuple[float, float]:
    """Return the largest relative differences: of a step's loss, and of a weight tensor in its Euclidean norm."""
    assert found.weights.keys() == expected.weights.keys()
    of_losses = ((found.losses - expected.losses) / expected.losses).abs().max()
    of_weights = max((found.weights[name] - weight).norm() / weight.norm() for name, weight in expected.weights.items())
    return float(of_losses), float(of_weights)


@pytest.mark.parametrize("kind", ["one process that accumulates", *KINDS])
def test_every_split_learns_the_same(kind: str, runs: Callable[[str], Path], by_hand: Left) -> None:
    of_losses, of_weights = apart(left(runs(kind)), by_hand)
    print(f"{kind}: losses {of_losses:.1e}, weights {of_weights:.1e}")
    assert of_losses < TOLERANCE
    assert of_weights < TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_run_is_bit_for_bit_the_uninterrupted_one(
    kind: str, runs: Callable[[str], Path], forks: Forks, tmp_path: Path
) -> None:
    whole = runs(kind)
    forks.run(train_and_leave, tmp_path, whole / f"checkpoint-{HALF}", kind=kind, folder=tmp_path)
    found, expected = left(tmp_path), left(whole)
    assert found.losses.tolist() == expected.losses.tolist()
    for name, weight in expected.weights.items():
        assert torch.equal(weight, found.weights[name]), name


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_holds_the_weights_that_the_processes_hold_together(
    kind: str, runs: Callable[[str], Path]
) -> None:
    checkpoint = runs(kind) / f"checkpoint-{STEPS}"
    assert checkpoint_fault(checkpoint) is None
    saved = read_weights(checkpoint)
    for name, weight in left(runs(kind)).weights.items():
        assert torch.equal(weight, saved[name]), name
