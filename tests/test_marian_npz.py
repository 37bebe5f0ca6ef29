"""Marian's own .npz: written here by its names, and imported to the probabilities that its equations give.

Marian does not run here. Its equations, as its source has them, are torch's layers with its epsilon, its table of
positions, its zero vector at the start and its bias on the logits: the reference of test_conversion.py.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from sentence_pieces import LETTERS, leave_models, sentences
from test_conversion import FF, D, H, Reference, V, their_table
from torch import Tensor, nn
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

import vaswani
from vaswani.commands import main

Randomise = Callable[[nn.Module], None]
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")

SETTINGS: dict[str, Any] = {
    "bert-train-type-embeddings": True,
    "dec-depth": 2,
    "dim-emb": D,
    "dim-vocabs": [V, V],
    "enc-depth": 2,
    "layer-normalization": False,
    "lemma-dim-emb": 0,
    "output-omit-bias": False,
    "right-left": False,
    "tied-embeddings-all": True,
    "transformer-decoder-autoreg": "self-attention",
    "transformer-dim-ffn": FF,
    "transformer-ffn-activation": "swish",
    "transformer-ffn-depth": 2,
    "transformer-heads": H,
    "transformer-no-projection": False,
    "transformer-postprocess": "dan",
    "transformer-postprocess-emb": "d",
    "transformer-postprocess-top": "",
    "transformer-preprocess": "",
    "transformer-tied-layers": [],
    "type": "transformer",
    "ulr": False,
    "version": "v1.9.0 ba94c5b9",
}


def variables(reference: Reference, pre_norm: bool) -> dict[str, Any]:
    """Weights by Marian's names, matrices the other way round and vectors as rows."""
    found: dict[str, Any] = {"Wemb": reference.tokens.weight}
    after = "_pre" if pre_norm else ""
    for stack in ("encoder", "decoder"):
        norms = ["self_Wo", "ffn_ffn"] if stack == "encoder" else ["self_Wo", "context_Wo", "ffn_ffn"]
        for name, parameter in getattr(reference.stacks, stack).state_dict().items():
            words = name.split(".")
            kind = "W" if parameter.dim() == 2 else "b"
            if words[0] == "norm":
                found[f"{stack}_top_ln_{'scale' if words[-1] == 'weight' else 'bias'}"] = parameter
                continue
            layer = f"{stack}_l{int(words[1]) + 1}_"
            attention = layer + ("context" if words[2] == "multihead_attn" else "self")
            if "in_proj" in words[-1]:
                for letter, part in zip("qkv", parameter.chunk(3), strict=True):
                    found[f"{attention}_{kind}{letter}"] = part.T
            elif words[-2] == "out_proj":
                found[f"{attention}_{kind}o"] = parameter.T
            elif words[2].startswith("linear"):
                found[f"{layer}ffn_{kind}{words[2][-1]}"] = parameter.T
            else:
                part = "scale" if words[-1] == "weight" else "bias"
                found[f"{layer}{norms[int(words[2][-1]) - 1]}_ln_{part}{after}"] = parameter
    return {name: np.atleast_2d(value.detach().numpy()) for name, value in found.items()}


def leave(folder: Path, content: dict[str, Any], settings: dict[str, Any]) -> Path:
    """Write the file, its settings as Marian writes them: a text with a zero at its end, byte by byte."""
    text = np.frombuffer(yaml.safe_dump(settings).encode() + b"\0", dtype=np.int8)
    np.savez(folder / "model.npz", allow_pickle=False, **content, **{"special:model.yml": text})
    return folder / "model.npz"


def reference_of(randomise: Randomise, pre_norm: bool, table: Tensor, scale: float, activation: str) -> Reference:
    torch.manual_seed(0)
    return Reference(pre_norm, 1e-6, table, scale, True, activation).draw(randomise)


