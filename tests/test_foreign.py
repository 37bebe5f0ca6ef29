"""Whatever a command is given that it cannot read, one line names it and the way out; each is written here in form."""

import argparse
import json
import re
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel

from vaswani.commands import main
from vaswani.engines.export import export

SETTINGS = """dec-depth: 6
dim-emb: 512
enc-depth: 6
tied-embeddings-all: true
transformer-ffn-activation: swish
transformer-heads: 8
transformer-postprocess: dan
transformer-preprocess: ""
type: transformer
version: v1.7.8 63e1cfe4 2019-02-11
"""


def marian_npz(folder: Path) -> Path:
    settings = np.frombuffer(SETTINGS.encode() + b"\0", dtype=np.int8)
    arrays: dict[str, Any] = {"Wemb": np.zeros((3, 4), np.float32), "special:model.yml": settings}
    np.savez(folder / "model.npz", allow_pickle=False, **arrays)
    return folder / "model.npz"


def opus_folder(folder: Path) -> Path:
    marian_npz(folder).rename(folder / "opus.spm32k-spm32k.transformer-align.model1.npz.best-perplexity.npz")
    (folder / "decoder.yml").write_text(
        "models:\n  - opus.spm32k-spm32k.transformer-align.model1.npz.best-perplexity.npz\n"
    )
    for name in ("source.spm", "target.spm", "opus.spm32k-spm32k.vocab.yml"):
        (folder / name).touch()
    return folder


def marian_bin(folder: Path) -> Path:
    """Version, count, a header each (name, type, dimensions, bytes), names, dimensions, padding, content."""
    items = {"encoder_Wemb": bytes(48), "special:model.yml": SETTINGS.encode() + b"\0"}
    content = struct.pack("<QQ", 1, len(items))
    content += b"".join(struct.pack("<QQQQ", len(name) + 1, 0x104, 1, len(data)) for name, data in items.items())
    content += b"".join(name.encode() + b"\0" for name in items)
    content += b"".join(struct.pack("<i", len(data)) for data in items.values())
    gap = (len(content) + 8) // 256 * 256 + 256 - len(content) - 8
    path = folder / "model.bin"
    path.write_bytes(content + struct.pack("<Q", gap) + bytes(gap) + b"".join(items.values()))
    return path


def saved(content: Any, name: str, old: bool = False) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        torch.save(content, folder / name, _use_new_zipfile_serialization=not old)
        return folder / name

    return write


def file(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def folder_of(**files: Any) -> Callable[[Path], Path]:
    """Names with two underlines for each dot; a dictionary as JSON."""

    def write(folder: Path) -> Path:
        for name, content in files.items():
            path = folder / name.replace("__", ".")
            if isinstance(content, Callable):  # type: ignore[arg-type]
                content(folder)
            else:
                path.write_text(json.dumps(content))
        return folder

    return write


def torchscript(folder: Path) -> Path:
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(folder / "model.pt"))
    return folder / "model.pt"


def archive(folder: Path) -> Path:
    with tarfile.open(folder / "wmt19.de-en.tar.gz", "w:gz"):
        pass
    return folder / "wmt19.de-en.tar.gz"


def weights_alone(folder: Path) -> Path:
    save_file({"model.tokens.weight": torch.zeros(3, 4)}, folder / "model.safetensors")
    return folder / "model.safetensors"


def tensorflow_prefix(folder: Path) -> Path:
    for name in (
        "model.ckpt-250000.index",
        "model.ckpt-250000.data-00000-of-00001",
        "model.ckpt-250000.meta",
        "checkpoint",
    ):
        (folder / name).touch()
    return folder / "model.ckpt-250000"


def tensorflow_folder(folder: Path) -> Path:
    return tensorflow_prefix(folder).parent


def ongoing_run(folder: Path) -> Path:
    for step in (900, 1000):
        (folder / f"checkpoint-{step}").mkdir()
    (folder / "run.json").touch()
    return folder


