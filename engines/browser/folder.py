"""A model as a page that translates in the browser: a folder of static files, run by transformers.js.

`onnx/` holds the encoder and the decoder under the names that transformers.js reads, beside its configuration,
tokenizer and generation settings; `index.html` is the page, and everything that it loads is in the folder. README.md is
its card.
"""

import hashlib
import html
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import GenerationConfig, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from vaswani.data.blank_text import UNSEEN
from vaswani.engines.eight_bits import to_8_bits
from vaswani.engines.native import Validation, save_tokenizer
from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.modeling.generation_vaswani import UNBOUNDED
from vaswani.storage import write_text
from vaswani.translation.batches import encode
from vaswani.translation.hypotheses import one_line
from vaswani.translation.models import PAGE
from vaswani.translation.search import positions
from vaswani.translation.settings import GenerationSettings, generation_settings
from vaswani.translation.translate import translate

from .bundle import bundled_page
from .calibration import SENTENCES, drawn_sources, measure
from .card import Score, card
from .graphs import write_graphs
from .greedy import SUFFIXES, load_greedy
from .record import BrowserRecord, write_browser

QUANTIZATIONS = ("int8", "float32")
DTYPES = {"float32": "fp32", "int8": "q8"}
"""Their names in transformers.js."""
MODEL_TYPE, ARCHITECTURE = "marian", "MarianMTModel"
"""What transformers.js runs the graphs as: an encoder and a decoder with caches; it looks for nothing else in them."""
RUNTIME = "ort-wasm-simd-threaded.wasm"
NOT_KEPT = ("service-worker.js", "licenses.txt")
"""Files that the page does not need without its server."""
MOST_TOKENS = 512
"""Most tokens of a translation for other programs that read the folder: the page sets each sentence's own limit."""


def export_page(
    model: VaswaniForConditionalGeneration,
    tokenizer: PreTrainedTokenizerBase,
    draft: Path,
    name: str,
    quantization: str = "int8",
    validation: Validation | None = None,
    say: Callable[[str], object] = lambda _: None,
) -> BrowserRecord:
    """Write a model and its page to an empty or new folder.

    Args:
        model: in evaluation mode; it is not changed.
        tokenizer: its own.
        draft: where to, a folder in the making.
        name: of the model, on the page.
        quantization: of the weights, one of QUANTIZATIONS.
        validation: text to measure greedy search on, for the card.
        say: called with a line for each step that takes long.

    Raises:
        ValueError: the tokenizer is not one of the `tokenizers` library, or npm is missing or fails.

    """
    check_tokenizer(tokenizer)
    page = bundled_page(say)
    sources = None
    if quantization == "int8":
        text = [] if validation is None else encode(tokenizer, validation.sources)[:SENTENCES]
        sources = text or drawn_sources(tokenizer, positions(model))
        kind = "of the validation set" if text else "drawn by chance"
        say(f"Rounding to 8 bits, fitted to {len(sources)} sentences {kind}")
    write_network(model, draft, quantization, sources)
    write_settings(model, tokenizer, draft, quantization)
    record = write_page(page, model, draft, name, quantization)
    score = None if validation is None else measured(model, tokenizer, draft, validation, say)
    write_text(draft / "README.md", card(draft, record, score))
    return record


def write_network(
    model: VaswaniForConditionalGeneration,
    draft: Path,
    quantization: str,
    sources: Sequence[list[int]] | None = None,
) -> None:
    """Write the graphs; in 8 bits they are fitted to what the network computes of `sources`, token ids, if given."""
    (draft / "onnx").mkdir()
    files = write_graphs(model, draft / "onnx", SUFFIXES[quantization])
    if quantization == "int8":
        settings = generation_settings(model.generation_config, "the model")
        moments = measure(files, sources or [], settings, positions(model))
        for file, of_file in zip(files, moments, strict=True):
            to_8_bits(file, of_file)


def write_settings(
    model: VaswaniForConditionalGeneration, tokenizer: PreTrainedTokenizerBase, draft: Path, quantization: str
) -> None:
    """Write what transformers.js reads beside the graphs."""
    settings = generation_settings(model.generation_config, "the model")
    write_json(draft / "config.json", configuration(model.config, settings, quantization))
    generation(settings).save_pretrained(draft)
    save_tokenizer(tokenizer, draft)


def write_page(
    page: Path, model: VaswaniForConditionalGeneration, draft: Path, name: str, quantization: str
) -> BrowserRecord:
    """Write the files of the page, with the model's name and the names of all files.

    Args:
        page: the bundle.
        model: whose graphs and settings are in `draft`.
        draft: where to.
        name: of the model, on the page.
        quantization: of the weights in `draft`.

    """
    shutil.copytree(page, draft, dirs_exist_ok=True)
    index = draft / "index.html"
    write_text(index, index.read_text(encoding="utf-8").replace("NAME", html.escape(name)))
    settings = generation_settings(model.generation_config, "the model")
    record = describe(draft, model, settings, name, quantization)
    write_browser(draft, record)
    write_service_worker(draft, record)
    return record


