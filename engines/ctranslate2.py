"""CTranslate2: the network written for its engine, and the paper's search over what that engine finds.

The engine runs every network of table 3. Heads with d_k other than d_v are padded with zeros to the wider of the two,
which changes no product, and the scale is stored as d_k^-0.5. Its own search has no GNMT penalty, stops after as many
hypotheses as it has beams, counts one cut off at the limit as ended, and has one limit for a batch. So it is asked for
four times as many hypotheses as beams, and penalty, limit and order are computed here. One difference remains: of the
best 2K continuations of a step it counts only the ends among the first K.

Shapes: H heads, D = d_model, V = vocab_size.
"""

import json
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import torch
from accelerate import PartialState
from ctranslate2.specs import TransformerSpec, transformer_spec
from ctranslate2.specs.common_spec import Activation
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from vaswani.conversion.heads import widened
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.modeling.generation_vaswani import length_limits
from vaswani.modeling.modeling_vaswani import MultiHeadAttention, Residual, sinusoidal_positions
from vaswani.modeling.search_vaswani import penalty
from vaswani.storage import naming_damage
from vaswani.translation.loading import check_files
from vaswani.translation.search import BeamSettings
from vaswani.translation.settings import generation_settings, saved_settings

from .engine import Candidate, check_lengths, save_beside

POSITIONS = 4096
"""Rows of the table that stands in for sinusoids, which the engine would compute by another formula."""

BEAM_PATIENCE = 4
"""How many times the beams must end as hypotheses. With 2 the best one was sometimes still missing; 8 found no more."""