ONMT = {"model": {}, "generator": {}, "vocab": {"src": ["a"]}, "opt": argparse.Namespace(layers=6), "optim": {}}
SOCKEYE = {"decoder.layers.0.enc_attention.ff_q.weight": torch.zeros(1)}
MARIANS = (
    "a model of Marian's own (version v1.7.8 63e1cfe4 2019-02-11, type transformer, enc-depth 6, dec-depth 6, dim-emb "
    "512, transformer-heads 8, transformer-ffn-activation swish, transformer-preprocess none, transformer-postprocess "
    "dan, tied-embeddings-all true)"
)
FORMS: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "Marian's .bin": (marian_bin, (MARIANS, "marian-decoder and pymarian run it; give vaswani import the .npz")),
    "OpenNMT-py": (saved(ONMT, "model_step_100.pt"), ("a checkpoint of OpenNMT-py", "ct2-opennmt-py-converter")),
    "old OpenNMT-py": (saved(ONMT, "model_step_100.pt", old=True), ("a checkpoint of OpenNMT-py",)),
    "eole": (folder_of(config__json={"model": {"layers": 6}}, vocab__json={}), ("a model of eole", "eole_ct2")),
    "JoeyNMT": (saved({"model_state": {}, "optimizer_state": {}}, "best.ckpt"), ("a checkpoint of JoeyNMT",)),
    "Lightning": (saved({"state_dict": {}, "pytorch-lightning_version": "2"}, "last.ckpt"), ("of Lightning",)),
    "DeepSpeed": (saved({"module": {}, "ds_version": "1"}, "mp_rank_00_model_states.pt"), ("of DeepSpeed",)),
    "Sockeye 3": (saved(SOCKEYE, "params.best"), ("a model of Sockeye",)),
    "Sockeye 2": (file("params.best", struct.pack("<QQ", 0x112, 0)), ("a model of Sockeye",)),
    "Sockeye's folder": (folder_of(params__best={}, config={}), ("a model of Sockeye",)),
    "tensor2tensor": (tensorflow_prefix, ("a checkpoint of TensorFlow", "conversion/tensor2tensor.py")),
    "tensor2tensor's folder": (tensorflow_folder, ("a checkpoint of TensorFlow", "conversion/tensor2tensor.py")),
    "GGUF": (file("model.gguf", b"GGUF\3\0\0\0"), ("a model of llama.cpp (GGUF)",)),
    "Keras": (file("tf_model.h5", b"\x89HDF\r\n\x1a\n"), ("Keras",)),
    "Flax": (file("flax_model.msgpack", b"\x81"), ("Flax",)),
    "ONNX": (file("model.onnx", b"\x08\x0a"), ("a network in ONNX",)),
    "ONNX in a folder": (folder_of(encoder_model__onnx={}, config__json={}), ("a network in ONNX",)),
    "TorchScript": (torchscript, ("a program of TorchScript",)),
    "archive": (archive, ("an archive", "unpack it")),
    "weights alone": (weights_alone, ("the weights alone of a model of ours", "config.json and its tokenizer too")),
    "pickled weights": (saved({"a.weight": torch.zeros(1)}, "pytorch_model.bin"), ("a file of pickled weights",)),
    "vocabulary": (file("source.spm", b"\x0a\x0e"), ("a vocabulary", "give the model that it belongs to")),
    "adapter": (folder_of(adapter_config__json={}), ("an adapter (PEFT)", "merge it")),
    "in parts": (folder_of(pytorch_model_fsdp_0={}, config__json={"model_type": "t5"}), ()),
    "an ongoing run": (ongoing_run, ("a run that has not ended", "checkpoint-1000")),
}


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
@pytest.mark.parametrize(("write", "words"), FORMS.values(), ids=list(FORMS))
@pytest.mark.parametrize("command", ["import", "translate", "export"])
def test_a_line_names_what_was_given_and_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, write: Any, words: tuple[str, ...]
) -> None:
    source = write(tmp_path)
    more = {"import": [str(tmp_path / "out")], "translate": [], "export": [str(tmp_path / "out"), "--to", "onnx"]}
    assert main([command, str(source), *more[command]]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"vaswani {command}: {source} is ")
    assert error.count("\n") == 1
    for word in words:
        assert word in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("write", [marian_npz, opus_folder])
