"""From a text to the settings of a run: what the text holds, what suits its size, and how long it takes here."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from transformers import PreTrainedTokenizerFast

from vaswani.data import Corpus, Drops, Pair
from vaswani.data.batching import model_inputs
from vaswani.data.cleaning import readable_rows
from vaswani.data.directions import in_file_names
from vaswani.data.encoding import encode
from vaswani.data.file_names import printable
from vaswani.data.folders import find_splits
from vaswani.data.stream import Window
from vaswani.data.trees import TREES

from .arguments import Arguments, Recipe, parse
from .caches import sample_of_groups
from .command_line import is_given
from .corpora import (
    open_corpus,
    open_training_corpus,
    read_pairs,
    training_cleaning_limits,
    training_stream,
    training_tokenizer,
)
from .data_arguments import DataArguments
from .run import new_model
from .settings import GRAMMAR, Proposal, as_measured, propose, schedule, steps_of
from .timing import Timing, measure

SAMPLE = 64_000
"""Most pairs among which the readable ones are counted."""
VOCABULARY_OF = 100_000
"""Pairs from which the vocabulary is learned to inspect a larger text; the run learns its own from more."""
TIMED = 32
"""Micro-batches to train on, and sentences of the validation set to translate, when speed is measured."""

TEXT = frozenset(("direction", "tokens_per_batch", "test_splits"))
NETWORK = frozenset(
    (
        "d_model", "d_ff", "num_heads", "encoder_layers", "decoder_layers", "norm",
        "vocab_size", "dropout", "label_smoothing",
    )
)  # fmt: skip
"""The proposed fields that belong to the section `model` of a recipe."""


class TextStatistics(NamedTuple):
    """The result of inspecting a text."""

    name: str
    pairs: int
    """Kept in an epoch; if only a part was inspected, extrapolated from it."""
    is_whole: bool
    """Whether all of it was inspected."""
    drops: Drops
    """Of the inspected part."""
    vocab_size: int
    tokens: tuple[float, float]
    """Of a mean pair, source and target, </s> included."""
    batches: float
    """Micro-batches of an epoch."""
    validation: int
    """Pairs of the validation set."""
    no_validation: str | None
    """Why there is none."""
    tests: list[str]
    """Splits that the run is scored on at its end."""


class Guidance(NamedTuple):
    """The proposal for a text."""

    text: TextStatistics
    proposal: Proposal
    arguments: Arguments
    """Of the run: the proposal, overridden by the user's flags; the vocabulary is as large as the text allows."""
    settings: dict[str, Any]
    """The proposed settings for the command line, by flag, beside the user's flags."""
    flags: list[str]
    """The user's."""
    timing: Timing | None

    @property
    def steps_an_epoch(self) -> float:
        """Steps."""
        return self.text.batches / self.arguments.training.batches_per_step

    @property
    def target_tokens_a_step(self) -> float:
        """On average, without padding."""
        return self.text.pairs * self.text.tokens[1] / self.steps_an_epoch

    @property
    def seconds_a_step(self) -> float | None:
        """Measured."""
        return None if self.timing is None else self.target_tokens_a_step / self.timing.tokens_a_second

    @property
    def seconds_of_validation(self) -> float | None:
        """Of one, measured on some of its sentences."""
        if self.timing is None or self.timing.seconds_a_sentence is None:
            return None
        return self.text.validation * self.timing.seconds_a_sentence

    @property
    def seconds(self) -> float | None:
        """Of all steps and validations."""
        if self.seconds_a_step is None:
            return None
        training = self.arguments.training
        validations = training.max_steps / max(1, float(training.eval_steps or training.max_steps))
        return training.max_steps * self.seconds_a_step + validations * (self.seconds_of_validation or 0)


def guide(recipe: Recipe, flags: Sequence[str], seconds: float) -> Guidance:
    """Inspect a text, propose settings, and measure their speed.

    Args:
        recipe: decides everything that is neither proposed nor given.
        flags: of the user; they name the text, and their other settings are kept.
        seconds: for which training steps are measured; 0: do not measure.

    Raises:
        ValueError: the text cannot be used or holds trees, or the network does not fit into this machine.
        SystemExit: code 2, a flag is unknown or a value does not fit.

    """
    of_anything = {name: value for name, value in recipe.data.items() if name != "direction"}  # it is its own text's
    recipe = recipe._replace(data=of_anything)
    data = parse(recipe._replace(training=recipe.training | {"metric_for_best_model": "loss"}), flags).data
    if data.target == TREES:
        raise ValueError(
            "settings are proposed for translation; for trees take those of section 6.3, as recipes/parsing.py does"
        )
    corpus = open_training_corpus(data)
    validation, no_validation = validation_of(data)
    tests = data.test_splits if is_given("--test_splits", flags) else tests_of(data)
    is_grammar = data.dataset == "grammar" and data.data_dir is None
    proposal = as_measured(GRAMMAR) if is_grammar else propose(readable(corpus, data))
    task = proposal.nearest
    settings = {
        **({} if data.directions else {"direction": data.direction}),
        **proposal.network,
        "tokens_per_batch": task.tokens_per_batch,
        "batches_per_step": task.batches_per_step,
        "test_splits": tests,
        "output_dir": free_folder(data),
    }
    arguments = parse(with_proposal(recipe, settings), flags)
    tokenizer, window, windows = first_window(corpus, arguments)
    share = window.drops.rows / max(corpus.rows, window.drops.rows)
    text = TextStatistics(
        corpus.name,
        round(window.drops.kept / share),
        windows == 1,
        window.drops,
        len(tokenizer),
        (float(window.sources.lengths.mean()), float(window.targets.lengths.mean())),
        len(window.batches) / share,
        len(validation),
        no_validation,
        tests,
    )
    asked = arguments.training.max_steps if is_given("--max_steps", flags) else None
    settings |= schedule(proposal, asked or steps_of(proposal, text.batches / arguments.training.batches_per_step))
    if tests == data.test_splits:
        del settings["test_splits"]
    arguments = parse(with_proposal(recipe, settings), flags)
    arguments = arguments._replace(model=arguments.model | {"vocab_size": len(tokenizer)})
    said = {name: value for name, value in settings.items() if not is_given(f"--{name}", flags)}
    timing = measured(arguments, tokenizer, window, validation, seconds) if seconds else None
    return Guidance(text, proposal, arguments, said, list(flags), timing)