ACTIVATIONS = {"relu": Activation.RELU, "silu": Activation.SWISH, "gelu": Activation.GELU}

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
        model: is not changed.
        tokenizer: its own.
        folder: where to.
        quantization: one of QUANTIZATIONS.

    Raises:
        ValueError: the tokenizer has more tokens than the network, or another end token, or CTranslate2 cannot follow
            the model's generation settings.

    """
    config, saved = model.config, generation_settings(model.generation_config, model.name_or_path)
    if saved.ends != (tokenizer.eos_token_id,):
        raise ValueError(
            f"translations end at {', '.join(map(str, saved.ends))}, and the tokenizer's end is "
            f"{tokenizer.eos_token_id}: CTranslate2 has only one end token, the tokenizer's; set eos_token_id in "
            "generation_config.json, or export to onnx"
        )
    if saved.forbidden and not saved.renormalizes:
        raise ValueError(
            "generation_config.json forbids tokens (bad_words_ids, suppress_tokens) without renormalize_logits, and "
            "CTranslate2 gives their probability to the others; set renormalize_logits to true there, or export to onnx"
        )
    head = {
        "pre_norm": config.norm == "pre",
        "head_dim": head_width(config),
        "activation": ACTIVATIONS[config.activation],
    }
    encoder = transformer_spec.TransformerEncoderSpec(config.encoder_layers, config.num_heads, **head)
    decoder = transformer_spec.TransformerDecoderSpec(config.decoder_layers, config.num_heads, **head)
    spec = TransformerSpec(encoder, decoder)
    table = numbers(model.model.tokens.weight)  # the one table, in its three places (section 3.4)
    encoder.embeddings[0].weight = decoder.embeddings.weight = decoder.projection.weight = table
    if model.lm_head.bias is not None:
        decoder.projection.bias = numbers(model.lm_head.bias)
    write_stack(encoder, model.model.encoder, config)
    write_stack(decoder, model.model.decoder, config)
    tokens = vocabulary(tokenizer, config.vocab_size)
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.config.unk_token, spec.config.bos_token = str(tokenizer.unk_token), str(tokenizer.bos_token)
    spec.config.eos_token = str(tokenizer.eos_token)
    spec.config.decoder_start_token = tokens[saved.start]
    spec.config.layer_norm_epsilon = model.model.encoder.layers[0].feed_forward_residual.norm.eps
    spec.config.add_attribute("max_positions", len(encoder.position_encodings.encodings))
    spec.validate()
    spec.optimize(quantization=quantization)
    folder.mkdir(parents=True, exist_ok=True)
    save_beside(model, tokenizer, folder)
    spec.save(str(folder))


def vocabulary(tokenizer: PreTrainedTokenizerBase, size: int) -> list[str]:
    """Return the `size` tokens of the network by id; rows without a token, left by resizing, get a name."""
    if len(tokenizer) > size:
        raise ValueError(
            f"the tokenizer has {len(tokenizer)} tokens and the network {size}: they do not belong to one model"
        )
    known = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    return [*known, *(f"<no symbol {place}>" for place in range(len(known), size))]


def head_width(config: VaswaniConfig) -> int:
    """Return the common width of queries, keys and values: the engine has one for all three."""
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
    if config.attention_bias:
        write_biases(spec, attention, width)
    spec.queries_scale = np.float32(attention.scaling)
    write_norm(spec.layer_norm, residual.norm)


def write_biases(spec: Any, attention: MultiHeadAttention, width: int) -> None:
    """Write the biases of one attention, laid out as its matrices are."""
    query, key, value = (
        widened(each.bias, attention.config.num_heads, width) for each in (attention.w_q, attention.w_k, attention.w_v)
    )
    inputs = [[query, key, value]] if len(spec.linear) == 2 else [[query], [key, value]]
    for to, vectors in zip(spec.linear, inputs, strict=False):
        to.bias = numbers(torch.cat(vectors))
    spec.linear[-1].bias = numbers(attention.w_o.bias)


def write_linear(spec: Any, linear: nn.Linear) -> None:
    """Write a matrix and its bias."""
    spec.weight, spec.bias = numbers(linear.weight), numbers(linear.bias)


def write_norm(spec: Any, norm: nn.LayerNorm) -> None:
    """Write gain and bias."""
    spec.gamma, spec.beta = numbers(norm.weight), numbers(norm.bias)


def numbers(tensor: Tensor) -> NDArray[np.float32]:
    """Return a float32 copy, because the engine quantizes its input in place."""
    return np.array(tensor.detach().float().cpu().numpy(), dtype=np.float32)


# --- The search -------------------------------------------------------------------------------------------------------


def engine_penalty(beams: BeamSettings) -> float:
    """Return the exponent of the length by which the engine divides log P.

    When it is done, it drops what comes last in that order, if in the last step more ended than it returns. By log P
    alone those would be the longest, by length^alpha the shortest, since ((5 + n) / 6)^alpha grows as n^(alpha / 2) at
    5 tokens, and faster as they get longer. And with 0 it would not stop before its best beam ends, whatever its
    patience, and would drop all but the shortest of what piles up.
    """
    return beams.length_penalty / 2 if beams.number > 1 else 0.0


def check_kinds(about: dict[str, Any]) -> None:
    """Raise TypeError unless what the engine and this module read in config.json is of its type."""
    kinds = {"max_positions": int, "add_source_bos": bool, "add_source_eos": bool, "decoder_start_token": str}
    for name, kind in kinds.items():
        if type(about[name]) is not kind:
            raise TypeError(f"{name} is {about[name]!r}, no {kind.__name__}")


class Engine:
    """An exported model, loaded."""

    def __init__(self, folder: Path, device: str | None = None, threads: int = 1) -> None:
        """Load.

        Args:
            folder: what `export` wrote.
            device: "cpu", "cuda" or "cuda:N"; None takes this process's own CUDA device if there is one.
            threads: on a CPU.

        Raises:
            ValueError: the device is not here.

        """
        check_files(folder)
        if device is None:
            found = ctranslate2.get_cuda_device_count()
            device = f"cuda:{PartialState().local_process_index % found}" if found else "cpu"
        kind, _, index = device.partition(":")
        try:
            self.translator = ctranslate2.Translator(
                str(folder), kind, device_index=int(index or 0), intra_threads=threads
            )
        except (ValueError, RuntimeError) as error:
            raise ValueError(
                f"CTranslate2 cannot load {folder} on {device}: {error}; export it again, or name another --device"
            ) from error
        self.settings = saved_settings(folder)
        with naming_damage(f"the export in {folder}", "config.json or shared_vocabulary.json"):
            about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            check_kinds(about)
            self.max_positions: int = about["max_positions"]
            self.tokens: list[str] = json.loads((folder / "shared_vocabulary.json").read_text(encoding="utf-8"))
            self.ids = {token: place for place, token in enumerate(self.tokens)}
            self.end = self.ids[about["eos_token"]]

    def limit(self, source: list[int]) -> int:
        """Return how many tokens the translation may have."""
        longest = min(self.settings.most_tokens, self.max_positions)
        return int(length_limits(torch.tensor(len(source)), self.settings.extra_tokens, longest))

    def search(self, sources: list[list[int]], beams: BeamSettings) -> list[list[Candidate]]:
        """Return the best candidates of each sentence, ordered as by the paper's search.

        Raises:
            ValueError: a sentence is longer than the positions of the export.

        """
        check_lengths(sources, self.max_positions)
        if not self.settings.forces_end:
            return self.search_to(max(map(self.limit, sources)), sources, beams)
        found: list[list[Candidate]] = [[]] * len(sources)
        for limit in {*map(self.limit, sources)}:  # what is forced at one limit has to compete there
            places = [place for place, source in enumerate(sources) if self.limit(source) == limit]
            for place, each in zip(
                places, self.search_to(limit, [sources[place] for place in places], beams), strict=True
            ):
                found[place] = each
        return found

    def search_to(self, limit: int, sources: list[list[int]], beams: BeamSettings) -> list[list[Candidate]]:
        """Return the same of sentences whose translations may have `limit` tokens at most."""
        wide, forces_end = beams.number > 1, self.settings.forces_end
        if forces_end and limit == 1:
            return [[Candidate([self.end], 0.0)] for _ in sources]
        results = self.translator.translate_batch(
            [[self.tokens[place] for place in source] for source in sources],
            beam_size=beams.number,
            patience=BEAM_PATIENCE if wide else 1,
            num_hypotheses=BEAM_PATIENCE * beams.number if wide else 1,
            length_penalty=engine_penalty(beams),
            min_decoding_length=0,  # 1 would take the end token from the first step, and give the others its share
            max_input_length=0,  # 1024 would cut longer ones silently
            max_decoding_length=limit - forces_end,  # what is cut off there is given its end
            suppress_sequences=[[self.tokens[token]] for token in self.settings.forbidden] or None,
            return_scores=True,
            return_end_token=True,
        )
        return [self.ordered(source, result, beams) for source, result in zip(sources, results, strict=True)]

    def ordered(self, source: list[int], result: Any, beams: BeamSettings) -> list[Candidate]:
        """Return the best candidates within the sentence's own limit: those that ended, then those that were cut off.

        What ended within it is what the search would have found had there been no longer limit. Where that is not
        enough the sentence is searched again, alone, so that the engine cuts off where it should.
        """
        limit = self.limit(source)
        within = [pair for pair in zip(result.hypotheses, result.scores, strict=True) if len(pair[0]) <= limit]
        if len(within) < min(beams.n_best, len(result.hypotheses)):
            return self.search([source], beams)[0]
        alpha, of_engine = beams.length_penalty, engine_penalty(beams)
        found = []
        for tokens, score in within:
            ids, log_p = [self.ids[each] for each in tokens], score * len(tokens) ** of_engine
            if self.settings.forces_end and ids[-1] != self.end:
                ids.append(self.end)
            found.append(Candidate(ids, log_p / float(penalty(len(ids), alpha))))
        return sorted(found, key=lambda each: (each.tokens[-1] != self.end, -each.score))[: beams.n_best]
