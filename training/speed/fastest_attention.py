"""The choice of the attention implementation, by the measurements of `benchmarks/training/attention.py`."""

import torch


def fastest_attention(device: torch.device, in_16_bits: bool) -> str:
    """Return the faster of "eager", equation 1 written out, and "sdpa", torch's fused attention.

    On CPUs in 16 bits, eager is faster at each length from 8 to 1,024: two to seven times with gradients, up to twice
    without. In float32 sdpa is faster, by up to a third. Accelerators have kernels for sdpa.
    """
    return "eager" if device.type == "cpu" and in_16_bits else "sdpa"
