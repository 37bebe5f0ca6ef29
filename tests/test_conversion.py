"""Imported weights give the logits of the network that they came from; what cannot be expressed is refused by name.

Marian is run beside ours. Of fairseq and tensor2tensor, which are not installed, the files are written here, and their
formulas as their papers and documents give them are computed here, by torch alone; test_fairseq.py has fairseq's own.
"""

import argparse
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModelForSeq2SeqLM, MarianConfig, MarianMTModel

from vaswani.commands import main
from vaswani.modeling import VaswaniForConditionalGeneration

Randomise = Callable[[nn.Module], None]
V, D, FF, H = 23, 12, 20, 3


def marian(randomise: Randomise, **changes: Any) -> MarianMTModel:
    """A Marian that the paper's equations can express: ReLU, and biases on keys alone; test_opus.py has the others."""
    torch.manual_seed(0)
    config = MarianConfig(
        **{
            "vocab_size": V,
            "d_model": D,
            "encoder_layers": 2,
            "decoder_layers": 3,
            "encoder_attention_heads": H,
            "decoder_attention_heads": H,
            "encoder_ffn_dim": FF,
            "decoder_ffn_dim": FF,
            "activation_function": "relu",
            "scale_embedding": True,
            "max_position_embeddings": 32,
            "pad_token_id": V - 1,
            "eos_token_id": 0,
            "decoder_start_token_id": V - 1,
            "forced_eos_token_id": 0,
            **changes,
        }
    )
    model = MarianMTModel(config).eval()
    randomise(model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("q_proj.bias", "v_proj.bias", "out_proj.bias")):
                parameter.zero_()
    return model


@torch.no_grad()
def assert_same_logits(ours: Any, theirs: Callable[[Tensor, Tensor], Tensor], vocab_size: int = V) -> None:
    """Compare on two sentences of unlike words, and tell that the network does more than nothing."""
    draw = torch.Generator().manual_seed(1)
    source = torch.randint(2, V - 1, (2, 9), generator=draw)
    target = torch.randint(2, V - 1, (2, 7), generator=draw)
    expected = theirs(source, target)
    found = ours.eval()(source, decoder_input_ids=target).logits[:, :, :vocab_size]
    torch.testing.assert_close(found, expected.to(found), rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert expected.std() > 0.1
    assert not torch.allclose(expected, theirs(source.flip(1), target), atol=1e-2)


@pytest.mark.parametrize("scaled", [True, False])
def test_marian_gives_the_same_logits_and_translations(randomise: Randomise, tmp_path: Path, scaled: bool) -> None:
    """Its sines stand before its cosines; with or without scaled embeddings; float64."""
    theirs: Any = marian(randomise, scale_embedding=scaled).double()
    theirs.save_pretrained(tmp_path / "marian")
    assert main(["import", str(tmp_path / "marian"), str(tmp_path / "ours")]) == 0
    ours: Any = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "ours")
    assert isinstance(ours, VaswaniForConditionalGeneration)
    assert ours.config.positions == "sinusoidal"
    assert ours.dtype == torch.float64
    assert_same_logits(ours, lambda source, target: theirs(source, decoder_input_ids=target).logits)
    source = torch.tensor([[5, 6, 7, 0], [9, 8, 0, V - 1]])
    mask = (source != V - 1).long()
    asked: dict[str, Any] = {"attention_mask": mask, "num_beams": 3, "max_new_tokens": 8}
    found = ours.generate(source, paper_search=False, **asked)
    assert torch.equal(found, theirs.generate(source, **asked))
    labels = torch.tensor([[4, 5, 0, -100], [6, 7, 8, 0]])
    torch.testing.assert_close(
        ours(source, mask, labels=labels).loss, theirs(source, mask, labels=labels).loss, rtol=1e-5, atol=1e-5
    )


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"activation_function": "gelu_new"}, "compute gelu_new, and ours relu, silu, swish, gelu alone"),
    ({"decoder_ffn_dim": 24}, "encoder_ffn_dim is 20 and decoder_ffn_dim is 24; here they are one number"),
    ({"decoder_attention_heads": 4}, "encoder_attention_heads is 3 and decoder_attention_heads is 4"),
    ({"share_encoder_decoder_embeddings": False, "tie_word_embeddings": False}, "the encoder's embeddings and "),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED, ids=[message[:20] for _, message in REFUSED])
