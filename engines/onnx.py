"""ONNX: the network as two graphs that onnxruntime runs, and the paper's own search over their output.

`encoder.onnx` reads a batch of sources once and gives the keys and values that each decoder layer attends to;
`decoder.onnx` gives the probabilities of the next token of each running hypothesis, from the keys and values of the
tokens before. Search, penalty and limits are the functions of modeling/search_vaswani.py, without exception. Positions,
norms and head widths are those of the network.

Shapes: B sentences, S source tokens, n running hypotheses of each, R hypotheses of the step before, P tokens before,
H heads, V = vocab_size.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn
from torch.export import Dim
from transformers import AutoConfig, PreTrainedTokenizerBase
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.modeling.generation_vaswani import UNBOUNDED, length_limits
from vaswani.modeling.search_vaswani import NEVER, SearchState, beam_search, start
from vaswani.translation.loading import check_files, check_network
from vaswani.translation.search import BeamSettings, padded
from vaswani.translation.settings import saved_settings

from .engine import Candidate, check_lengths, check_probabilities, save_beside
from .onnx_graph import added, encoded, to_trace, write

QUANTIZATIONS = ("float32", "int8")

# --- The network ------------------------------------------------------------------------------------------------------


class EncoderGraph(nn.Module):
    """From sources to the keys and values that the decoder attends to."""

    def __init__(self, model: VaswaniForConditionalGeneration) -> None:
        super().__init__()
        self.model: Any = model.model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> list[Tensor]:
        """Return keys `[B, H, S, d_k]` and values `[B, H, S, d_v]` of each decoder layer, in turn.

        Args:
            input_ids: `[B, S]`.
            attention_mask: `[B, S]`, 1 at tokens and 0 at padding.

        """
        hidden = encoded(self.model, input_ids, attention_mask)
        attentions = [layer.cross_attention for layer in self.model.decoder.layers]
        return [each.split_heads(w(hidden)) for each in attentions for w in (each.w_k, each.w_v)]


class DecoderGraph(nn.Module):
    """From running hypotheses to the probabilities of their next tokens."""

    def __init__(self, model: VaswaniForConditionalGeneration) -> None:
        super().__init__()
        self.model: Any = model

    def forward(
        self, tokens: Tensor, rows: Tensor, attention_mask: Tensor, source: list[Tensor], past: list[Tensor]
    ) -> list[Tensor]:
        """Return log P `[B, n, V]`, then the keys and values of each layer with the new token, `[B * n, H, P + 1, d]`.

        Args:
            tokens: `[B, n]`, the last token of each hypothesis.
            rows: `[B, n]`, which of the R hypotheses before each one continues.
            attention_mask: `[B, S]`.
            source: the encoder's output.
            past: keys `[R, H, P, d_k]` and values `[R, H, P, d_v]` of each layer, in turn.

        """
        decoder, mask = self.model.model.decoder, added(attention_mask)
        cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        kept = [each.index_select(0, rows.flatten()) for each in past]
        for layer, (key, value) in enumerate(zip(kept[::2], kept[1::2], strict=True)):
            cache.self_attention_cache.update(key, value, layer)
        for layer, (key, value) in enumerate(zip(source[::2], source[1::2], strict=True)):
            cache.cross_attention_cache.update(key, value, layer)
            cache.is_updated[layer] = True
        hidden = decoder.positions(decoder.tokens(tokens.flatten()[:, None]), past[0].shape[2])
        for layer in decoder.layers:
            # One token sees all before it; the source's keys and values exist already, and only its B is used.
            hidden = layer(hidden, None, source[0], mask, past_key_values=cache)
        logits = self.model.lm_head(decoder.final_norm(hidden))
        layers: Any = cache.self_attention_cache.layers
        present = [each for layer in layers for each in (layer.keys, layer.values)]
        return [logits.log_softmax(-1).view(*tokens.shape, -1), *present]


def export(
    model: VaswaniForConditionalGeneration,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    quantization: str = "float32",
) -> None:
    """Write `model` as two graphs, with its configuration and tokenizer, to an empty or new folder.

    Args:
        model: is left as it is.
        tokenizer: its own.
        folder: where to.
        quantization: one of QUANTIZATIONS; with int8, matrices and their inputs are int8.

    """
    model = to_trace(model)
    folder.mkdir(parents=True, exist_ok=True)
    input_ids, mask = torch.full((2, 7), 4), torch.ones(2, 7, dtype=torch.int64)
    names = [f"{layer}.{kind}" for layer in range(model.config.decoder_layers) for kind in ("key", "value")]
    batch, length, hypotheses, before, past = (Dim(name) for name in ("B", "S", "n", "R", "P"))
    of_source = {0: batch, 1: length}
    with torch.no_grad():
        source = EncoderGraph(model)(input_ids, mask)
        write(
            EncoderGraph(model),
            (input_ids, mask),
            folder / "encoder.onnx",
            ["input_ids", "attention_mask"],
            [f"source.{name}" for name in names],
            (of_source, of_source),
        )
        write(
            DecoderGraph(model),
            (torch.full((2, 3), 4), torch.zeros(2, 3, dtype=torch.int64), mask, source, empty(model.config, 5, 4)),
            folder / "decoder.onnx",
            ["symbols", "rows", "attention_mask", *(f"{kind}.{name}" for kind in ("source", "past") for name in names)],
            ["log_p", *(f"present.{name}" for name in names)],
            (
                {0: batch, 1: hypotheses},
                {0: batch, 1: hypotheses},
                of_source,
                [{0: batch, 2: length}] * len(names),
                [{0: before, 2: past}] * len(names),
            ),
        )
    if quantization == "int8":
        for name in ("encoder.onnx", "decoder.onnx"):
            quantize(folder / name)
    model.config.to_json_file(folder / "config.json")
    save_beside(model, tokenizer, folder)


def quantize(file: Path) -> None:
    """Multiply in 8 bits wherever a matrix is known beforehand, each of its columns scaled by itself.

    Unsigned, since sums of signed products overflow on processors without VNNI; docs/engines.md has the figures.
    """
    folded = file.with_suffix(".folded")  # or the table, which is there the other way round, would stay as it is
    quant_pre_process(file, folded, skip_symbolic_shape=True)
    quantize_dynamic(folded, file, op_types_to_quantize=["MatMul"], weight_type=QuantType.QUInt8, per_channel=True)
    folded.unlink()


def empty(config: Any, rows: int, tokens: int = 0) -> list[Tensor]:
    """Return keys and values of each layer, of hypotheses that have `tokens` tokens."""
    widths = (config.d_k, config.d_v) * config.decoder_layers
    return [torch.zeros(rows, config.num_heads, tokens, width) for width in widths]


# --- The search -------------------------------------------------------------------------------------------------------


class Engine:
    """An exported model, loaded."""

    def __init__(self, folder: Path, device: str | None = None, threads: int = 1) -> None:
        """Load.

        Args:
            folder: what `export` wrote.
            device: None or "cpu".
            threads: to compute with.

        Raises:
            ValueError: another device is asked for, or a file is damaged.

        """
        if device not in (None, "cpu"):
            raise ValueError(
                f"--device {device}: a model exported to onnx runs on the CPU; leave --device out, or use --engine "
                "ctranslate2 or torch"
            )
        check_files(folder)
        check_network(folder)
        self.config: Any = AutoConfig.from_pretrained(folder)
        self.max_positions: int = self.config.max_positions if self.config.positions == "learned" else UNBOUNDED
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self.encoder, self.decoder = (
                onnxruntime.InferenceSession(folder / name, options, providers=["CPUExecutionProvider"])
                for name in ("encoder.onnx", "decoder.onnx")
            )
        except (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf) as error:
            raise ValueError(f"onnxruntime cannot load {folder}: {error}; export it again") from error
        self.settings = saved_settings(folder)

    def search(self, sources: list[list[int]], beams: BeamSettings) -> list[list[Candidate]]:
        """Return the best candidates of each sentence, by the search of the paper; one beam is greedy.

        Raises:
            ValueError: a sentence is longer than the positions of the network.

        """
        check_lengths(sources, self.max_positions)
        settings = self.settings
        input_ids, mask = padded(sources, settings.padding)
        longest = min(self.max_positions, settings.most_tokens)
        limits = length_limits(mask.sum(1), settings.extra_tokens, longest)
        prompt = torch.full((len(sources), 1, 1), settings.start)
        begun = start(prompt, limits, beams.number, settings.padding, torch.float32)
        decoder = Decoder(self, input_ids, mask)
        read = decoder.best if beams.number == 1 else decoder.log_p
        found = beam_search(read, begun, 1, torch.tensor(settings.ends), beams.length_penalty, beams.n_best)
        lengths = (found.parents >= 0).sum(-1)  # what was written, the prompt not counted
        return [
            [
                Candidate(tokens[1 : 1 + length], score)
                for tokens, length, score in zip(*rows, strict=True)
                if score > NEVER
            ]
            for rows in zip(found.tokens.tolist(), lengths.tolist(), found.scores.tolist(), strict=True)
        ]


class Decoder:
    """The decoder during the search of a batch, with the state that it keeps from step to step."""

    def __init__(self, engine: Engine, input_ids: Tensor, mask: Tensor) -> None:
        self.session, self.settings = engine.decoder, engine.settings
        self.mask = mask.numpy()
        self.source = engine.encoder.run(None, {"input_ids": input_ids.numpy(), "attention_mask": self.mask})
        self.past: list[NDArray[np.float32]] = [each.numpy() for each in empty(engine.config, len(mask))]

    def log_p(self, search: SearchState) -> Tensor:
        """Return log P `[B, n, V]` of the tokens that may follow the running hypotheses."""
        if len(search.places) < len(self.mask):
            places = search.places.numpy()
            self.mask, self.source = self.mask[places], [each[places] for each in self.source]
        tokens = search.running.tokens[:, :, search.length].numpy()
        given = [tokens, search.rows.numpy(), self.mask, *self.source, *self.past]
        names = [each.name for each in self.session.get_inputs()]
        log_p, *self.past = self.session.run(None, dict(zip(names, given, strict=True)))
        found = torch.from_numpy(log_p)
        check_probabilities(found[..., 0])  # all of a softmax are numbers, or none
        return self.settings.obeyed(found, search)

    def best(self, search: SearchState) -> Tensor:
        """Return the same with only the best token, which turns beam search into greedy search."""
        log_p = self.log_p(search)
        best = log_p.argmax(-1, keepdim=True)
        return torch.full_like(log_p, NEVER).scatter(-1, best, log_p.gather(-1, best))
