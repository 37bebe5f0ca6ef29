"""Whether a machine multiplies bfloat16 in hardware; otherwise it is emulated, correctly but slowly."""

import torch


def has_bf16() -> bool:
    """Return whether the accelerator, or without one the CPU, has bfloat16 matrix products."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if torch.accelerator.is_available():
        return False  # not measured on others; --bf16 switches it on all the same
    features = torch.cpu.get_capabilities()
    return bool(features.get("avx512_bf16") or features.get("amx_bf16"))
