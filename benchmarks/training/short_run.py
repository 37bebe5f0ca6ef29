"""A recipe's run cut short: its text, order of training and Trainer, without validation and checkpoints."""

import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from transformers import PreTrainedTokenizerFast

from vaswani.data.pairs import Corpus
from vaswani.data.stream import TrainingStream
from vaswani.experiment import Arguments, parse
from vaswani.experiment.corpora import open_training_corpus, training_stream, training_tokenizer
from vaswani.experiment.run import new_model
from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.training import VaswaniTrainer

QUIET = ("--eval_strategy", "no", "--save_strategy", "no", "--disable_tqdm", "true", "--report_to", "none")


class ShortRun(NamedTuple):
    """What a run is made of; each part is made anew when asked."""

    arguments: Arguments
    train: Corpus
    tokenizer: PreTrainedTokenizerFast

    def stream(self) -> TrainingStream:
        """Return the order of training, from its beginning."""
        return training_stream(self.train, self.tokenizer, self.arguments)

    def model(self) -> VaswaniForConditionalGeneration:
        """Return the network, freshly drawn."""
        return new_model(self.arguments.model | {"vocab_size": len(self.tokenizer)}, self.arguments.training)

    def trainer(self) -> VaswaniTrainer:
        """Return what trains from the beginning."""
        model, stream = self.model(), self.stream()
        return VaswaniTrainer(model, self.arguments.training, stream, lambda _: {}, self.tokenizer)


def short_run(recipe: str | Path, flags: Sequence[str], folder: str | Path) -> ShortRun:
    """Read a recipe's text and learn its vocabulary; `folder` is where the Trainer may write."""
    arguments = parse(runpy.run_path(str(recipe))["RECIPE"], [*QUIET, *flags, "--output_dir", str(folder)])
    train = open_training_corpus(arguments.data)
    return ShortRun(arguments, train, training_tokenizer(train, arguments, run=None))