@pytest.mark.parametrize("pre_norm", [False, True])
@pytest.mark.parametrize("activation", ["relu", "swish"])
@pytest.mark.parametrize("learned", [False, True])
def test_the_probabilities_are_marians(
    randomise: Randomise, tmp_path: Path, pre_norm: bool, activation: str, learned: bool
) -> None:
    """Positions computed by its formula, or a learned table over embeddings that are not scaled."""
    table = torch.randn(40, D, generator=torch.Generator().manual_seed(1)) if learned else their_table(0)
    scale = 1.0 if learned else math.sqrt(D)
    reference = reference_of(randomise, pre_norm, table, scale, {"swish": "silu"}.get(activation, activation))
    bias = torch.randn(V, generator=torch.Generator().manual_seed(2))
    content = variables(reference, pre_norm) | {"decoder_ff_logit_out_b": bias[None].numpy()}
    content |= {"Wpos": table.numpy()} if learned else {}
    layers = {"preprocess": "n", "postprocess": "da", "postprocess-top": "n"} if pre_norm else {}
    settings = SETTINGS | {"transformer-ffn-activation": activation}
    settings |= {f"transformer-{name}": value for name, value in layers.items()}
    assert main(["import", str(leave(tmp_path, content, settings)), str(tmp_path / "ours")]) == 0
    ours: Any = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "ours").eval()
    config = ours.config
    assert (config.attention_bias, config.output_bias, config.positions) == (True, True, "learned")
    assert (config.decoder_start_token_id, config.pad_token_id, config.eos_token_id, config.vocab_size) == (
        V,
        V,
        0,
        V + 1,
    )
    counted = sum(value.size for name, value in content.items() if name != "Wpos")
    assert ours.num_parameters() - 2 * config.max_positions * D == counted + D + 1  # the token at the start
    source, target = torch.tensor([[5, 6, 7, 8, 0], [4, 9, 3, 11, 0]]), torch.tensor([[V, 9, 3], [V, 12, 4]])
    with torch.no_grad():
        expected = reference(source, target.clamp(max=V - 1), start_is_zero=True) + bias
        found = ours(source, decoder_input_ids=target).logits
        torch.testing.assert_close(found[..., :V], expected, rtol=2e-5, atol=2e-5 * float(expected.abs().max()))
        probabilities = found.softmax(-1)
    assert not probabilities[..., V].any()
    torch.testing.assert_close(probabilities[..., :V], expected.softmax(-1), rtol=1e-3, atol=1e-5)
    assert expected.std() > 0.1


def opus(randomise: Randomise, folder: Path) -> tuple[Path, int]:
    """A folder as OPUS-MT packs it; and how many tokens Marian knows."""
    vocabulary = leave_models(folder)
    size = len(vocabulary)
    reference = reference_of(randomise, False, their_table(0), math.sqrt(D), "silu")
    content = variables(reference, False)
    content["Wemb"] = torch.randn(size, D, generator=torch.Generator().manual_seed(4)).mul(D**-0.5 * 1.5).numpy()
    content["decoder_ff_logit_out_b"] = np.zeros((1, size), np.float32)
    leave(folder, content, SETTINGS | {"dim-vocabs": [size, size]}).rename(folder / "opus.npz.best-perplexity.npz")
    text = yaml.safe_dump(vocabulary, allow_unicode=True, sort_keys=False)
    (folder / "opus.spm32k-spm32k.vocab.yml").write_text(text, encoding="utf-8")
    (folder / "decoder.yml").write_text("models:\n  - opus.npz.best-perplexity.npz\n")
    return folder, size