@pytest.mark.parametrize("command", ["translate", "export"])
def test_marians_own_is_told_with_its_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, write: Callable[[Path], Path]
) -> None:
    source = write(tmp_path)
    more = {"translate": [], "export": [str(tmp_path / "out"), "--to", "onnx"]}
    assert main([command, str(source), *more[command]]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"vaswani {command}: {source} is ")
    assert error.count("\n") == 1
    assert MARIANS in error
    assert re.search(r"vaswani import \S+\.npz OUT makes a model of it", error)


def test_what_import_reads_is_told_to_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    variables: dict[str, Any] = {"transformer/body/encoder/layer_0/ffn/conv1/kernel": np.zeros((2, 2))}
    np.savez(tmp_path / "model.npz", allow_pickle=False, **variables)
    torch.save({"model": {}, "args": None, "cfg": {}, "extra_state": {}}, tmp_path / "checkpoint_best.pt")
    (tmp_path / "fairseq").mkdir()
    (tmp_path / "fairseq" / "dict.en.txt").touch()
    torch.save({"model": {}, "args": None, "cfg": {}}, tmp_path / "fairseq" / "checkpoint_best.pt")
    for name, way in (
        ("model.npz", "vaswani import {} OUT --num_heads N makes a model of it"),
        ("checkpoint_best.pt", "vaswani import {} OUT makes a model of it"),
        ("fairseq", "vaswani import {}/checkpoint_best.pt OUT makes a model of it"),
    ):
        assert main(["translate", str(tmp_path / name)]) == 2
        assert way.format(tmp_path / name) in capsys.readouterr().err


def test_models_of_other_kinds_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], toy_tokenizer: Any, talker: Any
) -> None:
    """A language model, a type that transformers does not know, pickled weights, and a model of ours."""
    GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=300)).save_pretrained(tmp_path / "gpt2")
    (tmp_path / "gpt2" / "trainer_state.json").write_text("{}")
    talker().save_pretrained(tmp_path / "ours")
    talker().save_pretrained(tmp_path / "unknown")
    config = json.loads((tmp_path / "unknown" / "config.json").read_text()) | {"model_type": "frobnicator"}
    (tmp_path / "unknown" / "config.json").write_text(json.dumps(config))
    for name in ("gpt2", "ours", "unknown"):
        toy_tokenizer.save_pretrained(tmp_path / name)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "config.json").write_text('{"model_type": "t5"}')
    torch.save({}, tmp_path / "bin" / "pytorch_model.bin")
    for words, message in (
        (["translate", "gpt2"], "holds a network of the type gpt2, which is not an encoder-decoder over text"),
        (["translate", "unknown"], "holds a network of a type frobnicator, which transformers "),
        (["translate", "bin"], "is a model whose weights are pickled (pytorch_model.bin), and loading these could run"),
        (["import", "gpt2", "out"], "is a model of transformers of the type gpt2, and of these only MarianMTModels"),
        (["import", "ours", "out"], "is a model of ours already"),
    ):
        command, *paths = words
        assert main([command, *(str(tmp_path / path) for path in paths)]) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith(f"vaswani {command}: {tmp_path / paths[0]} "), error
        assert message in error


def test_ctranslate2s_folders_are_told_from_marians_by_their_content(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], toy_tokenizer: Any, talker: Any
) -> None:
    talker().save_pretrained(tmp_path / "model")
    toy_tokenizer.save_pretrained(tmp_path / "model")
    export(tmp_path / "model", tmp_path / "exported", "ctranslate2")
    assert main(["translate", str(tmp_path / "exported")]) == 2
    assert "--engine ctranslate2" in capsys.readouterr().err
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "exported" / name).unlink()
    for words in (["translate", "exported"], ["import", "exported", "out"], ["import", "exported/model.bin", "out"]):
        command, *paths = words
        assert main([command, *(str(tmp_path / path) for path in paths)]) == 2
        assert "a model of CTranslate2, whose weights cannot be read back" in capsys.readouterr().err


@pytest.mark.parametrize("cut", [20, 300])
def test_damaged_archives_are_told_by_those_who_load_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], cut: int
) -> None:
    path = marian_npz(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])
    assert main(["import", str(path), str(tmp_path / "out"), "--num_heads", "2"]) == 2
    assert "is damaged" in capsys.readouterr().err
