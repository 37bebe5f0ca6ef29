"""A model whose weights are no finite floating-point numbers is refused by name, wherever a command takes one."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forked_python import forked
from safetensors.torch import load_file, save_file
from test_conversion import Reference, marian, tensor2tensor_variables, their_table
from test_experiment import TINY, one_thread, recipe, toy_text
from test_fairseq import FAIRSEQ, fairseq_settings
from torch import nn
from transformers import PreTrainedTokenizerFast

from vaswani.commands import main
from vaswani.modeling import VaswaniForConditionalGeneration

Talker = Callable[..., VaswaniForConditionalGeneration]
NAME = "model.encoder.layers.0.feed_forward.w_1.weight"
KINDS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "NaN": lambda weight: weight.index_fill(0, torch.tensor([1]), float("nan")),
    "infinite": lambda weight: weight.index_fill(1, torch.tensor([1]), float("-inf")),
    "int64": lambda weight: (weight * 9).long(),
    "bool": lambda weight: weight > 0,
    "complex64": lambda weight: torch.complex(weight, weight),
}


def spoil(file: Path, how: Callable[[torch.Tensor], torch.Tensor], name: str = NAME) -> None:
    weights = load_file(file)
    save_file(weights | {name: how(weights[name].float()).contiguous()}, file, {"format": "pt"})


@pytest.fixture(scope="module")
def talkers(
    talker: Talker, toy_tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    folders = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    for seed, folder in enumerate(folders):
        model = talker(seed).float()
        torch.nn.init.uniform_(model.model.decoder.layers[0].feed_forward_residual.norm.weight, 0.5, 1.5)
        model.save_pretrained(folder)
        toy_tokenizer.save_pretrained(folder)
    return folders


DOORS = {
    "translate": ["translate", "SPOILT", "--input", "TEXT"],
    "an ensemble": ["translate", "WHOLE", "SPOILT", "--input", "TEXT"],
    "score": ["score", "--model", "SPOILT", "--sources", "TEXT", "--hypotheses", "TEXT"],
    "serve": ["serve", "SPOILT", "--port", "0"],
    "demo": ["demo", "SPOILT", "--port", "7869"],
    "plot": ["plot", "attention", "SPOILT", "--output", "OUT", "--text", "the cat"],
    "average": ["average", "SPOILT", "WHOLE", "--output", "OUT"],
    "push": ["push", "SPOILT", "ann/words"],
    "onnx": ["export", "SPOILT", "OUT", "--to", "onnx"],
    "ctranslate2": ["export", "SPOILT", "OUT", "--to", "ctranslate2"],
    "transformers": ["export", "SPOILT", "OUT", "--to", "transformers"],
    "browser": ["export", "SPOILT", "OUT", "--to", "browser"],
}


@pytest.mark.parametrize(("kind", "door"), [("NaN", door) for door in DOORS] + [(kind, "translate") for kind in KINDS])
def test_every_command_that_takes_a_model_refuses_it(
    talkers: tuple[Path, Path], tmp_path: Path, kind: str, door: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, other = talkers
    places = {name: tmp_path / name for name in ("SPOILT", "TEXT", "OUT")} | {"WHOLE": whole}
    places["TEXT"].write_text("the cat sat\n")
    spoil(shutil.copytree(other, places["SPOILT"]) / "model.safetensors", KINDS[kind])
    assert main([str(places.get(word, word)) for word in DOORS[door]]) == 2
    error = capsys.readouterr().err
    assert (f"the weight {NAME} in {places['SPOILT']}" in error, kind in error) == (True, True), error
    assert not places["OUT"].exists()


def test_a_weight_beyond_the_numbers_of_the_type_asked_for_is_named(
    talkers: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(shutil.copytree(talkers[0], tmp_path / "large") / "model.safetensors", lambda weight: weight + 1e5)
    (tmp_path / "text").write_text("the cat\n")
    words = ["translate", str(tmp_path / "large"), "--input", str(tmp_path / "text"), "--dtype"]
    assert main([*words, "float32"]) == 0
    assert main([*words, "float16"]) == 2
    assert f"the weight {NAME} in {tmp_path / 'large'} holds infinite numbers in float16" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["infinite", "int64"])
def test_a_run_does_not_start_from_it(talkers: tuple[Path, Path], tmp_path: Path, kind: str) -> None:
    spoil(shutil.copytree(talkers[0], tmp_path / "spoilt") / "model.safetensors", KINDS[kind])
    (tmp_path / "text").mkdir()
    flags = [word for word in TINY if word not in ("--vocab_size", "300")]
    network = {"d_model": "16", "d_ff": "32"}
    flags = [network.get(flags[place - 1].removeprefix("--"), word) for place, word in enumerate(flags)]
    text = ["--data_dir", toy_text(tmp_path / "text"), "--direction", "en-nds"]
    run = [*text, "--output_dir", tmp_path / "run", "--init_from", tmp_path / "spoilt", "--max_steps", "20"]
    done = subprocess.run(recipe(*run, *flags), env=one_thread(), capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr[-2000:]
    assert f"error: the weight {NAME} in {tmp_path / 'spoilt'}" in done.stderr
    assert not list((tmp_path / "run").glob("checkpoint-*"))


def marian_folder(randomise: Callable[[nn.Module], None], folder: Path, kind: str, pickled: bool) -> tuple[Path, str]:
    model = marian(randomise)
    model.save_pretrained(folder)
    spoil(folder / "model.safetensors", KINDS[kind], "model.encoder.layers.0.fc1.weight")
    if pickled:
        torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    return folder, "model.encoder.layers.0.fc1.weight"


def fairseq_file(folder: Path, kind: str) -> tuple[Path, str]:
    content, name = fairseq_settings(), "encoder.layers.0.fc1.weight"
    content["model"][name] = KINDS[kind](content["model"][name])
    torch.save(content, folder / "model.pt")
    return folder / "model.pt", name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("source", ["marian", "pickled marian", "fairseq", "tensor2tensor"])
def test_nothing_of_it_is_imported(
    randomise: Callable[[nn.Module], None], tmp_path: Path, source: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    flags: list[str] = []
    match source:
        case "fairseq":
            given, name = fairseq_file(tmp_path, kind)
        case "tensor2tensor":
            given, flags = tmp_path / "model.npz", ["--num_heads", "3"]
            content = tensor2tensor_variables(Reference(True, 1e-6, their_table(0), 1.0, False).draw(randomise))
            name = next(each for each in content if "ffn/conv1/kernel" in each)
            changed: Any = {**content, name: KINDS[kind](torch.tensor(np.asarray(content[name]))).numpy()}
            np.savez(given, **changed)
        case _:
            given, name = marian_folder(randomise, tmp_path / "theirs", kind, pickled=source.startswith("pickled"))
    assert main(["import", str(given), str(tmp_path / "ours"), *flags]) == 2
    error = capsys.readouterr().err
    assert (name in error, str(given) in error) == (True, True), error
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize("engine", ["onnx", "ctranslate2"])
def test_an_export_that_gives_no_probabilities_is_no_translation(
    talkers: tuple[Path, Path], tmp_path: Path, engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An engine does not show its weights, but what it computes with them."""
    assert main(["export", str(talkers[0]), str(tmp_path / "out"), "--to", engine]) == 0
    file = tmp_path / "out" / {"onnx": "decoder.onnx", "ctranslate2": "model.bin"}[engine]
    weights = load_file(talkers[0] / "model.safetensors")
    known = weights["model.decoder.layers.0.feed_forward_residual.norm.weight"].numpy().tobytes()
    assert known in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(known, np.full_like(np.frombuffer(known, np.float32), np.nan).tobytes()))
    (tmp_path / "text").write_text("the cat sat\n")
    for beams in ("1", "4"):
        words = [str(tmp_path / "out"), "--engine", engine, "--beams", beams, "--input", str(tmp_path / "text")]
        assert main(["translate", *words]) == 2
        assert "gives probabilities that are no numbers" in capsys.readouterr().err


def test_whole_numbers_beside_the_weights_of_another_program_are_no_fault(
    randomise: Callable[[nn.Module], None], tmp_path: Path
) -> None:
    """Old checkpoints number their positions."""
    marian(randomise).save_pretrained(tmp_path / "theirs")
    file = tmp_path / "theirs" / "model.safetensors"
    numbers = {"model.encoder.embed_positions.position_ids": torch.arange(32)}
    save_file(load_file(file) | numbers, file, {"format": "pt"})
    assert main(["import", str(tmp_path / "theirs"), str(tmp_path / "ours")]) == 0


def test_the_files_that_others_wrote_are_all_whole(tmp_path: Path) -> None:
    """The check refuses none of what is known to be good."""
    for file in sorted(FAIRSEQ.glob("*.pt")):
        assert main(["import", str(file), str(tmp_path / file.stem)]) == 0


def test_one_process_ends_in_a_line(talkers: tuple[Path, Path], tmp_path: Path) -> None:
    spoil(shutil.copytree(talkers[0], tmp_path / "spoilt") / "model.safetensors", KINDS["NaN"])
    command = forked(sys.executable, "-m", "vaswani.commands", "translate", tmp_path / "spoilt")
    done = subprocess.run(command, input="the cat\n", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
