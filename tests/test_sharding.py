"""A model that FSDP2 or DeepSpeed spread over processes: bad numbers, evaluation, checkpoints, restarts, whole runs."""

import json
import math
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import PartialState
from corpus_of_numbers import number_tokenizer, numbered_stream
from forked import Forks
from safetensors.torch import load_file
from test_nonfinite import overflowing
from test_same_learning import CORPUS, leave_weights, network, train
from torch.distributed.tensor import DTensor
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, PreTrainedModel, TrainerCallback, set_seed

from vaswani.commands import main
from vaswani.data.stream import MicroBatches
from vaswani.experiment.error_messages import exit_on_training_end
from vaswani.training import VaswaniTrainer, average_weights
from vaswani.training.checkpointing.checkpoints import (
    IncompleteCheckpointError,
    check_parts,
    checkpoint_fault,
    checkpoints,
)
from vaswani.training.checkpointing.consolidation import load_weights, read_weights
from vaswani.training.checkpointing.resuming import resume_seed
from vaswani.training.exceptions import NotANumberError, SignalledError, StartupError
from vaswani.translation.translate import translate

KINDS = ("fsdp", "zero2", "zero3")
OTHERWISE = {"peak_learning_rate": 1e-4, "adam_beta2": 0.5}
Scenes = Callable[[str], Path]
LINES = ["one two 3", "one one one 12", "7", "one 2 3 4 one two"]

# --- what the started processes do, each an own training ---


class AfterSteps(TrainerCallback):
    """Keeps the whole weights after each step, and how often the schedule went on."""

    def __init__(self, trainer: VaswaniTrainer) -> None:
        self.trainer = trainer
        self.weights: list[dict[str, torch.Tensor]] = []
        self.schedule: list[int] = []

    def on_step_end(self, *_: Any, **given: Any) -> None:
        weights = self.trainer.whole_model().state_dict()
        self.weights.append({name: weight.clone() for name, weight in weights.items()})
        self.schedule.append(given["lr_scheduler"].last_epoch)


def look(model: PreTrainedModel, lines: list[str]) -> tuple[float, list[str]]:
    """The loss on the first micro-batch, and translations."""
    batch = next(iter(MicroBatches(numbered_stream(CORPUS, number_tokenizer(), streams=2), 0, 1)))
    del batch["place"]
    with torch.inference_mode():
        loss = float(model(**batch, num_items_in_batch=1).loss)
    return loss, translate(model, number_tokenizer(), lines, num_beams=2)


def share(rank: int) -> list[str]:
    """Unlike work for each process, so that one that had to wait for the other would wait for ever."""
    return LINES[:1] if rank == 0 else LINES[1:]


def leave_out_a_step(folder: Path) -> None:
    """Six steps, the second spoilt by one process; the model is looked at after the third."""
    rank = PartialState().process_index
    seen: list[Any] = []
    after: list[AfterSteps] = []

    def prepare(trainer: VaswaniTrainer) -> None:
        if rank == 1:
            overflowing(3)(trainer)
        after.append(AfterSteps(trainer))
        trainer.add_callback(after[0])

    def evaluate(model: PreTrainedModel) -> dict[str, float]:
        seen.append(look(model, share(rank)))
        return {"loss": 1.0, "perplexity": math.e, "bleu": 1.0}

    train(folder, prepare=prepare, evaluate=evaluate, max_steps=6, save_steps=3, eval_strategy="steps", eval_steps=3)
    [steps] = after
    pairs = zip(steps.weights, steps.weights[1:], strict=False)
    kept = [all(torch.equal(one[name], other[name]) for name in one) for one, other in pairs]
    (folder / f"found.{rank}.json").write_text(json.dumps({"kept": kept, "schedule": steps.schedule, "seen": seen}))


def spoil_weights(folder: Path) -> None:
    """One process comes to hold a weight that is no number."""

    class Spoil(TrainerCallback):
        def on_optimizer_step(self, *_: Any, **given: Any) -> None:
            if PartialState().process_index == 1:
                weight = next(given["model"].parameters())
                part = weight.to_local() if isinstance(weight, DTensor) else getattr(weight, "ds_tensor", weight)
                part.data.view(-1)[0] = float("nan")

    ends(
        lambda: train(folder, prepare=lambda trainer: trainer.add_callback(Spoil()), max_steps=1, save_steps=1), folder
    )