def with_proposal(recipe: Recipe, settings: dict[str, Any]) -> Recipe:
    """Return a recipe with other values, each in the section to which its field belongs."""
    of_data = {name: settings[name] for name in settings.keys() & TEXT}
    of_model = {name: settings[name] for name in settings.keys() & NETWORK}
    of_training = {name: value for name, value in settings.items() if name not in of_data and name not in of_model}
    return recipe._replace(
        model=recipe.model | of_model, data=recipe.data | of_data, training=recipe.training | of_training
    )


def validation_of(data: DataArguments) -> tuple[list[Pair], str | None]:
    """Return the pairs of the validation set, or none and why there are none."""
    try:
        return read_pairs(data, data.validation_split)[0], None
    except ValueError as error:
        return [], str(error)


def tests_of(data: DataArguments) -> list[str]:
    """Return the test sets that exist: the one named "test", all whose names begin so, or the validation set."""
    try:
        open_corpus(data, "test")
    except ValueError:
        found = find_splits(Path(data.data_dir), data.source, data.target) if data.data_dir else {}
        return sorted(split for split in found if split.startswith("test")) or [data.validation_split]
    return ["test"]


def readable(corpus: Corpus, data: DataArguments) -> int:
    """Return how many pairs of a corpus have no fault in their text, estimated from a sample if it is large."""
    drops = Drops()
    groups = sample_of_groups(corpus, SAMPLE, seed=0)
    found = sum(1 for _ in readable_rows(corpus, groups, training_cleaning_limits(data), drops))
    rows = found + drops.dropped.total()
    return found if len(groups) == corpus.groups else round(found / max(1, rows) * corpus.rows)


def first_window(corpus: Corpus, arguments: Arguments) -> tuple[PreTrainedTokenizerFast, Window, int]:
    """Return a vocabulary, the first window of the text in the order of training, and the number of windows.

    Raises:
        ValueError: no pair can be trained on.

    """
    data = arguments.data
    if corpus.rows > VOCABULARY_OF:  # for a smaller text the run will find this vocabulary in the cache
        data = replace(data, tokenizer_pairs=min(data.tokenizer_pairs, VOCABULARY_OF))
    tokenizer = training_tokenizer(corpus, arguments._replace(data=data), run=None)
    stream = training_stream(corpus, tokenizer, arguments)
    window = next(stream.windows())
    if not window.batches:
        raise ValueError(f"no pair of {corpus.name} can be trained on: {window.drops.report()}")
    return tokenizer, window, stream.windows_an_epoch


def measured(
    arguments: Arguments, tokenizer: PreTrainedTokenizerFast, window: Window, validation: Sequence[Pair], seconds: float
) -> Timing:
    """Return how fast a run with these arguments trains and validates, measured on its own text."""
    padding = tokenizer.pad_token_id
    assert isinstance(padding, int)
    batches = [window.batch(number) for number in range(min(TIMED, len(window.batches)))]
    inputs = [model_inputs(batch.sources, batch.targets, padding, batch.shape) for batch in batches]
    some = validation[:: max(1, len(validation) // TIMED)][:TIMED]
    target = round(float(encode(tokenizer, [pair.target for pair in some]).lengths.mean())) if some else 1
    model = new_model(arguments.model, arguments.training)
    return measure(model, arguments.training, inputs, seconds, [pair.source for pair in some], tokenizer, target)


def free_folder(data: DataArguments) -> str:
    """Return an unused folder for a run on a text, named after the text."""
    directions = in_file_names("+".join(data.of_each_direction()))
    name = f"{printable(Path(data.data_dir or str(data.dataset)).resolve().name)}-{directions}"
    safe = "".join(each if each.isalnum() or each in "._-+" else "-" for each in name).lstrip(".-") or "mine"
    names = [safe, *(f"{safe}-{number}" for number in range(2, 1_000))]
    return next(f"runs/{each}" for each in names if not (Path("runs") / each).exists())
