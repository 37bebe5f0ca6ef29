"""How far a long translation is: a bar on a terminal, a line a minute in a log file."""

import sys
import time
from types import TracebackType
from typing import Self

SECONDS = 60.0
"""Between two lines."""


class Progress:
    """Counts what is done and shows it on stderr; a context manager.

    Args:
        total: how much there is to do, if that is known.
        unit: what is counted, with a space before it: " lines".
        is_shown: whether anything is shown.

    """

    def __init__(self, total: int | None, unit: str, is_shown: bool) -> None:
        self.total, self.unit, self.done = total, unit, 0
        is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._bar = None
        if is_shown and is_terminal:
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit=unit)
        self._has_lines = is_shown and not is_terminal
        self._start = self._shown = time.monotonic()

    def update(self, number: int) -> None:
        """Count so many more."""
        self.done += number
        if self._bar is not None:
            self._bar.update(number)
        if self._has_lines and time.monotonic() - self._shown >= SECONDS:
            self._shown = time.monotonic()
            print(self._line(self._shown - self._start), file=sys.stderr, flush=True)

    def _line(self, seconds: float) -> str:
        rate = self.done / seconds
        said = f"{self.done:,}{'' if self.total is None else f' of {self.total:,}'}{self.unit}  {rate:,.1f} a second"
        if self.total is None or not rate:
            return said
        from tqdm import tqdm

        return f"{said}  {tqdm.format_interval((self.total - self.done) / rate)} left"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
