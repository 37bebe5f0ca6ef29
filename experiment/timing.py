"""How fast this machine trains a network: measured on some steps with batches of the text, and some translations."""

import resource
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from vaswani.data.batching import IGNORED
from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.training import VaswaniTrainingArguments
from vaswani.training.muon import MUON, MuonWithAdam
from vaswani.training.preparation import prepare_for_training
from vaswani.translation.translate import translate

WARM_UP = 2
"""Micro-batches before the clock starts, or one that takes as long as the measurement: they allocate memory and choose
kernels. At least one is timed, however long it takes."""


class Timing(NamedTuple):
    """What was measured."""

    batches: int
    seconds: float
    tokens: int
    """Target tokens of these."""
    seconds_a_sentence: float | None
    """In validation with greedy search; None if there is nothing to translate."""
    memory: int
    """The most bytes that the process has had, on the accelerator or, without one, in all."""
    threads: int | None
    """Of the CPU; None on an accelerator."""
    share: float
    """The share of its threads' possible CPU time that they got; 1 on an accelerator."""

    @property
    def tokens_a_second(self) -> float:
        """Target tokens a second of training."""
        return self.tokens / self.seconds


def measure(
    model: VaswaniForConditionalGeneration,
    training: VaswaniTrainingArguments,
    batches: Sequence[dict[str, Any]],
    seconds: float,
    validation: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    longest: int,
) -> Timing:
    """Train on micro-batches in turn for some seconds: forward, smoothed loss, backward and optimizer for each.

    Args:
        model: with random weights; it is changed.
        training: device and precision.
        batches: model inputs.
        seconds: how long.
        validation: sources to translate, to `longest` tokens each, since an untrained network finds no end.
        tokenizer: the model's.
        longest: tokens.

    Raises:
        ValueError: it does not fit into the accelerator's memory.

    """
    device = training.device
    nn.Module.to(model, device)
    try:
        done, taken, tokens, share = train(model, training, batches, seconds)
        a_sentence = translation_of(model, validation, tokenizer, longest)
    except torch.OutOfMemoryError as error:
        raise ValueError(
            f"a micro-batch of this network does not fit into the memory of {device}; halve --tokens_per_batch and "
            "double --batches_per_step"
        ) from error
    on_processor = device.type == "cpu"
    memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else peak_of_process()
    threads = torch.get_num_threads() if on_processor else None
    return Timing(done, taken, tokens, a_sentence, memory, threads, share if on_processor else 1)


def optimizer_of(model: nn.Module, training: VaswaniTrainingArguments) -> torch.optim.Optimizer:
    """Return what makes the steps of a run, at a rate that leaves the weights nearly as they are."""
    betas = training.adam_beta1, training.adam_beta2
    if training.optimizer == MUON:
        return MuonWithAdam(model, 1e-5, betas, training.adam_epsilon)
    fused = training.device.type in ("cpu", "cuda")
    return torch.optim.AdamW(model.parameters(), lr=1e-5, betas=betas, eps=training.adam_epsilon, fused=fused)


def train(
    model: VaswaniForConditionalGeneration,
    training: VaswaniTrainingArguments,
    batches: Sequence[dict[str, Any]],
    seconds: float,
) -> tuple[int, float, int, float]:
    """Return how many micro-batches were timed, their seconds, their target tokens, and the share of CPU time."""
    device = training.device
    model.train()
    prepare_for_training(model, training)
    optimizer = optimizer_of(model, training)
    precision = torch.float16 if training.fp16 else torch.bfloat16

    def step(batch: dict[str, Any]) -> int:
        inputs = {name: tensor.to(device) for name, tensor in batch.items()}
        number = int((batch["labels"] != IGNORED).sum())
        with torch.autocast(device.type, precision, enabled=training.bf16 or training.fp16):
            loss = model(**inputs, num_items_in_batch=number).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        wait(device)
        return number

    coming = repeated(batches)
    started = time.perf_counter()
    for _ in range(WARM_UP):
        step(next(coming))
        if time.perf_counter() - started >= seconds:
            break
    done, tokens = 0, 0
    started, worked = time.perf_counter(), time.process_time()
    while not done or time.perf_counter() - started < seconds:
        tokens += step(next(coming))
        done += 1
    taken = time.perf_counter() - started
    return done, taken, tokens, min(1.0, (time.process_time() - worked) / taken / torch.get_num_threads())


def translation_of(
    model: VaswaniForConditionalGeneration, sources: Sequence[str], tokenizer: PreTrainedTokenizerBase, longest: int
) -> float | None:
    """Return the seconds that greedy search takes for a sentence of `longest` tokens, or None without sources."""
    if not sources:
        return None
    model.eval()
    generation: Any = model.generation_config
    generation.max_new_tokens = generation.min_new_tokens = longest
    translate(model, tokenizer, sources[:1], num_beams=1)
    started = time.perf_counter()
    translate(model, tokenizer, sources, num_beams=1)
    wait(model.device)
    return (time.perf_counter() - started) / len(sources)


def repeated(batches: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield batches in turn, without end."""
    while True:
        yield from batches


def wait(device: torch.device) -> None:
    """Wait until an accelerator has done what it was given."""
    if device.type != "cpu":
        torch.accelerator.synchronize()


def peak_of_process() -> int:
    """Return the most bytes that this process has had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
