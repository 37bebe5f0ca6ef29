"""What a run will need: parameters, operations, memory, and time and cost on a stated machine."""

from typing import Any, NamedTuple

import torch

from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.training.estimates.flops import BACKWARD, Dimensions, Operations, Parameters, forward, parameters
from vaswani.training.estimates.memory_and_traffic import SHARINGS, Memory, memory, traffic
from vaswani.training.muon import MUON, OF_WHOLE_MATRICES, bytes_of_moments

from .arguments import Arguments


class Machine(NamedTuple):
    """The machine that the run is planned for."""

    gpus: int
    peak_tflops: float
    """Of one GPU, in the precision of training, as its maker states it; 10^12 operations a second."""
    utilisation: float
    """The share of the peak that training reaches, from 0 to 1."""
    price_per_gpu_hour: float | None = None


class Cost(NamedTuple):
    """The cost of one way of sharing the work, for each process."""

    memory: Memory
    """Bytes."""
    sent: float
    """Bytes a step."""


class Plan(NamedTuple):
    """What a run needs."""

    parameters: Parameters
    tokens: int
    """Positions of a step on each side, padding included."""
    length: int
    """Positions of a pair on each side."""
    steps: int
    ahead: Operations
    """One step, forward."""
    in_16_bits: bool
    accumulates: int
    """Micro-batches of a process in a step."""
    costs: dict[str, Cost]
    """By the names of SHARINGS that the optimizer works with."""
    optimizer: str
    """As the table of memory calls it."""
    machine: Machine

    @property
    def of_a_step(self) -> float:
        """Operations, forward and backward."""
        return (1 + BACKWARD) * sum(self.ahead)

    @property
    def of_the_run(self) -> float:
        """Operations of all steps."""
        return self.steps * self.of_a_step

    @property
    def seconds(self) -> float:
        """How long the steps take."""
        machine = self.machine
        return self.of_the_run / (machine.gpus * machine.peak_tflops * 1e12 * machine.utilisation)


def dimensions_of(fields: dict[str, Any]) -> Dimensions:
    """Return the dimensions of the network that these fields of `VaswaniConfig` describe."""
    config = VaswaniConfig(**fields)
    return Dimensions(**{name: getattr(config, name) for name in Dimensions._fields})


def plan(arguments: Arguments, machine: Machine, length: int) -> Plan:
    """Compute what a run with these arguments needs, if every batch is full.

    Args:
        arguments: of the run.
        machine: the machine that it is planned for.
        length: positions of a pair on each side, which decides the cost of attention.

    Raises:
        ValueError: the machine is impossible, or its GPUs cannot share a step.

    """
    model, data, training, _ = arguments
    check(machine, training.batches_per_step)
    if not 1 <= length <= data.tokens_per_batch:
        raise ValueError(f"pair_tokens is {length}; give 1 to {data.tokens_per_batch}, the tokens of a micro-batch")
    network = dimensions_of(model)
    parts = parameters(network)
    tokens = data.tokens_per_batch * training.batches_per_step
    accumulates = training.batches_per_step // machine.gpus
    costs = {}
    is_muon = training.optimizer == MUON
    for sharing in SHARINGS[:1] if machine.gpus == 1 else SHARINGS[1:]:
        if is_muon and sharing not in OF_WHOLE_MATRICES:
            continue
        how = (machine.gpus, sharing, training.in_16_bits, accumulates)
        held = memory(sum(parts), *how)
        if is_muon:
            held = held._replace(adam=moments_of_muon(model))
        costs[sharing] = Cost(held, traffic(sum(parts), parts.embeddings, *how))
    return Plan(
        parts,
        tokens,
        length,
        training.max_steps,
        forward(network, tokens / length, length, length),
        training.in_16_bits,
        accumulates,
        costs,
        "Muon and Adam" if is_muon else "Adam",
        machine,
    )


def moments_of_muon(fields: dict[str, Any]) -> int:
    """Return the bytes that Muon and Adam keep for the network that these fields of `VaswaniConfig` describe."""
    with torch.device("meta"):
        return bytes_of_moments(VaswaniForConditionalGeneration(VaswaniConfig(**fields)))


