"""The network written for onnxruntime, as two graphs.

`encoder.onnx` reads a batch of sources once and gives the keys and values that each decoder layer attends to;
`decoder.onnx` gives the probabilities of the next token of each running hypothesis, from the keys and values of the
tokens before. Positions, norms and head widths are those of the network.

Shapes: B sentences, S source tokens, n running hypotheses of each, R hypotheses of the step before, P tokens before,
H heads, V = vocab_size.
"""

from pathlib import Path
from typing import Any

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn
from torch.export import Dim
from transformers import PreTrainedTokenizerBase
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from vaswani.modeling import VaswaniForConditionalGeneration

from .exporting import save_beside
from .onnx import empty
from .onnx_graph import added, encoded, to_trace, write

QUANTIZATIONS = ("float32", "int8")


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
