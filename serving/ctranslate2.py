"""CTranslate2: the network written for its engine, and the paper's search over what that engine finds.

The engine runs every network of table 3. Heads with d_k unlike d_v are filled up with zeros to the wider of the two,
which changes no product, and the scale is written down as d_k^-0.5. Its own search knows no GNMT penalty, ends after
as many hypotheses as it has beams, takes one cut off at the limit for one that ended, and has one limit for a batch.
So it is asked for raw log P of twice as many hypotheses as beams, and penalty, limit and order are computed here.

Shapes: H heads, D = d_model, V = vocab_size.
"""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import ctranslate2
import numpy as np
import torch
from ctranslate2.specs import TransformerSpec, transformer_spec
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase

from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.modeling.generation_vaswani import EXTRA_SYMBOLS, penalty
from vaswani.modeling.modeling_vaswani import MultiHeadAttention, Residual, sinusoidal_positions

from .translate import translate_by

POSITIONS = 4096
"""Rows of the table that stands in for sinusoids, which the engine would compute by another formula."""

PATIENCE = 2
"""Hypotheses that have to end, in beams. With 1.25 all of 1,000 sentences came out as by our own search; see docs."""

QUANTIZATIONS = ("float32", "float16", "bfloat16", "int16", "int8", "int8_float32", "int8_float16", "int8_bfloat16")

# --- The network ------------------------------------------------------------------------------------------------------


def export(
    model: VaswaniForConditionalGeneration,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    quantization: str = "float32",
) -> None:
    """Write `model` as the engine reads it, with its vocabulary and tokenizer, to an empty or new folder.

    Args:
        model: is left as it is.
        tokenizer: its own.
        folder: where to.
        quantization: one of QUANTIZATIONS.

    Raises:
        ValueError: the tokenizer knows more symbols than the network.

    """
    config = model.config
    head = {"pre_norm": config.norm == "pre", "head_dim": head_width(config)}
    encoder = transformer_spec.TransformerEncoderSpec(config.encoder_layers, config.num_heads, **head)
    decoder = transformer_spec.TransformerDecoderSpec(config.decoder_layers, config.num_heads, **head)
    spec = TransformerSpec(encoder, decoder)
    table = numbers(model.model.tokens.weight)  # the one table, in its three places (section 3.4)
    encoder.embeddings[0].weight = decoder.embeddings.weight = decoder.projection.weight = table
    write_stack(encoder, model.model.encoder, config)
    write_stack(decoder, model.model.decoder, config)
    symbols = vocabulary(tokenizer, config.vocab_size)
    spec.register_source_vocabulary(symbols)
    spec.register_target_vocabulary(symbols)
    spec.config.unk_token, spec.config.bos_token = str(tokenizer.unk_token), str(tokenizer.bos_token)
    spec.config.eos_token = str(tokenizer.eos_token)
    spec.config.decoder_start_token = symbols[int(config.decoder_start_token_id or 0)]
    spec.config.layer_norm_epsilon = model.model.encoder.layers[0].feed_forward_residual.norm.eps
    spec.config.add_attribute("max_positions", len(encoder.position_encodings.encodings))
    spec.validate()
    spec.optimize(quantization=quantization)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    spec.save(str(folder))


def vocabulary(tokenizer: PreTrainedTokenizerBase, size: int) -> list[str]:
    """Return the `size` symbols of the network by id; rows without a symbol, left by resizing, get a name."""
    if len(tokenizer) > size:
        raise ValueError(
            f"the tokenizer knows {len(tokenizer)} symbols and the network {size}: they are not of one model"
        )
    known = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    return [*known, *(f"<no symbol {place}>" for place in range(len(known), size))]


def head_width(config: VaswaniConfig) -> int:
    """Return the width that queries, keys and values all get: the engine has one for the three."""
    assert config.d_k is not None
    assert config.d_v is not None
    return max(config.d_k, config.d_v)


