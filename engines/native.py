"""A model as a class of transformers' own, in a folder that loads without this package and without `trust_remote_code`.

transformers itself is the engine then, and its search divides log P by a power of the length, where the paper's divides
by ((5 + length) / 6)^alpha. The exponent is chosen on a validation set, where one is given.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from vaswani.conversion.to_transformers import equal_slope, to_transformers
from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.publishing.native_record import ExponentRecord, NativeRecord, write_native
from vaswani.storage import write_text
from vaswani.training.checkpointing.weight_checks import check_weights
from vaswani.training.validation_figures import lower_is_better
from vaswani.translation.translate import translate

QUANTIZATIONS = ("float32", "float16", "bfloat16")
EXPONENTS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
"""The candidates, of which the validation set chooses one."""
TYPICAL_LENGTH = 25
"""Tokens of a translation at which both penalties rise alike, if there is no validation set."""
MOST_DIFFERENCE = 1e-3
"""The largest difference of a logit, relative to the standard deviation of all. In exact arithmetic both forms are one
function; a difference above float32's is a fault of the conversion."""
READ_BY_ALL = "PreTrainedTokenizerFast"
"""The tokenizer's class under a name that versions 4 and 5 of transformers know; version 5 writes another name."""


class Validation(NamedTuple):
    """The text that chooses an exponent."""

    metric: str
    """The key of a figure."""
    sources: Sequence[str]
    figure: Callable[[Sequence[str]], float]
    """Returns the figure of translations of the sources."""


def export_native(
    model: VaswaniForConditionalGeneration,
    tokenizer: PreTrainedTokenizerBase,
    draft: Path,
    quantization: str = "float32",
    validation: Validation | None = None,
    say: Callable[[str], object] = lambda _: None,
) -> NativeRecord:
    """Write a model as a class of transformers' own, with its tokenizer and native.json, to an empty or new folder.

    Args:
        model: in evaluation mode; it is not changed.
        tokenizer: its own.
        draft: where to, a folder in the making.
        quantization: of the weights, one of QUANTIZATIONS.
        validation: chooses the exponent of the length; None: the one that rises alike at TYPICAL_LENGTH.
        say: called with a line for each step of the choice.

    Raises:
        CannotConvertError: no class of transformers computes the same.
        ValueError: a weight is beyond the numbers of `quantization`.

    """
    ours = model.generation_config
    assert ours is not None
    beams, alpha = int(ours.num_beams or 1), float(1.0 if ours.length_penalty is None else ours.length_penalty)
    exponent = round(equal_slope(alpha, TYPICAL_LENGTH), 3)
    theirs = to_transformers(model, exponent)
    difference = largest_difference(model, theirs)
    chosen = None
    if validation is not None and beams > 1:
        chosen = try_exponents(model, theirs, tokenizer, validation, beams, alpha, say)
        exponent = best_exponent(chosen, near=exponent)
        settings: GenerationConfig | None = theirs.generation_config
        assert settings is not None
        settings.length_penalty = exponent
    theirs.to(getattr(torch, quantization))
    check_weights(theirs.named_parameters(), Path(model.name_or_path or "."))  # 16 bits may be too few for a number
    theirs.save_pretrained(draft)
    save_tokenizer(tokenizer, draft)
    record = NativeRecord(type(theirs).__name__, difference, beams, alpha, exponent, chosen)
    write_native(draft, record)
    return record


@torch.no_grad()
def largest_difference(ours: Any, theirs: Any) -> float:
    """Return the largest difference of a logit between the two, on random sentences of 3 to 64 tokens.

    Raises:
        RuntimeError: it is more than float32 explains.

    """
    draw = torch.Generator().manual_seed(0)
    padding, vocabulary = int(ours.config.pad_token_id), int(ours.config.vocab_size)
    source, target = (torch.randint(vocabulary, (8, 64), generator=draw) for _ in range(2))
    mask = torch.arange(64) < torch.randint(3, 65, (8, 1), generator=draw)
    batch = {
        "input_ids": source.masked_fill(~mask, padding).to(ours.device),
        "attention_mask": mask.long().to(ours.device),
        "decoder_input_ids": target.to(ours.device),
    }
    expected, found = (each(**batch).logits.float() for each in (ours, theirs.to(ours.device)))
    difference = float((expected - found).abs().max())
    if not difference <= MOST_DIFFERENCE * max(1.0, float(expected.std())) and ours.dtype.itemsize >= 4:
        raise RuntimeError(
            f"the exported {type(theirs).__name__} gives other logits than the model, by up to {difference:.3g}: it "
            "was not written. Please report this with the model's config.json"
        )
    return difference


def try_exponents(
    ours: PreTrainedModel,
    theirs: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    validation: Validation,
    beams: int,
    alpha: float,
    say: Callable[[str], object],
) -> ExponentRecord:
    """Translate the validation set with the paper's search, then with that of transformers and each of EXPONENTS."""

    def figure(model: PreTrainedModel, penalty: float) -> float:
        lines = translate(model, tokenizer, validation.sources, num_beams=beams, length_penalty=penalty)
        return validation.figure(lines)

    paper = figure(ours, alpha)
    say(f"The paper's search: {validation.metric} {paper:.2f} of {len(validation.sources):,} sentences")
    found = {}
    for exponent in EXPONENTS:
        found[f"{exponent:g}"] = figure(theirs, exponent)
        say(f"The search of transformers, length_penalty {exponent:g}: {found[f'{exponent:g}']:.2f}")
    return ExponentRecord(validation.metric, len(validation.sources), paper, found)


def best_exponent(tried: ExponentRecord, near: float) -> float:
    """Return the exponent with the best figure; of equal ones, that closest to `near`."""
    sign = -1 if lower_is_better(tried.metric) else 1
    return max(
        map(float, tried.by_exponent), key=lambda each: (sign * tried.by_exponent[f"{each:g}"], -abs(each - near))
    )


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, draft: Path) -> None:
    """Write a tokenizer so that versions 4 and 5 of transformers read it.

    A tokenizer with a class of its own, such as Marian's, is not changed.
    """
    tokenizer.save_pretrained(draft)
    path = draft / "tokenizer_config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    if content.get("tokenizer_class") == "TokenizersBackend":
        written = {**content, "tokenizer_class": READ_BY_ALL}
        write_text(path, json.dumps(written, indent=2, ensure_ascii=False) + "\n")
