"""Lines in, their translations out, in the same order, by one process in memory."""

from collections.abc import Sequence

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from .batches import search_lines
from .hypotheses import BeamSettings
from .search import by_generate, evaluating


def translate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    lines: Sequence[str],
    *,
    num_beams: int = 4,
    length_penalty: float = 0.6,
    tokens_per_batch: int = 4096,
    progress: bool = False,
) -> list[str]:
    """Translate each line; the result has as many lines, in the same order, and none holds a line end.

    A blank line (`is_blank`) gives an empty one and never reaches the model. Every sentence has its own limit of input
    + 50 tokens (section 6.1, both counted with </s>), or + `extra_tokens` of the model's generation configuration, and
    no more than its `max_new_tokens` or `max_length`; so a translation does not depend on the other lines. The search
    is the model's `generate`: for our own network the paper's search.

    Args:
        model: on any device, in either mode, which is restored.
        tokenizer: closes a sentence with </s> by itself.
        lines: one sentence or paragraph each, of any length that the model's positions allow.
        num_beams: 1 is greedy search.
        length_penalty: alpha; larger favours longer translations.
        tokens_per_batch: most source tokens in a batch, padding counted, times beams; a longer line goes alone.
        progress: draw a bar on stderr.

    Raises:
        ValueError: a count that is not positive.

    """
    beams = BeamSettings(num_beams, length_penalty)
    search = by_generate(model, tokenizer, beams, scores=False)
    with evaluating(model):
        found = search_lines(search, tokenizer, lines, num_beams, tokens_per_batch, progress=progress)
    return [each[0].text for each in found]
