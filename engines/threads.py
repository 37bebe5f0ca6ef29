"""How many threads an engine computes with: as many as torch would, which is not asked unless it is there."""

import os
import sys
from contextlib import suppress
from pathlib import Path

_SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


def threads() -> int:
    """Return what torch is set to, if it is imported; else $OMP_NUM_THREADS, but no more than there are cores."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return int(torch.get_num_threads())
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(int(asked) or 1, cores()) if asked.isdecimal() else cores()


def cores() -> int:
    """Return the cores that this process may use; the two threads of a core count as one where Linux tells."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    found = set()
    for place in os.sched_getaffinity(0):
        siblings = str(place)
        with suppress(OSError):
            siblings = Path(_SIBLINGS.format(place)).read_text(encoding="ascii").strip()
        found.add(siblings)
    return len(found)
