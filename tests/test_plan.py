"""`vaswani plan` says what a recipe needs before it runs, and refuses impossible machines."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from vaswani.commands import main
from vaswani.commands.recipe import read_recipe
from vaswani.experiment import parse
from vaswani.experiment.arguments import MODEL_FIELDS
from vaswani.experiment.data_arguments import DataArguments
from vaswani.experiment.plan import Machine, Plan, plan
from vaswani.training import VaswaniTrainingArguments

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "recipes"
OF_RECIPES = {"sweep.py", "distill.py", "back_translation.py"}
"""Those whose runs are those of another recipe."""
P100 = Machine(gpus=8, peak_tflops=9.5, utilisation=1.0)
"""The paper's machine, at the rate that its section 6.1 takes it to sustain in float32."""


def planned(name: str, *flags: str, machine: Machine = P100, length: int = 30) -> Plan:
    return plan(parse(read_recipe(RECIPES / f"{name}.py"), flags), machine, length)


@pytest.mark.parametrize(
    ("name", "hours", "printed", "share"), [("wmt14_base", 12, 3.3e18, 0.29), ("wmt14_big", 84, 2.3e19, 0.42)]
)
def test_the_papers_training_cost_is_time_by_peak(name: str, hours: float, printed: float, share: float) -> None:
    """Table 2 counts what the GPUs could have done; what the steps take is less, as docs/paper.md says."""
    could = hours * 3600 * P100.gpus * P100.peak_tflops * 1e12
    assert could == pytest.approx(printed, rel=0.01)
    assert planned(name).of_the_run / could == pytest.approx(share, abs=0.005)
    page = " ".join((ROOT / "docs/paper.md").read_text(encoding="utf-8").split())
    assert f"{planned(name).of_the_run:.2g}".replace("e+", "e") in page
    assert f"{share:.0%}" in page


def test_time_and_cost_follow_from_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    machine = ["--gpus", "4", "--peak_tflops", "100", "--utilisation", "0.5", "--price_per_gpu_hour", "3"]
    assert main(["plan", *machine, str(RECIPES / "wmt14_base.py"), "--max_steps", "1000"]) == 0
    before = capsys.readouterr().out
    hours = planned("wmt14_base").of_a_step * 1000 / (4 * 100e12 * 0.5) / 3600
    assert f"The run takes {60 * hours:.1f} minutes, {4 * hours:.2f} GPU-hours" in before
    assert f"that costs {4 * hours * 3:.2f}" in before
    assert "The run of 1,000 steps" in before
    assert main(["plan", str(RECIPES / "wmt14_base.py"), "--max_steps", "1000", *machine]) == 0
    assert capsys.readouterr().out == before  # in whatever order


def test_muon_keeps_one_moment_of_a_matrix_and_needs_it_whole(capsys: pytest.CaptureFixture[str]) -> None:
    by_adam, by_muon = (
        planned("multi30k", "--batches_per_step", "8", "--optimizer", each) for each in ("adam", "muon")
    )
    matrices = 4 * (4 * 128**2 + 2 * 128 * 256) + 4 * (8 * 128**2 + 2 * 128 * 256)  # of four layers a side
    assert list(by_muon.costs) == ["DDP"]
    assert by_adam.costs["DDP"].memory.adam - by_muon.costs["DDP"].memory.adam == 4 * matrices
    assert by_adam.costs["DDP"].memory[:2] == by_muon.costs["DDP"].memory[:2]
    assert main(["plan", str(RECIPES / "multi30k.py"), "--optimizer", "muon"]) == 0
    assert re.search(r"weights +gradients +Muon and Adam +all", capsys.readouterr().out)