def test_a_folder_of_opus_translates_with_its_two_models_of_sentencepiece(randomise: Randomise, tmp_path: Path) -> None:
    (tmp_path / "opus").mkdir()
    folder, size = opus(randomise, tmp_path / "opus")
    assert main(["import", str(folder), str(tmp_path / "ours")]) == 0
    tokenizer: Any = AutoTokenizer.from_pretrained(tmp_path / "ours")
    assert (len(tokenizer), tokenizer.pad_token_id, tokenizer.eos_token_id) == (size + 1, size, 0)
    pieces = yaml.safe_load((folder / "opus.spm32k-spm32k.vocab.yml").read_text(encoding="utf-8"))
    assert {**pieces, "<pad>": size} == json.loads((tmp_path / "ours" / "vocab.json").read_text(encoding="utf-8"))
    for side, letters in LETTERS.items():
        text = sentences(letters, 3, seed=9)
        ids = tokenizer(text) if side == "source" else tokenizer(text_target=text)
        assert tokenizer.batch_decode(ids["input_ids"], skip_special_tokens=True) == text
    lines = sentences(LETTERS["source"], 5, seed=7)
    found = vaswani.load(str(tmp_path / "ours")).translate(lines)
    assert len(found) == 5
    assert not any("<pad>" in line for line in found)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"type": "s2s"}, "it was trained with --type s2s, which has no place here"),
    ({"transformer-decoder-autoreg": "rnn"}, "--transformer-decoder-autoreg rnn, which has no place here"),
    ({"transformer-ffn-depth": 3}, "--transformer-ffn-depth 3, which"),
    ({"transformer-tied-layers": [1, 1]}, "--transformer-tied-layers [1, 1], which"),
    ({"right-left": True}, "--right-left true, which"),
    ({"transformer-ffn-activation": "gelu"}, "compute gelu, which in Marian was an approximation until 1.12.0; only"),
    ({"transformer-postprocess": "dhn"}, "its layers do 'nothing' before, 'dhn' after a sub-layer and 'nothing' at"),
    ({"transformer-decoder-dim-ffn": 6}, f"transformer-decoder-dim-ffn is 6 and transformer-dim-ffn {FF}"),
    ({"transformer-dim-ffn": 6}, "its settings are not those of its weights"),
    ({"enc-depth": 3}, "it lacks model.encoder.layers.2."),
    ({"enc-depth": 1}, "what has no place here: model.encoder.layers.1."),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED, ids=[next(iter(changes)) for changes, _ in REFUSED])
def test_what_marian_computes_otherwise_is_refused(
    randomise: Randomise, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], message: str
) -> None:
    reference = reference_of(randomise, False, their_table(0), math.sqrt(D), "silu")
    path = leave(tmp_path, variables(reference, False), SETTINGS | changes)
    assert main(["import", str(path), str(tmp_path / "ours")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "ours").exists()


def own_tables(folder: Path) -> None:
    [path] = folder.glob("*.npz")
    content = dict(np.load(path))
    content |= {"encoder_Wemb": content["Wemb"], "decoder_Wemb": content.pop("Wemb") * 2}
    np.savez(path, allow_pickle=False, **content)


def longer(folder: Path) -> None:
    with (folder / "opus.spm32k-spm32k.vocab.yml").open("a", encoding="utf-8") as file:
        file.write("more: 999\n")


def second_model(folder: Path) -> None:
    held: dict[str, Any] = {"special:model.yml": np.zeros(2, np.int8)}
    np.savez(folder / "b.npz", **held)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "opus.spm32k-spm32k.vocab.yml").unlink(), "and target.spm without a vocab"),
        (lambda folder: (folder / "target.spm").unlink(), "opus has source.spm alone: a MarianTokenizer"),
        (lambda folder: (folder / "vocab.yml").write_text("</s>: 0\n"), "has several vocabularies (opus.spm32k-spm32k"),
        (longer, "numbers tokens up to 999, and the network has "),
        (lambda folder: (folder / "opus.spm32k-spm32k.vocab.yml").write_text("- a\n"), "is no vocabulary of Marian's"),
        (lambda folder: (folder / "opus.spm32k-spm32k.vocab.yml").write_text("a: 0\n"), "has no </s>, which ends a"),
        (second_model, "has several mod"),
        (own_tables, "encoder_Wemb and decoder_Wemb differ; embeddings and projection are one matrix here"),
    ],
    ids=["no vocabulary", "one model", "several vocabularies", "another's", "a list", "no end", "several models",
         "two tables"],
)  # fmt: skip
def test_half_a_folder_of_opus_is_refused_in_a_line(
    randomise: Randomise, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], Any], message: str
) -> None:
    (tmp_path / "opus").mkdir()
    folder, _ = opus(randomise, tmp_path / "opus")
    spoil(folder)
    assert main(["import", str(folder), str(tmp_path / "ours")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "ours").exists()