def write_stack(spec: Any, stack: Any, config: VaswaniConfig) -> None:
    """Write the encoder or the decoder."""
    learned = stack.positions.learned
    places = sinusoidal_positions(torch.arange(POSITIONS), config.d_model) if learned is None else learned.weight
    spec.position_encodings.encodings = numbers(places)
    if config.norm == "pre":
        write_norm(spec.layer_norm, stack.final_norm)
    for to, layer in zip(spec.layer, stack.layers, strict=True):
        write_attention(to.self_attention, layer.self_attention, layer.self_attention_residual)
        if hasattr(layer, "cross_attention"):
            write_attention(to.attention, layer.cross_attention, layer.cross_attention_residual)
        write_linear(to.ffn.linear_0, layer.feed_forward.w_1)
        write_linear(to.ffn.linear_1, layer.feed_forward.w_2)
        write_norm(to.ffn.layer_norm, layer.feed_forward_residual.norm)


def write_attention(spec: Any, attention: MultiHeadAttention, residual: Residual) -> None:
    """Write one attention; self-attention has queries, keys and values in one matrix, the other keys and values."""
    config = attention.config
    width = head_width(config)
    query, key, value = (
        widened(each.weight, config.num_heads, width) for each in (attention.w_q, attention.w_k, attention.w_v)
    )
    inputs = [[query, key, value]] if len(spec.linear) == 2 else [[query], [key, value]]
    for to, matrices in zip(spec.linear, inputs, strict=False):
        to.weight = numbers(torch.cat(matrices))
    spec.linear[-1].weight = numbers(widened(attention.w_o.weight.T, config.num_heads, width).T)
    spec.queries_scale = np.float32(attention.scaling)
    write_norm(spec.layer_norm, residual.norm)


def widened(matrix: Tensor, heads: int, width: int) -> Tensor:
    """Fill the rows of each head up with zeros: `[H * d, D]` to `[H * width, D]`."""
    by_head = matrix.unflatten(0, (heads, -1))
    return F.pad(by_head, (0, 0, 0, width - by_head.shape[1])).flatten(0, 1)


def write_linear(spec: Any, linear: nn.Linear) -> None:
    """Write a matrix and its bias."""
    spec.weight, spec.bias = numbers(linear.weight), numbers(linear.bias)


def write_norm(spec: Any, norm: nn.LayerNorm) -> None:
    """Write gain and bias."""
    spec.gamma, spec.beta = numbers(norm.weight), numbers(norm.bias)


def numbers(tensor: Tensor) -> NDArray[np.float32]:
    """Return a float32 copy: the engine quantizes what it is given in place."""
    return np.array(tensor.detach().float().cpu().numpy(), dtype=np.float32)


# --- The search -------------------------------------------------------------------------------------------------------


class Hypothesis(NamedTuple):
    """One translation."""

    symbols: list[int]
    """Its ids, without the start symbol, with the end symbol if it has ended."""
    score: float
    """log P / ((5 + length) / 6)^alpha."""


