"""Write a trained model for another engine: the folder is written completely or not at all."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase

from vaswani.data.file_names import check_name
from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.publishing.native_record import NativeRecord
from vaswani.storage import atomic_folder
from vaswani.translation.loading import load_tokenizer, load_whole
from vaswani.translation.settings import generation_settings

from . import native
from .browser.record import BrowserRecord
from .engine import network_module, with_extra


def export(
    source: Path,
    folder: Path,
    engine: str,
    quantization: str = "float32",
    shortlist_text: tuple[Sequence[str], Sequence[str]] | None = None,
    validation: native.Validation | None = None,
    say: Callable[[str], object] = lambda _: None,
) -> None:
    """Export the model in `source` to `folder`, which must be new or empty.

    Args:
        source: what `save_pretrained` left of model and tokenizer.
        folder: what the engine loads.
        engine: the name of a module beside this one, and of an extra of this package.
        quantization: how the weights are stored; each engine has its own kinds.
        shortlist_text: sources and targets that a vocabulary shortlist is learned from, for ctranslate2; None: none is.
        validation: what the shortlist's loss and gain are measured on, if there is something.
        say: hears of the shortlist's making.

    Raises:
        ValueError: the model is not ours, is incomplete or has settings that only `generate` supports, the folder is
            not empty, or the engine is not installed or has no such quantization.

    """
    module = network_module(engine)
    model, tokenizer = checked(source, folder, quantization, engine, module.QUANTIZATIONS)
    with atomic_folder(folder) as draft:
        if shortlist_text is None:
            module.export(model, tokenizer, draft, quantization)
            return

        from .shortlist import describe, judge_shortlist, learn_shortlist

        shortlist = learn_shortlist(model, tokenizer, *shortlist_text, say)
        module.export(model, tokenizer, draft, quantization, shortlist)
        beams = int(model.generation_config.num_beams or 1)
        say(describe(judge_shortlist(draft, tokenizer, beams, validation)))


def export_to_transformers(
    source: Path,
    folder: Path,
    quantization: str = "float32",
    validation: native.Validation | None = None,
    say: Callable[[str], object] = lambda _: None,
) -> NativeRecord:
    """Export the model in `source` to `folder`, new or empty, as a class of transformers' own.

    Args:
        source: as of `export`, like the folder.
        folder: what `AutoModelForSeq2SeqLM` and `AutoTokenizer` load, without this package.
        quantization: how the weights are stored.
        validation: what the exponent of the length is chosen on, if there is something.
        say: hears of each step of that choice, and of what was written.

    Raises:
        ValueError: as of `export`, or no class of transformers computes the same.

    """
    model, tokenizer = checked(source, folder, quantization, "transformers", native.QUANTIZATIONS)
    with atomic_folder(folder) as draft:
        record = native.export_native(model, tokenizer, draft, quantization, validation, say)
    say(described(record))
    return record


def export_to_browser(
    source: Path,
    folder: Path,
    name: str,
    quantization: str = "int8",
    validation: native.Validation | None = None,
    say: Callable[[str], object] = lambda _: None,
) -> BrowserRecord:
    """Export the model in `source` to `folder`, new or empty, as a page that translates in the browser.

    Args:
        source: as of `export`, like the folder.
        folder: of static files, for any server.
        name: of the model, on the page.
        quantization: how the weights are stored.
        validation: what greedy search is measured on for the card, if there is something.
        say: hears of each step that takes long, and of what was written.

    Raises:
        ValueError: as of `export`, transformers.js cannot read the tokenizer, or npm is missing or fails.

    """
    module = with_extra("browser.folder", "browser")
    model, tokenizer = checked(source, folder, quantization, "browser", module.QUANTIZATIONS)
    with atomic_folder(folder) as draft:
        record: BrowserRecord = module.export_page(model, tokenizer, draft, name, quantization, validation, say)
    size = sum(file.stat().st_size for file in folder.rglob("*"))
    say(f"{size / 1e6:.1f} MB, {record.quantization}; to see it: python -m http.server --directory {folder}")
    return record


def described(record: NativeRecord) -> str:
    """Return what was written, in a line."""
    text = f"{record.architecture}; its logits differ from the model's by {record.difference:.1e} at most"
    if record.beams == 1:
        return f"{text}; it searches greedily"
    how = (
        f"which rises like the paper's {record.length_penalty:g} at {native.TYPICAL_LENGTH} tokens; --validation "
        "chooses it by translating"
    )
    if (chosen := record.chosen) is not None:
        how = f"the best of {len(chosen.by_exponent)} by {chosen.metric} of {chosen.sentences:,} sentences"
    return f"{text}; {record.beams} beams, length_penalty {record.exponent:g}, {how}"


def checked(
    source: Path, folder: Path, quantization: str, engine: str, quantizations: tuple[str, ...]
) -> tuple[VaswaniForConditionalGeneration, PreTrainedTokenizerBase]:
    """Return the model of a folder and its tokenizer, if they can be exported; raises ValueError as `export` does."""
    if quantization not in quantizations:
        raise ValueError(f"{engine} has no quantization {quantization}; it has {', '.join(quantizations)}")
    check_name(folder.resolve(), "the folder")
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise ValueError(f"{folder} exists already; name a new folder")
    model = load_whole(source, dtype=torch.float32)
    if not isinstance(model, VaswaniForConditionalGeneration):
        raise ValueError(f"{source} holds a {type(model).__name__}; only networks of this package are exported")
    generation_settings(model.generation_config, source)
    return model.eval(), load_tokenizer(source)
