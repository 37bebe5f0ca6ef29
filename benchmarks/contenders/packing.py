"""Attention over sentences laid end to end, by `torch.nn.attention.varlen.varlen_attn`: no masks, and no padding.

A candidate, to be decided by measurement on a GPU; it is applied to the network from outside. Two layouts:

- The batch stays as it is, `[B, T]`, and only attention sees sequences: each sentence is one, and the padding behind it
  is another, so that nothing is moved and every size is fixed. Padding attends to padding, which no loss counts.
- All sentences of a side are one row `[1, P]`, and no place of the network is padding.

`varlen_attn` came with torch 2.10; `scale` and `window_size`, which took the place of `is_causal`, with 2.11 (pytorch
pull requests 172238 and 172245, of January 2026). It asks for CUDA and 16 bits. Elsewhere a reference stands in for it.

Shapes: B sentences, S source and T target positions, P tokens of a side without padding, Q sequences that ask and are
asked, H heads, d columns of a head.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AttentionInterface

from vaswani.modeling import VaswaniForConditionalGeneration

from .stepping import DEVICE, Batch


class Sequences(NamedTuple):
    """Where the sequences of a side begin."""

    starts: Tensor
    """`[Q + 1]`, int32: the first place of each, and the end of the last."""
    longest: int


class Packed(NamedTuple):
    """A batch without padding, each side in one row."""

    input_ids: Tensor
    """`[1, P]`."""
    decoder_input_ids: Tensor
    labels: Tensor
    source: Sequences
    target: Sequences
    source_offsets: Tensor
    """`[P]`: what makes the position in the row the position in the sentence, section 3.5's."""
    target_offsets: Tensor


def padded_sequences(there: Tensor) -> Sequences:
    """Return sentences and paddings by turns, 2 B of them, of a side that is filled up on the right.

    Args:
        there: `[B, T]`, whether a token stands at a place.

    """
    rows, width = there.shape
    first = width * torch.arange(rows, device=there.device)
    inner = torch.stack([first, first + there.sum(1)], dim=1).flatten()
    return Sequences(F.pad(inner, (0, 1), value=rows * width).int(), width)


def pack(sample: Batch, start: int) -> Packed:
    """Lay the sentences of a batch end to end; `start` is the token that a target begins with.

    The size of what comes out is that of the text, so this waits for the accelerator: it belongs into the loader.
    """
    sides = []
    for ids, there in ((sample.input_ids, sample.attention_mask.bool()), (sample.labels, sample.labels != -100)):
        lengths = there.sum(1)
        starts = F.pad(lengths.cumsum(0), (1, 0))
        offsets = -starts[:-1].repeat_interleave(lengths)
        sides.append((ids[there][None], Sequences(starts.int(), int(lengths.max())), offsets))
    (input_ids, source, source_offsets), (labels, target, target_offsets) = sides
    shifted = labels.roll(1, dims=-1)
    shifted[0, target.starts[:-1].long()] = start
    return Packed(input_ids, shifted, labels, source, target, source_offsets, target_offsets)


def attend_by_sequences(model: VaswaniForConditionalGeneration, kernel: Callable[..., Tensor] | None = None) -> None:
    """Let a network attend by sequences; each call has to say which, `source=` and `target=`.

    Args:
        model: the network.
        kernel: `varlen_attn` or what stands in for it; by default the one that the device has.

    """
    attention = kernel or (torch_kernel() if DEVICE.type == "cuda" else by_sentence)
    for layer in model.model.encoder.layers:
        layer.self_attention.sides = ("source", "source")
    for layer in model.model.decoder.layers:
        layer.self_attention.sides = ("target", "target")
        layer.cross_attention.sides = ("target", "source")

    def attend(
        module: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        _: Tensor | None,
        *,
        scaling: float,
        source: Sequences,
        target: Sequences,
        **__: Any,
    ) -> tuple[Tensor, None]:
        """Queries `[B, H, Q, d]`, and so on, to `[B, Q, H, d]`."""
        asking, asked = (source if side == "source" else target for side in module.sides)
        laid_out = [each.transpose(1, 2).flatten(0, 1) for each in (query, key, value)]  # [B * T, H, d]
        heads = attention(
            *laid_out,
            asking.starts,
            asked.starts,
            asking.longest,
            asked.longest,
            scale=scaling,
            window_size=(-1, 0) if module.is_causal else (-1, -1),
        )
        return heads.unflatten(0, (len(query), -1)), None

    AttentionInterface.register("by_sequences", attend)
    model.set_attn_implementation("by_sequences")


def count_positions_by_sentence(model: VaswaniForConditionalGeneration, packed: Packed) -> None:
    """Let positions begin anew with each sentence of a packed batch."""
    for stack, offsets in ((model.model.encoder, packed.source_offsets), (model.model.decoder, packed.target_offsets)):
        stack.positions.forward = _Anew(stack.positions, offsets)


class _Anew:
    """`PositionalEmbedding.forward` with a first position for each place."""

    def __init__(self, module: nn.Module, offsets: Tensor) -> None:
        self.forward = module.forward
        self.offsets = offsets

    def __call__(self, embeddings: Tensor, _: int = 0) -> Any:
        return self.forward(embeddings, self.offsets)


def torch_kernel() -> Callable[..., Tensor]:
    """Return torch's.

    Raises:
        RuntimeError: this torch has none that takes what is given here.

    """
    if torch.__version__ < "2.11":
        raise RuntimeError(f"torch is {torch.__version__}; varlen_attn with scale and window_size came with 2.11")
    from torch.nn.attention.varlen import varlen_attn  # older ones lack it

    return cast("Callable[..., Tensor]", varlen_attn)


@torch.compiler.disable
def by_sentence(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    asking: Tensor,
    asked: Tensor,
    _: int,
    __: int,
    *,
    scale: float,
    window_size: tuple[int, int],
) -> Tensor:
    """Do what `varlen_attn` does, `[P, H, d]` to `[P, H, d]`, one sequence after another; zeros where none is asked."""
    parts = []
    ends = zip(asking.tolist(), asking.tolist()[1:], asked.tolist(), asked.tolist()[1:], strict=False)
    for first, end, first_asked, end_asked in ends:
        if end == first or end_asked == first_asked:
            parts.append(torch.zeros_like(query[first:end]))
            continue
        queries, keys, values = (
            side.transpose(0, 1)
            for side in (query[first:end], key[first_asked:end_asked], value[first_asked:end_asked])
        )
        is_causal = window_size == (-1, 0)
        heads = F.scaled_dot_product_attention(queries, keys, values, scale=scale, is_causal=is_causal)
        parts.append(heads.transpose(0, 1))
    return torch.cat(parts)