class Engine:
    """An exported model, loaded."""

    def __init__(self, folder: Path, device: str | None = None, workers: int = 1, threads: int = 1) -> None:
        """Load.

        Args:
            folder: what `export` wrote.
            device: "cpu", "cuda" or "cuda:N"; None takes a CUDA device if there is one.
            workers: batches that are translated at once.
            threads: of each worker, on a CPU.

        Raises:
            ValueError: the device is not here.

        """
        kind, _, index = (device or ("cuda" if ctranslate2.get_cuda_device_count() else "cpu")).partition(":")
        try:
            self.translator = ctranslate2.Translator(
                str(folder), kind, device_index=int(index or 0), inter_threads=workers, intra_threads=threads
            )
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"CTranslate2 cannot load {folder} on {device or kind}: {error}") from error
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.max_positions = int(settings["max_positions"])
        self.symbols: list[str] = json.loads((folder / "shared_vocabulary.json").read_text(encoding="utf-8"))
        self.ids = {symbol: place for place, symbol in enumerate(self.symbols)}
        self.end = self.ids[settings["eos_token"]]

    def search(
        self, batches: Sequence[list[list[int]]], num_beams: int, length_penalty: float, wanted: int = 1
    ) -> Iterator[list[list[Hypothesis]]]:
        """Yield the best `wanted` hypotheses of each sentence, batch by batch, as the paper's search orders them.

        Raises:
            ValueError: a sentence that may become longer than the positions of the export, or more wanted than beams.

        """
        if not 1 <= wanted <= num_beams:
            raise ValueError(f"{wanted} hypotheses are wanted of {num_beams} beams; ask for 1 to {num_beams}")
        longest = max((len(source) for batch in batches for source in batch), default=0)
        if longest + EXTRA_SYMBOLS > self.max_positions:
            raise ValueError(
                f"a sentence has {longest} symbols and its translation may have {EXTRA_SYMBOLS} more, but the exported "
                f"model knows {self.max_positions} positions; split the sentence, or translate it by --engine torch"
            )
        started: deque[list[Any]] = deque()
        for place, batch in enumerate(batches):
            for ahead in batches[place + len(started) : place + 2 * self.translator.num_translators]:
                started.append(self.start(ahead, num_beams))
            yield [
                self.ordered(source, result.result(), num_beams, length_penalty, wanted)
                for source, result in zip(batch, started.popleft(), strict=True)
            ]

    def start(self, batch: list[list[int]], num_beams: int) -> list[Any]:
        """Start searching; the results are waited for when they are asked for."""
        wide = num_beams > 1
        return self.translator.translate_batch(
            [[self.symbols[place] for place in source] for source in batch],
            beam_size=num_beams,
            patience=PATIENCE if wide else 1,
            num_hypotheses=PATIENCE * num_beams if wide else 1,
            length_penalty=0,
            min_decoding_length=0,  # 1 would take the end symbol from the first step, and give the others its share
            max_input_length=0,  # 1024 would cut longer ones silently
            max_decoding_length=max(map(len, batch)) + EXTRA_SYMBOLS,
            return_scores=True,
            return_end_token=True,
            asynchronous=True,
        )

    def ordered(
        self, source: list[int], result: Any, num_beams: int, length_penalty: float, wanted: int
    ) -> list[Hypothesis]:
        """Return the best `wanted` within the sentence's own limit: those that ended, then those that were cut off."""
        limit = len(source) + EXTRA_SYMBOLS
        within = [
            (symbols, log_p)
            for symbols, log_p in zip(result.hypotheses, result.scores, strict=True)
            if len(symbols) <= limit
        ]
        if len(within) < wanted and len(within) < len(result.hypotheses):  # alone it has no other limit than its own
            return self.ordered(source, self.start([source], num_beams)[0].result(), num_beams, length_penalty, wanted)
        found = [
            Hypothesis([self.ids[each] for each in symbols], log_p / float(penalty(len(symbols), length_penalty)))
            for symbols, log_p in within
        ]
        return sorted(found, key=lambda each: (each.symbols[-1] != self.end, -each.score))[:wanted]


def translate(
    folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    lines: Sequence[str],
    *,
    num_beams: int = 4,
    length_penalty: float = 0.6,
    tokens_per_batch: int = 4096,
    device: str | None = None,
    progress: bool = False,
) -> list[str]:
    """Translate lines by an exported model; as `vaswani.serving.translate.translate`, which see.

    On a CPU the batches are shared out to a worker a thread, as many as torch may use.
    """

    def search(batches: list[list[list[int]]]) -> Iterator[list[list[int]]]:
        cores = torch.get_num_threads()
        workers = max(1, min(cores, len(batches)))
        engine = Engine(folder, device, workers, cores // workers)
        for found in engine.search(batches, num_beams, length_penalty):
            yield [hypotheses[0].symbols for hypotheses in found]

    return translate_by(search, tokenizer, lines, num_beams, tokens_per_batch, progress)
