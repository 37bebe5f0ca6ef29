"""Load a trained model, or several as one, for torch."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from vaswani.data.glossary.annotation import knows_terms
from vaswani.data.glossary.glossary import Glossary

from .alignment import by_attention
from .corpus import Translator, with_terms_named
from .ensemble import by_ensemble, check_members
from .hypotheses import BeamSettings
from .loaded import LoadedModel
from .models import Model, find_device, load_model
from .sampling import Sampling, by_sampling
from .search import by_generate, positions
from .terms import by_terms


def load(found: Model, device: str | None = None, dtype: str | None = None) -> LoadedModel:
    """Load a trained model for torch.

    Args:
        found: by `find_model`.
        device: cpu, cuda, cuda:1, ...; None: the accelerator if there is one.
        dtype: float32, bfloat16 or float16; None: as it was saved.

    Raises:
        ValueError: the model is damaged, or the device is not here.

    """
    return by_network(*load_model(found.folder, find_device(device), dtype))


def by_network(network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> LoadedModel:
    """Return what translates by a network's `generate`."""
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
    glossary: Glossary | None = None,
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
        glossary: its terms stand in the translations: named in the sources where the models were trained so, or else
            demanded of the search.

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
    translator = Translator(
        tokenizer,
        search,
        tokens_per_batch // beams.number,
        min(max_tokens, most),
        by_attention(models, tokenizer, letters_apart=True) if align else None,
        most,
    )
    if glossary is None:
        return translator
    if knows_terms(tokenizer.get_vocab()):
        return with_terms_named(translator, glossary, "torch")
    return replace(translator, terms=by_terms(models, tokenizer, beams, glossary))
