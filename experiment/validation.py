"""How good a model is on a set of pairs: perplexity always, BLEU by translating.

`figures` measures. The number of BLEU comes from evaluation/scorers/sacrebleu.py, as evaluation/metric_table.py says.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from vaswani.data import Pair
from vaswani.data.batching import IGNORED, cut_batches, model_inputs
from vaswani.data.directions import tagged
from vaswani.data.encoding import encode
from vaswani.training.validation_figures import in_set
from vaswani.translation.translate import translate

from .output_scoring import OutputScoring

MOST_NATS = math.log(sys.float_info.max)
"""The perplexity of a larger loss does not fit into a float; diverged training may get there."""


@dataclass(frozen=True)
class SearchSettings:
    """How sentences are decoded (section 6.1)."""

    num_beams: int
    length_penalty: float


class PairSet:
    """Pairs to evaluate on, encoded once and cut into batches of `tokens_per_batch` a side.

    Metrics see the sources as they are; the network sees the `inputs`, which may begin with a tag.
    """

    longest: int
    """Tokens of the longest sentence, </s> included."""

    def __init__(
        self,
        pairs: Sequence[Pair],
        tokenizer: PreTrainedTokenizerBase,
        tokens_per_batch: int,
        task: OutputScoring,
        tag: str = "",
    ) -> None:
        self.task = task
        self.sources = [pair.source for pair in pairs]
        self.inputs = [tagged(source, tag) for source in self.sources]
        self.references = [pair.target for pair in pairs]
        self.tokenizer = tokenizer
        self.tokens_per_batch = tokens_per_batch
        padding = tokenizer.pad_token_id
        assert isinstance(padding, int)
        sources, targets = encode(tokenizer, self.inputs), encode(tokenizer, self.references)
        self.longest = int(max(sources.lengths.max(), targets.lengths.max()))
        budget = max(tokens_per_batch, self.longest)  # nothing is dropped from a set that is scored
        self.batches = [
            model_inputs([sources.row(i) for i in cut.tolist()], [targets.row(i) for i in cut.tolist()], padding)
            for cut in cut_batches(sources.lengths, targets.lengths, budget)
        ]


def cross_entropy(model: PreTrainedModel, pairs: PairSet) -> float:
    """Return nats per target token, </s> included, without label smoothing; the processes share the batches."""
    state = PartialState()
    total, tokens = 0.0, 0
    with torch.inference_mode():
        for batch in pairs.batches[state.process_index :: state.num_processes]:
            inputs = {name: tensor.to(model.device) for name, tensor in batch.items()}
            total += float(model(**inputs, num_items_in_batch=1).loss)
            tokens += int((batch["labels"] != IGNORED).sum())
    sums: list[Any] = gather_object([(total, tokens)])
    return sum(each[0] for each in sums) / sum(each[1] for each in sums)


def translate_all(model: PreTrainedModel, pairs: PairSet, search: SearchSettings, progress: bool = False) -> list[str]:
    """Translate the sources, in order; the processes share the work and all get the whole."""
    state = PartialState()
    share = pairs.inputs[state.process_index :: state.num_processes]
    mine = translate(
        model,
        pairs.tokenizer,
        share,
        num_beams=search.num_beams,
        length_penalty=search.length_penalty,
        tokens_per_batch=pairs.tokens_per_batch,
        progress=progress and state.is_main_process,
    )
    shares: list[list[str]] = gather_object([mine])
    translations = [""] * len(pairs.sources)
    for process, lines in enumerate(shares):
        translations[process :: state.num_processes] = lines
    return translations


def validate(model: PreTrainedModel, pairs: PairSet, search: SearchSettings) -> dict[str, float]:
    """Return loss (nats per token), perplexity (per token of this vocabulary), and the task's metrics, such as BLEU."""
    return figures(model, pairs, translate_all(model, pairs, search))


def validate_all(
    model: PreTrainedModel, pairs: PairSet, further: Mapping[str, PairSet], search: SearchSettings
) -> dict[str, float]:
    """Return what `validate` does, and beside it the figures of further sets, as news/bleu."""
    return validate(model, pairs, search) | validate_further(model, further, search)


def validate_further(
    model: PreTrainedModel, further: Mapping[str, PairSet], search: SearchSettings
) -> dict[str, float]:
    """Return the figures of further sets alone, as news/bleu."""
    found: dict[str, float] = {}
    for name, each in further.items():
        found |= in_set(name, validate(model, each, search))
    return found


def figures(model: PreTrainedModel, pairs: PairSet, translations: Sequence[str]) -> dict[str, float]:
    """Return what `validate` does, for a model whose translations are given."""
    loss = cross_entropy(model, pairs)
    measured = {
        name: pairs.task.figure(name, pairs.sources, pairs.references, translations) for name in pairs.task.measured
    }
    perplexity = math.exp(loss) if loss < MOST_NATS else math.inf
    return {"loss": loss, "perplexity": perplexity, **measured}
