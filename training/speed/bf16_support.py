"""Whether a machine multiplies bfloat16 in hardware; elsewhere it is emulated, right but slow."""

import torch


def has_bf16() -> bool:
    """Tell whether the accelerator, or without one the processor, has bfloat16 matrix products."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if torch.accelerator.is_available():
        return False  # not measured on others; --bf16 asks for it all the same
    features = torch.cpu.get_capabilities()
    return bool(features.get("avx512_bf16") or features.get("amx_bf16"))
