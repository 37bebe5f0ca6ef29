"""The first steps of a run by the Trainer, data included; started by processes.py, in as many processes as it asks for.

Flags are those of the recipe, whose file is the first argument. The first process prints target tokens a second over
all processes, of every stretch between two logs but the first, as JSON.
"""

import json
import sys
import tempfile

from accelerate import PartialState

from vaswani.experiment.exit_codes import exiting_with_code

from .short_run import short_run


def main() -> None:
    """Train and print."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = short_run(sys.argv[1], sys.argv[2:], folder).trainer()
        trainer.train_from(None)
    if PartialState().is_main_process:
        speeds = [log["tokens_per_second"] for log in trainer.state.log_history if "tokens_per_second" in log]
        print(json.dumps(speeds[1:]), flush=True)


if __name__ == "__main__":
    with exiting_with_code():
        main()
