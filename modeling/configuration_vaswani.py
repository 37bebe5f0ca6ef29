"""The dimensions of the network, each by its symbol in table 3 of "Attention Is All You Need"."""

from typing import Any, Literal

from transformers.utils.versions import require_version

READERS = "transformers>=5.4"
"""The versions that load a saved model without this package, for pip and `require_version`; see docs/hub.md."""
require_version(READERS, f"This model's code needs it; pip install -U '{READERS}'")  # or the names below do not exist

from huggingface_hub.dataclasses import strict  # noqa: E402
from transformers.configuration_utils import PreTrainedConfig  # noqa: E402

COMPUTED = (
    "vocab_size",
    "d_model",
    "d_ff",
    "num_heads",
    "d_k",
    "d_v",
    "encoder_layers",
    "decoder_layers",
    "norm",
    "positions",
    "max_positions",
    "attention_bias",
    "activation",
    "output_bias",
    "pad_token_id",
    "eos_token_id",
    "decoder_start_token_id",
)
"""Fields that decide what a network computes; the others concern learning, such as dropout, or loading."""


@strict
class VaswaniConfig(PreTrainedConfig):
    """Configuration of the Transformer; the defaults are the paper's base model.

    Raises:
        ValueError: a dimension is not positive, a probability is outside [0, 1), `d_model` is odd under sinusoidal
            positions, `d_k` or `d_v` is left out while `num_heads` does not divide `d_model`, or the embeddings are
            to be untied.

    """

    model_type = "vaswani"
    keys_to_ignore_at_inference = ["past_key_values", "cache"]  # noqa: RUF012  (the Trainer adds a list to it)
    attribute_map = {  # noqa: RUF012  (PreTrainedConfig declares it without ClassVar)
        "hidden_size": "d_model",
        "num_attention_heads": "num_heads",
        "num_hidden_layers": "encoder_layers",
        "head_dim": "d_k",
    }

    pipelines_are_registered = False
    """Whether `pipeline` already knows our tasks; if not, it asks for permission to run the code in the folder."""

    vocab_size: int = 37000
    """Tokens in the one vocabulary that source and target share (section 5.1)."""
    d_model: int = 512
    """Width of every embedding and sub-layer output (section 3.1)."""
    d_ff: int = 2048
    """Width inside the feed-forward network (section 3.3)."""
    num_heads: int = 8
    """h, the attention heads of each layer (section 3.2.2)."""
    d_k: int | None = None
    """Width of a head's queries and keys; d_model / h if left out (rows B vary it alone)."""
    d_v: int | None = None
    """Width of a head's values; d_model / h if left out."""
    encoder_layers: int = 6
    """N, the layers of the encoder (section 3.1)."""
    decoder_layers: int = 6
    """N, the layers of the decoder (section 3.1)."""
    dropout: float | int = 0.1
    """P_drop on each sub-layer's output and on the embeddings plus positions (section 5.4)."""
    label_smoothing: float | int = 0.1
    """epsilon_ls, the share of probability spread evenly over the vocabulary (section 5.4)."""
    positions: Literal["sinusoidal", "learned"] = "sinusoidal"
    """Positional encoding: section 3.5, or row E."""
    norm: Literal["post", "pre"] = "post"
    """LayerNorm(x + Sublayer(x)) as in section 3.1, or x + Sublayer(LayerNorm(x)) as in later work."""
    attention_dropout: float | int = 0.0
    """Dropout on attention weights; none in the paper."""
    activation_dropout: float | int = 0.0
    """Dropout on the feed-forward network's hidden layer; none in the paper."""
    max_positions: int = 1024
    """Rows of the learned position table. Sinusoids are computed and have no limit."""

    # What the paper has not and its descendants have: fairseq, Marian, OPUS-MT (docs/paper.md).
    attention_bias: bool = False
    """Whether W^Q, W^K, W^V and W^O add a bias; no equation of the paper has one."""
    activation: Literal["relu", "silu", "gelu"] = "relu"
    """What stands between W_1 and W_2 of equation 2: ReLU; or SiLU, also called swish; or GELU, the exact one."""
    output_bias: bool = False
    """Whether the projection adds a bias to the logits, one number for each token of the vocabulary."""

    is_encoder_decoder: bool = True
    tie_word_embeddings: bool = True
    use_cache: bool = True
    pad_token_id: int | None = 1
    bos_token_id: int | None = 2
    eos_token_id: int | list[int] | None = 3
    decoder_start_token_id: int | None = 2

    def __post_init__(self, **kwargs: object) -> None:
        super().__post_init__(**kwargs)  # fields under their usual names, such as hidden_size, are set here
        if (
            (self.d_k is None or self.d_v is None)
            and min(self.num_heads, self.d_model) > 0
            and self.d_model % self.num_heads
        ):
            raise ValueError(
                f"num_heads={self.num_heads} does not divide d_model={self.d_model}; "
                "choose another number of heads, or give both d_k and d_v"
            )
        for name in ("d_k", "d_v"):
            if getattr(self, name) is None and self.num_heads > 0:
                setattr(self, name, self.d_model // self.num_heads)
        self.check()
        if not getattr(self, "auto_map", None):  # saving names the other classes, but leaves this one out
            self.auto_map = {"AutoModel": "modeling_vaswani.VaswaniModel"}
        others = {task: info for task, info in getattr(self, "custom_pipelines", {}).items() if task not in pipelines()}
        self.custom_pipelines = others if self.pipelines_are_registered else others | pipelines()

    def check(self) -> None:
        """Raise ValueError if a field has an impossible value; see the class.

        A model calls this before it is built, and again before it is saved, because fields can be set one by one, also
        by `from_pretrained(..., dropout=2)`.
        """
        names = ("vocab_size", "d_model", "d_ff", "num_heads", "d_k", "d_v", "encoder_layers", "decoder_layers")
        for name in (*names, "max_positions"):
            if getattr(self, name) is None or getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("dropout", "label_smoothing", "attention_dropout", "activation_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; a probability in [0, 1) is needed")
        if self.positions == "sinusoidal" and self.d_model % 2:
            raise ValueError(f"d_model is {self.d_model}; sinusoids come in pairs, so give an even one")
        if not self.tie_word_embeddings:
            raise ValueError(
                "tie_word_embeddings is False; the embeddings and the projection are one matrix here (section 3.4), "
                "so leave it True"
            )

    def save_pretrained(self, save_directory: Any, push_to_hub: bool = False, **kwargs: Any) -> None:
        """Write config.json, but refuse if it could not be read again."""
        self.check()
        super().save_pretrained(save_directory, push_to_hub=push_to_hub, **kwargs)

    def to_dict(self) -> dict[str, Any]:
        """Return the contents of config.json, always with our pipelines."""
        content = super().to_dict()
        return content | {"custom_pipelines": content.get("custom_pipelines", {}) | pipelines()}


def pipelines() -> dict[str, Any]:
    """Return where `pipeline` finds the code of its tasks in the folder of a saved model."""
    return {"translation": {"impl": "pipeline_vaswani.TranslationPipeline", "pt": ["AutoModelForSeq2SeqLM"]}}


__all__ = ["VaswaniConfig"]
