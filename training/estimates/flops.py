"""The size and cost of a network, by formula: parameters, and floating-point operations of a pass.

Operations are those of matrix products, each multiplication and each addition one, as `torch.utils.flop_counter`
counts them. Element-wise operations (softmax, norms, dropout, Adam) are left out: they cost time for memory access, but
hardly any arithmetic. An embedding lookup costs none.

Symbols: V tokens of the vocabulary, D = d_model, H heads, N layers, B pairs of S source and T target positions, padding
    included.
"""

from typing import NamedTuple

BACKWARD = 2
"""The cost of the backward pass in forward passes: each product has a gradient for each of its two factors."""


class Dimensions(NamedTuple):
    """A network, by the fields of its configuration that decide the amount of computation."""

    vocab_size: int
    d_model: int
    d_ff: int
    num_heads: int
    d_k: int
    d_v: int
    encoder_layers: int
    decoder_layers: int
    positions: str
    max_positions: int
    norm: str
    attention_bias: bool = False
    output_bias: bool = False

    @property
    def attentions(self) -> int:
        """Attention sub-layers: one in a layer of the encoder, two in one of the decoder."""
        return self.encoder_layers + 2 * self.decoder_layers

    @property
    def heads(self) -> int:
        """Columns of a head's query and value, over all heads: H (d_k + d_v)."""
        return self.num_heads * (self.d_k + self.d_v)


class Parameters(NamedTuple):
    """The number of learned parameters, by part."""

    embeddings: int
    """One table for source, target and the projection before the softmax (section 3.4)."""
    positions: int
    """A table for each stack in row E; sinusoids have none."""
    attention: int
    """W^Q, W^K, W^V, W^O (section 3.2.2), and their biases where there are any."""
    feed_forward: int
    """Equation 2, with its biases."""
    norms: int
    """A gain and a bias for each sub-layer, and with pre-norm for each stack."""
    output_bias: int
    """One number for each token, where the projection has a bias; the paper's has none."""


class Operations(NamedTuple):
    """Floating-point operations by part."""

    projections: float
    """W^Q, W^K, W^V, W^O."""
    products: float
    """Equation 1: queries by keys, and weights by values."""
    feed_forward: float
    logits: float
    """The projection before the softmax."""


def parameters(network: Dimensions) -> Parameters:
    """Return the number of learned parameters."""
    n = network
    layers = n.encoder_layers + n.decoder_layers
    sublayers = n.attentions + layers
    return Parameters(
        embeddings=n.vocab_size * n.d_model,
        positions=2 * n.max_positions * n.d_model if n.positions == "learned" else 0,
        attention=n.attentions
        * (2 * n.d_model * n.heads + n.attention_bias * (n.heads + n.num_heads * n.d_k + n.d_model)),
        feed_forward=layers * (2 * n.d_model * n.d_ff + n.d_ff + n.d_model),
        norms=2 * n.d_model * (sublayers + (2 if n.norm == "pre" else 0)),
        output_bias=n.vocab_size if n.output_bias else 0,
    )


def forward(network: Dimensions, pairs: float, source: int, target: int) -> Operations:
    """Return the operations of one forward pass, logits included; the backward pass takes BACKWARD times that.

    The decoder's attention to the future is computed too, and then masked, as in the paper's matrices; kernels that
    skip it save half of the products of the decoder's self-attention.

    Args:
        network: its dimensions.
        pairs: B.
        source: S.
        target: T.

    """
    n = network
    of_encoder, of_decoder = n.encoder_layers * source, n.decoder_layers * target
    # W^Q and W^O apply to the queries' side, W^K and W^V to what is attended to: itself, or the source.
    asking_and_asked = 2 * of_encoder + 2 * of_decoder + n.decoder_layers * (source + target)
    met = of_encoder * source + of_decoder * (target + source)
    return Operations(
        projections=pairs * 2 * n.d_model * n.heads * asking_and_asked,
        products=pairs * 2 * n.heads * met,
        feed_forward=pairs * 4 * n.d_model * n.d_ff * (of_encoder + of_decoder),
        logits=pairs * 2 * n.d_model * n.vocab_size * target,
    )
