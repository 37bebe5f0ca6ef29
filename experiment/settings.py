"""Which settings suit a text of some size: a table of tuned tasks, and interpolation between its rows.

To propose something better, measure it and add a row to TASKS: no other code depends on a size.
"""

import math
from typing import Any, NamedTuple

SMOOTHING = 0.1
"""Section 5.4."""
EARLY_STOPPING = 10
"""Validations without a better one."""


class TunedTask(NamedTuple):
    """A text that somebody trained on, and the settings that it was trained with."""

    name: str
    pairs: int
    """Of training."""
    source: str
    """Where it was measured or published."""
    result: str
    """Its result, and that of other settings that were tried."""
    network: dict[str, int | str]
    """Fields of `VaswaniConfig`; the norm only where it is not the paper's."""
    vocab_size: int
    dropout: float
    peak_learning_rate: float
    warmup_steps: int
    tokens_per_batch: int
    """Of a micro-batch, a side."""
    batches_per_step: int
    epochs: float
    evaluations: int
    """In all."""


SMALL: dict[str, int | str] = {
    "d_model": 128,
    "d_ff": 256,
    "num_heads": 4,
    "encoder_layers": 4,
    "decoder_layers": 4,
    "norm": "pre",
}
MIDDLE: dict[str, int | str] = {"d_model": 512, "d_ff": 1024, "num_heads": 4, "encoder_layers": 6, "decoder_layers": 6}
BASE: dict[str, int | str] = {"d_model": 512, "d_ff": 2048, "num_heads": 8, "encoder_layers": 6, "decoder_layers": 6}

TASKS = (
    TunedTask(
        "Multi30k", 29_000, "docs/results/2026-11-30-small-text.md",
        "measured: 39.8 and 42.0 BLEU; there the paper's base with dropout 0.1 reached 27.4 "
        "(docs/results/2026-11-23-article.md)",
        SMALL, 8_000, 0.3, 5e-3, 1_000, 4_096, 1, 67, 16,
    ),
    TunedTask(
        "IWSLT14", 160_000, "fairseq's example for it, transformer_iwslt_de_en",
        "published, not measured here: many report 34.6 to 34.9 BLEU of lower-cased words with it",
        MIDDLE, 10_000, 0.3, 5e-4, 4_000, 4_096, 1, 41, 30,
    ),
    TunedTask(
        "WMT14 en-de", 4_500_000, "sections 5.1 to 5.4 of the paper",
        "the paper's base: 27.3 BLEU (Table 2), not measured here; its big has 3.4 times the parameters and 3 times "
        "the steps, for 28.4",
        BASE, 37_000, 0.1, 7e-4, 4_000, 3_125, 8, 20, 20,
    ),
)  # fmt: skip
"""By number of pairs. Of WMT14 the rate is eq. 3's, and 100,000 steps of 25,000 tokens are about 20 epochs. IWSLT14's
epochs were not published: they are interpolated."""

GRAMMAR = TunedTask(
    "the built-in grammar",
    200_000,
    "docs/results/2026-11-22-first-light.md",
    "measured: 98.4 BLEU",
    {"d_model": 256, "d_ff": 1024, "num_heads": 4, "encoder_layers": 2, "decoder_layers": 2},
    2_000,
    0.1,
    2e-3,
    250,
    2_048,
    1,
    1.2,
    6,
)
"""The quickstart; its language is far simpler than any other of that size, so it is not a row of the table."""


class Proposal(NamedTuple):
    """Settings for a text."""

    nearest: TunedTask
    network: dict[str, Any]
    """Fields of `VaswaniConfig`."""
    epochs: float
    place: str | None
    """Where the text lies among the tasks; None if it has the size of one of them."""

    @property
    def is_inside(self) -> bool:
        """Whether it lies between two tasks or at one."""
        return self.place is None or self.place.startswith("between")


