"""Which way to attend, by what `benchmarks/training/attention.py` measures: the one place where this is decided."""

import torch


def fastest_attention(device: torch.device, in_16_bits: bool) -> str:
    """Return the faster of "eager", equation 1 written out, and "sdpa", torch's fused one.

    On processors in 16 bits, writing it out is faster at each length from 8 to 1,024: two to seven times with
    gradients, up to twice without. In float32 the fused one is, by up to a third. Accelerators have kernels for it.
    """
    return "eager" if device.type == "cpu" and in_16_bits else "sdpa"
