"""The network computes what torch.nn.Transformer and transformers' Marian compute, to 1e-9 in float64.

Weights go both ways by their names, and every parameter on either side must have its place. Both references add biases
to the attention's projections, which the paper's equations have not: these are held at zero.
"""

import math
import random
import re
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from transformers import MarianConfig, MarianMTModel

from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.modeling.modeling_vaswani import shift_right, sinusoidal_positions

LONGEST = 12


class TorchTransformer(nn.Module):
    """torch.nn.Transformer between the embeddings and the projection of section 3.4."""

    words: ClassVar = {
        r"^tokens": "model.tokens",
        r"^(source|target)_positions": r"model.\1.positions.learned.weight",
        r"^model.source": "model.encoder",
        r"^model.target": "model.decoder",
        r"^transformer": "model",
        r"self_attn": "self_attention",
        r"multihead_attn": "cross_attention",
        r"in_proj_weight": "w_*.weight",  # three of ours, one on the other
        r"out_proj\.weight": "w_o.weight",
        r"linear(\d)": r"feed_forward.w_\1",
        r"coder\.norm": "coder.final_norm",
        r"norm1": "self_attention_residual.norm",
        r"(decoder.*)norm2": r"\1cross_attention_residual.norm",
        r"norm[23]": "feed_forward_residual.norm",
    }

    def __init__(self, config: VaswaniConfig) -> None:
        super().__init__()
        self.tokens = nn.Embedding(config.vocab_size, config.d_model)
        table = sinusoidal_positions(torch.arange(LONGEST), config.d_model)
        self.source_positions = nn.Parameter(table.clone(), requires_grad=config.positions == "learned")
        self.target_positions = nn.Parameter(table.clone(), requires_grad=config.positions == "learned")
        self.transformer = nn.Transformer(
            config.d_model,
            config.num_heads,
            config.encoder_layers,
            config.decoder_layers,
            config.d_ff,
            dropout=0.0,
            batch_first=True,
            norm_first=config.norm == "pre",
        )
        if config.norm == "post":  # the paper's layers end in a norm each; torch puts one more after the last
            self.transformer.encoder.norm = self.transformer.decoder.norm = None

    def embed(self, ids: Tensor, positions: Tensor) -> Tensor:
        return self.tokens(ids) * math.sqrt(self.tokens.embedding_dim) + positions[: ids.shape[1]]

    def forward(self, source: Tensor, source_mask: Tensor, target: Tensor) -> Tensor:
        hidden: Tensor = self.transformer(
            self.embed(source, self.source_positions),
            self.embed(target, self.target_positions),
            tgt_mask=torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1),
            src_key_padding_mask=source_mask == 0,
            memory_key_padding_mask=source_mask == 0,
        )
        return hidden @ self.tokens.weight.T


class Marian(nn.Module):
    """Marian with the paper's ReLU and, in place of its own position table (sines, then cosines), the paper's."""

    words: ClassVar = {
        r"^marian\.model\.shared": "model.tokens",
        r"^marian\.model": "model",
        r"self_attn_layer_norm": "self_attention_residual.norm",
        r"encoder_attn_layer_norm": "cross_attention_residual.norm",
        r"final_layer_norm": "feed_forward_residual.norm",
        r"self_attn": "self_attention",
        r"encoder_attn": "cross_attention",
        r"([qkv])_proj\.weight": r"w_\1.weight",
        r"out_proj\.weight": "w_o.weight",
        r"fc(\d)": r"feed_forward.w_\1",
    }

    def __init__(self, config: VaswaniConfig) -> None:
        super().__init__()
        self.marian = MarianMTModel(
            MarianConfig(
                vocab_size=config.vocab_size,
                d_model=config.d_model,
                encoder_layers=config.encoder_layers,
                decoder_layers=config.decoder_layers,
                encoder_attention_heads=config.num_heads,
                decoder_attention_heads=config.num_heads,
                encoder_ffn_dim=config.d_ff,
                decoder_ffn_dim=config.d_ff,
                activation_function="relu",
                scale_embedding=True,
                dropout=0.0,
                max_position_embeddings=LONGEST,
                pad_token_id=config.pad_token_id,
                eos_token_id=config.eos_token_id,
                decoder_start_token_id=config.decoder_start_token_id or 0,
            )
        )
        for stack in (self.marian.model.encoder, self.marian.model.decoder):
            stack.embed_positions.weight.copy_(sinusoidal_positions(torch.arange(LONGEST), config.d_model))

    def forward(self, source: Tensor, source_mask: Tensor, target: Tensor) -> Tensor:
        logits: Tensor = self.marian(source, source_mask, target).logits
        return logits


