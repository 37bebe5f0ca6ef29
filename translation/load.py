"""Load a trained model from its folder, or its repository on the Hub, into an object that translates lines."""

from collections.abc import Callable, Sequence
from functools import partial

from transformers import PreTrainedTokenizerBase

from .alignment import by_attention
from .corpus import Translator
from .ensemble import by_ensemble, check_members
from .models import Model, find_device, find_model, load_model
from .sampling import Sampling, by_sampling
from .search import BatchSearch, BeamSettings, Hypothesis, by_generate, positions
from .translate import search_lines


class LoadedModel:
    """A trained model that translates lines: what `vaswani.load` returns.

    Args:
        search: returns the search of a batch, given the settings of its beams and whether scores are asked for.
        tokenizer: closes a sentence with </s> by itself.
        max_tokens: the most of a source, with </s>, that the network can read.

    """

    def __init__(
        self, search: Callable[[BeamSettings, bool], BatchSearch], tokenizer: PreTrainedTokenizerBase, max_tokens: int
    ) -> None:
        self.search = search
        self.tokenizer = tokenizer
        self.max_tokens = max_tokens

    def translate(
        self,
        lines: Sequence[str],
        *,
        num_beams: int = 4,
        length_penalty: float = 0.6,
        tokens_per_batch: int = 4096,
        progress: bool = False,
    ) -> list[str]:
        """Return the translation of each line, in the order of the lines; a blank line gives an empty one.

        Args:
            lines: one sentence or paragraph each.
            num_beams: 1 is greedy search.
            length_penalty: alpha of section 6.1; larger favours longer translations.
            tokens_per_batch: most source tokens in a batch, padding counted, times beams; a longer line goes alone.
            progress: draw a bar on stderr.

        Raises:
            ValueError: a number is out of range, or a line has more tokens than the network can read.

        """
        beams = BeamSettings(num_beams, length_penalty)
        return [found[0].text for found in self._find(lines, beams, False, tokens_per_batch, progress)]

    def n_best(
        self,
        lines: Sequence[str],
        n: int,
        *,
        num_beams: int = 4,
        length_penalty: float = 0.6,
        tokens_per_batch: int = 4096,
        progress: bool = False,
    ) -> list[list[Hypothesis]]:
        """Return the `n` best hypotheses of each line with their scores, best first; otherwise like `translate`."""
        return self._find(lines, BeamSettings(num_beams, length_penalty, n), True, tokens_per_batch, progress)

    def _find(
        self, lines: Sequence[str], beams: BeamSettings, scores: bool, tokens_per_batch: int, progress: bool
    ) -> list[list[Hypothesis]]:
        if isinstance(lines, str):
            raise ValueError("lines is one string; give a list of strings, such as [text]")
        search = self.search(beams, scores)
        return search_lines(search, self.tokenizer, lines, beams.number, tokens_per_batch, self.max_tokens, progress)


def load(model: str, *, device: str | None = None, dtype: str | None = None) -> LoadedModel:
    """Load a trained model for torch.

    Args:
        model: its folder, or OWNER/NAME (or OWNER/NAME@REVISION) on the Hub.
        device: cpu, cuda, cuda:1, ...; None: the accelerator if there is one.
        dtype: float32, bfloat16 or float16; None: as it was saved.

    Raises:
        ValueError: there is no such model, it lacks a part, or the device is not here.

    """
    network, tokenizer = load_model(find_model(model).folder, find_device(device), dtype)
    return LoadedModel(partial(by_generate, network, tokenizer), tokenizer, positions(network))


def load_translator(
    found: Sequence[Model],
    beams: BeamSettings,
    *,
    device: str | None,
    dtype: str | None,
    tokens_per_batch: int,
    max_tokens: int,
    scores: bool,
    align: bool,
    sampling: Sampling | None = None,
) -> Translator:
    """Load one model, or several as one, for corpora of any size.

    Args:
        found: the models.
        beams: how to search.
        device: as of `load`.
        dtype: as of `load`.
        tokens_per_batch: most source tokens in a batch, padding counted, times beams.
        max_tokens: a line with more is left empty.
        scores: whether hypotheses need theirs.
        align: whether to say which source word each word comes from.
        sampling: how translations of one model are drawn, in place of a search by beams.

    Raises:
        ValueError: as of `load`; or the models cannot be averaged.

    """
    place = find_device(device)
    members = [load_model(each.folder, place, dtype) for each in found]
    models, tokenizers = [model for model, _ in members], [tokenizer for _, tokenizer in members]
    check_members(models, tokenizers)
    tokenizer = tokenizers[0]
    if sampling is not None:
        search = by_sampling(models[0], tokenizer, sampling)
    elif len(models) == 1:
        search = by_generate(models[0], tokenizer, beams, scores)
    else:
        search = by_ensemble(models, tokenizer, beams)
    most = min(positions(model) for model in models)
    return Translator(
        tokenizer,
        search,
        tokens_per_batch // beams.number,
        min(max_tokens, most),
        by_attention(models, tokenizer, letters_apart=True) if align else None,
        most,
    )
