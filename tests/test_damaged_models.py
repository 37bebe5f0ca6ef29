"""Whatever file of a model is empty, cut, a page of HTML or of wrong types: a line names it, and the code is 2."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from test_conversion import Reference, marian, tensor2tensor_variables, their_table
from test_fairseq import FAIRSEQ
from test_marian_npz import SETTINGS, leave, variables
from torch import nn

from vaswani.commands import main

Randomise = Callable[[nn.Module], None]
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
PAGE = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"


def marian_folder(folder: Path, randomise: Randomise, pickled: bool) -> None:
    marian(randomise).save_pretrained(folder)
    if pickled:
        torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()


def reference(randomise: Randomise, *more: str) -> Reference:
    return Reference(bool(not more), 1e-6, their_table(0), 12**0.5, bool(more), *more).draw(randomise)


@pytest.fixture(scope="module")
def sources(talker_folder: Path, randomise: Randomise, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each kind of model that a command takes."""
    place = tmp_path_factory.mktemp("sources")
    shutil.copytree(talker_folder, place / "ours")
    for engine in ("onnx", "ctranslate2"):
        assert main(["export", str(talker_folder), str(place / engine), "--to", engine]) == 0
    marian_folder(place / "marian", randomise, pickled=False)
    marian_folder(place / "pickled", randomise, pickled=True)
    for name in ("fairseq", "tensor2tensor", "marian-npz"):
        (place / name).mkdir()
    shutil.copy(FAIRSEQ / "today.pt", place / "fairseq" / "model.pt")
    np.savez(place / "tensor2tensor" / "model.npz", **tensor2tensor_variables(reference(randomise)))
    leave(place / "marian-npz", variables(reference(randomise, "silu"), False), SETTINGS)
    return place


def command(kind: str, folder: Path, out: Path) -> list[str]:
    text = out.with_name("text")
    text.write_text("the cat\n")
    match kind:
        case "ours":
            return ["translate", str(folder), "--input", str(text), "--output", str(out)]
        case "onnx" | "ctranslate2":
            return ["translate", str(folder), "--engine", kind, "--input", str(text), "--output", str(out)]
        case "marian" | "pickled":
            return ["import", str(folder), str(out)]
        case "fairseq":
            return ["import", str(folder / "model.pt"), str(out)]
        case _:
            heads = ["--num_heads", "3"] if kind == "tensor2tensor" else []
            return ["import", str(folder / "model.npz"), str(out), *heads]


KINDS = ("ours", "onnx", "ctranslate2", "marian", "pickled", "fairseq", "tensor2tensor", "marian-npz")


def spoilt(original: Path, folder: Path) -> Iterator[tuple[Path, str, bytes]]:
    """Yield each file of a folder with bytes that it cannot have."""
    for file in sorted(original.iterdir()):
        if file.suffix == ".py":
            continue
        content = file.read_bytes()
        damages = {"empty": b"", "cut": content[: len(content) // 2], "a page": PAGE}
        if file.suffix == ".json":
            damages |= {"a list": b"[]", "null": b"null", "a number": b"3"}
        for kind, damaged in damages.items():
            yield folder / file.name, kind, damaged


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_named(sources: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tmp_path / "spoilt", tmp_path / "out"
    for file, damage, content in spoilt(sources / kind, folder):
        shutil.copytree(sources / kind, folder)
        file.write_bytes(content)
        assert main(command(kind, folder, out)) == 2, (file.name, damage)
        said = capsys.readouterr().err
        assert str(folder) in said, (file.name, damage)
        assert "Traceback" not in said
        assert not out.exists()
        shutil.rmtree(folder)


@pytest.mark.parametrize("kind", ["ours", "onnx", "ctranslate2", "marian"])
def test_no_value_of_a_wrong_type_ends_in_a_traceback(
    sources: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of every field that the files have; what nobody reads may be anything."""
    refused = 0
    for name in ("config.json", "generation_config.json"):
        known: dict[str, Any] = json.loads((sources / kind / name).read_text())
        for field in known:
            for wrong in ("x", {"a": 1}):
                folder, out = tmp_path / "spoilt", tmp_path / "out"
                shutil.copytree(sources / kind, folder)
                (folder / name).write_text(json.dumps(known | {field: wrong}))
                code = main(command(kind, folder, out))
                said = capsys.readouterr().err
                assert code in (0, 2), (name, field, wrong)
                assert code == 0 or str(folder) in said, said
                refused += code == 2
                for left in (folder, out):
                    if left.is_dir():
                        shutil.rmtree(left)
                    else:
                        left.unlink(missing_ok=True)
    assert refused > 5