def spoil_loss_alone(folder: Path) -> None:
    """A loss that is infinite, though its gradients are not."""

    def prepare(trainer: VaswaniTrainer) -> None:
        def spoil(_: Any, __: Any, output: Any) -> None:
            if PartialState().process_index == 1 and trainer.state.global_step == 1:
                output.loss = output.loss + float("inf")

        assert isinstance(trainer.model, torch.nn.Module)
        trainer.model.register_forward_hook(spoil)

    ends(lambda: train(folder, prepare=prepare, max_steps=3, save_steps=3), folder)


def be_signalled(folder: Path) -> None:
    """A scheduler tells one process to end."""

    class Tell(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            if state.global_step == 1 and PartialState().process_index == 1:
                os.kill(os.getpid(), signal.SIGUSR1)

    with pytest.raises(SignalledError, match="is saved"):
        train(folder, prepare=lambda trainer: trainer.add_callback(Tell()), max_steps=10_000, save_steps=10_000)


def compute_in_bfloat16(folder: Path) -> None:
    """Three steps; the losses as they are summed up, and the weights of the whole model."""
    losses: list[torch.Tensor] = []

    def prepare(trainer: VaswaniTrainer) -> None:
        step = trainer.training_step
        trainer.training_step = lambda *given: losses.append(step(*given)) or losses[-1]  # type: ignore

    trainer = train(folder, prepare=prepare, max_steps=3, save_steps=3, bf16=True)
    leave_weights(trainer, folder)
    rank = PartialState().process_index
    (folder / f"losses.{rank}.json").write_text(json.dumps([[str(each.dtype), each.item()] for each in losses]))


def go_on_otherwise(folder: Path) -> None:
    """Three steps, and three more with another peak and another Adam."""
    train(folder, max_steps=3, save_steps=3)
    trainer = train(folder, folder / "checkpoint-3", max_steps=6, save_steps=6, **OTHERWISE)
    rates = [line["learning_rate"] for line in trainer.state.log_history if "learning_rate" in line]
    (folder / f"rates.{PartialState().process_index}.json").write_text(json.dumps(rates))


def ends(run: Callable[[], Any], folder: Path) -> None:
    """Write down by what message a training ended, or that it did not."""
    try:
        run()
        message = "trained to the end"
    except NotANumberError as error:
        message = str(error)
    (folder / f"ended.{PartialState().process_index}.txt").write_text(message)


def play(folder: Path) -> None:
    """Train all of these, one after the other."""
    for scene in (
        leave_out_a_step,
        spoil_weights,
        spoil_loss_alone,
        be_signalled,
        compute_in_bfloat16,
        go_on_otherwise,
    ):
        name = folder / scene.__name__
        name.mkdir(exist_ok=True)
        scene(name)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Scenes:
    """Return `scenes(kind)`: the folder that the trainings above left, made when it is first asked for."""
    root = tmp_path_factory.mktemp("scenes")

    def played(kind: str) -> Path:
        folder = root / kind
        if not folder.exists():
            forks.run(play, folder, kind=kind, folder=folder)
        return folder

    return played


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """The weights of one process that leaves out the same step."""
    trainer = train(tmp_path_factory.mktemp("alone"), prepare=overflowing(7), max_steps=6, save_steps=6)
    return {name: weight.detach() for name, weight in trainer.whole_model().named_parameters()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_one_process_spoils_is_left_out_by_all(
    kind: str, scenes: Scenes, alone: dict[str, torch.Tensor]
) -> None:
    for rank in range(2):
        found = json.loads((scenes(kind) / "leave_out_a_step" / f"found.{rank}.json").read_text())
        assert found["kept"] == [True, False, False, False, False]
        assert found["schedule"] == [1, 1, 2, 3, 4, 5]
    weights = read_weights(scenes(kind) / "leave_out_a_step" / "checkpoint-6")
    for name, weight in alone.items():  # moments too are as if the step had not been
        assert (weights[name] - weight).norm() < 1e-5 * weight.norm(), name


@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_are_no_numbers_in_one_process_are_never_saved(kind: str, scenes: Scenes) -> None:
    folder = scenes(kind) / "spoil_weights"
    for rank in range(2):
        assert "weights are not finite numbers after step 1" in (folder / f"ended.{rank}.txt").read_text()
    assert checkpoints(folder) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_deepspeed_made_in_spite_of_its_loss_ends_the_run_unsaved(kind: str, scenes: Scenes) -> None:
    folder = scenes(kind)
    for rank in range(2):
        message = (folder / "spoil_loss_alone" / f"ended.{rank}.txt").read_text()
        if kind == "fsdp":  # where it can be left out
            assert message == "trained to the end"
        else:
            assert "the loss is not a finite number at step 2, but its gradients are, and DeepSpeed has made" in message
            assert "Micro-batch " in message
    assert len(checkpoints(folder / "spoil_loss_alone")) == (kind == "fsdp")


@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_to_one_process_saves_the_parts_of_all(kind: str, scenes: Scenes) -> None:
    [saved] = checkpoints(scenes(kind) / "be_signalled")
    assert checkpoint_fault(saved) is None
    check_parts(saved, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_in_bfloat16_losses_are_float32_and_checkpoints_hold_what_the_optimizer_works_on(
    kind: str, scenes: Scenes
) -> None:
    folder = scenes(kind) / "compute_in_bfloat16"
    for rank in range(2):
        for dtype, loss in json.loads((folder / f"losses.{rank}.json").read_text()):
            assert dtype == "torch.float32"
            assert loss != float(torch.tensor(loss).bfloat16())
    saved = read_weights(folder / "checkpoint-3")
    for name, held in load_file(folder / "left.safetensors").items():
        if name != "losses":
            assert saved[name].dtype == held.dtype == torch.float32
            assert not torch.equal(saved[name], saved[name].bfloat16().float())
            torch.testing.assert_close(held, saved[name], rtol=2**-8, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_flags_of_the_peak_and_of_adam_hold_when_a_run_goes_on(
    kind: str, scenes: Scenes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The weights are those of one process that goes on alike."""
    folder = scenes(kind) / "go_on_otherwise"
    one = tmp_path_factory.mktemp("one")
    train(one, max_steps=3, save_steps=3)
    trainer = train(one, one / "checkpoint-3", max_steps=6, save_steps=6, **OTHERWISE)
    expected = [line["learning_rate"] for line in trainer.state.log_history if "learning_rate" in line]
    assert max(expected[3:]) <= OTHERWISE["peak_learning_rate"] < min(expected[:3])
    for rank in range(2):
        assert json.loads((folder / f"rates.{rank}.json").read_text()) == pytest.approx(expected, rel=1e-6)
    weights = read_weights(folder / "checkpoint-6")
    for name, weight in trainer.whole_model().named_parameters():
        assert (weights[name] - weight).norm() < 1e-5 * weight.norm(), name


@pytest.mark.parametrize("kind", KINDS)
def test_evaluation_sees_the_weights_that_are_saved(kind: str, scenes: Scenes) -> None:
    model = network()
    load_weights(model, read_weights(scenes(kind) / "leave_out_a_step" / "checkpoint-3"))
    for rank in range(2):
        loss, translations = json.loads((scenes(kind) / "leave_out_a_step" / f"found.{rank}.json").read_text())["seen"][
            0
        ]
        expected = look(model.eval(), share(rank))
        assert loss == pytest.approx(expected[0], rel=1e-6)
        assert translations == expected[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_without_a_part_of_any_process_is_refused(kind: str, scenes: Scenes, tmp_path: Path) -> None:
    whole = scenes(kind) / "leave_out_a_step" / "checkpoint-6"
    check_parts(whole, 2)
    parts = [path.relative_to(whole) for path in whole.rglob("*") if path.suffix in (".distcp", ".pt", ".pth")]
    parts += [path for path in map(Path, ("optimizer_0/.metadata", "latest")) if (whole / path).exists()]
    assert len(parts) > 5
    for part in parts:
        folder = shutil.copytree(whole, tmp_path / "checkpoint-6", dirs_exist_ok=True)
        (folder / part).unlink()
        assert checkpoint_fault(folder) == f"{part} is missing"
        with pytest.raises(IncompleteCheckpointError, match="restore what is missing"):
            check_parts(folder, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_becomes_a_model(
    kind: str, scenes: Scenes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, out = scenes(kind) / "leave_out_a_step" / "checkpoint-6", tmp_path / "model"
    assert main(["consolidate", str(checkpoint), str(out)]) == 0
    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(out), AutoTokenizer.from_pretrained(out)
    expected = network()
    load_weights(expected, read_weights(checkpoint))
    assert translate(model, tokenizer, LINES) == translate(expected, number_tokenizer(), LINES)
    assert {path.name for path in out.iterdir()} >= {"modeling_vaswani.py", "generation_config.json", "tokenizer.json"}
    for name, weight in load_file(out / "model.safetensors").items():
        assert torch.equal(weight, expected.state_dict()[name]), name

    assert main(["consolidate", str(checkpoint), str(out)]) == 2
    assert f"{out} exists already" in capsys.readouterr().err
    damaged = shutil.copytree(checkpoint, tmp_path / "checkpoint-6")
    part = max(damaged.rglob("*"), key=lambda path: path.stat().st_size)
    part.write_bytes(part.read_bytes()[:-1] + b"?")
    assert main(["consolidate", str(damaged), str(tmp_path / "other")]) == 2
    assert f"{part.relative_to(damaged)} was changed after it was saved" in capsys.readouterr().err
    assert main(["consolidate", str(out), str(tmp_path / "other")]) == 0
    assert f"{out} holds whole weights already" in capsys.readouterr().out
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_an_average_of_parts_is_that_of_whole_weights(kind: str, scenes: Scenes, tmp_path: Path) -> None:
    folders = [scenes(kind) / "leave_out_a_step" / f"checkpoint-{step}" for step in (3, 6)]
    mean = average_weights(folders)
    one, other = map(read_weights, folders)
    for name, weight in mean.items():
        torch.testing.assert_close(weight, (one[name] + other[name]) / 2, rtol=1e-6, atol=1e-7)
    assert main(["average", *map(str, folders), "--output", str(tmp_path / "mean")]) == 0
    model: Any = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "mean")
    for name, weight in mean.items():
        assert torch.equal(model.state_dict()[name], weight), name


# --- other processes than those that saved ---


def go_on(folder: Path, checkpoint: Path, last: int) -> None:
    """Train on to step `last`, and take down what the process draws before each step."""

    class Draw(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            drawn = folder / f"drawn at {state.global_step} by {PartialState().process_index}"
            drawn.write_text(str(torch.rand(4).tolist()))

    train(folder, checkpoint, prepare=lambda trainer: trainer.add_callback(Draw()), max_steps=last)


def test_fsdp_goes_on_with_fewer_and_with_more_processes(scenes: Scenes, forks: Forks, tmp_path: Path) -> None:
    began, one, two = scenes("fsdp") / "leave_out_a_step", tmp_path / "one", tmp_path / "two"
    said = forks.run(go_on, one, began / "checkpoint-3", 5, kind="fsdp", folder=one, processes=1)
    assert "checkpoint-3 was saved on 2 process(es) and 1 resume: they draw dropout anew" in said[0]
    said = forks.run(go_on, two, one / "checkpoint-5", 6, kind="fsdp", folder=two)
    assert "checkpoint-5 was saved on 1 process(es) and 2 resume" in said[0]
    assert "go on" not in said[1]
    found, expected = read_weights(two / "checkpoint-6"), read_weights(began / "checkpoint-6")
    for name, weight in expected.items():
        assert (found[name] - weight).norm() < 1e-5 * weight.norm(), name
    drawn = [(two / f"drawn at 5 by {rank}").read_text() for rank in range(2)]
    assert drawn[0] != drawn[1]
    set_seed(resume_seed(42, 5, 1))
    assert drawn[1] == str(torch.rand(4).tolist())


@pytest.mark.parametrize(("saved", "goes_on"), [("zero2", "zero1"), ("zero1", "zero2")])
def test_stages_of_zero_that_spread_no_weights_go_on_from_each_other(
    saved: str, goes_on: str, scenes: Scenes, forks: Forks, tmp_path: Path
) -> None:
    began = scenes("zero2") / "leave_out_a_step"
    if saved == "zero1":
        before = tmp_path / "before"
        forks.run(go_on, before, began / "checkpoint-3", 5, kind=saved, folder=before)
        checkpoint = before / "checkpoint-5"
    else:
        checkpoint = began / "checkpoint-3"
    forks.run(go_on, tmp_path, checkpoint, 6, kind=goes_on, folder=tmp_path)
    found, expected = read_weights(tmp_path / "checkpoint-6"), read_weights(began / "checkpoint-6")
    for name, weight in expected.items():
        assert (found[name] - weight).norm() < 1e-5 * weight.norm(), name


def configure_otherwise(folder: Path) -> None:
    """Say how each configuration that is not provided for is refused."""
    if "FSDP_VERSION" in os.environ:
        changes = [{"FSDP_VERSION": "1"}, {"FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT"}]
    else:
        path = Path(os.environ["ACCELERATE_DEEPSPEED_CONFIG_FILE"])
        config = json.loads(path.read_text())
        others = [{"zero_optimization": {"stage": 0}}, {"optimizer": {"type": "Adam"}}, {"scheduler": {}}]
        changes = []
        for number, other in enumerate(others):
            changed = folder / f"{number}.json"
            changed.write_text(json.dumps(config | other))
            changes.append({"ACCELERATE_DEEPSPEED_CONFIG_FILE": str(changed)})
    before = dict(os.environ)
    for change in changes:
        os.environ.update(before | change)
        with pytest.raises(StartupError) as refused:
            train(folder)
        print("refused:", refused.value)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("fsdp", ["asks for FSDP 1; set fsdp_version: 2", "fsdp_state_dict_type is FULL_STATE_DICT"]),
        ("zero2", ["ZeRO of stage 0", "has a section 'optimizer'", "has a section 'scheduler'"]),
    ],
)
def test_a_way_of_spreading_that_is_not_provided_for_is_refused(
    kind: str, words: list[str], forks: Forks, tmp_path: Path
) -> None:
    [said] = forks.run(configure_otherwise, tmp_path, kind=kind, folder=tmp_path, processes=1)
    lines = [line for line in said.splitlines() if line.startswith("refused: ")]
    assert len(lines) == len(words)
    for line, expected in zip(lines, words, strict=True):
        assert expected in line


def try_all(folder: Path, *tried: Path) -> None:
    """Say why training cannot go on from any of these, and end by the last."""
    for checkpoint in tried[:-1]:
        with pytest.raises(StartupError) as refused:
            train(folder, checkpoint)
        print("refused:", refused.value)
    with exit_on_training_end():
        train(folder, tried[-1])


def test_what_these_processes_cannot_go_on_from_is_refused_before_the_first_step(
    scenes: Scenes, forks: Forks, tmp_path: Path
) -> None:
    by_two, by_zero3, by_fsdp = (
        scenes(kind) / "leave_out_a_step" / "checkpoint-3" for kind in ("zero2", "zero3", "fsdp")
    )
    by_one = shutil.copytree(by_zero3, tmp_path / "checkpoint-3", ignore=shutil.ignore_patterns("*_1*"))
    run = tmp_path / "run"
    [said] = forks.run(try_all, run, by_one, by_fsdp, by_two, kind="zero2", folder=run, processes=1, code=78)
    assert "saved by DeepSpeed on 2 process(es), which as many must resume, but 1 are running; launch the run" in said
    assert "refused: " + f"{by_one} was saved by ZeRO of stage 3, and this run has stage 2" in said
    assert f"{by_fsdp} was saved with FSDP, and this run resumes with DeepSpeed" in said
    assert "vaswani consolidate" in said
    assert "Traceback" not in said
    assert checkpoints(run) == []
