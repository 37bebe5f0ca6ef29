"""benchmarks/gpu.py runs to its tables at tiny sizes, and attention by sequences learns what masks do."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from forked_python import forked
from test_training import network
from torch import Tensor

from benchmarks.contenders import packing
from benchmarks.contenders.stepping import Batch

ROOT = Path(__file__).resolve().parents[1]
TINY = shlex.split("--d_model 16 --d_ff 32 --num_heads 2 --layers 1 --vocab_size 300 --length 8 --tokens 64 --rounds 1")


def measured(part: str, folder: Path, *flags: str | Path) -> tuple[dict[str, Any], str]:
    """What one part of the benchmark wrote."""
    name = folder / part
    environment = os.environ | {"OMP_NUM_THREADS": "1", "VASWANI_CACHE": str(folder / "cache")}
    script = ROOT / "benchmarks" / "gpu.py"
    command = forked(sys.executable, script, part, "--output", name, *flags, environment=environment)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    text = name.with_suffix(".md").read_text(encoding="utf-8")
    assert text.strip() in done.stdout
    assert f"\npython -m benchmarks.gpu {part} " in text
    found: dict[str, Any] = json.loads(name.with_suffix(".json").read_text(encoding="utf-8"))
    return found, text


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Measured steps of a tiny network."""
    folder = tmp_path_factory.mktemp("gpu")
    asked = ("loss compiled", "packed")
    found, text = measured("steps", folder, *TINY, "--peak_tflops", "0.5", "--contenders", *asked)
    assert [row["contender"] for row in found["rows"]] == ["as --bf16 trains", *asked]
    assert found["faults"] == {}
    for row in found["rows"]:
        assert row["share_of_peak"] == pytest.approx(row["flops"] / row["seconds"] / 0.5e12)
        assert row["tokens_per_second"] == pytest.approx(found["tokens"] / row["seconds"])
        assert row["contender"] in text
    padded, packed = (found["rows"][place]["flops"] for place in (0, 2))
    assert packed < padded  # of which the padding is none
    return folder / "steps.json"


def test_steps_and_what_follows_from_them(steps: Path, tmp_path: Path) -> None:
    seconds = [row["seconds"] for row in json.loads(steps.read_text(encoding="utf-8"))["rows"]]
    found, text = measured("schedule", tmp_path, "--steps", steps)
    assert found["rows"][0]["hours"] == pytest.approx(100_000 * seconds[0] / 3600)
    assert found["rows"][-1]["hours"] == pytest.approx(100_000 * min(seconds) / 3600)
    assert "Extrapolated, not measured" in text


def test_contenders_for_which_no_time_is_left_are_named(tmp_path: Path) -> None:
    found, text = measured("steps", tmp_path, *TINY, "--minutes", "0", "--contenders", "packed")
    assert [row["contender"] for row in found["rows"]] == ["as --bf16 trains"]
    assert "| packed | left out: 0 minutes were over |" in text


def test_decoding(tmp_path: Path) -> None:
    found, _ = measured("decode", tmp_path, *TINY, "--symbols", "5")
    assert [row["contender"].partition(",")[0] for row in found["rows"]] == ["greedy", "beam 4", "beam 4"]
    assert all(row["tokens_per_second"] == pytest.approx(8 * 5 / row["rounds"][0]) for row in found["rows"])


def test_a_run_by_the_recipe_is_held_against_the_bare_step(steps: Path, tmp_path: Path) -> None:
    lines = [f"{a} {b} ." for a in "abcdefghij" for b in "klmnopqrst"]
    for split, number in (("train", 100), ("validation", 4), ("test", 4)):
        for language in ("en", "de"):
            text = "".join(f"{line}\n" for line in lines[:number])
            (tmp_path / f"{split}.{language}").write_text(text, encoding="utf-8")
    tiny = shlex.split(
        "--d_model 16 --d_ff 32 --num_heads 2 --encoder_layers 1 --decoder_layers 1 --vocab_size 300 "
        "--max_tokens 20 --max_steps 6 --dataloader_num_workers 0 --report_to none"
    )
    recipe: list[str | Path] = [ROOT / "recipes" / "wmt14_base.py", "--data_dir", tmp_path, *tiny]
    found, text = measured("train", tmp_path, "--steps", steps, "--tokens", "128", "--minutes", "0.01", *recipe)
    assert found["figures"]["target tokens/s"] > 0
    assert found["metrics"]["steps"] == 6
    assert any("bleu" in name.lower() for name in found["figures"]), text