@pytest.mark.parametrize(("tflops", "is_short"), [("989", True), ("9.5", False)])
def test_a_share_of_the_peak_that_short_steps_cannot_reach_is_told(
    tflops: str, is_short: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--gpus", "8", "--peak_tflops", tflops, str(RECIPES / "wmt14_base.py")]) == 0
    assert ("expect a smaller share, and measure yours" in capsys.readouterr().out) == is_short


def test_the_recipes_own_flags_override_it(capsys: pytest.CaptureFixture[str]) -> None:
    big = ["--d_model", "1024", "--d_ff", "4096", "--num_heads", "16"]
    assert main(["plan", str(RECIPES / "wmt14_base.py"), *big]) == 0
    assert "214,171,648 parameters" in capsys.readouterr().out


@pytest.mark.parametrize("recipe", sorted({path.name for path in RECIPES.glob("*.py")} - OF_RECIPES))
def test_every_recipe_can_be_planned(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--gpus", "1", str(RECIPES / recipe)]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^  one process +\d", said, re.MULTILINE)
    assert "each process sends" not in said


@pytest.mark.parametrize(("batches", "gpus"), [(1, 1), (4, 4), (8, 8), (12, 4)])
def test_as_many_gpus_are_planned_as_share_a_step(batches: int, gpus: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the eight that are the default: nobody asked for them."""
    assert main(["plan", str(RECIPES / "multi30k.py"), "--batches_per_step", str(batches)]) == 0
    assert f"{gpus} GPU(s) x " in capsys.readouterr().out


def test_the_table_of_memory_is_that_of_the_guide(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/distributed.md has it for eight processes; tests/test_memory_and_traffic.py compares it with real ones."""
    assert main(["plan", str(RECIPES / "wmt14_base.py"), "--bf16"]) == 0
    said = [re.sub(r"^ +|(?<=\S) +", " ", line).split() for line in capsys.readouterr().out.splitlines()]
    page = (ROOT / "docs/distributed.md").read_text(encoding="utf-8").split("\n### Base\n")[1].split("\n#")[0]
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if re.match(r"\| (DDP|FSDP2|ZeRO-\d) ", line)]
    assert len(rows) == 5
    assert all(row in said for row in rows)


def test_a_row_of_table_3_is_planned_as_it_would_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(RECIPES / "table3.py"), "--row", "big", "--max_steps", "10"]) == 0
    said = capsys.readouterr().out
    assert "214,171,648 parameters" in said
    assert "The run of 10 steps" in said
    assert main(["plan", str(RECIPES / "table3.py"), "--row", "big", "--scale", "2"]) == 0
    halved = planned("wmt14_base", "--num_heads", "16", "--d_k", "32", "--d_v", "32")
    assert f"{sum(halved.parameters):,} parameters" in capsys.readouterr().out


def test_16_bits_are_16_bits_by_whichever_flag() -> None:
    autocast, throughout, float32 = (
        planned("wmt14_base", *flags).costs
        for flags in (["--bf16"], ["--bf16", "--bf16_throughout"], ["--bf16", "false"])
    )
    assert autocast == throughout
    assert autocast["ZeRO-2"].memory.weights == float32["ZeRO-2"].memory.weights / 2


def test_half_the_peak_takes_twice_the_time() -> None:
    whole, half = (planned("wmt14_big", machine=P100._replace(peak_tflops=peak)) for peak in (9.5, 4.75))
    assert half.seconds == pytest.approx(2 * whole.seconds)


def test_longer_pairs_make_attention_dearer_and_nothing_else() -> None:
    short, long = (planned("wmt14_base", length=length).ahead for length in (25, 50))
    assert long.products == pytest.approx(2 * short.products)
    assert long._replace(products=0) == pytest.approx(short._replace(products=0))


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--gpus", "3"], "gpus is 3"),
        (["--pair_tokens", "5000"], "pair_tokens is 5000"),
    ],
)
def test_what_cannot_be_is_refused(flags: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", *flags, str(RECIPES / "wmt14_base.py")]) == 2
    assert f"vaswani plan: {named}" in capsys.readouterr().err


def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none.py").write_text("RECIPE = 1\n")
    assert main(["plan", str(tmp_path / "none.py")]) == 2
    assert "has no RECIPE" in capsys.readouterr().err


def test_no_flag_of_the_machine_hides_one_of_a_recipe() -> None:
    of_a_recipe = {
        *MODEL_FIELDS,
        *(each.name for part in (DataArguments, VaswaniTrainingArguments) for each in fields(part)),
    }
    assert not of_a_recipe & {*Machine._fields, "pair_tokens"}