def test_a_marian_that_computes_something_else_is_refused(
    randomise: Randomise, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: Any, message: str
) -> None:
    theirs = marian(randomise, **changes)
    theirs.save_pretrained(tmp_path / "marian")
    assert main(["import", str(tmp_path / "marian"), str(tmp_path / "ours")]) == 2
    error = capsys.readouterr().err
    assert re.search(f"vaswani import: .*{message}", error), error
    assert not (tmp_path / "ours").exists()


def test_a_marian_whose_file_lacks_weights_is_refused_and_none_are_drawn(
    randomise: Randomise, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    marian(randomise).save_pretrained(tmp_path / "marian")
    file = tmp_path / "marian" / "model.safetensors"
    weights = load_file(file)
    del weights["model.encoder.layers.0.fc1.weight"]
    save_file(weights, file, {"format": "pt"})
    assert main(["import", str(tmp_path / "marian"), str(tmp_path / "ours")]) == 2
    assert "the file lacks model.encoder.layers.0.fc1.weight" in capsys.readouterr().err
    assert not (tmp_path / "ours").exists()


# --- fairseq and tensor2tensor: one reference network, written into either's names ---


class Reference(nn.Module):
    """Their network: torch's layers with another table of positions and another epsilon."""

    def __init__(
        self, pre_norm: bool, epsilon: float, table: Tensor, scale: float, key_bias: bool, activation: str | None = None
    ) -> None:
        super().__init__()
        self.tokens, self.table, self.scale = nn.Embedding(V, D), table, scale
        self.stacks = nn.Transformer(
            *(D, H, 2, 2, FF, 0.0, getattr(F, activation or "relu"), None, None),
            batch_first=True,
            norm_first=pre_norm,
            layer_norm_eps=epsilon,
        )
        if not pre_norm:
            self.stacks.encoder.norm = self.stacks.decoder.norm = None
        self.key_bias, self.is_biased = key_bias, activation is not None
        self.space = torch.zeros(D)

    @torch.no_grad()
    def draw(self, randomise: Randomise) -> "Reference":
        randomise(self)
        self.tokens.weight.mul_(D**0.5 / self.scale)
        for name, parameter in self.named_parameters():
            if self.is_biased:
                continue
            if name.endswith("out_proj.bias"):
                parameter.zero_()
            elif name.endswith("in_proj_bias"):
                parameter[:D], parameter[2 * D :] = 0, 0
                parameter[D : 2 * D] *= self.key_bias
        return self.eval()

    def embed(self, ids: Tensor) -> Tensor:
        return self.tokens(ids) * self.scale + self.table[: ids.shape[1]].to(self.tokens.weight)

    def forward(self, source: Tensor, target: Tensor, start_is_zero: bool = False) -> Tensor:
        embedded = self.embed(target)
        if start_is_zero:  # what the token at the start looks up is taken away
            embedded = torch.cat([embedded[:, :1] - self.scale * self.tokens(target[:, :1]), embedded[:, 1:]], 1)
        causal = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1)
        return F.linear(self.stacks(self.embed(source) + self.space, embedded, tgt_mask=causal), self.tokens.weight)


