"""The Transformer of "Attention Is All You Need" (Vaswani et al. 2017), in the order of its section 3.

This file and its neighbours travel with every saved model, so they import nothing but torch and transformers. Nothing
here knows of data or training.

Shapes: B sentences in a batch, S source and T target positions, Q query and K key positions, H heads, D = d_model,
V = vocab_size.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init
from transformers.cache_utils import Cache, DynamicCache, EncoderDecoderCache, StaticCache
from transformers.generation.utils import GenerationMixin
from transformers.masking_utils import create_bidirectional_mask, create_causal_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import (
    BaseModelOutput,
    BaseModelOutputWithPastAndCrossAttentions,
    Seq2SeqLMOutput,
    Seq2SeqModelOutput,
)
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from .configuration_vaswani import VaswaniConfig
from .generation_vaswani import prepare_generate
from .pipeline_vaswani import TranslationPipeline as TranslationPipeline  # named here, it is saved with every model
from .search_vaswani import CACHE

# --- 3.4 Embeddings, 3.5 Positional encoding --------------------------------------------------------------------------


def sinusoidal_positions(positions: Tensor, d_model: int) -> Tensor:
    """Positional encoding of section 3.5: sin(pos / 10000^(2i/D)) at dimension 2i, cos of the same at 2i + 1.

    Computed rather than looked up, so that there is no longest sentence and nothing to save.

    Args:
        positions: `[T]`, counted from 0.
        d_model: D, even.

    Returns:
        `[T, D]`, float32.

    """
    frequencies = torch.exp(torch.arange(0, d_model, 2, device=positions.device) * (-math.log(10000.0) / d_model))
    angles = positions[:, None] * frequencies  # [T, D/2]
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)


class PositionalEmbedding(nn.Module):
    """Token embeddings times sqrt(D) (section 3.4) plus positions (section 3.5, or row E), then dropout (5.4)."""

    def __init__(self, config: VaswaniConfig) -> None:
        super().__init__()
        self.config = config
        self.learned = nn.Embedding(config.max_positions, config.d_model) if config.positions == "learned" else None
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, embeddings: Tensor, first_position: int | Tensor = 0) -> Tensor:
        """Turn `[B, T, D]` rows of the embedding table, the first at `first_position`, into a stack's input."""
        positions = torch.arange(embeddings.shape[1], device=embeddings.device) + first_position
        if self.learned is None:
            encoding = sinusoidal_positions(positions, self.config.d_model).to(embeddings.dtype)
        else:
            last = first_position + embeddings.shape[1] - 1  # a tensor with a static cache alone: no wait in training
            if (isinstance(last, int) or not torch.compiler.is_compiling()) and last >= self.config.max_positions:
                raise ValueError(
                    f"position {int(last)} is beyond the {self.config.max_positions} learned ones; shorten "
                    "the input, or train with a larger max_positions or positions='sinusoidal'"
                )
            encoding = self.learned(positions)
        hidden = embeddings * math.sqrt(self.config.d_model) + encoding
        return self.dropout(hidden)


# --- 3.2 Attention ----------------------------------------------------------------------------------------------------


def scaled_dot_product_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, Tensor]:
    """Equation 1, softmax(QK^T / sqrt(d_k)) V, written out; the "eager" one among the attention functions.

    torch's kernel computes the softmax of 16-bit scores in float32 and rounds the result; on GPUs autocast keeps it in
    float32. "sdpa" (training/speed/fastest_attention.py chooses) is a fused kernel, in float32 inside too.

    Args:
        module: the layer that asks; its `training` flag rules dropout.
        query: `[B, H, Q, d_k]`.
        key: `[B, H, K, d_k]`.
        value: `[B, H, K, d_v]`.
        attention_mask: `[B, 1, Q, K]`, added to the scores: 0 where attention is allowed, very negative elsewhere.
        scaling: 1 / sqrt(d_k).
        dropout: share of attention weights dropped.

    Returns:
        The values' weighted sums `[B, Q, H, d_v]`, and the weights `[B, H, Q, K]`.

    """
    scores = torch.matmul(query, key.transpose(2, 3)) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = F.dropout(scores.softmax(dim=-1), dropout, module.training)
    return torch.matmul(weights, value).transpose(1, 2), weights


