"""Where work is kept that later runs need not do again."""

import os
from pathlib import Path


def default_cache() -> str:
    """Return the folder that $VASWANI_CACHE names, or the usual cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return os.environ.get("VASWANI_CACHE") or str(Path(home) / "vaswani")
