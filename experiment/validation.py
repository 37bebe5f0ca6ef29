"""How good a model is on a set of pairs: perplexity always, BLEU by translating.

`figures` measures. The number of BLEU comes from evaluation/scorers/sacrebleu.py, as evaluation/metric_table.py says.
"""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from vaswani.data import Pair
from vaswani.data.batching import IGNORED, cut_batches, model_inputs
from vaswani.data.directions import tagged
from vaswani.data.encoding import encode
from vaswani.training.exceptions import ValidationStoppedError
from vaswani.training.validation_figures import in_set
from vaswani.translation.batches import search_lines
from vaswani.translation.hypotheses import BeamSettings, Hypothesis
from vaswani.translation.search import by_generate, evaluating

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


Asked = Callable[[], bool]
"""Whether this process was asked to end: then no further batch is begun, on any process."""
T = TypeVar("T")


def never() -> bool:
    """Return False: nobody asks."""
    return False


def of_all(work: Callable[[], T]) -> list[T]:
    """Return what each process's work returns, in their order.

    Raises:
        ValidationStoppedError: on all processes, if one of them was asked to end.

    """
    try:
        mine = [work()]
    except ValidationStoppedError:
        mine = []
    found: list[list[T]] = gather_object([mine])
    if not all(found):
        raise ValidationStoppedError
    return [each for [each] in found]


def cross_entropy(model: PreTrainedModel, pairs: PairSet, is_asked: Asked = never) -> float:
    """Return nats per target token, </s> included, without label smoothing; the processes share the batches."""
    sums = of_all(lambda: own_sum(model, pairs, is_asked))
    return sum(each[0] for each in sums) / sum(each[1] for each in sums)


def own_sum(model: PreTrainedModel, pairs: PairSet, is_asked: Asked) -> tuple[float, int]:
    """Return the nats and the tokens of this process's batches."""
    state = PartialState()
    total, tokens = 0.0, 0
    with torch.inference_mode():
        for batch in pairs.batches[state.process_index :: state.num_processes]:
            stop_if(is_asked)
            inputs = {name: tensor.to(model.device) for name, tensor in batch.items()}
            total += float(model(**inputs, num_items_in_batch=1).loss)
            tokens += int((batch["labels"] != IGNORED).sum())
    return total, tokens


def stop_if(is_asked: Asked) -> None:
    """Raise ValidationStoppedError if this process was asked to end."""
    if is_asked():
        raise ValidationStoppedError


def translate_all(
    model: PreTrainedModel, pairs: PairSet, search: SearchSettings, progress: bool = False, is_asked: Asked = never
) -> list[str]:
    """Translate the sources, in order; the processes share the work and all get the whole."""
    state = PartialState()
    share = pairs.inputs[state.process_index :: state.num_processes]
    beams = BeamSettings(search.num_beams, search.length_penalty)
    by_model = by_generate(model, pairs.tokenizer, beams, scores=False)

    def one_batch(sources: list[list[int]]) -> list[list[Hypothesis]]:
        stop_if(is_asked)
        return by_model(sources)

    def mine() -> list[str]:
        shown = progress and state.is_main_process
        with evaluating(model):
            found = search_lines(
                one_batch, pairs.tokenizer, share, beams.number, pairs.tokens_per_batch, progress=shown
            )
        return [each[0].text for each in found]

    shares = of_all(mine)
    translations = [""] * len(pairs.sources)
    for process, lines in enumerate(shares):
        translations[process :: state.num_processes] = lines
    return translations


def validate(
    model: PreTrainedModel, pairs: PairSet, search: SearchSettings, is_asked: Asked = never
) -> dict[str, float]:
    """Return loss (nats per token), perplexity (per token of this vocabulary), and the task's metrics, such as BLEU.

    Raises:
        ValidationStoppedError: on all processes, if one of them was asked to end.

    """
    return figures(model, pairs, translate_all(model, pairs, search, is_asked=is_asked), is_asked)


def validate_all(
    model: PreTrainedModel,
    pairs: PairSet,
    further: Mapping[str, PairSet],
    search: SearchSettings,
    is_asked: Asked = never,
) -> dict[str, float]:
    """Return what `validate` does, and beside it the figures of further sets, as news/bleu; raises as it does."""
    return validate(model, pairs, search, is_asked) | validate_further(model, further, search, is_asked)


def validate_further(
    model: PreTrainedModel, further: Mapping[str, PairSet], search: SearchSettings, is_asked: Asked = never
) -> dict[str, float]:
    """Return the figures of further sets alone, as news/bleu; raises as `validate` does."""
    found: dict[str, float] = {}
    for name, each in further.items():
        found |= in_set(name, validate(model, each, search, is_asked))
    return found


def figures(
    model: PreTrainedModel, pairs: PairSet, translations: Sequence[str], is_asked: Asked = never
) -> dict[str, float]:
    """Return what `validate` does, for a model whose translations are given."""
    loss = cross_entropy(model, pairs, is_asked)
    measured = {
        name: pairs.task.figure(name, pairs.sources, pairs.references, translations) for name in pairs.task.measured
    }
    perplexity = math.exp(loss) if loss < MOST_NATS else math.inf
    return {"loss": loss, "perplexity": perplexity, **measured}
