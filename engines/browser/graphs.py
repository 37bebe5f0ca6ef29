"""The two graphs that transformers.js runs: the names are those that it looks for, the contents are our network.

transformers.js hands the encoder's `last_hidden_state` to the decoder as it is, and asks for no shape. So it holds what
the decoder needs, the keys and values of all its layers, computed once for each source; standard graphs hold the
encoder's output there, and bring these keys and values back and forth in each step, or choose between two graphs by an
`If`. The empty cache of the first step has the shape that the graph declares, whatever the width of a head.

Shapes: B sentences, S source tokens, P tokens before, H heads, N decoder layers, V = vocab_size,
E = N * H * (d_k + d_v).
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from vaswani.engines.onnx_graph import added, encoded, to_trace, write
from vaswani.modeling import VaswaniForConditionalGeneration

ENCODER, DECODER = "encoder_model", "decoder_model_merged"
"""Their names in transformers.js, without what follows for the kind of numbers."""


class SourceGraph(nn.Module):
    """From sources to the keys and values that the decoder attends to."""

    def __init__(self, model: VaswaniForConditionalGeneration) -> None:
        super().__init__()
        self.model: Any = model.model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the keys and values of each decoder layer, in turn, side by side: `[B, S, E]`.

        Args:
            input_ids: `[B, S]`.
            attention_mask: `[B, S]`, 1 at tokens and 0 at padding.

        """
        hidden = encoded(self.model, input_ids, attention_mask)
        attentions = [layer.cross_attention for layer in self.model.decoder.layers]
        return torch.cat([w(hidden) for each in attentions for w in (each.w_k, each.w_v)], dim=-1)


class TokenGraph(nn.Module):
    """From the last token of each translation to the scores of the next."""

    def __init__(self, model: VaswaniForConditionalGeneration) -> None:
        super().__init__()
        self.model: Any = model
        config: Any = model.config
        self.widths = [config.num_heads * width for width in (config.d_k, config.d_v)] * config.decoder_layers

    def forward(
        self, input_ids: Tensor, encoder_attention_mask: Tensor, encoder_hidden_states: Tensor, past: list[Tensor]
    ) -> list[Tensor]:
        """Return logits `[B, 1, V]`, then the keys and values of each layer with the new token, `[B, H, P + 1, d]`.

        Args:
            input_ids: `[B, 1]`.
            encoder_attention_mask: `[B, S]`.
            encoder_hidden_states: `[B, S, E]`, the encoder's output.
            past: keys `[B, H, P, d_k]` and values `[B, H, P, d_v]` of each layer, in turn.

        """
        decoder, mask = self.model.model.decoder, added(encoder_attention_mask)
        cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        source = encoder_hidden_states.split(self.widths, dim=-1)
        for number, layer in enumerate(decoder.layers):
            cache.self_attention_cache.update(past[2 * number], past[2 * number + 1], number)
            key, value = (layer.cross_attention.split_heads(each) for each in source[2 * number : 2 * number + 2])
            cache.cross_attention_cache.update(key, value, number)
            cache.is_updated[number] = True
        hidden = decoder.positions(decoder.tokens(input_ids), past[0].shape[2])
        for layer in decoder.layers:
            # One token sees all before it; the source's keys and values exist already, and only its B is used.
            hidden = layer(hidden, None, encoder_hidden_states, mask, past_key_values=cache)
        logits = self.model.lm_head(decoder.final_norm(hidden))
        layers: Any = cache.self_attention_cache.layers
        return [logits, *(each for layer in layers for each in (layer.keys, layer.values))]


def write_graphs(model: VaswaniForConditionalGeneration, folder: Path, suffix: str = "") -> tuple[Path, Path]:
    """Write the encoder and the decoder in float32, and return their files.

    Args:
        model: is left as it is.
        folder: where to; it exists.
        suffix: of the names, such as `_quantized`.

    """
    model = to_trace(model)
    config: Any = model.config
    files = folder / f"{ENCODER}{suffix}.onnx", folder / f"{DECODER}{suffix}.onnx"
    names = [f"{layer}.decoder.{kind}" for layer in range(config.decoder_layers) for kind in ("key", "value")]
    batch, length, past = Dim("batch_size"), Dim("encoder_sequence_length"), Dim("past_decoder_sequence_length")
    of_source = {0: batch, 1: length}
    input_ids, mask = torch.full((2, 7), 4), torch.ones(2, 7, dtype=torch.int64)
    before = [torch.zeros(2, config.num_heads, 5, width) for width in (config.d_k, config.d_v) * config.decoder_layers]
    with torch.no_grad():
        source = SourceGraph(model)(input_ids, mask)
        write(
            SourceGraph(model),
            (input_ids, mask),
            files[0],
            ["input_ids", "attention_mask"],
            ["last_hidden_state"],
            (of_source, of_source),
        )
        write(
            TokenGraph(model),
            (input_ids[:, :1], mask, source, before),
            files[1],
            [
                "input_ids",
                "encoder_attention_mask",
                "encoder_hidden_states",
                *(f"past_key_values.{name}" for name in names),
            ],
            ["logits", *(f"present.{name}" for name in names)],
            ({0: batch}, of_source, of_source, [{0: batch, 2: past}] * len(names)),
        )
    return files