def their_table(first: int, rows: int = 64) -> Tensor:
    """The sinusoids of get_timing_signal_1d, number by number."""
    step = math.log(10000) / (D // 2 - 1)
    angles = [[position * math.exp(-i * step) for i in range(D // 2)] for position in range(first, first + rows)]
    return torch.tensor([[*map(math.sin, row), *map(math.cos, row)] for row in angles])


def fairseq_state(reference: Reference, table: Tensor | None) -> dict[str, Tensor]:
    names = {
        "self_attn.out_proj": "self_attn.out_proj",
        "multihead_attn.out_proj": "encoder_attn.out_proj",
        "linear1": "fc1",
        "linear2": "fc2",
        "norm1": "self_attn_layer_norm",
    }
    state = {"encoder.version": torch.tensor([3.0]), "encoder.embed_tokens.weight": reference.tokens.weight.data}
    for name in ("decoder.embed_tokens.weight", "decoder.output_projection.weight"):
        state[name] = reference.tokens.weight.data
    for stack in ("encoder", "decoder"):
        kind = "weight" if table is not None else "_float_tensor"
        state[f"{stack}.embed_positions.{kind}"] = table if table is not None else torch.zeros(1)
        own = (
            {"norm2": "final_layer_norm"}
            if stack == "encoder"
            else {"norm2": "encoder_attn_layer_norm", "norm3": "final_layer_norm"}
        )
        for name, parameter in getattr(reference.stacks, stack).state_dict().items():
            if "in_proj" in name:
                attention = name.rpartition(".")[0].replace("multihead_attn", "encoder_attn")
                for letter, part in zip("qkv", parameter.chunk(3), strict=True):
                    state[f"{stack}.{attention}.{letter}_proj.{name.rpartition('_')[2]}"] = part.clone()
                continue
            ours = name
            for one, other in (names | own).items():
                ours = ours.replace(f".{one}.", f".{other}.")
            state[f"{stack}.{ours}" if not name.startswith("norm.") else f"{stack}.layer_norm.{name[5:]}"] = parameter
    return state


SETTINGS = {
    "encoder_attention_heads": H,
    "decoder_attention_heads": H,
    "encoder_ffn_embed_dim": FF,
    "decoder_ffn_embed_dim": FF,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "max_source_positions": 64,
    "max_target_positions": 64,
    "activation_fn": "relu",
}


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")  # a fast path of torch's that is not meant here
@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("pre_norm", [False, True])
@pytest.mark.parametrize("activation", [None, "relu", "silu", "gelu"])
def test_fairseq_gives_the_same_logits(
    randomise: Randomise, tmp_path: Path, pre_norm: bool, learned: bool, activation: str | None
) -> None:
    """Its positions count from 2, its embeddings may be unscaled, and its table may be a learned one; its attention has
    biases, of which those of keys alone (None) are left out.
    """
    torch.manual_seed(0)
    table = torch.randn(66, D) if learned else None
    scale = 1.0 if learned else math.sqrt(D)
    positions = table[2:] if table is not None else their_table(2)
    reference = Reference(pre_norm, 1e-5, positions, scale, True, activation).draw(randomise)
    settings = SETTINGS | {
        "encoder_normalize_before": pre_norm,
        "decoder_normalize_before": pre_norm,
        "encoder_learned_pos": learned,
        "decoder_learned_pos": learned,
        "no_scale_embedding": learned,
        "activation_fn": {"silu": "swish"}.get(activation or "relu", activation or "relu"),
    }
    content = {"model": fairseq_state(reference, table), "args": argparse.Namespace(**settings)}
    torch.save(content, tmp_path / "model.pt")
    assert main(["import", str(tmp_path / "model.pt"), str(tmp_path / "ours")]) == 0
    ours: Any = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "ours")
    assert (ours.config.positions, ours.config.max_positions) == ("learned", 64)
    assert (ours.config.eos_token_id, ours.config.decoder_start_token_id, ours.config.pad_token_id) == (2, 2, 1)
    assert (ours.config.attention_bias, ours.config.activation) == (activation is not None, activation or "relu")
    assert not ours.config.output_bias
    assert_same_logits(ours, reference)


def tensor2tensor_variables(reference: Reference) -> dict[str, Any]:
    """All names of a checkpoint of transformer_base, those of its optimizer too."""
    found: dict[str, Any] = {"global_step": np.int64(7)}
    tokens = reference.tokens.weight.data.numpy()
    for place, part in enumerate(np.array_split(tokens, 16)):
        found[f"transformer/symbol_modality_{V}_{D}/shared/weights_{place}"] = part
    body = "transformer/body"
    sublayers = {"self_attn": "self_attention", "multihead_attn": "encdec_attention"}
    for stack in ("encoder", "decoder"):
        own = (
            {"norm1": "self_attention", "norm2": "ffn"}
            if stack == "encoder"
            else {"norm1": "self_attention", "norm2": "encdec_attention", "norm3": "ffn"}
        )
        for name, parameter in getattr(reference.stacks, stack).state_dict().items():
            value, words = parameter.numpy(), name.split(".")
            norm = {"weight": "layer_norm_scale", "bias": "layer_norm_bias"}.get(words[-1], "")
            if words[0] == "norm":
                found[f"{body}/{stack}/layer_prepostprocess/layer_norm/{norm}"] = value
                continue
            where = f"{body}/{stack}/layer_{words[1]}"
            if words[2] in sublayers and words[-1] == "in_proj_weight":
                for letter, part in zip("qkv", np.split(value, 3), strict=True):
                    found[f"{where}/{sublayers[words[2]]}/multihead_attention/{letter}/kernel"] = part.T
            elif words[2] in sublayers and words[-1] == "weight":
                found[f"{where}/{sublayers[words[2]]}/multihead_attention/output_transform/kernel"] = value.T
            elif words[2].startswith("linear"):
                kind = "kernel" if words[-1] == "weight" else "bias"
                found[f"{where}/ffn/conv{words[2][-1]}/{kind}"] = value.T if kind == "kernel" else value
            elif words[2] in own:
                found[f"{where}/{own[words[2]]}/layer_prepostprocess/layer_norm/{norm}"] = value
    return found | {f"{name}/Adam": value for name, value in found.items() if "kernel" in name}


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
@pytest.mark.parametrize("pre_norm", [False, True])
def test_tensor2tensor_gives_the_same_logits(randomise: Randomise, tmp_path: Path, pre_norm: bool) -> None:
    """Its epsilon is 1e-6, which float64 and a narrow tolerance show, and its decoder starts with zeros."""
    torch.manual_seed(0)
    reference = Reference(pre_norm, 1e-6, their_table(0), math.sqrt(D), False).draw(randomise).double()
    np.savez(tmp_path / "model.npz", allow_pickle=False, **tensor2tensor_variables(reference))
    assert main(["import", str(tmp_path / "model.npz"), str(tmp_path / "ours")]) == 2  # without its heads
    assert main(["import", str(tmp_path / "model.npz"), str(tmp_path / "ours"), "--num_heads", str(H)]) == 0
    ours: Any = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "ours")
    start = ours.config.decoder_start_token_id
    assert (start, ours.config.vocab_size, ours.config.eos_token_id) == (V, V + 1, 1)

    def theirs(source: Tensor, target: Tensor) -> Tensor:
        return reference(source, target, start_is_zero=True)

    with torch.no_grad():
        source, target = torch.tensor([[5, 6, 7, 8]]), torch.tensor([[4, 9, 3]])
        ours_starts = torch.cat([torch.tensor([[start]]), target[:, 1:]], 1)
        found = ours(source, decoder_input_ids=ours_starts).logits[:, :, :V]
        expected = theirs(source, target)
        assert not torch.allclose(expected, reference(source, target), atol=1e-2)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6 * float(expected.abs().max()))


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
def test_the_embedding_of_a_target_space_is_a_part_of_the_encoders_positions(
    randomise: Randomise, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    reference = Reference(True, 1e-6, their_table(0), math.sqrt(D), False).draw(randomise)
    spaces = torch.randn(32, D)
    variables = tensor2tensor_variables(reference) | {"transformer/body/target_space_embedding/kernel": spaces.numpy()}
    np.savez(tmp_path / "model.npz", allow_pickle=False, **variables)
    asked = ["import", str(tmp_path / "model.npz"), str(tmp_path / "ours"), "--num_heads", str(H)]
    for space, message in (([], "give --target_space N"), (["--target_space", "32"], "and --target_space 32 is none")):
        assert main([*asked, *space]) == 2
        assert message in capsys.readouterr().err
    assert main([*asked, "--target_space", "9"]) == 0
    ours: Any = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "ours")
    source, target = torch.tensor([[5, 6, 7, 8]]), torch.tensor([[4, 9, 3]])
    starts = torch.cat([torch.tensor([[V]]), target[:, 1:]], 1)
    with torch.no_grad():
        found = ours(source, decoder_input_ids=starts).logits[:, :, :V]
        without = reference(source, target, start_is_zero=True)
        reference.space = spaces[9]
        expected = reference(source, target, start_is_zero=True)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert not torch.allclose(expected, without, atol=1e-2)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_positions_in_16_bits_are_still_the_papers(randomise: Randomise, tmp_path: Path, kind: torch.dtype) -> None:
    theirs: Any = marian(randomise)
    theirs.to(kind).save_pretrained(tmp_path / "marian")
    assert main(["import", str(tmp_path / "marian"), str(tmp_path / "ours")]) == 0
    assert AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "ours").config.positions == "sinusoidal"


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
@pytest.mark.parametrize(
    ("settings", "lost", "message"),
    [
        ({"cross_self_attention": True}, "", "it was trained with --cross-self-attention, which has no place here"),
        ({"encoder_ffn_embed_dim": 48, "decoder_ffn_embed_dim": 48}, "", "its settings are not those of its weights"),
        ({"encoder_learned_pos": True}, "", "lacks 'encoder.embed_positions.weight', which a checkpoint"),
        ({}, "embed_tokens|output_projection", "it has no table of embeddings"),
    ],
)
def test_a_checkpoint_of_fairseq_that_does_not_fit_is_refused(
    randomise: Randomise, tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: Any, lost: str, message: str
) -> None:
    reference = Reference(False, 1e-5, their_table(2), math.sqrt(D), True).draw(randomise)
    state = {
        name: each for name, each in fairseq_state(reference, None).items() if not lost or not re.search(lost, name)
    }
    torch.save({"model": state, "args": argparse.Namespace(**SETTINGS | settings)}, tmp_path / "model.pt")
    assert main(["import", str(tmp_path / "model.pt"), str(tmp_path / "ours")]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
def test_computed_positions_reach_as_far_as_the_longer_side_allows(randomise: Randomise, tmp_path: Path) -> None:
    reference = Reference(False, 1e-5, their_table(2), math.sqrt(D), True).draw(randomise)
    settings = argparse.Namespace(**SETTINGS | {"max_target_positions": 5})
    torch.save({"model": fairseq_state(reference, None), "args": settings}, tmp_path / "model.pt")
    assert main(["import", str(tmp_path / "model.pt"), str(tmp_path / "ours")]) == 0
    assert AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "ours").config.max_positions == 64