def check(machine: Machine, batches_per_step: int) -> None:
    """Refuse a machine whose GPUs cannot share a step."""
    if batches_per_step % machine.gpus:
        raise ValueError(
            f"gpus is {machine.gpus}, which cannot share {batches_per_step} micro-batches a step evenly; give a "
            "divisor, or another --batches_per_step after the recipe, and --tokens_per_batch so that their product is "
            "the batch you want"
        )


def plan_as_text(found: Plan, name: str) -> str:
    """Return the plan in words; `name` is the name of the recipe."""
    ahead, machine, tokens = found.ahead, found.machine, f"{found.tokens:,}"
    hours = found.seconds / 3600
    price = machine.price_per_gpu_hour
    paid = "" if price is None else f"; at {price:g} a GPU-hour that costs {hours * machine.gpus * price:,.2f}"
    return "\n".join(
        [
            f"{name}: {sum(found.parameters):,} parameters",
            *table(
                ("", "parameters", "share"),
                [
                    (part.replace("_", "-"), f"{number:,}", f"{number / sum(found.parameters):.1%}")
                    for part, number in found.parameters._asdict().items()
                ],
            ),
            "",
            f"TFLOP a step of {tokens} source and {tokens} target tokens, "
            f"in pairs of {found.length} and {found.length}",
            *table(
                ("", "forward", "backward", "together", "share"),
                [
                    (
                        name,
                        *(f"{each * part / 1e12:.3f}" for each in (1, BACKWARD, 1 + BACKWARD)),
                        f"{part / sum(ahead):.1%}",
                    )
                    for name, part in [*zip(OPERATIONS, ahead, strict=True), ("all", sum(ahead))]
                ],
            ),
            "Matrix products; a multiplication and an addition count as 2. Padding counts as tokens; batches are "
            "taken as full.",
            f"The run of {found.steps:,} steps: {found.of_the_run:.3g} FLOP",
            "",
            f"GB in each of {machine.gpus} processes, {found.accumulates} micro-batch(es) a step each, "
            f"{'16 bits' if found.in_16_bits else 'float32'}; activations come on top (docs/distributed.md)",
            *table(
                ("", "weights", "gradients", found.optimizer, "all", "sent a step"),
                [
                    (sharing, *(f"{each / 1e9:.2f}" for each in (*cost.memory, sum(cost.memory), cost.sent)))
                    for sharing, cost in found.costs.items()
                ],
            ),
            "",
            f"{machine.gpus} GPU(s) x {machine.peak_tflops:g} TFLOP/s x {machine.utilisation:.0%}, as stated: "
            f"{found.seconds / found.steps * 1e3:,.2f} ms a step, "
            f"{found.steps * found.tokens / found.seconds:,.0f} target tokens a second",
            *links(found),
            *starting(found),
            f"The run takes {time_as_text(hours)}, {hours * machine.gpus:,.2f} GPU-hours{paid}",
            f"Counted as the paper counts, time x peak: {found.of_the_run / machine.utilisation:.3g} FLOP",
            "Reading text, waiting for messages, validation, translation and checkpoints are not included.",
        ]
    )


def starting(found: Plan) -> list[str]:
    """Return a warning where steps on GPUs are too short for the share that was stated."""
    each = found.seconds / found.steps * 1e3
    if each >= STARTING:
        return []
    return [
        f"{each:,.2f} ms are less than the {STARTING} or so in which a step's kernels are started one by one: expect a "
        "smaller share, and measure yours, or make steps larger"
    ]


STARTING = 30
"""Milliseconds, estimated: some thousand kernels of a base network's step, at about 10 microseconds each."""
OPERATIONS = ("attention: projections", "attention: products", "feed-forward", "logits")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Return lines of a table, the first column aligned left and the others right."""
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
    return [
        "  "
        + "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in [head, *rows]
    ]


def links(found: Plan) -> list[str]:
    """Return, for several processes, the bandwidth that this pace needs between them."""
    rates = [cost.sent * found.steps / found.seconds / 1e9 for cost in found.costs.values()]
    if len(rates) == 1:
        return []
    return [f"At this pace each process sends {min(rates):.1f} to {max(rates):.1f} GB/s; slower links slow it down"]


def time_as_text(hours: float) -> str:
    """Return a time in the unit that suits it."""
    if hours < 1:
        return f"{60 * hours:.1f} minutes"
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"
