"""Progress for people: a bar on a terminal, lines elsewhere; speed, validation figures, and the time left."""

import os
import sys
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback

from vaswani.training.best_validation import find_best
from vaswani.training.early_stopping import EarlyStopping
from vaswani.training.validation_figures import figures_as_text

from .time_left import Timer, remaining

BAR = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
"""Without tqdm's own remaining time, which does not include validations."""


def on_terminal() -> bool:
    """Return whether output goes to a terminal, rather than to a file or a program."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdout, sys.stderr))


def print_line(line: str) -> None:
    """Print a line at once; if the reader has ended, as after `| head`, the run continues silently.

    The line and its end are one write: with PYTHONUNBUFFERED=1 `print` makes two, and another thread's or process's
        line could come between them.
    """
    try:
        print(f"{line}\n", end="", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Progress(TrainerCallback):
    """Reports every interval of the log and every validation, only on the first process.

    Args:
        pace: estimates the time left.
        metric: by which validations are compared, its name without eval_.
        patience: of the run, if it has one.
        bar: whether to draw a bar rather than print lines.

    """

    def __init__(self, pace: Timer, metric: str, patience: EarlyStopping | None, bar: bool) -> None:
        self.pace = pace
        self.metric = metric
        self.patience = patience
        self.has_bar = bar
        self.bar: tqdm[Any] | None = None
        self._interval = ""  # what the last line of the log said

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002  (called by name)
        """Draw the bar, starting at the step that was reached before."""
        if self.has_bar and state.is_world_process_zero:
            self.bar = tqdm(total=state.max_steps, initial=state.global_step, dynamic_ncols=True, bar_format=BAR)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Move the bar."""
        self.pace.step()
        if self.bar is not None:
            self.bar.set_postfix_str(self._with_time_left(self._interval, state.global_step - 1, state, args), False)
            self.bar.update()

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Leave the bar where training ended."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:  # noqa: ARG002
        """Show what was logged."""
        if logs is None or not state.is_world_process_zero:
            return
        step, at = state.global_step, f"step {state.global_step:>7,}/{state.max_steps:,}"
        if "eval_loss" in logs:
            figures = {name.removeprefix("eval_"): value for name, value in logs.items()}
            line = f"{at}  validation: {figures_as_text(figures, self.metric, '  ')}  {self._verdict(state)}"
            if self.bar is None:
                print_line(self._with_time_left(line, step, state, args, "  "))
            else:
                self.bar.write(line)
        elif "learning_rate" in logs:
            self._interval = _interval(logs, ", ")
            if self.bar is None:  # the work due after this step comes after this line
                print_line(self._with_time_left(f"{at}  {_interval(logs, '  ')}", step - 1, state, args, "  "))

    def _verdict(self, state: Any) -> str:
        best = find_best(state.log_history, self.metric)
        if best.step == state.global_step:
            return "best so far, by its loss" if best.by_loss else "best so far"
        of = f" of --patience {self.patience.limit}" if self.patience else ""
        return f"step {best.step:,} was better, {best.without_gain}{of} without improvement"

    def _with_time_left(self, line: str, done: int, state: Any, args: Any, separator: str = ", ") -> str:
        """Add the time left after step `done` and all work due after it."""
        rest = remaining(done, state, args)
        left = self.pace.left(rest._replace(steps=state.max_steps - state.global_step))
        if left is None:
            return line
        and_more = f" and {left.unmeasured:,} validation(s)" if left.unmeasured else ""
        return separator.join(filter(None, [line, f"{tqdm.format_interval(left.seconds)}{and_more} left"]))


def _interval(logs: dict[str, Any], separator: str) -> str:
    parts = [
        f"loss {logs['loss']:.3f}" if "loss" in logs else "no finite loss",
        f"rate {logs['learning_rate']:.2e}",
        f"{logs['tokens_per_second']:,.0f} tokens/s",
        f"epoch {logs['data_epoch']}",
    ]
    if "steps_left_out" in logs:
        parts.append(f"{logs['steps_left_out']} step(s) skipped")
    return separator.join(parts)