def propose(pairs: int) -> Proposal:
    """Return settings for a text of so many training pairs.

    Network, rate, warm-up and batch are those of the task that is nearest in the logarithm of the pairs. Dropout, the
    logarithm of the vocabulary and that of the epochs are interpolated between the tasks, linearly in the logarithm of
    the pairs. Beyond the tasks the values of the last task hold, except that below the smallest the vocabulary shrinks
    with the square root of the pairs.
    """
    size = max(pairs, 1)
    nearest, smallest = min(TASKS, key=lambda task: abs(math.log(task.pairs / size))), TASKS[0]
    vocab_size = math.exp(between(size, [math.log(task.vocab_size) for task in TASKS]))
    if size < smallest.pairs:
        vocab_size = smallest.vocab_size * math.sqrt(size / smallest.pairs)
    network = {
        **nearest.network,
        "vocab_size": max(1_000, round(vocab_size / 500) * 500),
        "dropout": round(20 * between(size, [task.dropout for task in TASKS])) / 20,
        "label_smoothing": SMOOTHING,
    }
    return Proposal(nearest, network, math.exp(between(size, [math.log(task.epochs) for task in TASKS])), place(size))


def as_measured(task: TunedTask) -> Proposal:
    """Return the settings of a task as they were."""
    of_network = {"vocab_size": task.vocab_size, "dropout": task.dropout, "label_smoothing": SMOOTHING}
    return Proposal(task, {**task.network, **of_network}, task.epochs, None)


def neighbours(pairs: int) -> list[TunedTask]:
    """Return the tasks that a text lies between, or the one at that end of the table."""
    smaller, larger = ([task for task in TASKS if task.pairs < pairs], [task for task in TASKS if task.pairs >= pairs])
    return [*smaller[-1:], *larger[:1]]


def between(pairs: int, values: list[float]) -> float:
    """Return the value for a number of pairs, interpolated linearly in the logarithm of the tasks' pairs."""
    at = [math.log(task.pairs) for task in TASKS]
    here = min(max(math.log(pairs), at[0]), at[-1])
    number = next(number for number in range(1, len(at)) if here <= at[number])
    share = (here - at[number - 1]) / (at[number] - at[number - 1])
    return values[number - 1] + share * (values[number] - values[number - 1])


def place(pairs: int) -> str | None:
    """Return where a text lies among the tasks, or None where it is within a quarter of the size of one."""
    if any(0.8 <= pairs / task.pairs <= 1.25 for task in TASKS):
        return None
    names = [f"{task.name} ({task.pairs:,} pairs)" for task in neighbours(pairs)]
    if len(names) == 2:
        return f"between {names[0]} and {names[1]}"
    return f"{'below' if pairs < TASKS[0].pairs else 'above'} {names[0]}"


def steps_of(proposal: Proposal, steps_an_epoch: float) -> float:
    """Return how many steps to train for, given the steps of an epoch.

    Above the largest task they are those of that task: the paper's base took no more for eight times the pairs (En-Fr).
    """
    steps = proposal.epochs * steps_an_epoch
    return min(steps, 100_000) if proposal.nearest == TASKS[-1] else steps


def schedule(proposal: Proposal, steps: float) -> dict[str, int | float]:
    """Return fields of `VaswaniTrainingArguments` for about so many steps; the warm-up is at most a quarter of them."""
    task = proposal.nearest
    every = round_readably(steps / task.evaluations)
    whole = max(1, math.ceil(steps / every - 0.1)) * every
    return {
        "max_steps": whole,
        "warmup_steps": min(task.warmup_steps, max(1, whole // 4)),
        "peak_learning_rate": task.peak_learning_rate,
        "eval_steps": every,
        "save_steps": every // 2,
        "patience": EARLY_STOPPING,
    }


def round_readably(number: float) -> int:
    """Return an even, easily readable number near this one."""
    unit = 10 ** max(0, math.floor(math.log10(max(number, 1))) - 1)
    return unit * min(
        (2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 30, 40, 50, 60, 80, 100), key=lambda n: abs(n - number / unit)
    )