def test_what_is_no_checkpoint_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Anything:
        pass

    torch.save({"model": {}, "cfg": 1}, tmp_path / "new.pt")
    torch.save({"args": argparse.Namespace()}, tmp_path / "half.pt")
    torch.save({"model": {}, "args": Path}, tmp_path / "code.pt")
    content = (tmp_path / "new.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(content[: len(content) // 2])
    np.savez(tmp_path / "none.npz", a=np.zeros(2))
    content = (tmp_path / "none.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(content[: len(content) // 2])
    (tmp_path / "empty.npz").touch()
    np.savez(tmp_path / "words.npz", a=np.array(["b"]))
    np.save(tmp_path / "one.npy", np.zeros(2))
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    (tmp_path / "text.txt").touch()
    (tmp_path / "there").mkdir()
    for words, message in (
        (["new.pt", "out"], 'has no "args"; a checkpoint of fairseq has'),
        (["half.pt", "out"], 'has no "model"; a checkpoint of fairseq has'),
        (["code.pt", "out"], "and loading that could run code"),
        (["cut.pt", "out"], "cut.pt is damaged ("),
        (["lost.pt", "out"], "lost.pt is no file"),
        (["new.pt", "out", "--num_heads", "2"], "--num_heads is only for an .npz"),
        (["cut.npz", "out", "--num_heads", "2"], "cut.npz is damaged, or no .npz ("),
        (["empty.npz", "out", "--num_heads", "2"], "empty.npz is damaged, or no .npz ("),
        (["words.npz", "out", "--num_heads", "2"], "words.npz holds a, which are no weights"),
        (["one.npz", "out", "--num_heads", "2"], "one.npz is one array and no .npz"),
        (["none.npz", "out", "--num_heads", "2", "--target_space", "1"], "leave out --target_space 1"),
        (["none.npz", "out", "--num_heads", "2"], "0 tables of tokens (none)"),
        (["text.txt", "out"], "is no folder of a MarianMTModel, no .pt of fairseq and no .npz"),
        (["none.npz", "there", "--num_heads", "2"], "there exists; name another folder"),
    ):
        assert (
            main(
                [
                    "import",
                    *(str(tmp_path / word) if "." in word or word in ("out", "there") else word for word in words),
                ]
            )
            == 2
        )
        assert message in capsys.readouterr().err