Reference = TorchTransformer | Marian
REFERENCES: dict[str, tuple[type[Reference], dict[str, Any]]] = {
    "torch": (TorchTransformer, {}),
    "torch, pre-norm": (TorchTransformer, {"norm": "pre"}),
    "torch, learned positions": (TorchTransformer, {"positions": "learned"}),
    "marian": (Marian, {}),
}


def learning(network: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}


def places(theirs: Reference) -> dict[str, list[str]]:
    """Their parameters' names, each with ours; the attention biases, which we have not, are left out."""
    names = {}
    for name in learning(theirs):
        if re.search(r"attn\..*proj[._]bias$", name):
            continue
        ours = name
        for word, our_word in theirs.words.items():
            ours = re.sub(word, our_word, ours)
        names[name] = [ours.replace("w_*", f"w_{x}") for x in "qkv"] if "w_*" in ours else [ours]
    return names


def random_config(seed: int, **changes: Any) -> VaswaniConfig:
    draw = random.Random(seed)
    heads = draw.choice([2, 3, 4])
    return VaswaniConfig(
        vocab_size=draw.randint(20, 40),
        d_model=heads * draw.choice([4, 6, 8]),
        d_ff=draw.randint(5, 30),
        num_heads=heads,
        encoder_layers=draw.randint(1, 3),
        decoder_layers=draw.randint(1, 3),
        dropout=0.0,
        label_smoothing=draw.choice([0.0, 0.1, 0.3]),
        max_positions=LONGEST,
        **changes,
    )


def smoothed_loss(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Cross entropy, 1 - smoothing on the label and the rest spread evenly, summed, then divided by the tokens."""
    real = labels != -100
    log_probabilities = logits[real].log_softmax(-1)
    on_label = log_probabilities.gather(-1, labels[real][:, None]).sum()
    spread = log_probabilities.mean(-1).sum()
    return -((1 - smoothing) * on_label + smoothing * spread) / real.sum()


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")  # a fast path of torch's that is not meant here
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("copied_from", ["ours", "theirs"])
@pytest.mark.parametrize("reference", REFERENCES)
def test_logits_loss_and_gradients_equal_the_reference(
    reference: str,
    copied_from: str,
    attention: str,
    seed: int,
    randomise: Callable[[nn.Module], None],
    padded_batch: Callable[..., dict[str, Tensor]],
) -> None:
    kind, changes = REFERENCES[reference]
    config = random_config(seed, **changes)
    torch.manual_seed(seed)
    ours = VaswaniForConditionalGeneration(config).double().train()
    ours.set_attn_implementation(attention)
    theirs = kind(config).double().train()
    our_parameters, their_parameters, names = learning(ours), learning(theirs), places(theirs)
    assert sorted(name for group in names.values() for name in group) == sorted(our_parameters)

    randomise(ours if copied_from == "ours" else theirs)
    with torch.no_grad():
        for name, parameter in their_parameters.items():
            if name not in names:
                parameter.zero_()
            elif copied_from == "ours":
                parameter.copy_(torch.cat([our_parameters[x] for x in names[name]]))
            else:
                for our_name, part in zip(names[name], parameter.chunk(len(names[name])), strict=True):
                    our_parameters[our_name].copy_(part)

    batch = padded_batch(
        seed, rows=4, source_length=LONGEST - seed, target_length=8 + seed, vocab_size=config.vocab_size
    )
    output = ours(**batch)
    target = shift_right(batch["labels"], start=2, padding=1)
    logits = theirs(batch["input_ids"], batch["attention_mask"], target)
    loss = smoothed_loss(logits, batch["labels"], config.label_smoothing)
    torch.testing.assert_close(output.logits, logits, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(output.loss, loss, rtol=1e-9, atol=1e-9)

    output.loss.backward()
    loss.backward()
    for name, group in names.items():
        gradients = [gradient for x in group if (gradient := our_parameters[x].grad) is not None]
        expected = their_parameters[name].grad
        torch.testing.assert_close(torch.cat(gradients), expected, rtol=1e-9, atol=1e-9, msg=name)


def test_marian_shifts_the_same_labels_and_reports_the_same_plain_loss(
    randomise: Callable[[nn.Module], None], padded_batch: Callable[..., dict[str, Tensor]]
) -> None:
    config = random_config(seed=5)
    ours, theirs = VaswaniForConditionalGeneration(config).double().eval(), Marian(config).double().eval()
    randomise(ours)
    our_parameters, their_parameters = learning(ours), learning(theirs)
    with torch.no_grad():
        for name, parameter in their_parameters.items():
            parameter.zero_()
            for our_name in places(theirs).get(name, []):
                parameter.copy_(our_parameters[our_name])
    batch = padded_batch(vocab_size=config.vocab_size)
    expected = theirs.marian(**batch)
    output = ours(**batch)
    torch.testing.assert_close(output.logits, expected.logits, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(output.loss, expected.loss, rtol=1e-9, atol=1e-9)
