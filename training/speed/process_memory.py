"""The memory of a process that trains on CPUs: what is kept from step to step, and what is not."""

import ctypes
import os

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""`mallopt`'s numbers, of malloc.h."""

KERNELS = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
"""How many kernels oneDNN keeps, and how many torch keeps in addition."""


def reuse_freed_memory() -> bool:
    """Keep freed memory in the process, whose size then stays at its peak; False where glibc is not used.

    glibc returns large blocks to the system as soon as they are freed. The next tensor of that size gets new memory,
    which the system has to clear, page by page, at its first use: this costs a tenth of a training step.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(MMAP_MAX, 0)) and bool(mallopt(TRIM_THRESHOLD, 2**31 - 1))


def limit_kernel_cache() -> None:
    """Keep 64 of the kernels that oneDNN writes for each shape of a bfloat16 product, unless the user sets a number.

    By default 1,024 are kept, 0.7 MB each. Nearly every batch of similar lengths has a shape of its own: a hundred
    steps of a small network took 0.8 GB more, and no less time. Both variables are read at the first product.
    """
    for name in KERNELS:
        os.environ.setdefault(name, "64")
