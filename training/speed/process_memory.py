"""The memory of a process that trains on processors: what is kept from step to step, and what is not."""

import ctypes
import os

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""`mallopt`'s numbers, of malloc.h."""

KERNELS = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
"""How many kernels oneDNN keeps, and what torch keeps beside them."""


def reuse_freed_memory() -> bool:
    """Keep what tensors free with the process, whose size then stays at its peak; False where glibc is not in use.

    glibc gives large blocks back to the system as soon as they are freed. The next tensor of that size is new memory,
    which the system has to clear, page by page, at its first use: a tenth of a training step.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(MMAP_MAX, 0)) and bool(mallopt(TRIM_THRESHOLD, 2**31 - 1))


def limit_kernel_cache() -> None:
    """Keep 64 of the kernels that are written for a bfloat16 product of each shape, unless the user says how many.

    1,024 are kept by themselves, 0.7 MB each. Of batches laid out by their lengths nearly every one has a shape of its
    own: a hundred steps of a small network took 0.8 GB more, and no less time. Both are read at the first product.
    """
    for name in KERNELS:
        os.environ.setdefault(name, "64")
