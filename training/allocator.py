"""Memory that tensors free stays with the process, on processors.

glibc gives large blocks back to the system as soon as they are freed. The next tensor of that size is new memory, which
the system has to clear, page by page, at its first use: a tenth of a training step.
"""

import ctypes

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""`mallopt`'s numbers, of malloc.h."""


def keep_freed_memory() -> bool:
    """Keep freed memory in this process, whose size then stays at its peak; False where the C library is another."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(MMAP_MAX, 0)) and bool(mallopt(TRIM_THRESHOLD, 2**31 - 1))
