"""The first steps of a run by the Trainer, data included; started by processes.py, in as many processes as it asks for.

Flags are those of the recipe, whose file is the first argument. The first process prints target tokens a second over
all processes, of every stretch between two logs but the first, as JSON.
"""

import json
import runpy
import sys
import tempfile

from accelerate import PartialState

from vaswani.experiment import parse
from vaswani.experiment.kept import joint_tokenizer
from vaswani.experiment.process import ending_the_process
from vaswani.experiment.run import new_model
from vaswani.experiment.texts import open_training_corpus, training_limits, training_stream
from vaswani.training import VaswaniTrainer


def main() -> None:
    """Train and print."""
    quiet = ["--eval_strategy", "no", "--save_strategy", "no", "--disable_tqdm", "true", "--report_to", "none"]
    with tempfile.TemporaryDirectory() as folder:
        arguments = parse(runpy.run_path(sys.argv[1])["RECIPE"], [*quiet, *sys.argv[2:], "--output_dir", folder])
        data, training = arguments.data, arguments.training
        train = open_training_corpus(data)
        symbols = arguments.model["vocab_size"]
        tokenizer = joint_tokenizer(train, symbols, training_limits(data), data, training.seed, None)
        model = new_model(arguments.model | {"vocab_size": len(tokenizer)}, training)
        stream = training_stream(train, tokenizer, arguments)
        trainer = VaswaniTrainer(model, training, stream, lambda _: {}, tokenizer)
        trainer.train_from(None)
    if PartialState().is_main_process:
        speeds = [log["tokens_per_second"] for log in trainer.state.log_history if "tokens_per_second" in log]
        print(json.dumps(speeds[1:]), flush=True)


if __name__ == "__main__":
    with ending_the_process():
        main()