def check_tokenizer(tokenizer: PreTrainedTokenizerBase) -> None:
    """Raise ValueError unless transformers.js can read the tokenizer."""
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ValueError(
            f"its tokenizer is a {type(tokenizer).__name__}, which has no tokenizer.json, and transformers.js reads "
            "nothing else: export it to onnx or ctranslate2, or train a model with a new vocabulary from it "
            "(--init_from MODEL --new_vocabulary)"
        )


def configuration(config: Any, settings: GenerationSettings, quantization: str) -> dict[str, Any]:
    """Return config.json: what transformers.js asks for, and the type of numbers that there are files of."""
    return {
        "model_type": MODEL_TYPE,
        "architectures": [ARCHITECTURE],
        "is_encoder_decoder": True,
        "vocab_size": config.vocab_size,
        "d_model": config.d_model,
        "encoder_layers": config.encoder_layers,
        "decoder_layers": config.decoder_layers,
        "encoder_attention_heads": config.num_heads,
        "decoder_attention_heads": config.num_heads,
        "pad_token_id": settings.padding,
        "bos_token_id": config.bos_token_id,
        "eos_token_id": list(settings.ends),
        "decoder_start_token_id": settings.start,
        "transformers.js_config": {"dtype": DTYPES[quantization], "device": "wasm"},
    }


def generation(settings: GenerationSettings) -> GenerationConfig:
    """Return the settings of a model for greedy search by transformers.js, and as our own search reads them."""
    most = settings.most_tokens
    return GenerationConfig(
        decoder_start_token_id=settings.start,
        eos_token_id=list(settings.ends),
        pad_token_id=settings.padding,
        num_beams=1,
        do_sample=False,
        suppress_tokens=list(settings.forbidden) or None,
        forced_eos_token_id=list(settings.ends) if settings.forces_end else None,
        extra_tokens=settings.extra_tokens,
        **({"max_length": MOST_TOKENS} if most == UNBOUNDED else {"max_new_tokens": most}),
    )


def describe(
    draft: Path, model: VaswaniForConditionalGeneration, settings: GenerationSettings, name: str, quantization: str
) -> BrowserRecord:
    """Return what the page has to know of the files in its folder."""
    files = sorted(file for file in draft.rglob("*") if file.is_file())
    digests = {file.relative_to(draft).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    content = hashlib.sha256(json.dumps(digests).encode()).hexdigest()[:32]
    read = [each for each in digests if each.startswith("onnx/") or each.endswith(".json") or each == RUNTIME]
    return BrowserRecord(
        name,
        content,
        quantization,
        settings.extra_tokens,
        bounded(settings.most_tokens),
        bounded(positions(model)),
        escaped(UNSEEN),
        {each: (draft / each).stat().st_size for each in read},
    )


def bounded(limit: int) -> int | None:
    """Return a limit, or None where there is none."""
    return None if limit == UNBOUNDED else limit


def escaped(characters: str) -> str:
    """Return characters and ranges of them as a regular expression of JavaScript writes them in ASCII."""
    return "".join(each if each == "-" else f"\\u{{{ord(each):x}}}" for each in characters)


def write_service_worker(draft: Path, record: BrowserRecord) -> None:
    """Put the names of the files that it keeps before the service worker: another export is another program."""
    names = {file.relative_to(draft).as_posix() for file in draft.rglob("*") if file.is_file()}
    constants: Mapping[str, Any] = {"CONTENT": record.content, "FILES": sorted(names.difference(NOT_KEPT) | {PAGE})}
    file = draft / "service-worker.js"
    lines = [f"self.{name} = {json.dumps(value)};" for name, value in constants.items()]
    write_text(file, "\n".join([*lines, file.read_text(encoding="utf-8")]))


def write_json(path: Path, content: Any) -> None:
    """Write JSON to a file."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def measured(
    model: VaswaniForConditionalGeneration,
    tokenizer: PreTrainedTokenizerBase,
    draft: Path,
    validation: Validation,
    say: Callable[[str], object],
) -> Score:
    """Translate the validation set by the model's own search and by the exported graphs, and say both figures."""
    ours = model.generation_config
    assert ours is not None
    beams, penalty = int(ours.num_beams or 1), float(1.0 if ours.length_penalty is None else ours.length_penalty)
    paper = validation.figure(translate(model, tokenizer, validation.sources, num_beams=beams, length_penalty=penalty))
    say(f"The paper's search, {beams} beams: {validation.metric} {paper:.2f} of {len(validation.sources):,} sentences")
    greedy = load_greedy(draft)
    found = [greedy.search(source) if source else [] for source in encode(tokenizer, validation.sources)]
    texts = tokenizer.batch_decode(found, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    figure = validation.figure([one_line(text) for text in texts])
    say(f"Greedy search by the page's files: {figure:.2f}")
    return Score(validation.metric, len(validation.sources), beams, penalty, paper, figure)
