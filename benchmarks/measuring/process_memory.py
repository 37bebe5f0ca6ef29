"""How much memory a process took at most, as Linux tells it."""

import os
import re
from pathlib import Path


def peak_memory(process: int | None = None) -> int:
    """Return the largest resident size, in bytes, of a living process; of this one by default."""
    status = Path(f"/proc/{process or os.getpid()}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found, "a living process has a VmHWM"
    return int(found[1]) * 1024


def resident_memory() -> int:
    """Return the resident size of this process now, in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
