"""The cost of each way of sharing the work, per process: memory and traffic by formula (docs/distributed.md).

Symbols: N weights (numbers, all trained), E of them in the embedding table, P processes, A micro-batches of a process
in a step. Weights are float32; "in 16 bits" is bf16 or fp16 beside them.
"""

from typing import NamedTuple

SHARINGS = ("one process", "DDP", "FSDP2", "ZeRO-1", "ZeRO-2", "ZeRO-3")
"""The ways of sharing the work. With DDP every process holds everything; the others spread parts of it."""


class Memory(NamedTuple):
    """Bytes in one process at the peak of a step: between the last gradient and the optimizer's work."""

    weights: float
    gradients: float
    adam: float
    """The two moments, and with DeepSpeed the float32 weights that it keeps in addition to its working copy."""


def memory(weights: int, processes: int, sharing: str, in_16_bits: bool, accumulates: int) -> Memory:
    """Return what weights, gradients and Adam take in each process; activations and gathered weights come on top.

    Args:
        weights: N.
        processes: P.
        sharing: one of SHARINGS.
        in_16_bits: whether it computes so.
        accumulates: A.

    """
    n, share = weights, weights / processes
    computed_with = 2 if in_16_bits else 4  # bytes of a weight, where DeepSpeed casts the network itself
    match sharing:
        case "one process":
            return Memory(4 * n, 4 * n, 8 * n)
        case "DDP":  # the buckets in which gradients are sent are a copy of them
            return Memory(4 * n, 8 * n, 8 * n)
        case "FSDP2":  # gradients are spread with a step's last micro-batch; until then each process sums up its own
            return Memory(4 * share, 4 * (share if accumulates == 1 else n), 8 * share)
        case "ZeRO-1":  # in 16 bits those of a micro-batch, and their sum in float32
            return Memory(computed_with * n, (6 if in_16_bits else 4) * n, 12 * share)
        case "ZeRO-2":  # in float32 the optimizer gets a copy of them
            return Memory(computed_with * n, (4 if in_16_bits else 8) * share, 12 * share)
        case "ZeRO-3":  # the optimizer always gets one
            return Memory(computed_with * share, 8 * share, 12 * share)
    raise ValueError(f"sharing is {sharing!r}; one of {', '.join(SHARINGS)} is needed")


def traffic(weights: int, embedding: int, processes: int, sharing: str, in_16_bits: bool, accumulates: int) -> float:
    """Return the bytes that each process sends in a step, with ring algorithms; it receives as many.

    Gradients are sent in float32. A gather or a reduce-scatter of b bytes in a ring sends b (P - 1) / P, an all-reduce
    twice that.

    Args:
        weights: N.
        embedding: E, which FSDP2 gathers once a micro-batch: it is used until the end, as the projection.
        processes: P.
        sharing: one of SHARINGS.
        in_16_bits: whether it computes so.
        accumulates: A.

    """
    n, travels = weights, 2 if in_16_bits else 4
    match sharing:
        case "one process":
            bytes_in_rings = 0
        case "DDP":
            bytes_in_rings = 2 * 4 * n
        case "FSDP2":  # weights for the forward and the backward pass of each micro-batch, gradients once
            bytes_in_rings = accumulates * travels * (2 * n - embedding) + 4 * n
        case "ZeRO-1":  # gradients for everyone, then the weights that each process has updated
            bytes_in_rings = 2 * 4 * n + travels * n
        case "ZeRO-2":  # the same, but gradients are sent with each micro-batch
            bytes_in_rings = accumulates * 2 * 4 * n + travels * n
        case "ZeRO-3":
            bytes_in_rings = accumulates * (2 * travels * n + 4 * n)
        case _:
            raise ValueError(f"sharing is {sharing!r}; one of {', '.join(SHARINGS)} is needed")
    return bytes_in_rings * (processes - 1) / processes