class MultiHeadAttention(nn.Module):
    """Section 3.2.2: Concat(head_1 .. head_h) W^O, where head_i = Attention(Q W_i^Q, K W_i^K, V W_i^V)."""

    def __init__(self, config: VaswaniConfig, layer_idx: int, is_causal: bool = False) -> None:
        super().__init__()
        assert config.d_k is not None
        assert config.d_v is not None
        self.config = config
        self.layer_idx = layer_idx
        self.is_causal = is_causal
        self.scaling = config.d_k**-0.5
        self.w_q = nn.Linear(config.d_model, config.num_heads * config.d_k, bias=config.attention_bias)
        self.w_k = nn.Linear(config.d_model, config.num_heads * config.d_k, bias=config.attention_bias)
        self.w_v = nn.Linear(config.d_model, config.num_heads * config.d_v, bias=config.attention_bias)
        self.w_o = nn.Linear(config.num_heads * config.d_v, config.d_model, bias=config.attention_bias)

    def split_heads(self, hidden: Tensor) -> Tensor:
        """Split `[B, T, H * d]` into `[B, H, T, d]`."""
        return hidden.unflatten(-1, (self.config.num_heads, -1)).transpose(1, 2)

    def keys_and_values(
        self, memory: Tensor | None, hidden: Tensor, cache: EncoderDecoderCache | None
    ) -> tuple[Tensor, Tensor]:
        """Keys and values `[B, H, K, d]` of what is attended to, by way of the cache if there is one."""
        attended = hidden if memory is None else memory
        if cache is not None and memory is not None and cache.is_updated.get(self.layer_idx):
            layer: Any = cache.cross_attention_cache.layers[self.layer_idx]  # the source's stay as they are
            return layer.keys, layer.values
        key, value = self.split_heads(self.w_k(attended)), self.split_heads(self.w_v(attended))
        if cache is None:
            return key, value
        if memory is None:
            return cache.self_attention_cache.update(key, value, self.layer_idx)
        cache.is_updated[self.layer_idx] = True
        return cache.cross_attention_cache.update(key, value, self.layer_idx)

    def forward(
        self,
        hidden: Tensor,
        mask: Any,
        memory: Tensor | None = None,
        cache: EncoderDecoderCache | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend from `hidden` `[B, Q, D]` to itself, or to `memory` `[B, S, D]`.

        `hidden` may have several rows, one after another, for each row of `memory`: beams of a sentence, which share
        its source. They are so many more queries to it, and nothing of the source is copied for them.

        Returns:
            `[B, Q, D]`, and the weights `[B, H, Q, K]` where the attention function gives them.

        """
        asking = hidden if memory is None else hidden.reshape(memory.shape[0], -1, hidden.shape[-1])
        query = self.split_heads(self.w_q(asking))
        key, value = self.keys_and_values(memory, hidden, cache)
        attention: Callable[..., tuple[Tensor, Tensor | None]] = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, scaled_dot_product_attention
        )
        dropout = self.config.attention_dropout if self.training else 0.0
        heads, weights = attention(self, query, key, value, mask, scaling=self.scaling, dropout=dropout, **kwargs)
        return self.w_o(heads.flatten(2)).view_as(hidden), weights


# --- 3.3 Position-wise feed-forward networks --------------------------------------------------------------------------


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "silu": F.silu, "gelu": F.gelu}
"""The paper's, and those of its descendants."""


class FeedForward(nn.Module):
    """Equation 2: max(0, x W_1 + b_1) W_2 + b_2, or with another function than max(0, x)."""

    def __init__(self, config: VaswaniConfig) -> None:
        super().__init__()
        self.w_1 = nn.Linear(config.d_model, config.d_ff)
        self.w_2 = nn.Linear(config.d_ff, config.d_model)
        self.activation = ACTIVATIONS[config.activation]
        self.dropout = nn.Dropout(config.activation_dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map `[B, T, D]` to `[B, T, D]`, each position alone."""
        return self.w_2(self.dropout(self.activation(self.w_1(hidden))))


# --- 3.1 Encoder and decoder stacks -----------------------------------------------------------------------------------


class Residual(nn.Module):
    """The frame around a sub-layer: LayerNorm(x + Dropout(Sublayer(x))), or its pre-norm form.

    The sub-layer comes as a function, not as a module: hooks that move what a module is given (Accelerate's, where
    weights are offloaded or spread over devices) would take a module for data.
    """

    def __init__(self, config: VaswaniConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.d_model)
        self.is_post_norm = config.norm == "post"
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, hidden: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        """Apply `sublayer` to `[B, T, D]`, add, and normalise."""
        if self.is_post_norm:
            return self.norm(hidden + self.dropout(sublayer(hidden)))
        return hidden + self.dropout(sublayer(self.norm(hidden)))


class EncoderLayer(GradientCheckpointingLayer):
    """Self-attention, then feed-forward."""

    def __init__(self, config: VaswaniConfig, layer_idx: int) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(config, layer_idx)
        self.self_attention_residual = Residual(config)
        self.feed_forward = FeedForward(config)
        self.feed_forward_residual = Residual(config)

    def forward(self, hidden: Tensor, mask: Any, **kwargs: Any) -> Tensor:
        """Map `[B, S, D]` to `[B, S, D]`; `mask` hides padding."""
        hidden = self.self_attention_residual(hidden, lambda x: self.self_attention(x, mask, **kwargs)[0])
        return self.feed_forward_residual(hidden, lambda x: self.feed_forward(x))


class DecoderLayer(GradientCheckpointingLayer):
    """Masked self-attention, attention to the encoder's output, then feed-forward."""

    def __init__(self, config: VaswaniConfig, layer_idx: int) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(config, layer_idx, is_causal=True)
        self.self_attention_residual = Residual(config)
        self.cross_attention = MultiHeadAttention(config, layer_idx)
        self.cross_attention_residual = Residual(config)
        self.feed_forward = FeedForward(config)
        self.feed_forward_residual = Residual(config)

    def forward(
        self, hidden: Tensor, mask: Any, memory: Tensor, memory_mask: Any, past_key_values: Any, **kwargs: Any
    ) -> Tensor:
        """Map `[B, T, D]` to `[B, T, D]`; `memory` is `[B, S, D]`, and the masks hide the future and padding."""
        hidden = self.self_attention_residual(
            hidden, lambda x: self.self_attention(x, mask, cache=past_key_values, **kwargs)[0]
        )
        hidden = self.cross_attention_residual(
            hidden, lambda x: self.cross_attention(x, memory_mask, memory, past_key_values, **kwargs)[0]
        )
        return self.feed_forward_residual(hidden, lambda x: self.feed_forward(x))


class VaswaniPreTrainedModel(PreTrainedModel):
    """The base of both public models and both stacks: configuration, initialisation, abilities."""

    config: VaswaniConfig
    base_model_prefix = "model"
    input_modalities = ["text"]  # noqa: RUF012
    supports_gradient_checkpointing = True
    _no_split_modules = ["EncoderLayer", "DecoderLayer"]  # noqa: RUF012
    _supports_sdpa = True
    _supports_flex_attn = True
    _can_compile_fullgraph = True

    def __init__(self, config: VaswaniConfig) -> None:
        config.check()
        super().__init__(config)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Glorot-uniform projections and embeddings of variance 1/D, so that sqrt(D) times them has variance 1."""
        if isinstance(module, Projection):  # whose matrix is the table's
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            init.xavier_uniform_(module.weight)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            init.normal_(module.weight, mean=0.0, std=self.config.d_model**-0.5)
        elif isinstance(module, nn.LayerNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)

    def save_pretrained(self, save_directory: Any, *args: Any, **kwargs: Any) -> None:
        """Save as transformers does, but refuse if the result could not be loaded again."""
        self.config.check()
        super().save_pretrained(save_directory, *args, **kwargs)

    def mark_tied_weights_as_initialized(self, loading_info: Any) -> None:
        """Keep a table that no file held among what is missing, so that it is named and drawn.

        Its names are those of one module: marked under one of them, it would count as loaded under all.
        """
        loaded = getattr(self.get_input_embeddings().weight, "_is_hf_initialized", False)
        missing = set() if loaded else set(loading_info.missing_keys)
        super().mark_tied_weights_as_initialized(loading_info)
        loading_info.missing_keys |= missing


def embed(tokens: nn.Embedding, input_ids: Tensor | None, inputs_embeds: Tensor | None) -> Tensor:
    """Look up `[B, T]` ids, or take the `[B, T, D]` embeddings that were given in their place."""
    if (input_ids is None) == (inputs_embeds is None):
        raise ValueError("give exactly one of input_ids and inputs_embeds (for the decoder, decoder_*)")
    return tokens(input_ids) if inputs_embeds is None else inputs_embeds


def named(cache: Cache | None) -> dict[str, Any]:
    """Return a cache under the name that this version of transformers gives it."""
    return {CACHE: cache}


class Stack(VaswaniPreTrainedModel):
    """Half of a model, around a table that it shares with the other half; it is saved and loaded with the whole."""

    def save_pretrained(self, save_directory: Any, *_: Any, **__: Any) -> None:
        """Refuse: a folder says of what kind the network in it is, and there is none for half of one."""
        raise ValueError(
            f"{type(self).__name__} cannot be saved to {save_directory} by itself, because nothing could load it; save "
            "the whole model, and take model.get_encoder() or model.get_decoder() of what is loaded"
        )

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *_: Any, **__: Any) -> Any:
        """Refuse; see `save_pretrained`."""
        raise ValueError(
            f"{cls.__name__} cannot be loaded by itself; load the whole model, "
            f"AutoModel.from_pretrained({str(pretrained_model_name_or_path)!r}), and take its get_encoder() or "
            "get_decoder()"
        )


class VaswaniEncoder(Stack):
    """The encoder: N layers over embedded source tokens. Pre-norm adds one last LayerNorm."""

    _can_record_outputs = {"hidden_states": EncoderLayer, "attentions": MultiHeadAttention}  # noqa: RUF012

    def __init__(self, config: VaswaniConfig, tokens: nn.Embedding) -> None:
        super().__init__(config)
        self.tokens = tokens
        self.positions = PositionalEmbedding(config)
        self.layers = nn.ModuleList([EncoderLayer(config, i) for i in range(config.encoder_layers)])
        self.final_norm = nn.LayerNorm(config.d_model) if config.norm == "pre" else nn.Identity()
        self.gradient_checkpointing = False
        self.post_init()

    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        **kwargs: Any,
    ) -> BaseModelOutput:
        """Encode `[B, S]` ids (or `[B, S, D]` embeddings); `attention_mask` `[B, S]` is 1 at tokens, 0 at padding."""
        embeddings = embed(self.tokens, input_ids, inputs_embeds)
        mask = create_bidirectional_mask(self.config, embeddings, attention_mask)
        hidden = self.positions(embeddings)
        for layer in self.layers:
            hidden = layer(hidden, mask, **kwargs)
        return BaseModelOutput(last_hidden_state=self.final_norm(hidden))


class VaswaniDecoder(Stack):
    """The decoder: N layers over embedded target tokens and the encoder's output. Pre-norm adds one last LayerNorm."""

    _can_record_outputs = {  # noqa: RUF012
        "hidden_states": DecoderLayer,
        "attentions": OutputRecorder(MultiHeadAttention, index=1, layer_name="self_attention"),
        "cross_attentions": OutputRecorder(MultiHeadAttention, index=1, layer_name="cross_attention"),
    }

    def __init__(self, config: VaswaniConfig, tokens: nn.Embedding) -> None:
        super().__init__(config)
        self.tokens = tokens
        self.positions = PositionalEmbedding(config)
        self.layers = nn.ModuleList([DecoderLayer(config, i) for i in range(config.decoder_layers)])
        self.final_norm = nn.LayerNorm(config.d_model) if config.norm == "pre" else nn.Identity()
        self.gradient_checkpointing = False
        self.post_init()

    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPastAndCrossAttentions:
        """Decode `[B, T]` ids (or `[B, T, D]` embeddings) against the encoder's `[B, S, D]`, or K * B rows for B."""
        embeddings = embed(self.tokens, input_ids, inputs_embeds)
        if encoder_hidden_states is None:
            raise ValueError("the decoder attends to the encoder's output: give encoder_hidden_states")
        rows, sources = embeddings.shape[0], encoder_hidden_states.shape[0]
        if not torch.compiler.is_compiling() and rows % sources:
            raise ValueError(f"{rows} decoder row(s) for {sources} sources; give as many, or a multiple for beams")
        if use_cache and past_key_values is None:
            past_key_values = EncoderDecoderCache(DynamicCache(config=self.config), DynamicCache(config=self.config))
        if past_key_values is not None and not isinstance(past_key_values, EncoderDecoderCache):
            raise ValueError(
                f"past_key_values is a {type(past_key_values).__name__}; give an EncoderDecoderCache, which keeps the "
                "source's keys and values apart from the target's"
            )
        self_cache = past_key_values.self_attention_cache if past_key_values is not None else None
        if isinstance(self_cache, StaticCache) and self.config._attn_implementation == "flex_attention":
            raise ValueError("flex_attention goes wrong with a static cache; choose sdpa, or a dynamic cache")
        mask = create_causal_mask(self.config, embeddings, attention_mask, **named(self_cache))
        asking = embeddings.reshape(encoder_hidden_states.shape[0], -1, embeddings.shape[-1])  # beams share a source
        memory_mask = create_bidirectional_mask(
            self.config, asking, encoder_attention_mask, encoder_hidden_states=encoder_hidden_states
        )
        hidden = self.positions(embeddings, self_cache.get_seq_length() if self_cache is not None else 0)
        for layer in self.layers:
            hidden = layer(hidden, mask, encoder_hidden_states, memory_mask, past_key_values=past_key_values, **kwargs)
        return BaseModelOutputWithPastAndCrossAttentions(
            last_hidden_state=self.final_norm(hidden), **named(past_key_values)
        )


class VaswaniModel(VaswaniPreTrainedModel):
    """Encoder and decoder around one embedding table (section 3.4)."""

    _tied_weights_keys = {"encoder.tokens.weight": "tokens.weight", "decoder.tokens.weight": "tokens.weight"}  # noqa: RUF012

    def __init__(self, config: VaswaniConfig) -> None:
        super().__init__(config)
        self.tokens = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = VaswaniEncoder(config, self.tokens)
        self.decoder = VaswaniDecoder(config, self.tokens)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Return the one table, `[V, D]`."""
        return self.tokens

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Put another table in all of its places."""
        assert isinstance(value, nn.Embedding)
        self.tokens = self.encoder.tokens = self.decoder.tokens = value

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: BaseModelOutput | tuple[Tensor, ...] | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        cache: Cache | None = None,
        **kwargs: Any,
    ) -> Seq2SeqModelOutput:
        """Encode `[B, S]` ids, or take `encoder_outputs`, and decode `[B, T]` ids; returns `[B, T, D]` and the rest."""
        if encoder_outputs is None:
            encoded: BaseModelOutput = self.encoder(
                input_ids, attention_mask, inputs_embeds, return_dict=True, **kwargs
            )
        elif isinstance(encoder_outputs, BaseModelOutput):
            encoded = encoder_outputs
        else:
            encoded = BaseModelOutput(*encoder_outputs)  # type: ignore[arg-type]  # older callers pass the bare tuple
        decoded = self.decoder(
            input_ids=decoder_input_ids,
            attention_mask=decoder_attention_mask,
            encoder_hidden_states=encoded.last_hidden_state,
            encoder_attention_mask=attention_mask,
            past_key_values=past_key_values if cache is None else cache,
            inputs_embeds=decoder_inputs_embeds,
            use_cache=use_cache,
            return_dict=True,
            **kwargs,
        )
        return Seq2SeqModelOutput(
            last_hidden_state=decoded.last_hidden_state,
            **named(getattr(decoded, CACHE)),
            decoder_hidden_states=decoded.hidden_states,
            decoder_attentions=decoded.attentions,
            cross_attentions=decoded.cross_attentions,
            encoder_last_hidden_state=encoded.last_hidden_state,
            encoder_hidden_states=encoded.hidden_states,
            encoder_attentions=encoded.attentions,
        )


# --- Training and translation -----------------------------------------------------------------------------------------


def shift_right(labels: Tensor, start: int, padding: int) -> Tensor:
    """Decoder input for `[B, T]` labels: the start token, then all labels but the last; -100 becomes padding."""
    shifted = labels.roll(1, dims=-1)
    shifted[:, 0] = start
    return shifted.masked_fill(shifted == -100, padding)


class Projection(nn.Linear):
    """The pre-softmax projection, whose matrix is the embedding table (section 3.4), and the loss of its logits (5.4).

    A bias, which the paper has not, is its own.

    A module of its own, though the matrix is another module's: where weights are offloaded, spread over devices or cut
    into parts, they are brought for the module that is called, and for no other.
    """

    def __init__(self, config: VaswaniConfig, tokens: nn.Embedding) -> None:
        super().__init__(config.d_model, config.vocab_size, bias=False, device="meta")  # no matrix of its own
        self.weight = tokens.weight
        if config.output_bias:
            self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.config = config

    def forward(
        self, hidden: Tensor, labels: Tensor | None = None, num_items_in_batch: Tensor | int | None = None
    ) -> Any:
        """Return logits `[B, T, V]` of `[B, T, D]`; with `labels` `[B, T]`, the loss of a token before them."""
        if labels is None:
            return self.logits(hidden)
        total, logits = self.loss(hidden, labels)
        return total / (num_items_in_batch if num_items_in_batch is not None else (labels != -100).sum()), logits

    def logits(self, hidden: Tensor) -> Tensor:
        """Return `[B, T, V]` of `[B, T, D]`; the place to replace the product, as translating on a CPU does."""
        return super().forward(hidden)

    def loss(self, hidden: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the loss, summed over the labels that are not -100, and the logits.

        This is the place to replace the loss: training puts a function with the same arguments in its place, which may
        leave the logits out. Smoothed in training mode; in evaluation mode plain cross entropy, so that its exponential
        is the perplexity of table 3. Float32 at least.

        Args:
            hidden: `[B, T, D]`, of the decoder.
            labels: `[B, T]`; -100 is ignored.

        """
        logits = self.logits(hidden)
        smoothing = self.config.label_smoothing if self.training else 0.0
        at_least_float32 = logits.flatten(0, 1).to(torch.promote_types(logits.dtype, torch.float32))
        total = F.cross_entropy(at_least_float32, labels.flatten(), reduction="sum", label_smoothing=smoothing)
        return total, logits


class VaswaniForConditionalGeneration(VaswaniPreTrainedModel, GenerationMixin):
    """The Transformer with the pre-softmax projection."""

    _tied_weights_keys = {  # noqa: RUF012
        "lm_head.weight": "model.tokens.weight",
        "model.encoder.tokens.weight": "model.tokens.weight",
        "model.decoder.tokens.weight": "model.tokens.weight",
    }

    def __init__(self, config: VaswaniConfig) -> None:
        super().__init__(config)
        self.model = VaswaniModel(config)
        self.lm_head = Projection(config, self.model.tokens)
        self.post_init()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Put another table in all of its places, the projection among them."""
        self.model.set_input_embeddings(value)
        head, size = self.lm_head, self.model.tokens.num_embeddings
        head.weight, head.out_features = self.model.tokens.weight, size
        if head.bias is not None and len(head.bias) != size:
            head.bias = nn.Parameter(F.pad(head.bias.detach(), (0, size - len(head.bias))), head.bias.requires_grad)

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        """Refuse another matrix than the table's: they are one (section 3.4)."""
        if new_embeddings.weight is not self.model.tokens.weight:
            raise ValueError(
                "the projection's matrix is the embedding table (section 3.4): give set_input_embeddings another "
                "table, or resize_token_embeddings another size"
            )

    def prepare_decoder_input_ids_from_labels(self, labels: Tensor) -> Tensor:
        """Shift `[B, T]` labels right, as the loss does."""
        start, padding = self.config.decoder_start_token_id, self.config.pad_token_id
        if start is None or padding is None:
            raise ValueError(
                f"decoder_start_token_id is {start} and pad_token_id is {padding}: labels cannot be shifted without "
                "both; set them in the configuration, or give decoder_input_ids"
            )
        return shift_right(labels, start, padding)

    def generate(  # type: ignore[override]
        self, inputs: Tensor | None = None, generation_config: Any = None, *, paper_search: bool = True, **kwargs: Any
    ) -> Any:
        """Translate as `GenerationMixin.generate` does, with the search of section 6.1 where beams are asked for.

        A translation has at most 50 tokens more than the longest source, unless `max_new_tokens` or `max_length` says
        otherwise; with the paper's search 50 more than its own, which these can only lower: `extra_tokens` says
        another number than 50. Where `min_new_tokens` or `min_length` asks for more tokens than the source has, 50 more
        than those. `paper_search=False` searches by transformers.

        Raises:
            ValueError: a source or a prompt is padded on its left, or the paper's search is asked for attentions,
                hidden states or a streamer, which it cannot give.

        """
        if generation_config is not None:
            kwargs["generation_config"] = generation_config
        settings = prepare_generate(self, inputs, kwargs, paper_search)
        return super().generate(inputs, **settings)  # type: ignore[misc]

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: BaseModelOutput | tuple[Tensor, ...] | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        num_items_in_batch: Tensor | int | None = None,
        cache: Cache | None = None,
        **kwargs: Any,
    ) -> Seq2SeqLMOutput:
        """Logits `[B, T, V]`, and with `labels` `[B, T]` (-100 is ignored) the smoothed loss.

        The loss is summed over target tokens and divided once by `num_items_in_batch`, the tokens of the whole step
        on all processes, so that no split of a step changes it; alone, by the tokens that are here. Logits are
        those of `labels` position by position: nothing is shifted twice. In evaluation mode the loss is plain cross
        entropy, so that its exponential is the perplexity of table 3. `cache` is what `generate` calls
        `past_key_values` since transformers 5.24.
        """
        if labels is not None:
            use_cache = False
            if decoder_input_ids is None and decoder_inputs_embeds is None:
                decoder_input_ids = self.prepare_decoder_input_ids_from_labels(labels)
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            decoder_input_ids=decoder_input_ids,
            decoder_attention_mask=decoder_attention_mask,
            encoder_outputs=encoder_outputs,
            past_key_values=past_key_values if cache is None else cache,
            inputs_embeds=inputs_embeds,
            decoder_inputs_embeds=decoder_inputs_embeds,
            use_cache=use_cache,
            return_dict=True,
            **kwargs,
        )
        if labels is None:
            loss, logits = None, self.lm_head(outputs.last_hidden_state)
        else:
            loss, logits = self.lm_head(outputs.last_hidden_state, labels, num_items_in_batch)
        return Seq2SeqLMOutput(
            loss=loss,
            logits=logits,
            **named(getattr(outputs, CACHE)),
            decoder_hidden_states=outputs.decoder_hidden_states,
            decoder_attentions=outputs.decoder_attentions,
            cross_attentions=outputs.cross_attentions,
            encoder_last_hidden_state=outputs.encoder_last_hidden_state,
            encoder_hidden_states=outputs.encoder_hidden_states,
            encoder_attentions=outputs.encoder_attentions,
        )


__all__ = ["VaswaniForConditionalGeneration", "VaswaniModel", "VaswaniPreTrainedModel"]
