"""Commands that need an extra of this package."""

from importlib.util import find_spec


def require_package(extra: str, *modules: str) -> None:
    """Raise ValueError unless the modules of an extra are installed."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise ValueError(f"{', '.join(missing)} not installed; pip install 'vaswani[{extra}]'")
