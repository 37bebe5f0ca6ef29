"""A compiled run over batches of a few shapes compiles once for each, and learns what the uncompiled one does."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from corpus_of_numbers import NumberedCorpus, number_tokenizer, numbered_stream
from test_training import network
from torch._dynamo.utils import counters

from vaswani.data import TrainingStream
from vaswani.training import VaswaniTrainer, VaswaniTrainingArguments
from vaswani.training.exceptions import StartupError

WIDTHS = (6, 8, 10, 40)
STEPS = 12


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Iterator[None]:
    environment = dict(os.environ)
    torch._dynamo.reset()
    counters.clear()
    with torch._dynamo.config.patch(recompile_limit=2):
        yield
    os.environ.clear()
    os.environ.update(environment)


def stream(widths: tuple[int, ...] = WIDTHS) -> TrainingStream:
    return numbered_stream(NumberedCorpus((30, 25, 35, 20)), number_tokenizer(), budget=120, widths=widths)


def losses(folder: Path, source: TrainingStream, *, dropout: float = 0.0, **changes: Any) -> list[float]:
    """The loss of every step."""
    arguments = VaswaniTrainingArguments(
        output_dir=str(folder),
        max_steps=STEPS,
        warmup_steps=4,
        eval_strategy="no",
        save_strategy="no",
        logging_steps=1,
        dataloader_num_workers=0,
        report_to="none",
        disable_tqdm=True,
        seed=7,
        **changes,
    )
    trainer = VaswaniTrainer(network(dropout), arguments, source, lambda _: {}, number_tokenizer())
    trainer.train_from(None)
    return [log["loss"] for log in trainer.state.log_history if "loss" in log]


def test_by_the_trainer_s_flags(tmp_path: Path) -> None:
    expected = losses(tmp_path / "plain", stream())
    assert losses(tmp_path / "compiled", stream(), torch_compile=True) == pytest.approx(expected, rel=1e-5)
    assert_compiled_once_a_shape()


def test_by_the_launcher(tmp_path: Path) -> None:
    """Which switches dynamic shapes off by default; without widths that is refused."""
    expected = losses(tmp_path / "plain", stream(), bf16=True)
    os.environ |= {"ACCELERATE_DYNAMO_BACKEND": "AOT_EAGER", "ACCELERATE_DYNAMO_USE_DYNAMIC": "False"}
    with pytest.raises(StartupError, match=r"not at all after eight.*or limit the shapes of batches with --widths"):
        losses(tmp_path / "any", stream(widths=()))
    assert losses(tmp_path / "compiled", stream(), bf16=True) == pytest.approx(expected, rel=0.01)
    assert_compiled_once_a_shape()


def test_neither_dropout_nor_the_casts_of_weights_end_a_graph(tmp_path: Path) -> None:
    flags: dict[str, Any] = {"torch_compile_backend": "aot_eager", "bf16_throughout": True, "dropout": 0.1}
    found = losses(tmp_path, stream(), **flags)
    assert found[-1] < found[0]
    assert_compiled_once_a_shape()


def assert_compiled_once_a_shape() -> None:
    """A graph ends at the loss, which is taken outside; what follows it is one for all shapes."""
    source = stream()
    shapes = {tuple(source.micro_batch(number)["labels"].shape) for number in range(STEPS)}
    assert 2 < len(shapes) <= len(WIDTHS), "more than the compiler would have taken by itself"
    assert all(size > 1 for shape in shapes for size in shape), "one graph would not do for all of them"
    assert counters["stats"]["unique_graphs"] == len(shapes) + 1
    [reason] = counters["graph_break"]
    assert "smoothed_cross_entropy" in reason