# --- attention by sequences ---


def sample(lengths: list[tuple[int, int]], vocab_size: int) -> Batch:
    """Random pairs of these lengths, filled up."""
    draw = torch.Generator().manual_seed(3)
    sides = []
    for side in range(2):
        of_side = torch.tensor([pair[side] for pair in lengths])
        ids = torch.randint(4, vocab_size, (len(lengths), int(of_side.max())), generator=draw)
        sides.append((ids, torch.arange(ids.shape[1]) < of_side[:, None]))
    (ids, there), (labels, counted) = sides
    return Batch(ids.where(there, 0), there.long(), labels.where(counted, -100))


def learned(model: Any, **inputs: Any) -> tuple[Tensor, dict[str, Tensor]]:
    loss = model(**inputs).loss
    loss.backward()
    return loss.detach(), {name: weight.grad for name, weight in model.named_parameters()}


LENGTHS = [
    pytest.param([(5, 3), (2, 7), (7, 1), (1, 6)], id="ragged"),
    pytest.param([(4, 4), (4, 4)], id="without padding"),
    pytest.param([(3, 2)], id="alone"),
]


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("layout", ["padded", "packed"])
def test_sequences_learn_what_masks_do(lengths: list[tuple[int, int]], layout: str) -> None:
    """Loss and every gradient, in float64, with the kernel's place taken by a loop over sentences."""
    plain = network(0.0).double().train()
    plain.set_attn_implementation("sdpa")
    batch = sample(lengths, plain.config.vocab_size)
    expected, right = learned(plain, **batch._asdict())
    model: Any = network(0.0).double().train()
    packing.attend_by_sequences(model, packing.by_sentence)
    if layout == "padded":
        inputs: dict[str, Any] = batch._asdict() | {
            "source": packing.padded_sequences(batch.attention_mask.bool()),
            "target": packing.padded_sequences(batch.labels != -100),
        }
    else:
        packed = packing.pack(batch, model.config.decoder_start_token_id)
        assert packed.labels.shape == (1, sum(target for _, target in lengths))
        packing.count_positions_by_sentence(model, packed)
        names = ("input_ids", "decoder_input_ids", "labels", "source", "target")
        inputs = {name: getattr(packed, name) for name in names}
    loss, found = learned(model, **inputs)
    torch.testing.assert_close(loss, expected)
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, right[name], msg=name)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="varlen_attn needs a GPU")
def test_torch_s_kernel_is_the_loop_over_sentences() -> None:
    """Also where nothing is asked, and backwards."""
    starts = torch.tensor([0, 5, 8, 11, 16], dtype=torch.int32, device="cuda")
    asked = torch.tensor([0, 7, 9, 9, 14], dtype=torch.int32, device="cuda")
    draw = torch.Generator("cuda").manual_seed(1)
    for ends, window in ((asked, (-1, -1)), (starts, (-1, 0))):
        sizes = (16, int(ends[-1]), int(ends[-1]))
        given = [torch.randn(n, 2, 64, generator=draw, device="cuda").bfloat16().requires_grad_() for n in sizes]
        how: dict[str, Any] = {"scale": 0.125, "window_size": window}
        found, right = (
            kernel(*given, starts, ends, 5, 7, **how) for kernel in (packing.torch_kernel(), packing.by_sentence)
        )
        torch.testing.assert_close(found, right, rtol=0.02, atol=0.02)
        for mine, theirs in zip(*(torch.autograd.grad(each.sum(), given) for each in (found, right)), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0.02, atol=0.02)
